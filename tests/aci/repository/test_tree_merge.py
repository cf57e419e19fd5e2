"""Three-way merges of trees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aci.repository.tree_merge import merge_trees
from trajectories.git_store.trees import EMPTY_TREE, Trees

LINES = [f"line {n}\n".encode() for n in range(12)]
TEXT = b"".join(LINES)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trees]:
    with Trees(tmp_path_factory.mktemp("run") / "trees.git") as trees:
        yield trees


def tree(trees: Trees, files: Mapping[str, bytes], modes: Mapping[str, str] | None = None) -> str:
    created = trees.write(dict(files), EMPTY_TREE)
    if not modes:
        return created
    listing = b"".join(
        f"{modes.get(path, entry.mode)} {entry.id} 0\t{path}\0".encode() for path, entry in trees.files(created).items()
    )
    return trees.adopt(listing, [])


def contents(trees: Trees, id: str) -> dict[str, bytes]:
    return {path: trees.read(id, path) for path in trees.files(id)}


def changed(at: int, to: bytes) -> bytes:
    return b"".join([*LINES[:at], to, *LINES[at + 1 :]])


def test_edits_in_two_places_of_file_are_merged(trees: Trees) -> None:
    base, ours, theirs = (tree(trees, {"a": text}) for text in (TEXT, changed(1, b"ours\n"), changed(9, b"theirs\n")))
    merged = merge_trees(trees, base, ours, theirs)
    assert contents(trees, merged.tree)["a"] == changed(1, b"ours\n").replace(b"line 9\n", b"theirs\n")
    assert merged.conflicts == ()


def test_conflicting_edits_keep_our_version(trees: Trees) -> None:
    base = tree(trees, {"a": TEXT, "b": b"b\n"})
    ours = tree(trees, {"a": changed(5, b"ours\n"), "b": b"b\n"})
    theirs = tree(trees, {"a": changed(5, b"theirs\n"), "b": b"new\n"})
    merged = merge_trees(trees, base, ours, theirs)
    assert contents(trees, merged.tree) == {"a": changed(5, b"ours\n"), "b": b"new\n"}
    assert list(map(str, merged.conflicts)) == ["a (the same lines changed on both sides)"]


def test_same_change_on_both_sides_is_no_conflict(trees: Trees) -> None:
    base, other = tree(trees, {"a": TEXT}), tree(trees, {"a": changed(5, b"x\n")})
    assert merge_trees(trees, base, other, other).tree == other
    both = tree(trees, {"a": changed(5, b"x\n"), "new": b"1\n"})
    assert merge_trees(trees, base, both, other).tree == both


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "why"),
    [
        ({"a": b"1\n"}, {}, {"a": b"2\n"}, "changed on one side, deleted on the other"),
        ({"a": b"1\n"}, {"a": b"2\n"}, {}, "changed on one side, deleted on the other"),
        ({}, {"a": b"1\n"}, {"a": b"2\n"}, "added on both sides"),
        ({"a": b"\0" + TEXT}, {"a": b"\0" + TEXT + b"x\n"}, {"a": b"x\n\0" + TEXT}, "binary, changed on both sides"),
        ({}, {"a": b"1\n"}, {"a/b": b"2\n"}, "a file on one side, a folder on the other"),
        ({}, {"a/b": b"1\n"}, {"a": b"2\n"}, "a file on one side, a folder on the other"),
    ],
)
def test_conflict_without_line_merge_has_reason_and_keeps_ours(
    trees: Trees, base: dict[str, bytes], ours: dict[str, bytes], theirs: dict[str, bytes], why: str
) -> None:
    common = {"common": b"k\n"}
    mine = tree(trees, common | ours)
    merged = merge_trees(trees, tree(trees, common | base), mine, tree(trees, common | theirs))
    assert merged.tree == mine
    assert [conflict.why for conflict in merged.conflicts] == [why]


def test_folder_that_replaces_changed_file_is_conflict(trees: Trees) -> None:
    ours = tree(trees, {"a": b"2\n", "k": b"k\n"})
    merged = merge_trees(
        trees, tree(trees, {"a": b"1\n", "k": b"k\n"}), ours, tree(trees, {"a/b": b"1\n", "k": b"k\n"})
    )
    assert merged.tree == ours
    assert merged.paths == ("a", "a/b")


def test_folder_replaces_unchanged_file(trees: Trees) -> None:
    base, ours = tree(trees, {"a": b"1\n"}), tree(trees, {"a": b"1\n", "b": b"b\n"})
    assert contents(trees, merge_trees(trees, base, ours, tree(trees, {"a/x": b"1\n"})).tree) == {
        "a/x": b"1\n",
        "b": b"b\n",
    }
    backward = merge_trees(trees, tree(trees, {"a/x": b"1\n"}), tree(trees, {"a/x": b"1\n", "b": b"b\n"}), base)
    assert contents(trees, backward.tree) == {"a": b"1\n", "b": b"b\n"}


@pytest.mark.parametrize("swapped", [False, True])
def test_mode_and_lines_are_merged_separately(trees: Trees, swapped: bool) -> None:
    base = tree(trees, {"run.sh": TEXT})
    sides = [tree(trees, {"run.sh": TEXT}, {"run.sh": "100755"}), tree(trees, {"run.sh": changed(3, b"x\n")})]
    merged = merge_trees(trees, base, *(reversed(sides) if swapped else sides))
    entry = trees.files(merged.tree)["run.sh"]
    assert entry.mode == "100755"
    assert trees.read_blob(entry.id) == changed(3, b"x\n")
    assert merged.conflicts == ()


def test_links_and_submodules_are_merged_as_wholes(trees: Trees) -> None:
    base = tree(trees, {"l": b"a", "k": b"k\n"}, {"l": "120000"})
    ours, theirs = (tree(trees, {"l": to, "k": b"k\n"}, {"l": "120000"}) for to in (b"b", b"c"))
    assert merge_trees(trees, base, base, theirs).tree == theirs
    assert merge_trees(trees, base, ours, theirs).paths == ("l",)
    module = trees.adopt(b"160000 " + b"1" * 40 + b" 0\tmodule\0", [])
    moved = trees.adopt(b"160000 " + b"2" * 40 + b" 0\tmodule\0", [])
    file = trees.write({"f": b"f\n"}, module)
    assert trees.entry(merge_trees(trees, module, file, moved).tree, "module") == ("160000", "2" * 40)


NAMES = st.sampled_from(["a", "b", "dir/c", "dir/d"])
EDITS = st.dictionaries(NAMES, st.none() | st.dictionaries(st.integers(0, 11), st.binary(min_size=1, max_size=3)))


def edited(edits: dict[str, dict[int, bytes] | None]) -> dict[str, bytes]:
    files = dict.fromkeys(["a", "b", "dir/c", "dir/d"], TEXT)
    for path, lines in edits.items():
        if lines is None:
            del files[path]
        else:
            files[path] = b"".join(lines[n].hex().encode() + b"\n" if n in lines else LINES[n] for n in range(12))
    return files


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_merge_with_unchanged_side_is_other_side(trees: Trees, edits: dict) -> None:
    base, other = tree(trees, edited({})), tree(trees, edited(edits))
    assert merge_trees(trees, base, base, other).tree == other == merge_trees(trees, base, other, base).tree


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS, EDITS)
def test_merge_is_symmetric_and_conflict_keeps_ours(trees: Trees, one: dict, two: dict) -> None:
    base, ours, theirs = (tree(trees, edited(edits)) for edits in ({}, one, two))
    forward, backward = merge_trees(trees, base, ours, theirs), merge_trees(trees, base, theirs, ours)
    assert forward.paths == backward.paths
    for path in forward.paths:
        assert trees.entry(forward.tree, path) == trees.entry(ours, path)
    assert trees.overlay(forward.tree, base, forward.paths or ["none"]) == trees.overlay(
        backward.tree, base, forward.paths or ["none"]
    )
