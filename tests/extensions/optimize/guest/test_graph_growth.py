"""Growth of graphs: copies of the recorded graph in a chain, which keep what the graph has, such as no cycles."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from extensions.optimize.guest.call_pickles import dumps
from extensions.optimize.guest.call_scaling import axes, scaled
from extensions.optimize.guest.graph_growth import Links, graph_nodes, grown_graph

DIAMOND = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
RING = {"a": ["b"], "b": ["a", "c"]}
TREE = {"top": ["left", "right"], "left": ["leaf"], "right": []}
WAYS = {"a": {"b": 2, "c": 3}, "b": {"a": 2}, "c": {"a": 3}}


def edges(graph: Any) -> list[tuple[Any, Any]]:
    if isinstance(graph, list):
        return [(one, other) for one, other, *_ in graph]
    pairs = [(key, value if isinstance(value, list | dict) else [value]) for key, value in graph.items()]
    return [(key, one) for key, value in pairs for one in value if one is not None]


def levels(graph: Any) -> int:
    """Return the number of nodes on the longest way through a graph without cycles."""
    links: dict[Any, list[Any]] = {}
    for one, other in edges(graph):
        links.setdefault(one, []).append(other)

    def below(node: Any, path: tuple[Any, ...]) -> int:
        assert node not in path, "a cycle"
        if node not in known:
            known[node] = 1 + max((below(one, (*path, node)) for one in links.get(node, [])), default=0)
        return known[node]

    known: dict[Any, int] = {}
    return max(below(node, ()) for node in links)


def ways(graph: dict[Any, list[Any]], node: Any) -> int:
    return 1 + sum(ways(graph, one) for one in graph.get(node, []))


def test_copies_of_a_graph_form_a_chain_without_cycles() -> None:
    numbers = {0: [1, 2], 1: [3], 2: [3], 3: []}
    for graph in (DIAMOND, numbers, edges(DIAMOND), [(0, 1, 2.5), (0, 2, 1.0), (1, 3, 4.5), (2, 3, 0.5)]):
        large = grown_graph(copy.deepcopy(graph), 60)
        assert len(large) == 60
        assert levels(large) > 10 * levels(graph) / 3
        assert set(edges(graph)) <= set(edges(large))
        assert len(set(edges(large))) == len(edges(large))


def test_chains_have_a_limited_depth() -> None:
    assert 100 < levels(grown_graph(copy.deepcopy(DIAMOND), 2048)) <= 200


def test_ways_through_a_graph_with_shared_nodes_multiply() -> None:
    few, many = (ways(grown_graph(copy.deepcopy(DIAMOND), size), "a") for size in (8, 32))
    assert many > 50 * few


def test_trees_stay_trees() -> None:
    parents = {"a": None, "b": "a", "c": "a"}
    for graph in (TREE, edges(TREE), {one: [other] for one, other in ((1, 2), (2, 3), (3, 4))}):
        large = grown_graph(copy.deepcopy(graph), 64)
        ends = [other for _, other in edges(large)]
        assert len(set(ends)) == len(ends)
        assert levels(large) > 20
    large = grown_graph(dict(parents), 64)
    assert set(large.values()) - set(large) <= {None}
    assert levels(large) > 30


def test_graphs_with_cycles_are_linked_and_ways_in_both_directions_stay_so() -> None:
    large = grown_graph(copy.deepcopy(RING), 12)
    assert "a0001" in [other for one, other in edges(large) if one in RING]
    large = grown_graph(copy.deepcopy(WAYS), 30)
    assert len(large) == 30
    assert all(large[other][one] for one, other in edges(large) if other in large)
    assert any(one in WAYS and other not in WAYS for one, other in edges(large))


def test_links_are_read_equally_often_in_large_and_small_symmetric_graphs() -> None:
    class CountedLinks(list[tuple[int, int]]):
        read = 0

        def __iter__(self) -> Iterator[tuple[int, int]]:
            self.read += 1
            return super().__iter__()

    small, large = (
        CountedLinks(pair for one in range(size) for pair in ((one, (one + 1) % size), ((one + 1) % size, one)))
        for size in (5, 50)
    )
    assert all(Links(links, sorted({one for one, _ in links})).is_symmetric for links in (small, large))
    assert small.read == large.read


def test_an_incomplete_copy_refers_only_to_its_own_nodes() -> None:
    for graph in (
        {"a": ["b", "c"], "b": ["c"], "c": []},
        {"a": {"b": 1}, "b": {"c": 2}, "c": {}},
        {"b": "c", "a": None, "c": "a"},
    ):
        for size in (10, 11):
            large = grown_graph(copy.deepcopy(graph), size)
            assert {other for _, other in edges(large)} <= set(large)


def test_weights_and_containers_stay() -> None:
    large = grown_graph({"a": [("b", 4), ("c", 7)], "b": [("c", 1)], "c": []}, 30)
    assert all(type(weight) is int for value in large.values() for _, weight in value)
    large = grown_graph({"a": {"b"}, "b": {"c"}, "c": frozenset()}, 30)
    assert {type(value) for value in large.values()} == {set, frozenset}


@pytest.mark.parametrize(
    "value",
    [
        {"a": ["x"], "b": ["y"]},
        {"a": 1, "b": 2},
        {1: 20, 2: 30},
        [(1, 20), (2, 30)],
        [1, 2],
        [],
        {},
        [("a", 1)],
        {"a": None},
    ],
)
def test_other_values_are_no_graphs(value: Any) -> None:
    assert graph_nodes(value) == []


def test_arguments_that_name_the_nodes_grow_with_the_graph() -> None:
    graph, costs = {1: [2, 3], 2: [3], 3: []}, {1: 5, 2: 6, 3: 7}
    root = [[graph, costs], {}]
    axis = axes(root).index([(0, 0), (0, 1)])
    (large, prices), _, what = scaled(dumps((graph, costs), {}), axis, 30)
    assert what == "argument 1, argument 2"
    assert set(large) == set(prices)
    assert {other for _, other in edges(large)} <= set(prices)
