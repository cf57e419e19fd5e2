"""The view of one tree: nodes, names and references."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aci.graph.code_graph import Graph, query_graph
from aci.graph.edge_columns import KINDS
from aci.graph.outline import Location
from aci.repository.disk_cache import Damaged
from tests.text_blobs import TextBlobs

TEXTS = {
    "shop/__init__.py": "from .orders import Order\n",
    "shop/orders.py": (
        "from shop.base import Record, total\n\n\n"
        "class Order(Record):\n"
        "    def price(self):\n"
        "        return total(self.lines())\n\n"
        "    def lines(self):\n"
        "        return []\n\n\n"
        "def place(order):\n"
        "    order.price()\n"
        "    return Order()\n"
    ),
    "shop/base.py": "class Record:\n    def save(self):\n        pass\n\n\ndef total(lines):\n    return sum(lines)\n",
    "shop/empty.py": "",
    "tests/test_orders.py": "from shop import Order\n\n\ndef test_price():\n    Order().price()\n",
}
ORDER, PRICE, LINES, PLACE = (Location("shop/orders.py", number) for number in range(4))
RECORD, SAVE, TOTAL = (Location("shop/base.py", number) for number in range(3))
TEST = Location("tests/test_orders.py", 0)


@pytest.fixture(params=["memory", "cache", "a cache that has it"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    if request.param == "a cache that has it":
        query_graph(TextBlobs(TEXTS), tmp_path, lambda graph: None)
    return None if request.param == "memory" else tmp_path


def test_places_and_nodes_map_to_each_other(cache: Path | None) -> None:
    def check(graph: Graph) -> None:
        nodes = int(graph.first[-1])
        assert nodes == sum(1 + len(graph.outline(path).symbols) for path in TEXTS)
        assert [graph.node(graph.place(node)) for node in range(nodes)] == list(range(nodes))
        for node in range(nodes):
            place = graph.place(node)
            symbol = graph.symbol(place)
            parent = symbol.parent if symbol else -1
            assert graph.place(int(graph.parent[node])) == Location(place.path, parent)
            assert graph.is_method[node] == (parent >= 0)
            assert graph.paths[graph.file[node]] == place.path

    query_graph(TextBlobs(TEXTS), cache, check)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("Order", [ORDER]),
        ("price", [PRICE]),
        ("Order.price", [PRICE]),
        ("shop.orders.Order.price", [PRICE]),
        ("orders::Order::price", [PRICE]),
        ("Order#price", [PRICE]),
        ("shop.Order", [ORDER]),
        ("Nobody.price", [PRICE]),
        ("order", []),
        ("", []),
        (".", []),
        ("...", []),
        ("not\udcff", []),
    ],
)
def test_definitions_are_found_by_name(cache: Path | None, name: str, places: list[Location]) -> None:
    assert query_graph(TextBlobs(TEXTS), cache, lambda graph: graph.defining(name)) == places


def test_graph_has_callers_callees_bases_and_subclasses(cache: Path | None) -> None:
    def check(graph: Graph) -> None:
        assert {link.place for link in graph.callees(PRICE)} == {TOTAL, LINES}
        assert {link.place for link in graph.callers(TOTAL)} >= {PRICE}
        assert [link.place for link in graph.bases(ORDER)] == [RECORD]
        assert [link.place for link in graph.subclasses(RECORD)] == [ORDER]
        assert TEST in [link.place for link in graph.callers(PRICE)]
        assert ORDER in [link.place for link in graph.callees(PLACE)]
        assert Location("shop/__init__.py") in [link.place for link in graph.callers(ORDER)]
        assert graph.callers(SAVE) == []

    query_graph(TextBlobs(TEXTS), cache, check)


def test_attribute_of_unknown_object_is_loose_edge_to_methods(cache: Path | None) -> None:
    def check(graph: Graph) -> None:
        strict_edges, all_edges = graph.edges(loose=False), graph.edges()
        pair = (graph.node(PLACE), graph.node(PRICE))
        assert pair not in set(zip(strict_edges.source.tolist(), strict_edges.target.tolist(), strict=True))
        assert pair in set(zip(all_edges.source.tolist(), all_edges.target.tolist(), strict=True))

    query_graph(TextBlobs(TEXTS), cache, check)


def test_attribute_with_more_than_twelve_definitions_has_no_edges() -> None:
    many = {f"m{n}.py": f"class C{n}:\n    def run(self):\n        pass\n" for n in range(13)}
    few = {path: text for path, text in many.items() if path != "m12.py"}
    uses = {"use.py": "def use(a):\n    a.run()\n"}

    def weights(graph: Graph) -> list[float]:
        return [link.weight for link in graph.callees(Location("use.py", 0))]

    assert query_graph(TextBlobs(many | uses), None, weights) == []
    assert query_graph(TextBlobs(few | uses), None, weights) == pytest.approx([1 / 12] * 12)


def test_edges_of_some_files_are_subset_of_all(cache: Path | None) -> None:
    def check(graph: Graph) -> None:
        all_edges = graph.edges()
        for files in ([], [1], [0, 2], [3]):
            some = graph.edges(files)
            selected = np.isin(graph.file[all_edges.source], files)
            for column, full_column in zip(some, all_edges, strict=True):
                assert np.array_equal(column, full_column[selected])
        assert set(all_edges.kind.tolist()) <= set(range(len(KINDS)))
        assert (np.diff(all_edges.source) >= 0).all()

    query_graph(TextBlobs(TEXTS), cache, check)


def test_missing_path_is_key_error(cache: Path | None) -> None:
    with pytest.raises(KeyError):
        query_graph(TextBlobs(TEXTS), cache, lambda graph: graph.outline("nowhere.py"))


def test_edges_of_wrong_bundle_raise_damaged(tmp_path: Path) -> None:
    def check(graph: Graph) -> None:
        graph.edges()
        graph._bundles = dict.fromkeys(graph._bundles, graph._store.bundle(2))
        with pytest.raises(Damaged):
            graph.edges()

    query_graph(TextBlobs(TEXTS), tmp_path, lambda graph: None)
    query_graph(TextBlobs({"other.py": "x = 1\n"}), tmp_path, lambda graph: None)
    query_graph(TextBlobs(TEXTS), tmp_path, check)


def test_files_with_equal_content_have_equal_columns() -> None:
    twins = {
        "a/__init__.py": "",
        "b/__init__.py": "",
        "a/x.py": TEXTS["shop/orders.py"],
        "b/x.py": TEXTS["shop/orders.py"],
    }

    def check(graph: Graph) -> None:
        first, second = (np.flatnonzero(graph.file == graph.number[f"{folder}/x.py"]) for folder in "ab")
        assert (graph.code_length[first] == graph.code_length[second]).all()
        assert graph.code_length[first].sum() > 0
        assert (graph.parent[first] - first[0] == graph.parent[second] - second[0]).all()
        for path in twins:
            node = graph.node(Location(path))
            assert graph.parent[node] == node

    query_graph(TextBlobs(twins), None, check)
