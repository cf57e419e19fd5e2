"""The diffs of many pairs of trees through one process: the same as git's own, one pair at a time."""

import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trajectories.report import tree_diffs
from trajectories.report.tree_diffs import PairDiff, pair_diffs
from trajectories.trees import EMPTY_TREE

PLENTY = 10_000_000
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
def test_they_are_what_git_says_of_each_pair(trees, states):
    made = [tree_of(trees, state) for state in states]
    pairs = [(old, new) for old in made for new in made]
    for (old, new), told in zip(pairs, pair_diffs(trees, pairs, PLENTY), strict=True):
        changed = trees.changed(old, new)
        assert [(file.status, file.path) for file in told.files] == [(each.status, each.path) for each in changed]
        assert told.count == len(changed)
        assert not told.missing
        for file in told.files:
            alone = trees.diff(old, new, [file.path])
            if "GIT binary patch" in alone:
                assert "Binary files" in file.diff
                assert file.cut == "binary"
            else:
                assert file.diff == alone
                assert file.cut == ("" if is_unicode(alone) else "not UTF-8")


def is_unicode(text):
    return not any("\ud800" <= character <= "\udfff" for character in text)


def tree_of(trees, files):
    return trees.write(files, EMPTY_TREE)


def test_lines_are_counted_and_another_kind_of_file_is_one_file(trees):
    old = tree_of(trees, {"a": b"1\n2\n--- x\n", "l": b"a"})
    id = trees.entry(old, "l")[1]
    link = trees.adopt(f"120000 {id} 0\tl\0".encode(), [])
    new = trees.write({"a": b"1\n3\n++ y\n4\n"}, link)
    told = next(pair_diffs(trees, [(old, new)], PLENTY))
    lines = [(file.path, file.status, file.added, file.removed) for file in told.files]
    assert lines == [("a", "M", 3, 2), ("l", "T", 1, 1)]


def test_what_is_too_much_is_named_and_left_out(trees, monkeypatch):
    monkeypatch.setattr(tree_diffs, "FILES", 2)
    monkeypatch.setattr(tree_diffs, "FILE_BYTES", 1000)
    one = tree_of(trees, {"a": b"x\n", "b": b"y\n" * 2000, "c": b"z\n"})
    first, again = pair_diffs(trees, [(EMPTY_TREE, one), (one, EMPTY_TREE)], 300)
    assert [(file.path, file.cut, file.added) for file in first.files] == [("a", "", 1), ("b", "too long", 2000)]
    assert first.count == 3
    assert first.files[1].diff == ""
    assert [file.cut for file in again.files] == ["too long"] * 2


def test_git_is_ended_where_step_changed_too_much_and_goes_on_with_next(trees, monkeypatch):
    monkeypatch.setattr(tree_diffs, "READ_BYTES", 200_000)
    monkeypatch.setattr(tree_diffs, "CHUNK", 1000)
    large = tree_of(trees, {f"f{n}": b"%d\n" % n * 30_000 for n in range(10)})
    small = tree_of(trees, {"a": b"a\n"})
    told = list(pair_diffs(trees, [(EMPTY_TREE, large), (EMPTY_TREE, small)], PLENTY))
    assert told[0].count == 10
    assert [file.cut for file in told[0].files] == ["", ""] + ["too long"] * 8
    assert [(file.path, file.cut) for file in told[1].files] == [("a", "")]


def test_one_git_tells_them_all(trees, monkeypatch):
    began = []

    def counted(*args, **options):
        began.append(args)
        return popen(*args, **options)

    popen = subprocess.Popen
    monkeypatch.setattr(tree_diffs.subprocess, "Popen", counted)
    made = [tree_of(trees, {"a": b"%d\n" % n}) for n in range(12)]
    pairs = [(old, new) for old in made for new in made] * 8  # more ids than a pipe holds
    assert all(
        told.files for told, (old, new) in zip(pair_diffs(trees, pairs, PLENTY), pairs, strict=True) if old != new
    )
    assert len([args for args in began if "diff-tree" in args[0]]) == 1


@pytest.mark.parametrize("tree", ["", "HEAD", "--all", "f" * 40, "é" * 40])
def test_tree_that_is_not_there_is_told(trees, tree):
    known = tree_of(trees, {"a": b"a\n"})
    told = list(pair_diffs(trees, [(known, tree), (tree, tree), (EMPTY_TREE, known)], PLENTY))
    assert told[:2] == [PairDiff(missing=True), PairDiff()]
    assert [file.path for file in told[2].files] == ["a"]


def test_where_files_are_gone_no_diff_is_made_up(trees):
    one, two = tree_of(trees, {"a": b"1\n"}), tree_of(trees, {"a": b"2\n"})
    pairs = [(one, two), (two, one), (one, two)]
    assert all(told.files for told in pair_diffs(trees, pairs, PLENTY))
    for pack in (trees.path / "objects" / "pack").iterdir():
        pack.unlink()
    trees.close()
    assert [told.missing for told in pair_diffs(trees, pairs, PLENTY)] == [True] * 3
