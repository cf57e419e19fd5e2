"""The locator: a role that ranks the likely places of an issue once, from the ranking without a model.

It answers without tools. If it cannot tell, it is asked a second time, with the source of the functions that it names.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.graph.file_outline import numbered
from aci.localization.issue_localization import query_tree_graph, text_of
from aci.observation.untrusted_text import quote_source
from aci.repository.file_blobs import TreeBlobs
from agent.conversation.model_roles import LOCATOR
from agent.engine.strategy_prompts import load_prompts
from agent.prompts.opening_prompt import PLACES, localize, record_places
from agent.prompts.test_command_prompt import search_tree
from agent.run_state.strategy_traits import is_about_failing_tests, is_repair
from extensions.code_search.located_places import (
    LOCATED,
    NOTHING,
    RANKING,
    load_ranking,
    merge_places,
    record_ranking,
    resolve,
)
from extensions.code_search.locator_request import AGAIN, LISTED_FUNCTIONS, locator_request, parse_answer
from trajectories.errors import ModelError

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlaces
    from agent.engine.branch import Branch
    from extensions.code_search.locator_request import LocatorAnswer
    from trajectories.records import Issue, Step

STRATEGY = "locate-places"
MAX_SOURCE_LINES = 80
"""Maximum number of lines that are shown of a function."""
FIRST = 10
"""Number of files and of functions that a fix starts from."""


def locate_first(branch: Branch) -> Generator[Step, None, None]:
    """Before a fix, put the locator's places before the others, if the role has a model.

    If the model fails, the ranking without it is recorded, so that a resumed turn does not ask again; a failure that a
    later try may avoid is raised.
    """
    turn, issue = branch.engine.trajectory.turns[-1], branch.turn.issue
    if LOCATOR not in turn.models or not is_repair(turn.strategy) or is_about_failing_tests(issue):
        return
    known = branch.known("")
    if PLACES in known and LOCATED not in known:  # the model failed before the turn was resumed
        return
    ranking = load_ranking(branch.once(RANKING, lambda: record_ranking(localize(branch, LISTED_FUNCTIONS))))
    try:
        located = yield from ask_for_places(branch, issue, ranking)
    except ModelError as error:
        if error.retryable:
            raise
        branch.notify(f"The places are ranked without a model: {error.message}")
        located = NOTHING
    branch.once(PLACES, lambda: record_places(merge_places(ranking, located, FIRST)))


def ask_for_places(branch: Branch, issue: Issue, ranking: RankedPlaces) -> Generator[Step, None, dict[str, Any]]:
    """Ask the locator in a conversation of its own, check its answer against the code graph, and return the record of
    the places that exist, and of the names that do not."""
    own = branch.beside(LOCATOR, LOCATOR)
    if LOCATOR not in own.turn.prompts:  # they are those of the strategy that makes the fix
        prompts = load_prompts(STRATEGY, own.turn.settings.prompts)
        own.turn = replace(own.turn, prompts={**own.turn.prompts, **prompts})
    own.say(locator_request(issue, ranking))
    reply = own.ask(tools=False)
    yield own.step(reply, ())
    answer = parse_answer(reply.text)
    if answer.is_unsure:
        sources = branch.once("locator's sources", partial(_sources, branch, issue, ranking, answer))
        own.say("\n\n".join([AGAIN, *sources]))
        reply = own.ask(tools=False)
        yield own.step(reply, ())
        answer = parse_answer(reply.text)
        answer = answer._replace(places=()) if answer.is_unsure else answer
    located: dict[str, Any] = branch.once(LOCATED, partial(_check, branch, issue, ranking, answer))
    return located


def _check(branch: Branch, issue: Issue, ranking: RankedPlaces, answer: LocatorAnswer) -> dict[str, Any]:
    trees = branch.engine.trees
    tree = search_tree(branch.turn, trees)
    files = trees.files(tree)
    return query_tree_graph(
        TreeBlobs(trees, tree),
        text_of(issue),
        lambda graph: resolve(answer.places, ranking, graph, files),
        branch.notify,
    )


def _sources(branch: Branch, issue: Issue, ranking: RankedPlaces, answer: LocatorAnswer) -> list[str]:
    """Return the numbered sources of the functions that the answer asks for, as far as they exist."""
    trees, sources = branch.engine.trees, []
    for place in _check(branch, issue, ranking, answer)["places"]:
        if place["name"]:
            first, last = place["line"], min(place["end"], place["line"] + MAX_SOURCE_LINES - 1)
            text = trees.read(branch.turn.base.tree, place["path"]).decode("utf-8", "replace")
            lines = numbered(text.split("\n")[first - 1 : last], first)
            sources.append(quote_source(lines, file=place["path"], name=place["name"], lines=f"{first}-{last}"))
    return sources or ["None of them exists."]
