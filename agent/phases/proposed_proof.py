"""The proof of a patch that somebody else made, for `swe-agent prove` and `swe-agent review`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.proof.fact_words import MAY_BE_FORGED
from agent.evidence.proof_claims import (
    claims_of,
    decode_claims,
    find_differences,
    find_environment_differences,
    find_evidence_difference,
    is_test_name,
)
from agent.phases.user_reproduction import reproduction_test
from agent.prompts.opening_prompt import likely_sources
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.proposed_tree import NOT_ISOLATED, find_proposal
from trajectories.errors import UsageError
from trajectories.facts import Fact

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
    yield task.adopt(str(proposal["tree"]), "The proposed patch.", author="proposal")
    given = (*(yield from reproduction_test(task)), *reproduction)
    verdict = yield from task.prove(given, likely_sources(task.branch))
    claims = proposal.get("claims")
    if claims is not None and task.tree != task.turn.base.tree:
        claimed = decode_claims(engine.journal.recall(claims))
        own = claims_of(engine.trajectory, engine.journal.recall)
        problems = map(str, proposal.get("problems", ()))
        differences = (*problems, *find_differences(claimed, replace(own, source=claimed.source)))
        evidence = find_evidence_difference(claimed, own)
        others = (*([evidence] if evidence else []), *find_environment_differences(claimed, own))
        same = "The proof is the same as in the bundle."
        yield task.say("\n".join([*(differences or [same]), *others]), author=AUTHOR)
        kind = verdict.kind if not differences or verdict.kind == "none" else "unproven"
        facts = (*(Fact("doubt", text) for text in differences), *(Fact("limit", text) for text in others))
        verdict = replace(verdict, kind=kind, facts=(*facts, *verdict.facts))
    if verdict.complete and proposal.get("own") is not True:
        verdict = replace(verdict, facts=(*verdict.facts, MAY_BE_FORGED))
    return Outcome(task.tree, verdict)
