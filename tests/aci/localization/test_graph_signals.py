"""Signals from the edges of a real code graph: PageRank from what an issue names, and calls from likely functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.code_graph import Graph, query_graph
from aci.localization.explicit_mentions import BEST, CALLED, Calls, EdgesWithin, called_signal, file_signals
from aci.localization.signals import Floats, below_best, log_scale
from tests.aci.localization.conftest import FindCandidates
from tests.text_blobs import TextBlobs
from trajectories.records import Issue

FILES = {
    "shop/till.py": (
        "from shop.money import rounded\n\n\nclass Till:\n    def total(self):\n        return self._sum()\n\n"
        "    def _sum(self):\n        return rounded(sum(self.items))\n"
    ),
    "shop/money.py": "def rounded(amount):\n    return log(round(amount))\n\n\ndef log(value):\n    return value\n",
    "shop/stock.py": "from shop.money import log\n\n\ndef count(items):\n    return log(len(items))\n",
    "shop/mail.py": "from shop.money import log\n\n\ndef send(letter):\n    return log(letter)\n",
}


def scores_of_calls(scores: dict[str, float]) -> dict[str, float]:
    """Return the signal of each function, given the scores of some; the others are unlikely."""

    def collect(graph: Graph) -> dict[str, float]:
        nodes = np.flatnonzero(graph.parent != np.arange(len(graph.file)))
        symbols = [graph.symbol(graph.place(int(node))) for node in nodes]
        names = [symbol.bare if symbol else "" for symbol in symbols]
        calls = EdgesWithin(graph, np.arange(len(graph.paths))).calls(nodes)
        reached = calls.from_likely(np.array([scores.get(name, -20.0) for name in names]))
        return dict(zip(names, reached.tolist(), strict=True))

    return query_graph(TextBlobs(FILES), None, collect)


def test_functions_gain_from_likely_callers_at_most_three_calls_away() -> None:
    reached = scores_of_calls({"total": 5.0})
    assert reached["_sum"] == pytest.approx(1.0, abs=0.01)
    assert reached["_sum"] >= reached["rounded"] > reached["log"] > 0.1
    assert reached["total"] < 0.01
    assert reached["count"] < 0.01


def test_function_called_from_everywhere_gains_less_from_a_caller() -> None:
    reached = scores_of_calls({"rounded": 5.0})
    assert reached["log"] == pytest.approx(1 / np.sqrt(3), abs=0.05)


@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4), st.floats(-9, 9))
def test_only_differences_of_scores_count(scores: list[float], added: float) -> None:
    calls = Calls(np.array([0, 1, 2]), np.array([1, 2, 0]), np.array([1.0, 0.5, 0.7]))
    first, second = (calls.from_likely(np.array(scores) + more) for more in (0.0, added))
    assert np.allclose(first, second)
    assert ((first >= 0) & (first <= 1)).all()


def test_pagerank_is_shared_out_among_near_nodes() -> None:
    def collect(graph: Graph) -> Floats:
        seeds = np.zeros(len(graph.file))
        (total,) = graph.nodes_defining(["total"])["total"]
        seeds[total] = 3.0
        return np.bincount(graph.file, EdgesWithin(graph, np.array([0, 1, 2, 3])).pagerank(seeds), 4)

    def of_files(graph: Graph) -> dict[str, float]:
        return dict(zip(graph.paths, collect(graph).tolist(), strict=True))

    ranks = query_graph(TextBlobs(FILES), None, of_files)
    assert sum(ranks.values()) == pytest.approx(1.0)
    assert ranks["shop/till.py"] > ranks["shop/money.py"] > ranks["shop/mail.py"] > 0


def test_no_seeds_and_no_files_give_no_ranks() -> None:
    def collect(graph: Graph) -> tuple[float, float]:
        everything, nothing = (EdgesWithin(graph, np.arange(count)) for count in (4, 0))
        count = len(graph.file)
        return float(everything.pagerank(np.zeros(count)).sum()), float(nothing.pagerank(np.ones(count)).sum())

    assert query_graph(TextBlobs(FILES), None, collect) == (0.0, 0.0)


def test_private_function_behind_the_named_one_is_reached(find_candidates: FindCandidates) -> None:
    _, functions = find_candidates(FILES, Issue("total() is off by a cent", "The money in the mail, too."))
    names = [symbol.bare for symbol in functions.symbols]
    spread = dict(zip(names, functions.signals["spread"].values.tolist(), strict=True))
    assert spread["total"] > spread["_sum"] > spread["rounded"] > spread["send"]
    assert functions.signals["spread"].reason(names.index("total")) == "total in the title"
    called = called_signal(functions.calls, np.array([4.0 if name == "total" else 0.0 for name in names]))
    assert called.values[names.index("_sum")] == max(called.values)


def test_files_have_the_signals_of_their_best_functions() -> None:
    signals = file_signals(np.array([0, 0, 2]), np.array([0.1, 0.4, 0.2]), np.array([3.0, 1.0, -9.0]), 3)
    assert signals[BEST].values.tolist() == [1.0, 0.0, 0.0]
    assert signals[CALLED].values[0] > signals[CALLED].values[2] > signals[CALLED].values[1]


def test_scales_keep_the_order_and_range() -> None:
    values = np.linspace(0, 1, 20)
    assert (np.diff(log_scale(values)) > 0).all()
    assert log_scale(np.array([0.0, 1.0])).tolist() == pytest.approx([0.0, 1.0], abs=0.02)
    assert below_best(np.array([2.0, -2.0, -20.0])).tolist() == [1.0, 0.5, 0.0]
    assert below_best(np.zeros(0)).tolist() == []
