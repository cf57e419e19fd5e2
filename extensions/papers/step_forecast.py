"""Proposals for the next move with their expected results, asked for in one request before any of them is carried out.

A model that imagines the results of candidate actions, and rates them, follows WebDreamer (arXiv 2411.06559).
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from agent.candidates.role_questions import Question, ask_roles, parse_score
from agent.prompts.opening_prompt import name_places, places
from agent.prompts.quotation import framed_issue

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

ROLE = "forecaster"
MOST_DONE, MOST_SEEN, MOST_DIFF = 3_000, 6_000, 4_000
"""Maximum number of characters of the moves so far, of their last results, and of the diff, that a forecaster sees."""
LONGEST = 400
VALUE = re.compile(r"\W*?(\d*\.?\d+ ?%?)\s*")
LONGEST_VALUE = 40
"""Maximum number of characters before the first `|` of a proposal."""
REQUEST = (
    "Propose {most} different next moves, each of one to three tool calls. Imagine the result of each one, and how "
    "likely it is that a correct patch follows from there. Answer with one line for each move, and nothing else:\n"
    "number from 0 to 1 | move | expected result"
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed move. `value` is the forecast of how likely it leads to a correct patch, from 0 to 1."""

    value: float
    move: str
    result: str


def forecast_moves(
    task: Task, name: str, tree: str, done: str, seen: str, most: int
) -> Generator[Step, None, list[Proposal]]:
    """Return at most `most` proposals, the best one first; none if no model is configured for the forecaster.

    `done` summarises the moves so far, `seen` holds the last results, and `tree` the files after them.
    """
    if ROLE not in task.turn.settings.roles:
        return []
    diff = task.trees.diff(task.turn.base.tree, tree)
    parts = (
        framed_issue(task.turn.issue),
        f"Likeliest places (found without a model, not certain):\n{quote_text(name_places(places(task.branch)))}",
        f"The moves so far:\n{quote_text(done[-MOST_DONE:]) or 'none'}",
        f"The last results:\n{quote_text(seen[-MOST_SEEN:])}" if seen else "",
        f"The change so far:\n{quote_text(diff[:MOST_DIFF]) or 'none'}",
        REQUEST.format(most=most),
    )
    [said] = yield from ask_roles(task, [Question(name, ROLE, "\n\n".join(filter(None, parts)))])
    return sorted(parse_proposals(said)[:most], key=lambda one: -one.value)


def parse_proposals(said: str) -> list[Proposal]:
    """Return the proposals in an answer, one for each line that has the form of one."""
    found = []
    for line in said.splitlines():
        mark, *rest = line.strip().lstrip("|").split("|", 2)
        value = VALUE.fullmatch(mark) if len(mark) <= LONGEST_VALUE else None
        score = parse_score(value[1]) if value else None
        if score is not None and len(rest) == 2 and (move := rest[0].strip()):
            found.append(Proposal(score, move[:LONGEST], rest[1].strip(" |")[:LONGEST]))
    return found
