"""Splitting a diff into parts and applying some of them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.interactive.session.diff_hunks import apply_parts, split_diff
from trajectories.git_store.git_commands import encode
from trajectories.git_store.trees import EMPTY_TREE, Trees

LINES = [f"line {n}\n".encode() for n in range(40)]
TEXT = b"".join(LINES)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trees]:
    with Trees(tmp_path_factory.mktemp("run") / "trees.git") as trees:
        yield trees


def test_diff_splits_into_hunks_and_whole_added_or_deleted_files(trees: Trees) -> None:
    old = trees.write({"a": TEXT, "gone": b"g\n", "bin": b"\0\1"}, EMPTY_TREE)
    text = TEXT.replace(b"line 3\n", b"three\n").replace(b"line 30\n", b"").replace(b"line 20\n", b"line 20\nmore\n")
    new = trees.write({"a": text, "gone": None, "new": b"n\n", "bin": b"\0\2"}, old)
    parts = split_diff(trees, old, new)
    assert [part.path for part in parts] == ["a", "a", "a", "bin", "gone", "new"]
    assert apply_parts(trees, old, new, parts, parts) == new
    assert apply_parts(trees, old, new, [], parts) == old
    partial = apply_parts(trees, old, new, [parts[1], parts[4]], parts)
    assert trees.read(partial, "a") == TEXT.replace(b"line 20\n", b"line 20\nmore\n")
    assert "gone" not in trees.files(partial)
    assert "new" not in trees.files(partial)


def test_mode_change_is_separate_part(trees: Trees) -> None:
    old = trees.write({"run": TEXT}, EMPTY_TREE)
    entry = trees.files(trees.write({"run": b"x\n" + TEXT + b"y\n"}, old))["run"]
    new = trees.adopt(f"100755 {entry.id} 0\trun\0".encode(), [])
    mode, first, last = split_diff(trees, old, new)
    assert "new mode 100755" in mode.text
    tree = apply_parts(trees, old, new, [mode, last], [mode, first, last])
    assert trees.files(tree)["run"].mode == "100755"
    assert trees.read(tree, "run") == TEXT + b"y\n"


def test_split_diff_selects_files_and_folders_by_path(trees: Trees) -> None:
    old = trees.write({"a": b"1\n"}, EMPTY_TREE)
    new = trees.write({"a": b"2\n", "d/x": b"x\n", "da": b"y\n"}, old)
    assert [part.path for part in split_diff(trees, old, new, ["d"])] == ["d/x"]
    assert len(split_diff(trees, old, new, ["."])) == 3


TEXTS = st.lists(st.sampled_from([b"a", b"b\r", b"@@ -1 +1 @@", b"\\ x", b"- y", b"\xff"]), max_size=30)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, st.booleans(), st.booleans(), st.data())
def test_apply_parts_agrees_with_git_apply(
    trees: Trees, before: list[bytes], after: list[bytes], end: bool, other: bool, data: st.DataObject
) -> None:
    old = trees.write({"f": b"\n".join(before) + b"\n" * end, "k": b"k\n"}, EMPTY_TREE)
    new = trees.write({"f": b"\n".join(after) + b"\n" * other, "k": b"k\n"}, EMPTY_TREE)
    parts = split_diff(trees, old, new)
    assert apply_parts(trees, old, new, parts, parts) == new
    chosen = data.draw(st.sets(st.sampled_from(parts))) if parts else set()
    tree = apply_parts(trees, old, new, chosen, parts)
    with TemporaryDirectory() as folder:
        Path(folder, "f").write_bytes(trees.read(old, "f"))
        for part in sorted(chosen, key=lambda part: -part.line):  # last part first, so that line numbers stay valid
            command = ["git", "apply", "--whitespace=nowarn"]
            subprocess.run(command, cwd=folder, input=encode(part.text), check=True, capture_output=True)
        assert Path(folder, "f").read_bytes() == trees.read(tree, "f")
