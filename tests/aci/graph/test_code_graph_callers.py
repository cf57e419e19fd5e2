"""Callers of a place: all that the graph knows, whether or not their files contain its name."""

from __future__ import annotations

from random import Random

import pytest

from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.graph_store import Store
from aci.graph.outline import BASE, Location
from tests.aci.graph.random_trees import load_graph, random_tree
from tests.text_blobs import TextBlobs

LONG = "z" * 100


@pytest.mark.parametrize(
    ("texts", "name", "caller"),
    [
        (
            {
                "a.py": "class Alpha:\n    def __init__(self, x):\n        pass\n",
                "b.py": "from a import Alpha\nclass Beta(Alpha):\n    pass\n",
                "c.py": "from b import Beta\ndef f():\n    return Beta(1)\n",
            },
            "Alpha.__init__",
            Location("c.py", 0),
        ),
        (
            {
                "a.py": "class Foo:\n    def __call__(self, x):\n        pass\ninst = Foo()\n",
                "c.py": "from a import inst\ndef f():\n    return inst(1)\n",
            },
            "Foo.__call__",
            Location("c.py", 0),
        ),
        (
            {"a.py": f"def {LONG}():\n    pass\n", "c.py": f"from a import {LONG}\ndef f():\n    {LONG}()\n"},
            LONG,
            Location("c.py", 0),
        ),
    ],
    ids=["inherited", "instance", "long"],
)
def test_caller_is_found_even_if_its_file_does_not_contain_name(
    texts: dict[str, str], name: str, caller: Location
) -> None:
    def callers(graph: Graph) -> list[Location]:
        return [link.place for place in graph.defining(name) for link in graph.callers(place)]

    assert caller in query_graph(TextBlobs(texts), None, callers)


@pytest.mark.parametrize("seed", range(25))
def test_callers_are_sources_of_all_edges_into_place(seed: int) -> None:
    store = Store(None)
    graph = load_graph(random_tree(Random(seed)), store)
    edges = graph.edges()
    for node in range(int(graph.first[-1])):
        incoming = (edges.target == node) & (edges.source != node)
        is_base = edges.kind == KINDS.index(BASE)
        place = graph.place(node)
        for links, selected in (
            (graph.callers(place), incoming & ~is_base),
            (graph.subclasses(place), incoming & is_base),
        ):
            rows = zip(edges.source[selected].tolist(), edges.kind[selected].tolist(), strict=True)
            assert {(link.place, link.kind) for link in links} == {
                (graph.place(source), KINDS[kind]) for source, kind in rows
            }
    store.close()
