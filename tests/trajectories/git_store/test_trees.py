"""Trees store bytes exactly, do not depend on the host's git configuration, and refuse dangerous content."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import decode, encode
from trajectories.git_store.object_reader import LISTINGS
from trajectories.git_store.trees import EMPTY_TREE, Change, Entry, Trees


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trees]:
    """One store for all examples of a property; the examples do not affect each other."""
    with Trees(tmp_path_factory.mktemp("shared") / "trees.git") as trees:
        yield trees


NOT_READABLE_BY_GIT = " "  # git cannot read its own diff of an empty file in a folder of that name
NAMES = st.one_of(
    st.sampled_from(
        ["a", "b", "dir", " a", "a b", "-n", 'q"uote', "back\\slash", "new\nline", "tab\t", "é", ":(top)", "*"]
    ),
    st.binary(min_size=1, max_size=6).map(decode),
).filter(lambda name: not set(name) & {"/", "\0"} and name not in (".", "..", NOT_READABLE_BY_GIT))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.one_of(
    st.sampled_from(
        [b"", b"\n", b"a\r\nb\r\n", b"no end", b"\xff\xfe\n\0", b"x\ry\r", b"diff --git a/a b/a\n", b"\xe9\n"]
    ),
    st.binary(max_size=40),
    st.lists(st.sampled_from([b"one\n", b"two\n", b"three\r\n", b"\xff\n"]), max_size=30).map(b"".join),
)
SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _files(files: dict[str, bytes]) -> dict[str, bytes]:
    """Drop paths below another path."""
    return {
        path: data
        for path, data in files.items()
        if not any(other != path and path.startswith(f"{other}/") for other in files)
    }


FILES = st.dictionaries(PATHS, CONTENTS, max_size=6).map(_files)


def file_contents(trees: Trees, tree: str) -> dict[str, bytes]:
    return {path: trees.read(tree, path) for path in trees.files(tree)}


@pytest.mark.slow
@SETTINGS
@given(FILES)
def test_written_files_are_read_unchanged(shared: Trees, files: dict[str, bytes]) -> None:
    tree = shared.write(files, EMPTY_TREE)
    assert file_contents(shared, tree) == files
    assert {path: entry.size for path, entry in shared.files(tree).items()} == {p: len(d) for p, d in files.items()}


@pytest.mark.slow
@SETTINGS
@given(FILES, FILES)
def test_diff_applies_anywhere(
    shared: Trees, tmp_path_factory: pytest.TempPathFactory, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    # The diff of an empty file is only its header, which `git apply` cannot read if a folder's name ends in a space.
    assume(all(data or " /" not in path for files in (old, new) for path, data in files.items()))
    work = tmp_path_factory.mktemp("work")
    before = shared.write(old, EMPTY_TREE)
    after = shared.write(new, EMPTY_TREE)
    for diff in (shared.diff(EMPTY_TREE, before), shared.diff(before, after)):
        if diff:
            subprocess.run(["git", "apply", "--whitespace=nowarn"], cwd=work, input=encode(diff), check=True)
    contents = {
        decode(os.fsencode(file.relative_to(work))): file.read_bytes() for file in work.rglob("*") if file.is_file()
    }
    assert contents == new
    assert {change.path for change in shared.changed(before, after)} == {
        path for path in old.keys() | new.keys() if old.get(path) != new.get(path)
    }


@pytest.mark.slow
@SETTINGS
@given(FILES, FILES)
def test_overlay_copies_paths_of_other_tree(shared: Trees, old: dict[str, bytes], new: dict[str, bytes]) -> None:
    before, after = shared.write(old, EMPTY_TREE), shared.write(new, EMPTY_TREE)
    assert shared.overlay(before, after, [*old, *new]) == after
    assert shared.overlay(before, after, []) == before
    tree = shared.overlay(before, after, list(new))
    content = file_contents(shared, tree)
    assert {path: content[path] for path in new} == new


@pytest.mark.slow
@SETTINGS
@given(FILES, FILES)
def test_pack_transfers_tree_to_another_store(
    shared: Trees, tmp_path_factory: pytest.TempPathFactory, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    new = {path: data for path, data in new.items() if "git" not in path.lower()}
    before, after = shared.write(old, EMPTY_TREE), shared.write(new, EMPTY_TREE)
    with Trees(tmp_path_factory.mktemp("other") / "trees.git") as other:
        other.add_pack(shared.pack(before), before)
        other.add_pack(io.BytesIO(shared.pack(after, [before])), after)
        assert file_contents(other, after) == new
        assert other.diff(before, after) == shared.diff(before, after)


def test_write_adds_and_removes_files_and_keeps_modes(trees: Trees) -> None:
    tree = tree_with_modes(
        trees, [("100755", b"#!/bin/sh\n", "run"), ("120000", b"run", "link"), ("100644", b"", "a/b/c")]
    )
    tree = trees.write({"run": b"new", "link": b"elsewhere", "a/b/c": None, "a/b/d": b"d"}, tree)
    files = trees.files(tree)
    assert {path: entry.mode for path, entry in files.items()} == {"run": "100755", "link": "120000", "a/b/d": "100644"}
    assert trees.read(tree, "run") == b"new"
    assert files["run"] == Entry("100755", files["run"].id, 3)
    assert trees.write({"gone before": None}, tree) == tree


def test_listing_is_cached_and_immutable(trees: Trees) -> None:
    tree = trees.write({"a": b"1"}, EMPTY_TREE)
    listing = trees.files(tree)
    assert trees.files(tree) is listing
    with pytest.raises(TypeError):
        listing["b"] = listing["a"]  # type: ignore[index]
    for number in range(LISTINGS):
        trees.files(trees.write({"a": b"%d more" % number}, tree))
    assert trees.files(tree) is not listing
    assert trees.files(tree) == listing


def test_write_replaces_file_by_folder_and_folder_by_file(trees: Trees) -> None:
    tree = trees.write({"a": b"file", "b/c": b"folder"}, EMPTY_TREE)
    assert list(trees.files(trees.write({"a/x": b"", "b": b""}, tree))) == ["a/x", "b"]


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".git/config", "a/.GIT/hooks", "nul\0", "."]
)
def test_invalid_path_is_refused(trees: Trees, path: str) -> None:
    with pytest.raises(UsageError):
        trees.write({path: b"x"}, EMPTY_TREE)


def test_gitattributes_in_tree_change_no_content(trees: Trees) -> None:
    data = b"$Id: 1$ a\r\nb\n"
    attributes = b"* text=auto eol=lf ident working-tree-encoding=UTF-16 filter=x diff=x -diff\n"
    tree = trees.write({".gitattributes": attributes, "f": data}, EMPTY_TREE)
    assert trees.read(tree, "f") == data
    assert "+b\n" in trees.diff(EMPTY_TREE, tree)


def test_read_raises_matching_error(trees: Trees) -> None:
    tree = trees.write({"a/b": b"12345"}, EMPTY_TREE)
    with pytest.raises(FileNotFoundError):
        trees.read(tree, "a/c")
    with pytest.raises(FileNotFoundError):
        trees.read(tree, "a/b/c")
    with pytest.raises(IsADirectoryError):
        trees.read(tree, "a")
    with pytest.raises(UsageError, match="too large"):
        trees.read(tree, "a/b", limit=4)
    assert trees.read(tree, "a/b", limit=5) == b"12345"
    assert not trees.has("1" * 40)
    assert not trees.has(trees.files(tree)["a/b"].id)
    for broken in ("1" * 40, "--output=/tmp/x", "HEAD", tree[:39]):
        with pytest.raises(RunBroken):
            trees.files(broken)


def test_diff_can_be_limited_to_paths(trees: Trees) -> None:
    tree = trees.write({f"d/{n}": b"x\n" for n in range(600)}, EMPTY_TREE)
    assert trees.diff(EMPTY_TREE, tree, [f"d/{n}" for n in range(600)]).count("diff --git") == 600
    assert trees.diff(EMPTY_TREE, tree, ["d/1"]).count("diff --git") == 1
    assert trees.diff(EMPTY_TREE, tree, ["*"]) == ""


def test_change_of_file_type_is_reported(trees: Trees) -> None:
    old = trees.write({"a": b"x"}, EMPTY_TREE)
    new = tree_with_modes(trees, [("120000", b"x", "a")])
    assert trees.changed(old, new) == [Change("T", "a")]


def test_large_text_file_has_text_diff(trees: Trees) -> None:
    old = trees.write({"big": b"line\n" * 500_000}, EMPTY_TREE)
    new = trees.write({"big": b"line\n" * 500_000 + b"last\n"}, old)
    assert trees.diff(old, new).endswith("+last\n")


def test_store_is_private_and_opens_again(tmp_path: Path) -> None:
    with Trees(tmp_path / "deep" / "trees.git") as trees:
        tree = trees.write({"a": b"1"}, EMPTY_TREE)
    assert stat.S_IMODE(trees.path.stat().st_mode) == 0o700
    with Trees(tmp_path / "deep" / "trees.git") as reopened:
        assert reopened.read(tree, "a") == b"1"
    assert reopened.read(tree, "a") == b"1"  # closing only ends the git process
    reopened.close()


def test_git_configuration_of_user_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "attributes").write_text("* text eol=crlf -diff\n")
    (home / ".gitconfig").write_text("[diff]\n\tnoprefix = true\n[core]\n\tautocrlf = true\n[broken\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    with Trees(tmp_path / "trees.git") as trees:
        tree = trees.write({"a": b"x\r\n"}, EMPTY_TREE)
        assert trees.read(tree, "a") == b"x\r\n"
        assert trees.diff(EMPTY_TREE, tree).endswith("+++ b/a\n@@ -0,0 +1 @@\n+x\r\n")


def test_threads_can_read_and_write_at_once(trees: Trees) -> None:
    results: dict[int, bytes] = {}

    def work(n: int) -> None:
        data = str(n).encode() * 10_000
        tree = trees.write({f"f{n}": data}, EMPTY_TREE)
        for _ in range(20):
            results[n] = trees.read(tree, f"f{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: str(n).encode() * 10_000 for n in range(4)}


def test_many_packs_are_indexed_together(trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajectories.git_store.trees.PACKS_PER_INDEX", 2)
    (trees.path / "objects" / "pack" / "multi-pack-index.lock").write_text("left by a process that was killed")
    written = [trees.write({"a": b"%d" % n}, EMPTY_TREE) for n in range(3)]
    (trees.path / "objects" / "pack" / "multi-pack-index.lock").unlink()
    written += [trees.write({"a": b"%d" % n}, EMPTY_TREE) for n in range(3, 6)]
    assert (trees.path / "objects" / "pack" / "multi-pack-index").exists()
    with Trees(trees.path) as reopened:
        assert [reopened.read(tree, "a") for tree in written] == [b"%d" % n for n in range(6)]


def test_reader_restarts_killed_git_process(trees: Trees) -> None:
    tree = trees.write({"a": b"1"}, EMPTY_TREE)
    assert trees.read(tree, "a") == b"1"
    process = trees._reader._process
    assert process
    process.kill()
    process.wait()
    assert trees.read(tree, "a") == b"1"


def tree_with_modes(trees: Trees, entries: list[tuple[str, bytes, str]]) -> str:
    """A tree with these modes."""
    plain = trees.files(trees.write({path: data for _, data, path in entries}, EMPTY_TREE))
    lines = "".join(f"{mode} {plain[path].id}\t{path}\n" for mode, _, path in entries)
    env = {**trees.env, "GIT_INDEX_FILE": str(trees.path / "test-index")}
    (trees.path / "test-index").unlink(missing_ok=True)
    subprocess.run(["git", "update-index", "--add", "--index-info"], env=env, input=lines.encode(), check=True)
    return subprocess.check_output(["git", "write-tree"], env=env, text=True).strip()
