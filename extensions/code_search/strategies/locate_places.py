"""The places of an issue as a model ranks them, from the ranking without a model: for `swe-agent locate --model`.

The role `locator` answers once, without tools. If it cannot tell, it is asked a second time, with the source of the
functions that it names.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.graph.file_outline import numbered
from aci.localization.issue_localization import HistoryBase, localize_issue, query_tree_graph, text_of
from aci.observation.untrusted_text import quote_source
from aci.repository.file_blobs import TreeBlobs
from agent.prompts.test_command_prompt import search_tree
from agent.run_state.attempt_outcome import Outcome
from extensions.code_search.located_places import LOCATED, RANKING, list_located, load_ranking, record_ranking, resolve
from extensions.code_search.locator_request import (
    AGAIN,
    LISTED_FUNCTIONS,
    LocatorAnswer,
    locator_request,
    parse_answer,
)
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlaces
    from agent.engine.task import Task
    from trajectories.records import Issue, Step

ROLES = (LOCATOR := "locator",)
STAYS = BY_HAND = LOOKS = APART = True
COMMAND = "/locate --model"
"""How a session's request for this strategy begins."""
MAX_SOURCE_LINES = 80
"""Maximum number of lines that are shown of a function."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Rank the places, ask the locator, check its answer against the code graph, and record the places that exist."""
    ranking = load_ranking(task.once(RANKING, partial(_rank, task)))
    branch = task.branch.beside(LOCATOR, LOCATOR)
    branch.say(locator_request(_issue(task), ranking))
    reply = branch.ask(tools=False)
    yield branch.step(reply, ())
    answer = parse_answer(reply.text)
    if answer.is_unsure:
        sources = task.once("sources", partial(_sources, task, ranking, answer))
        branch.say("\n\n".join([AGAIN, *sources]))
        reply = branch.ask(tools=False)
        yield branch.step(reply, ())
        answer = parse_answer(reply.text)
        answer = answer._replace(places=()) if answer.is_unsure else answer
    located = task.once(LOCATED, partial(_check, task, ranking, answer))
    yield task.branch.adopt(task.tree, list_located(located), author=task.turn.strategy)
    return Outcome(task.tree, Verdict(), "done")


def _issue(task: Task) -> Issue:
    """Return the issue; in a session, the words after the command."""
    issue = task.turn.issue
    return replace(issue, title=issue.title.removeprefix(COMMAND).strip())


def _blobs(task: Task) -> TreeBlobs:
    return TreeBlobs(task.trees, search_tree(task.turn, task.trees))


def _rank(task: Task) -> dict[str, Any]:
    before = HistoryBase(task.branch.engine.repository.git_dir, task.turn.base.commit)
    found = localize_issue(_blobs(task), _issue(task), before, LISTED_FUNCTIONS, task.branch.notify)
    return record_ranking(found.places)


def _check(task: Task, ranking: RankedPlaces, answer: LocatorAnswer) -> dict[str, Any]:
    """Return the record of the places that exist, and the names of the others."""
    tree = task.trees.files(search_tree(task.turn, task.trees))
    return query_tree_graph(
        _blobs(task),
        text_of(_issue(task)),
        lambda graph: resolve(answer.places, ranking, graph, tree),
        task.branch.notify,
    )


def _sources(task: Task, ranking: RankedPlaces, answer: LocatorAnswer) -> list[str]:
    """Return the numbered sources of the functions that the answer asks for, as far as they exist."""
    files, sources = task.trees.files(task.turn.base.tree), []
    for place in _check(task, ranking, answer)["places"]:
        if not place.get("name"):
            continue
        first, last = place["line"], min(place["end"], place["line"] + MAX_SOURCE_LINES - 1)
        text = task.trees.read_blob(files[place["path"]].id).decode("utf-8", "replace")
        lines = numbered(text.split("\n")[first - 1 : last], first)
        sources.append(quote_source(lines, file=place["path"], name=place["name"], lines=f"{first}-{last}"))
    return sources or ["None of them exists."]
