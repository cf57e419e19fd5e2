"""A model's choice between edits that pass the tests but behave differently. The choice is recorded."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from agent.candidates.role_questions import parse_letter
from extensions.repair.edit_descriptions import LETTERS, number_in_words
from extensions.repair.offered_edits import compare_edits, options
from trajectories.errors import Cancelled, ModelError, Stop

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLE = "judge"


def choose_by_model(task: Task, found: dict[str, Any], author: str) -> Generator[Step, None, int | None]:
    """Return the index of the edit that the model chooses.

    Returns None if no model is configured, if the choice is not in doubt, or if the model rejects all edits or fails.
    """
    if not found["doubt"] or len(options(found)) < 2 or not task.turn.settings.model:
        return None
    task.note("phase", "ask which edit is right")
    question = f"The issue:\n{task.turn.issue.text}\n\n{found['doubt']}\n{compare_edits(found)}\n\nWhich edit is right?"
    yield task.say(question, author=author)
    said = task.once("judged", lambda: _answer(task))
    chosen = parse_letter(said, len(options(found)))
    takes = "none of the edits" if chosen is None else LETTERS[chosen]
    task.note("vote", f"The model takes {takes}.")
    yield task.say(f"{said}\nThe model takes {takes}.".strip(), author=ROLE)
    return chosen


def vote(found: dict[str, Any], place: int) -> str:
    """Return a note for the verdict that a model chose this edit."""
    return f"A model chose {LETTERS[place]} of {number_in_words(len(options(found)))} that pass the tests."


def remaining_doubt(found: dict[str, Any], place: int) -> str:
    """Return the remaining doubt about the chosen edit: a model cannot rule out that it is tailored to the tests."""
    return str(found["edits"][place].get("special", ""))


def _answer(task: Task) -> str:
    """Return the text of the model's reply, or the reason why there is none."""
    try:
        return task.ask(ROLE).text
    except Cancelled:
        raise
    except (ModelError, Stop) as error:
        return f"No answer: {error}"
