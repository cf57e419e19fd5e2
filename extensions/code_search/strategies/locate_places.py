"""The places of an issue as a model ranks them: for `swe-agent locate --model` and a session's `/locate --model`."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.file_blobs import TreeBlobs
from agent.prompts.test_command_prompt import search_tree
from agent.run_state.attempt_outcome import Outcome
from extensions.code_search.located_places import RANKING, list_located, load_ranking, record_ranking
from extensions.code_search.locator import ask_for_places
from extensions.code_search.locator_request import LISTED_FUNCTIONS
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlaces
    from agent.engine.task import Task
    from trajectories.records import Issue, Step

ROLES = ("locator",)
STAYS = BY_HAND = LOOKS = APART = True
COMMAND = "/locate --model"
"""How a session's request for this strategy begins."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Rank the places without a model, unless the command has, then ask the locator."""
    issue = replace(task.turn.issue, title=task.turn.issue.title.removeprefix(COMMAND).strip())
    ranking = load_ranking(task.once(RANKING, lambda: record_ranking(_rank(task, issue))))
    located = yield from ask_for_places(task.branch, issue, ranking)
    yield task.branch.adopt(task.tree, list_located(located), author=task.turn.strategy)
    return Outcome(task.tree, Verdict(), "done")


def _rank(task: Task, issue: Issue) -> RankedPlaces:
    """Return the ranking. Unlike that of a fix, it does not run the issue's example, and opens no workspace."""
    before = HistoryBase(task.branch.engine.repository.git_dir, task.turn.base.commit)
    blobs = TreeBlobs(task.trees, search_tree(task.turn, task.trees))
    return localize_issue(blobs, issue, before, LISTED_FUNCTIONS, task.branch.notify).places
