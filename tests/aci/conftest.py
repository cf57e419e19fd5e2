"""Fixtures to prove patches on small real repositories."""

from textwrap import dedent

import pytest

from aci.proof.proof import prove
from trajectories.records import Issue
from trajectories.verdict import Verdict

UNITTEST = "python3 -m unittest discover -s tests -t ."
CASE = "import unittest\nfrom shop import price, stock\nclass T(unittest.TestCase):\n"
WRONG = "def total(items):\n    return sum(items[1:])\n\ndef tax(x):\n    return x / 5\n"
RIGHT = WRONG.replace("items[1:]", "items")
BASE = {
    "shop/__init__.py": "",
    "shop/price.py": WRONG,
    "shop/stock.py": "def left(n):\n    return max(n, 0)\n",
    "tests/__init__.py": "",
    "tests/test_price.py": CASE + "    def test_tax(self): self.assertEqual(price.tax(10), 2)\n",
    "tests/test_stock.py": CASE + "    def test_left(self): self.assertEqual(stock.left(-1), 0)\n",
}
ISSUE = Issue("The total is too low", "`total([1, 2])` is 2, it should be 3.")


@pytest.fixture
def prove_patch(make_repo, open_ws):
    """`prove_patch(patch, base)` returns the verdict on a patch with unittest; None instead of text deletes a file."""

    def prove_patch(patch, base=BASE, kind="local", issue=ISSUE, command=UNITTEST, timeout=60, **more) -> Verdict:
        workspace = open_ws(kind, make_repo({name: dedent(text) for name, text in base.items()}))
        trees, start = workspace.options.trees, workspace.options.base.tree
        files = {name: None if text is None else dedent(text).encode() for name, text in patch.items()}
        tree = trees.write(files, start)
        return prove(workspace.fork, trees, start, tree, issue=issue, command=command, timeout=timeout, **more)

    return prove_patch


def has_note(verdict, *parts):
    """Return whether one note contains all these parts."""
    return any(all(part in note for part in parts) for note in verdict.notes)
