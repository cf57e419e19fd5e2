"""The lines that a diff shows, also of names that git quotes and of very large diffs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from extensions.review.patch_review import changed_lines
from trajectories.git_store.trees import EMPTY_TREE, Trees


def test_lines_are_found_for_names_that_git_quotes(tmp_path: Path) -> None:
    bad = os.fsdecode(b"bad-\xff.py")
    odd = {"new\nline.py": b"a\n", "\u00fc b.py": b"a\nb\n", bad: b"x\n", "a b/ b/c.py": b"x\n", "data": b"\0\1"}
    with Trees(tmp_path / "trees.git") as trees:
        base = trees.write({"gone.py": b"x\n"}, EMPTY_TREE)
        lines = changed_lines(trees, base, trees.write(odd, EMPTY_TREE))
    assert lines["new\nline.py"] == lines[bad] == lines["a b/ b/c.py"] == {1}
    assert lines["\u00fc b.py"] == {1, 2}
    assert lines["gone.py"] == lines["data"] == frozenset()


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_change_of_ten_thousand_files_is_read(tmp_path: Path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        tree = trees.write({f"many/{n}.py": b"x = 1\n" for n in range(10_000)}, EMPTY_TREE)
        lines = changed_lines(trees, EMPTY_TREE, tree)
    assert len(lines) == 10_000
    assert set(lines.values()) == {frozenset({1})}
