"""The diffs of many pairs of trees from one git process equal git's own diff of each pair."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extensions.report import tree_diffs
from extensions.report.tree_diffs import PairDiff, pair_diffs
from trajectories.git_store.trees import EMPTY_TREE

LIMIT = 10_000_000
names = st.sampled_from(["a", "dir/b.py", "dir c/ü", 'q"u\\o\tte\n', "-x", "diff --git a/a b/a", "\udcff"])
contents = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"", b"\0", b"--- a/a\n+++ b/a\n@@ -1 +1 @@\n", b"a\r\nb", b"4b825dc642cb6eb9a060e54bf8d69288fbee4904 " * 2]
    ),
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.lists(st.dictionaries(names, contents, max_size=4), min_size=2, max_size=4))
def test_diffs_equal_those_of_git(trees, states):
    trees_of_states = [write_tree(trees, state) for state in states]
    pairs = [(old, new) for old in trees_of_states for new in trees_of_states]
    for (old, new), pair_diff in zip(pairs, pair_diffs(trees, pairs, LIMIT), strict=True):
        changed = trees.changed(old, new)
        assert [(file.status, file.path) for file in pair_diff.files] == [(each.status, each.path) for each in changed]
        assert pair_diff.count == len(changed)
        assert not pair_diff.missing
        for file in pair_diff.files:
            git_diff = trees.diff(old, new, [file.path])
            if "GIT binary patch" in git_diff:
                assert "Binary files" in file.diff
                assert file.cut == "binary"
            else:
                assert file.diff == git_diff
                assert file.cut == ("" if is_unicode(git_diff) else "not UTF-8")


def is_unicode(text):
    return not any("\ud800" <= character <= "\udfff" for character in text)


def write_tree(trees, files):
    return trees.write(files, EMPTY_TREE)


def test_lines_are_counted_and_type_change_is_one_file(trees):
    old = write_tree(trees, {"a": b"1\n2\n--- x\n", "l": b"a"})
    id = trees.entry(old, "l")[1]
    link = trees.adopt(f"120000 {id} 0\tl\0".encode(), [])
    new = trees.write({"a": b"1\n3\n++ y\n4\n"}, link)
    pair_diff = next(pair_diffs(trees, [(old, new)], LIMIT))
    lines = [(file.path, file.status, file.added, file.removed) for file in pair_diff.files]
    assert lines == [("a", "M", 3, 2), ("l", "T", 1, 1)]


def test_too_long_diffs_are_listed_but_left_out(trees, monkeypatch):
    monkeypatch.setattr(tree_diffs, "FILES", 2)
    monkeypatch.setattr(tree_diffs, "FILE_BYTES", 1000)
    one = write_tree(trees, {"a": b"x\n", "b": b"y\n" * 2000, "c": b"z\n"})
    first, reverse = pair_diffs(trees, [(EMPTY_TREE, one), (one, EMPTY_TREE)], 300)
    assert [(file.path, file.cut, file.added) for file in first.files] == [("a", "", 1), ("b", "too long", 2000)]
    assert first.count == 3
    assert first.files[1].diff == ""
    assert [file.cut for file in reverse.files] == ["too long"] * 2


def test_git_is_restarted_after_too_large_diff(trees, monkeypatch):
    monkeypatch.setattr(tree_diffs, "READ_BYTES", 200_000)
    monkeypatch.setattr(tree_diffs, "CHUNK", 1000)
    large = write_tree(trees, {f"f{n}": b"%d\n" % n * 30_000 for n in range(10)})
    small = write_tree(trees, {"a": b"a\n"})
    diffs = list(pair_diffs(trees, [(EMPTY_TREE, large), (EMPTY_TREE, small)], LIMIT))
    assert diffs[0].count == 10
    assert [file.cut for file in diffs[0].files] == ["", ""] + ["too long"] * 8
    assert [(file.path, file.cut) for file in diffs[1].files] == [("a", "")]


def test_all_pairs_use_one_git_process(trees, monkeypatch):
    processes = []

    def record_process(*args, **options):
        processes.append(args)
        return popen(*args, **options)

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", record_process)
    tree_ids = [write_tree(trees, {"a": b"%d\n" % n}) for n in range(12)]
    pairs = [(old, new) for old in tree_ids for new in tree_ids] * 8  # more ids than a pipe holds
    assert all(
        pair_diff.files
        for pair_diff, (old, new) in zip(pair_diffs(trees, pairs, LIMIT), pairs, strict=True)
        if old != new
    )
    assert len([args for args in processes if b"diff-tree" in args[0]]) == 1


@pytest.mark.parametrize("tree", ["", "HEAD", "--all", "f" * 40, "é" * 40])
def test_missing_tree_is_reported(trees, tree):
    known = write_tree(trees, {"a": b"a\n"})
    diffs = list(pair_diffs(trees, [(known, tree), (tree, tree), (EMPTY_TREE, known)], LIMIT))
    assert diffs[:2] == [PairDiff(missing=True), PairDiff()]
    assert [file.path for file in diffs[2].files] == ["a"]


def test_missing_objects_are_reported(trees):
    one, two = write_tree(trees, {"a": b"1\n"}), write_tree(trees, {"a": b"2\n"})
    pairs = [(one, two), (two, one), (one, two)]
    assert all(pair_diff.files for pair_diff in pair_diffs(trees, pairs, LIMIT))
    for pack in (trees.path / "objects" / "pack").iterdir():
        pack.unlink()
    trees.close()
    assert [pair_diff.missing for pair_diff in pair_diffs(trees, pairs, LIMIT)] == [True] * 3
