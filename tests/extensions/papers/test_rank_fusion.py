"""The `rank-fusion` strategy: a place that localization misses is found by several prompts together."""

from __future__ import annotations

from typing import Any

import pytest

from aci.graph.code_graph import Graph, query_graph
from extensions.papers.graph_search import find_place
from extensions.papers.place_fusion import parse_places
from extensions.papers.rank_fusion import fuse_ranks
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy
from tests.extensions.papers.test_graph_search import FAULT, FILES, FIX, ISSUE, TEST
from tests.text_blobs import TextBlobs

ANSWERS = {
    "localizer": line("1. `shop/fold.py:left` adds up\n2. shop/book.py:post", contains="\nshop/fold.py\n"),
    "navigator": line("shop/ledger.py:settle", contains="  shop/ledger.py:settle (referred to by show_receipt)"),
    "historian": line("- shop/book.py:4 post\n- shop/fold.py:left"),
}


def rank_fusion(run_strategy: RunStrategy, strategy: str = "rank-fusion") -> FinishedRun:
    lines = line("So.", TEST, FIX, SUBMIT, contains=FAULT), line("I do not know.")
    roles = {role: [said] for role, said in ANSWERS.items()} if strategy == "rank-fusion" else {}
    return run_strategy(strategy, *lines, files=FILES, issue=ISSUE, roles=roles, max_steps=20)


@pytest.mark.slow
def test_prompts_together_find_fault_that_localization_misses(run_strategy: RunStrategy) -> None:
    run = rank_fusion(run_strategy)
    assert run.kind == "plausible"
    assert run.notes("phase") == ["words", "structure", "history", "fuse", "fix", "prove"]
    fused = [note for note in run.notes("score") if not note[0].isdigit()]  # those with a number are of `$routes`
    assert fused[:4] == [
        "shop/fold.py:1 left: words 1, history 2",
        "shop/book.py:4 post: words 2, history 1",
        "shop/ledger.py:4 settle: structure 1",
        "shop/receipt.py:4 show_receipt: localization 1",
    ]
    assert not rank_fusion(run_strategy, "react").result.exit.verdict.complete


def test_places_are_read_from_the_lines_of_an_answer() -> None:
    said = (
        "These:\n- `shop/fold.py:left` it adds\n2) shop/book.py:4 post\n**shop/book.py:4:post** again\n"
        "./shop/ledger.py is named as a whole\nshop/none.py:left\n"
        "tests/test_package.py:PackageTest\nNot shop/receipt.py"
    )

    def question(graph: Graph) -> tuple[list[Any], list[Any]]:
        expected = [("shop/fold.py", "left"), ("shop/book.py", "post"), ("shop/ledger.py", "")]
        return list(parse_places(said, graph)), [find_place(graph, *one) for one in expected]

    found, expected = query_graph(TextBlobs(FILES), None, question)
    assert found == expected


def test_fusion_prefers_what_several_rankings_name() -> None:
    assert fuse_ranks([(1.0, "abc"), (1.0, "dc")]) == ["c", "a", "d", "b"]
    assert fuse_ranks([(1.0, "ab"), (0.1, "cb"), (0.1, "c")]) == ["b", "a", "c"]
