"""A tree made from what the cache knows of another has the edges of one made from nothing."""

from __future__ import annotations

from random import Random

import pytest

from aci.graph.graph_store import Store
from aci.graph.value_inference import ValueInference
from tests.aci.graph.random_trees import FILES, opened, source, tree
from tests.sampling import sample

Rows = list[tuple[object, ...]]


def rows(texts: dict[str, str], store: Store) -> Rows:
    graph = opened(texts, store)
    edges = graph.edges()
    columns = (edges.source, edges.target, edges.kind, edges.line, edges.weight.round(4))
    return sorted(
        (graph.place(source), graph.place(target), *rest)
        for source, target, *rest in zip(*(column.tolist() for column in columns), strict=True)
    )


def test_one_file_more_fewer_or_otherwise() -> None:
    for seed in sample(range(1000), 50):
        chance = Random(seed)
        before = tree(chance)
        path = chance.choice(FILES)
        after = {**before, path: source(chance)}
        if path in before and chance.random() < 0.5:
            del after[path]
        known, nothing = Store(None), Store(None)
        rows(before, known)
        assert rows(after, known) == rows(after, nothing), (seed, path)
        known.close()
        nothing.close()


@pytest.mark.slow
def test_names_that_no_star_has_are_left_out_without_changing_what_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_rows() -> list[Rows]:
        found = []
        for seed in range(60):
            store = Store(None)
            stars = {path: f"from {seed % 2 * '.'}aa import *\n{text}" for path, text in tree(Random(seed)).items()}
            found.append(rows(stars, store))
            store.close()
        return found

    short = all_rows()
    monkeypatch.setattr(ValueInference, "_star_modules", lambda self, path: ())
    assert all_rows() == short
