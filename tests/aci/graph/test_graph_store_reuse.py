"""A tree built from cached parts of another tree has the same edges as one built from nothing."""

from __future__ import annotations

from random import Random

import pytest

from aci.graph.graph_store import Store
from aci.graph.value_inference import ValueInference
from tests.aci.graph.random_trees import FILES, load_graph, random_module, random_tree
from tests.sampling import sample

Rows = list[tuple[object, ...]]


def edge_rows(texts: dict[str, str], store: Store) -> Rows:
    graph = load_graph(texts, store)
    edges = graph.edges()
    columns = (edges.source, edges.target, edges.kind, edges.line, edges.weight.round(4))
    return sorted(
        (graph.place(origin), graph.place(target), *rest)
        for origin, target, *rest in zip(*(column.tolist() for column in columns), strict=True)
    )


@pytest.mark.slow
def test_changed_tree_has_same_edges_with_warm_and_empty_store() -> None:
    for seed in sample(range(1000), 50):
        rng = Random(seed)
        before = random_tree(rng)
        path = rng.choice(FILES)
        after = {**before, path: random_module(rng)}
        if path in before and rng.random() < 0.5:
            del after[path]
        warm, empty = Store(None), Store(None)
        edge_rows(before, warm)
        assert edge_rows(after, warm) == edge_rows(after, empty), (seed, path)
        warm.close()
        empty.close()


@pytest.mark.slow
def test_filter_of_star_imports_does_not_change_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_rows() -> list[Rows]:
        results = []
        for seed in range(60):
            store = Store(None)
            stars = {
                path: f"from {seed % 2 * '.'}aa import *\n{text}" for path, text in random_tree(Random(seed)).items()
            }
            results.append(edge_rows(stars, store))
            store.close()
        return results

    with_filter = all_rows()
    monkeypatch.setattr(ValueInference, "_star_modules", lambda self, path: ())
    assert all_rows() == with_filter
