"""The proof of a patch that somebody else made, for `swe-agent prove` and `swe-agent review`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.proof.fact_words import MAY_BE_FORGED
from agent.phases.user_reproduction import reproduction_test
from agent.prompts.opening_prompt import likely_sources
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.proposed_tree import NOT_ISOLATED, find_proposal, is_test_name
from trajectories.errors import UsageError
from trajectories.plugins import extension_module

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

AUTHOR = "proposed-patch"


def prove_proposal(task: Task) -> Generator[Step, None, Outcome]:
    """Put the patch into the workspace, prove it, and compare the proof with the claims of a bundle, if there are any.

    Raises UsageError for a run without a proposed patch.
    """
    engine = task.branch.engine
    proposal = find_proposal(engine.trajectory)
    if not proposal:
        raise UsageError("This run has no proposed patch.", "Use `swe-agent prove`.")
    if engine.settings.workspace == "local" and proposal.get("own") is not True:
        raise UsageError(NOT_ISOLATED, "Use --workspace docker.")
    reproduction = [str(name) for name in proposal.get("reproduction", ())]
    if bad := [name for name in reproduction if not is_test_name(name)]:
        raise UsageError(f"{bad[0][:60]!r} is not the name of a test.", "Prove the patch again.")
    has_claims = proposal.get("claims") is not None
    bundles = extension_module("agent.inputs.bundles", "`prove --check`", "bundles") if has_claims else None
    yield task.adopt(str(proposal["tree"]), "The proposed patch.", author="proposal")
    given = (*(yield from reproduction_test(task)), *reproduction)
    verdict = yield from task.prove(given, likely_sources(task.branch))
    if bundles and task.tree != task.turn.base.tree:
        text, verdict = bundles.compare_with_claims(engine, proposal, verdict)
        yield task.say(text, author=AUTHOR)
    if verdict.complete and proposal.get("own") is not True:
        verdict = replace(verdict, facts=(*verdict.facts, MAY_BE_FORGED))
    return Outcome(task.tree, verdict)
