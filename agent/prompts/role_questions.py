"""Questions to roles that answer in words: each in a conversation of its own, without tools, side by side."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.outcome import Outcome
from trajectories.records import Verdict

if TYPE_CHECKING:
    from agent.parallel import Attempt
    from agent.task import Task
    from trajectories.records import Step

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Question:
    """`name` is its branch's; `temperature` as the provider takes it, its own if None."""

    name: str
    role: str
    words: str
    temperature: float | None = None


def voices(task: Task, questions: Sequence[Question]) -> Generator[Step, None, list[str]]:
    """What each says, in the order of the questions; "" of one that could not be had: a model failed, the purse or the
    steps ended."""
    made = [_asked(task, question) for question in questions]
    yield from task.map(made)
    replies = task.engine.trajectory.replies
    found = (replies.get((each.task.branch, 1)) for each in made)
    return [reply.text if reply else "" for reply in found]


def _asked(task: Task, question: Question) -> Attempt:
    def solve(own: Task) -> Generator[Step, None, Outcome]:
        own.role, own.temperature = question.role, question.temperature
        yield own.say(question.words)
        reply = own.ask(tools=False)
        yield own.step(reply, ())
        return Outcome(own.tree, Verdict())

    return task.attempt(question.name, solve)


def letter_of(said: str, count: int) -> int | None:
    """The place of the letter that stands alone in an answer's last line; None where it names none of so many."""
    letter = re.fullmatch(r"\W*([A-Z])\W*", _last_line(said))
    place = LETTERS.find(letter[1]) if letter else -1
    return place if 0 <= place < count else None


def says_yes(said: str) -> bool:
    """Whether an answer's last line says yes, and nothing against it."""
    words = set(re.findall(r"[a-z]+", _last_line(said).lower()))
    return "yes" in words and not {"no", "not", "but", "fails", "except", "however"} & words


def _last_line(said: str) -> str:
    """The last line of an answer that is no fence."""
    lines = (line for line in reversed(said.splitlines()) if line.strip() and not line.lstrip().startswith("```"))
    return next(lines, "").strip()


SHARE = re.compile(r"(?<![\d.-])(\d*\.?\d+)\s*(?:(%)|(?:/|out of|of)\s*(\d+))?[^\d\w]*$")


def share_of(said: str) -> float | None:
    """The number from 0 to 1 that an answer's last line ends with, also as `7/10` or `70 %`; None for any other."""
    line = _last_line(said)
    found = SHARE.search(re.sub(r"\s*\([^()]*\)\W*$", "", line)) or SHARE.search(line)
    if found is None:
        return None
    share = float(found[1]) / (100 if found[2] else float(found[3] or 1) or 1)
    return share if 0 <= share <= 1 else None
