"""Questions to roles that answer in text, asked in parallel, each in its own conversation without tools."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.run_state.attempt_outcome import Outcome
from trajectories.records import ANSWERED
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.parallel_attempts import Attempt
    from agent.engine.task import Task
    from trajectories.records import Step

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a role. `name` is the name of its branch; `temperature` is the provider's parameter, or None for
    the provider's default."""

    name: str
    role: str
    words: str
    temperature: float | None = None


def ask_roles(task: Task, questions: Sequence[Question]) -> Generator[Step, None, list[str]]:
    """Return the answers in the order of the questions; an answer is "" if a model failed, or the budget or the steps
    were used up."""
    attempts = [_build_attempt(task, question) for question in questions]
    yield from task.map(attempts)
    replies = task.branch.engine.trajectory.replies
    found = (replies.get((each.branch.name, 1)) for each in attempts)
    return [reply.text if reply else "" for reply in found]


def _build_attempt(task: Task, question: Question) -> Attempt:
    def solve(own: Task) -> Generator[Step, None, Outcome]:
        own.branch.role, own.branch.temperature = question.role, question.temperature
        yield own.say(question.words)
        reply = own.ask(tools=False)
        yield own.step(reply, ())
        return Outcome(own.tree, Verdict(), ANSWERED)

    return task.attempt(question.name, solve)


def parse_letter(said: str, count: int) -> int | None:
    """Return the index of the letter in an answer's last line; None if it names none of the first `count` letters."""
    letter = re.fullmatch(r"\W*([A-Z])\W*", _last_line(said))
    place = LETTERS.find(letter[1]) if letter else -1
    return place if 0 <= place < count else None


def is_yes(said: str) -> bool:
    """Return whether an answer's last line is an unconditional yes."""
    words = set(re.findall(r"[a-z]+", _last_line(said).lower()))
    return "yes" in words and not {"no", "not", "but", "fails", "except", "however"} & words


def _last_line(said: str) -> str:
    """Return the last line of an answer that is not a code fence."""
    lines = (line for line in reversed(said.splitlines()) if line.strip() and not line.lstrip().startswith("```"))
    return next(lines, "").strip()


SHARE = re.compile(r"(?<![\d.-])(\d*\.?\d+)\s*(?:(%)|(?:/|out of|of)\s*(\d+))?[^\d\w]*$")


def parse_score(said: str) -> float | None:
    """Return the number from 0 to 1 at the end of an answer's last line, which may be written as `7/10` or `70 %`; None
    if there is no such number."""
    line = _last_line(said)
    found = SHARE.search(re.sub(r"\s*\([^()]*\)\W*$", "", line)) or SHARE.search(line)
    if found is None:
        return None
    share = float(found[1]) / (100 if found[2] else float(found[3] or 1) or 1)
    return share if 0 <= share <= 1 else None
