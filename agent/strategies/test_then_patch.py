"""Test first: localize, write a test that fails because of the issue, patch and prove; the evidence of a failed proof
goes back to the model.

The phases share one conversation, so no phase starts a new one, and none of them needs a separate request: if a model
writes a correct test and patch in one reply, that reply suffices.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import TYPE_CHECKING

from aci.proof.evidence import function_name
from agent.engine.loop import is_submission, loop
from agent.engine.proof_step import expect_proof
from agent.phases.reproduction_gate import Gate, draft_test, judge
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening, places

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step
    from trajectories.verdict import Verdict

ROLES = ("coder",)
SOURCE = "test-driven development"
WHEN = "nothing else suits better: it is the default with a model"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Localize, reproduce, patch and prove; patching and proving repeat until the patch is proven, at most `rounds`
    times."""
    task.note("phase", "localize")
    places(task.branch)
    given = yield from given_tests(task)
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    expect_proof(task.branch, given, likely_sources(task.branch))
    has_test = bool(given) or (yield from draft_test(task))
    submitted = False if has_test else is_submission((yield from _reproduce(task)))
    for number in range(task.turn.settings.rounds):
        if not submitted:
            yield from task.phase("patch")
        if task.tree == _proved(task):
            task.note("summary", "The model submits the same patch again.")
            break
        task.note("phase", "prove")
        verdict = yield from task.prove(given, likely_sources(task.branch))
        if verdict.complete or _is_beyond_patch(verdict) or _is_overruled(task, verdict):
            break
        submitted = False
        if number + 1 < task.turn.settings.rounds:
            yield task.say(task.prompt("again"))
    return task.best()


def _is_beyond_patch(verdict: Verdict) -> bool:
    """Return whether the proof lacks only what no change of the patch can give: an extension is not installed, or
    whether other tests still pass is unknown."""
    if any(fact.data.get("is_missing_part") for fact in verdict.facts):
        return True
    holds = verdict.red and verdict.green and verdict.red_again and verdict.no_loss is None
    return bool(holds) and verdict.generality != "examples only" and all(fact.kind != "doubt" for fact in verdict.facts)


def _is_overruled(task: Task, verdict: Verdict) -> bool:
    """Return whether only existing tests contradict the patch, and the model named all of them when it submitted.

    The model claims that the issue contradicts these tests. Running them cannot decide that, so the patch stays
    unproven.
    """
    if not (verdict.red and verdict.green and verdict.red_again and verdict.lost):
        return False
    summaries = (seen.data.get("summary", "") for step in reversed(task.branch.steps) for seen in step.observations)
    summary = next(filter(None, summaries), "")
    names = [function_name(id) for id in verdict.lost]
    if not all(re.search(rf"\b{re.escape(name)}\b", summary) for name in names):
        return False
    task.note("summary", f"The model says that the issue contradicts {', '.join(names[:5])}: please check.")
    return True


def _proved(task: Task) -> str:
    """Return the tree of the last proof."""
    return next((step.tree for step in reversed(task.branch.steps) if step.author == "proof"), "")


def _reproduce(task: Task) -> Generator[Step, None, Step]:
    """Run until a test fails because of the issue, or the model continues without such a test; a wrong test is sent
    back with an explanation.

    The model gets this feedback at most `rounds` times; after that, the proof judges its test.
    """
    task.note("phase", "reproduce")
    gate = Gate()

    def is_decided(step: Step) -> bool:
        nonlocal gate
        gate = judge(task, step)
        return is_submission(step) or bool(gate)

    for _ in range(task.turn.settings.rounds):
        step = yield from loop(task.branch, until=is_decided)
        if is_submission(step) or gate.open:
            break
        task.note("gate", gate.refused)
        yield task.say(task.prompt("refused", reason=gate.refused))
    else:
        return step
    task.note("gate", gate.open or "submitted")
    return step
