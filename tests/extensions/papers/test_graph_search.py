"""The `graph-search` strategy: a fault that the issue does not describe is reached along the code graph."""

from __future__ import annotations

import pytest

from extensions.papers.place_search import parse_ratings
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy

CHAIN = ("receipt.py", "show_receipt"), ("ledger.py", "settle"), ("book.py", "post"), ("fold.py", "left")
"""Each function calls the next; the last one is wrong."""
FAULT = "shop/fold.py:1 left"
RECEIPTS = "".join(
    f'\n\ndef receipt_total_{number}(receipt):\n    """Show the total of the receipt."""\n    return "Total: receipt"\n'
    for number in range(12)
)
FILES = {
    "shop/__init__.py": "",
    "shop/receipt.py": (
        "from shop.ledger import settle\n\n\ndef show_receipt(receipt):\n"
        f'    """Show the total of the receipt."""\n    return f"Total: {{settle(receipt)}}"\n{RECEIPTS}'
    ),
    "shop/ledger.py": "from shop.book import post\n\n\ndef settle(xs):\n    return post(xs)\n",
    "shop/book.py": "from shop.fold import left\n\n\ndef post(xs):\n    return left(xs)\n",
    "shop/fold.py": "def left(xs):\n    acc = 1\n    for x in xs:\n        acc += x\n    return acc\n",
    "tests/__init__.py": "",
    "tests/test_package.py": (
        "import unittest\n\nimport shop\n\n\nclass PackageTest(unittest.TestCase):\n"
        "    def test_name(self):\n        self.assertEqual(shop.__name__, 'shop')\n"
    ),
    ".gitignore": "__pycache__/\n",
}
ISSUE = "The receipt shows a wrong total\n\nshow_receipt([1, 2]) gives 'Total: 4' but should give 'Total: 3'."
TEST = act(
    "edit",
    path="tests/test_receipt.py",
    old="",
    new="import unittest\n\nfrom shop.receipt import show_receipt\n\n\nclass ReceiptTest(unittest.TestCase):\n"
    "    def test_total(self):\n        self.assertEqual(show_receipt([1, 2]), 'Total: 3')\n"
    "        self.assertEqual(show_receipt([]), 'Total: 0')\n",
)
FIX = act("edit", path="shop/fold.py", old="acc = 1", new="acc = 0")
RATES = {"show_receipt": 0.6, "settle": 0.7, "post": 0.8, "left": 0.95}


def rater_lines(rates: dict[str, float] = RATES) -> list[dict]:
    """Replies of a rater who rates the functions of the chain where the request shows them, and nothing else."""
    return [
        line(f"{number}: {rates[name]} {name} makes the total.", contains=f"\n{number}. shop/{path}:{at} {name}")
        for path, name in reversed(CHAIN)
        for at in (1, 4)
        for number in range(1, 13)
    ]


def graph_search(run_strategy: RunStrategy, strategy: str = "graph-search") -> FinishedRun:
    lines = line("So.", TEST, FIX, SUBMIT, contains=FAULT), line("I do not know.")
    roles = {"rater": [*rater_lines(), line("None.")]} if strategy == "graph-search" else {}
    return run_strategy(strategy, *lines, files=FILES, issue=ISSUE, roles=roles, max_steps=20)


@pytest.mark.slow
def test_search_along_calls_finds_fault_that_localization_misses(run_strategy: RunStrategy) -> None:
    run = graph_search(run_strategy)
    assert run.kind == "plausible"
    assert [note.partition(",")[0] for note in run.notes("score")] == ["0.95", "0.80", "0.70", "0.60"]
    prompt = next(step for step in run.steps if step.branch == "main/fix").observations[0].text
    assert f"- {FAULT} (0.95, referred to by post): left makes the total." in prompt
    requests = [step.branch for step in run.steps if step.branch.startswith("main/search-") and step.reply]
    assert requests == [f"main/search-1-{number}" for number in range(1, 5)]
    assert not graph_search(run_strategy, "react").result.exit.verdict.complete


def test_ratings_are_read_from_lines_that_begin_with_a_number() -> None:
    said = (
        "Here:\n1: 0.8 The cause.\n**2**: 1 - it is there\n3. .5\n4: 7/10 no\n5: 8\n6: 0.25, as written in 0.9\n7 1.5"
    )
    assert parse_ratings(said) == {
        1: (0.8, "The cause."), 2: (1.0, "it is there"), 3: (0.5, ""), 6: (0.25, "as written in 0.9")
    }  # fmt: skip


@pytest.mark.slow
def test_search_ends_when_a_request_shows_no_relevant_place(run_strategy: RunStrategy) -> None:
    rater = [*rater_lines({**RATES, "settle": 0.1}), line("None.")]
    lines = line("So.", TEST, FIX, SUBMIT), line("I do not know.")
    run = run_strategy("graph-search", *lines, files=FILES, issue=ISSUE, roles={"rater": rater}, max_steps=20)
    requests = [step.branch for step in run.steps if step.branch.startswith("main/search-") and step.reply]
    assert requests == ["main/search-1-1", "main/search-1-2"]
    assert run.kind == "plausible"
