"""The user's choice of one of the edits that a search found, which is then proven: `resume RUN --choose B`, or `/choose
B` in a session."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.run_state.attempt_outcome import Outcome
from extensions.repair.edit_descriptions import LETTERS, describe_change, number_in_words
from extensions.repair.offered_edits import apply_edit, offered_edits, parse_choice
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLES = ()
STAYS = BY_HAND = True
AUTHOR = "choose"


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Apply the chosen edit in place of the current one, then run the full proof."""
    found = offered_edits(task.branch.engine.trajectory)
    number = parse_choice(found, task.turn.request)
    edit = found["edits"][number]
    what = describe_change(edit["path"], edit["line"], edit["function"], edit["description"])
    yield task.adopt(apply_edit(task.trees, task.tree, found, number), f"Chosen: {what}", AUTHOR)
    parameters = _proof_parameters(task)
    verdict = yield from task.prove(*parameters, whole=True, fitted=True)
    note = f"You chose {LETTERS[number]} of {number_in_words(len(found['edits'][: len(LETTERS)]))} that pass the tests."
    yield task.say(f"{note} {what}", author=AUTHOR)
    return Outcome(task.tree, replace(verdict, facts=(Fact("limit", note), *verdict.facts)))


def _proof_parameters(task: Task) -> tuple[list[str], list[str]]:
    """Return the reproduction tests and the places of the previous proof."""
    proofs = [step for step in task.branch.steps if step.author == "proof" and step.observations]
    parameters = proofs[-1].observations[0].data.get("asked", {}) if proofs else {}
    return list(parameters.get("reproduction", ())), list(parameters.get("places", ()))
