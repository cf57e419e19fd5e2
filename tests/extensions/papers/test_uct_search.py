"""Tree search over the code graph without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aci.graph.code_graph import Graph, query_graph
from aci.graph.outline import Location
from benchmarks.routes import search_graph
from extensions.papers.graph_search import (
    MOST_NEIGHBOURS,
    WIDTH,
    IssueRelevance,
    PlaceTree,
    find_place,
    neighbours,
)
from tests.text_blobs import TextBlobs
from trajectories.records import Issue

FILES = {
    "shop/base.py": (
        "class Till:\n    def close(self):\n        return self.total()\n\n    def total(self):\n        return 0\n"
    ),
    "shop/night.py": (
        "from shop.base import Till\n\n\nclass NightTill(Till):\n    def total(self):\n        return count()\n\n\n"
        "def count():\n    return 1\n"
    ),
    "shop/wide.py": "".join(f"def part_{number}():\n    return {number}\n\n\n" for number in range(40)),
    "tests/test_night.py": (
        "from shop.night import NightTill, count\n\n\ndef test_count():\n    assert count() == 1\n\n\n"
        "class FakeTill(NightTill):\n    pass\n"
    ),
}


def ask(question: Callable[[Graph], Any]) -> Any:
    return query_graph(TextBlobs(FILES), None, question)


def place(graph: Graph, path: str, name: str = "") -> Location:
    found = find_place(graph, path, name)
    assert found is not None
    return found


def flat(places: Sequence[Location]) -> list[float]:
    return [0.5] * len(places)


def reached(path: str, name: str = "", rate: Callable = flat) -> dict[str, str]:
    """The neighbours of a place by name (or path), with the way to each."""

    def question(graph: Graph) -> dict[str, str]:
        found = neighbours(graph, place(graph, path, name), rate)
        return {(symbol.name if (symbol := graph.symbol(at)) else at.path): how for at, how in found}

    return ask(question)


def test_edges_lead_to_neighbours_in_both_directions_but_not_to_tests() -> None:
    assert reached("shop/night.py", "NightTill.total") == {
        "Till.total": "overridden by NightTill.total",
        "count": "referred to by NightTill.total",
        "NightTill": "contains NightTill.total",
    }
    assert reached("shop/base.py", "Till").items() >= {"NightTill": "subclass of Till", "Till.close": "in Till"}.items()
    assert reached("shop/night.py", "NightTill")["Till"] == "base of NightTill"
    assert (
        reached("shop/night.py").items()
        >= {"count": "in shop/night.py", "Till": "referred to by shop/night.py"}.items()
    )
    assert "FakeTill" not in reached("shop/night.py", "NightTill")
    assert "test_count" not in reached("shop/night.py", "count")


def test_most_relevant_neighbours_come_first_and_their_number_is_limited() -> None:
    found = list(reached("shop/wide.py", rate=lambda places: [place.symbol / 100 for place in places]))
    assert (len(found), found[:2]) == (MOST_NEIGHBOURS, ["part_39", "part_38"])


def test_search_follows_the_values_to_a_place_that_no_seed_names() -> None:
    """`count` is three edges from the seed, and the values rise on the way; `wide.py` is open but worth nothing."""
    worth = {"Till.close": 0.4, "Till.total": 0.5, "NightTill.total": 0.6, "count": 0.9}

    def question(graph: Graph) -> tuple[list[str], int]:
        def rate(places: Sequence[Location]) -> list[float]:
            symbols = [graph.symbol(at) for at in places]
            return [worth.get(symbol.name, 0.0) if symbol else 0.0 for symbol in symbols]

        seeds = [place(graph, "shop/wide.py"), place(graph, "shop/base.py", "Till.close")]
        tree = search_graph(graph, seeds, rate, expansions=4)
        best = [symbol.name for node in tree.ranked()[:2] if (symbol := graph.symbol(node.place))]
        return best, len(tree.nodes)

    best, visited = ask(question)
    assert best == ["count", "NightTill.total"]
    assert visited <= 2 + 4 * WIDTH


def test_ratings_count_for_all_places_on_the_way() -> None:
    tree = PlaceTree()
    [seed] = tree.add([(Location("a.py"), "")])  # type: ignore[list-item]
    tree.rate(seed, 0.2)
    [below] = tree.add([(Location("a.py", 0), "in a.py"), (Location("a.py"), "again")], seed)  # type: ignore[list-item]
    tree.rate(below, 1.0, "It is there.")
    assert (round(seed.value, 2), seed.rating, tree.root.visits) == (0.6, 0.2, 2)
    assert [node.place.symbol for node in tree.ranked()] == [0, -1]


def test_relevance_needs_no_model() -> None:
    def question(graph: Graph) -> list[float]:
        relevance = IssueRelevance(graph, Issue("count() is wrong", "At night the count is one too many."))
        return relevance([place(graph, "shop/night.py", "count"), place(graph, "shop/wide.py", "part_3"),
                          place(graph, "shop/night.py"), place(graph, "shop/wide.py")])  # fmt: skip

    count, part, night, wide = ask(question)
    assert (count, night) == (1.0, 1.0)
    assert part == wide == 0.0
