"""What the closing message says about a search that was ended before its proof."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.lifecycle.closing_text import MOST_EDITS, _unfinished_search
from trajectories.git_store.trees import EMPTY_TREE, Trees
from trajectories.records import Once

SOURCE = b"def add(a, b):\n    return a - b\n"


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "trees.git") as trees:
        yield trees


def describe(trees: Trees, tree: str, *records: Once) -> str:
    journal = SimpleNamespace(recall=lambda number: b"abcd" * number)
    engine: Any = SimpleNamespace(trees=trees, journal=journal, trajectory=SimpleNamespace(of_turn=list(records)))
    return _unfinished_search(engine, tree)


def tried(number: int, tree: str, *hits: tuple[int, str]) -> Once:
    edits = [
        {"path": "calc.py", "edits": [[at, at + 1, text]], "description": f"write `{text}`", "line": 2}
        | {"function": None, "score": 0.5, "template": "operators"}
        for at, text in hits
    ]
    part = {"cpu": 1.0, "first": None, "places": [], "hits": edits, "digests": 3, "tree": tree}
    return Once("main", f"tried {number}", part)


def judged(tree: str, status: str, cost: int, **more: int) -> Once:
    value = {"what": f"rewrite to {cost}", "tree": tree, "status": status, "cost": cost, **more}
    return Once("main", f"2.judge calc.py:add {tree}", value)


def test_edits_that_pass_are_listed_with_the_first_diff(trees: Trees) -> None:
    base = trees.write({"calc.py": SOURCE}, EMPTY_TREE)
    at = SOURCE.index(b"-")
    text = describe(trees, base, tried(0, base, (at, "+")), tried(1, base, (at, "*")))
    assert text.startswith("The search was ended after 6 edits; 2 pass the tests. None is proven.\n")
    assert "- Write `+` in `calc.py`, line 2.\n- Write `*` in `calc.py`, line 2.\n" in text
    assert "+    return a + b" in text
    assert "return a * b" not in text


def test_search_without_passing_edit_or_on_other_files_says_nothing(trees: Trees) -> None:
    base = trees.write({"calc.py": SOURCE}, EMPTY_TREE)
    assert describe(trees, base) == ""
    assert describe(trees, base, tried(0, base)) == ""
    assert describe(trees, base, tried(0, "another tree", (0, "+"))) == ""
    assert describe(trees, base, judged(base, "wrong", 3), judged(base, "doubted", 0)) == ""
    other = Once("main", "tried calc.py 0 1", ["a model's answer"])
    assert describe(trees, base, other, Once("main", "judged", "A")) == ""


def test_right_rewrites_are_listed_best_first(trees: Trees) -> None:
    base = trees.write({"calc.py": SOURCE}, EMPTY_TREE)
    best, slow = (trees.write({"calc.py": SOURCE.replace(b"-", sign)}, base) for sign in (b"+", b"*"))
    text = describe(
        trees, base, judged(slow, "right", 10, large=900), judged(best, "right", 700), judged(base, "wrong", 1)
    )
    assert text.index("rewrite to 700: 700 instructions.") < text.index("rewrite to 10: 900 instructions.")
    assert "+    return a + b" in text


def test_many_edits_are_counted(trees: Trees) -> None:
    base = trees.write({"calc.py": SOURCE}, EMPTY_TREE)
    at = SOURCE.index(b"-")
    text = describe(trees, base, tried(0, base, *((at, sign) for sign in "+*/%&|^@")))
    assert "8 pass the tests" in text
    assert f"- and {8 - MOST_EDITS} more\n" in text
