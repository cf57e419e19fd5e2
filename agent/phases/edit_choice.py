"""A model decides, once and on the record, between edits that pass the tests and behave differently."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from agent.moves.offering import options, sides
from agent.moves.voices import letter_of
from agent.repair.words import LETTERS, counted
from trajectories.errors import Cancelled, ModelError, Stop

if TYPE_CHECKING:
    from agent.task import Task
    from trajectories.records import Step

ROLE = "judge"


def judged(task: Task, found: dict[str, Any], author: str) -> Generator[Step, None, int | None]:
    """The place of the edit that the model takes; None where none is configured, nothing is doubted, the model takes
    none, or cannot be had."""
    if not found["doubt"] or len(options(found)) < 2 or not task.settings.model:
        return None
    task.note("phase", "ask which is meant")
    asked = f"The issue:\n{task.issue.text}\n\n{found['doubt']}\n{sides(found)}\n\nWhich edit is right?"
    yield task.say(asked, author=author)
    said = task.once("judged", lambda: _answer(task))
    chosen = letter_of(said, len(options(found)))
    takes = "none of the edits" if chosen is None else LETTERS[chosen]
    task.note("vote", f"The model takes {takes}.")
    yield task.say(f"{said}\nThe model takes {takes}.".strip(), author=ROLE)
    return chosen


def vote(found: dict[str, Any], place: int) -> str:
    """That a model chose this edit, as a note of the verdict on it."""
    return f"A model chose {LETTERS[place]} of {counted(len(options(found)))} that pass the tests."


def lifted(found: dict[str, Any], place: int) -> str:
    """What doubt is left in the edit that a model chose: whether it is made for the tests is not for a model to say."""
    return str(found["edits"][place].get("special", ""))


def _answer(task: Task) -> str:
    """The model's reply in words, or why there is none."""
    try:
        return task.ask(ROLE).text
    except Cancelled:
        raise
    except (ModelError, Stop) as error:
        return f"It was not asked: {error}"
