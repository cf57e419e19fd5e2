"""The user's repository is opened, and its base read without a trace."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import BYTES, User, contents, run
from trajectories.errors import UsageError
from trajectories.records import Base
from trajectories.trees import Trees

# Opening


def test_open_finds_root_from_folder_inside(user: User) -> None:
    repository = Repository.open(user.root / "dir")
    assert repository.root == user.root
    assert repository.name == "project"


def test_open_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        Repository.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        Repository.open(tmp_path / "file")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="not in a git repository") as caught:
        Repository.open(tmp_path / "plain")
    assert "git init" in caught.value.fix
    empty = User(tmp_path / "empty")
    with pytest.raises(UsageError, match="no commit") as caught:
        Repository.open(empty.root)
    assert "git commit" in caught.value.fix


def test_repository_with_sha256_names_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--object-format=sha256", tmp_path / "r"], check=True)
    with pytest.raises(UsageError, match="sha256"):
        Repository.open(tmp_path / "r")


def test_broken_repository_is_named(user: User) -> None:
    (user.root / ".git" / "config").write_text("[core\n")
    with pytest.raises(UsageError):
        Repository.open(user.root)


# The base


def test_clean_working_tree_is_heads_tree(user: User, trees: Trees) -> None:
    base = Repository.open(user.root).base(trees)
    assert base == Base(user.git("rev-parse", "HEAD"), user.git("rev-parse", "HEAD^{tree}"), 0)
    assert contents(trees, base.tree) == {"a.py": b"a = 1\n", "b.py": b"b = 1\n", "dir/c.py": b"c = 1\n"}


def test_base_is_what_user_sees(user: User, trees: Trees) -> None:
    user.commit(
        **{
            ".gitignore": b"ignored\n*.log\n",
            "gone": b"",
            "moved": b"m\n",
            "tool": b"#!/bin/sh\n",
            "kind": b"x",
            "d": b"",
        }
    )
    user.write("a.py", b"staged\n")
    user.git("add", "a.py")
    user.write("a.py", b"staged, then edited\r\n")
    user.write("b.py", b"edited")
    (user.root / "gone").unlink()
    user.git("mv", "moved", "there")
    user.write("ignored", b"secret")
    user.write("x.log")
    user.write("new/file", b"\0\xff")
    user.git("add", "-N", "new/file")
    user.write(BYTES, b"odd")
    user.write("with space\nand line", b"odd")
    (user.root / "tool").chmod(0o755)
    (user.root / "link").symlink_to("/nowhere")
    (user.root / "kind").unlink()
    (user.root / "kind").symlink_to("a.py")
    (user.root / "d").unlink()
    user.write("d/inside")
    os.mkfifo(user.root / "fifo")
    nested = User(user.root / "nested")
    nested.commit(x=b"")
    User(user.root / "nested without commits")
    before = user.state()

    base = Repository.open(user.root / "new").base(trees)

    assert user.state() == before
    content = contents(trees, base.tree)
    assert content == {
        ".gitignore": b"ignored\n*.log\n",
        "a.py": b"staged, then edited\r\n",
        "b.py": b"edited",
        "d/inside": b"text\n",
        "dir/c.py": b"c = 1\n",
        "kind": b"a.py",
        "link": b"/nowhere",
        os.fsdecode(BYTES): b"odd",
        "new/file": b"\0\xff",
        "there": b"m\n",
        "tool": b"#!/bin/sh\n",
        "with space\nand line": b"odd",
    }
    modes = {path: entry.mode for path, entry in trees.files(base.tree).items()}
    assert (modes["tool"], modes["link"], modes["kind"], modes["a.py"]) == ("100755", "120000", "120000", "100644")
    assert base.changes == 13  # a rename is two, a file that becomes a folder too
    assert str(base).endswith(" + 13 changes")


def test_store_holds_base_by_itself(user: User, trees: Trees, tmp_path: Path) -> None:
    user.write("a.py", b"edited\n")
    base = Repository.open(user.root).base(trees)
    user.root.rename(tmp_path / "elsewhere")
    assert not (trees.path / "objects" / "info" / "alternates").exists()
    assert run(trees.path, "fsck", "--full", "--strict", base.tree) == ""
    with Trees(tmp_path / "other.git") as other:
        other.add_pack(trees.pack(base.tree), base.tree)


def test_edit_within_second_of_same_size_is_seen(user: User, trees: Trees) -> None:
    index = user.root / ".git" / "index"
    file = user.write("a.py", b"a = 2\n")
    stamp = index.stat().st_mtime_ns
    os.utime(file, ns=(stamp, stamp))
    user.git("add", "a.py")
    file.write_bytes(b"a = 3\n")
    assert trees.read(Repository.open(user.root).base(trees).tree, "a.py") == b"a = 3\n"


def test_line_endings_are_as_git_stores_them(user: User, trees: Trees) -> None:
    user.commit(
        **{".gitattributes": b"*.bat eol=crlf text\n*.id ident\n", "run.bat": b"one\r\ntwo\r\n", "x.id": b"$Id$\n"}
    )
    user.git("config", "core.autocrlf", "true")
    for file in ("a.py", "b.py", "x.id"):
        (user.root / file).unlink()
    user.git("checkout", "--", ".")
    assert (user.root / "a.py").read_bytes() == b"a = 1\r\n"
    repository = Repository.open(user.root)
    clean = repository.base(trees)
    assert (clean.tree, clean.changes) == (user.git("rev-parse", "HEAD^{tree}"), 0)
    user.write("b.py", b"b = 1\r\nmore = 2\r\n")
    base = repository.base(trees)
    assert trees.read(base.tree, "b.py") == b"b = 1\nmore = 2\n"
    assert trees.read(base.tree, "run.bat") == b"one\ntwo\n"
    assert base.changes == 1

    tree = trees.write({"a.py": b"a = 2\n", "b.py": b"b = 3\nmore = 2\n", "run.bat": b"one\nTWO\n"}, base.tree)
    repository.apply(trees.diff(base.tree, tree), base)
    assert (user.root / "a.py").read_bytes() == b"a = 2\r\n"
    assert (user.root / "b.py").read_bytes() == b"b = 3\r\nmore = 2\r\n"
    assert (user.root / "run.bat").read_bytes() == b"one\r\nTWO\r\n"
    assert repository.base(trees).tree == tree


def test_files_with_crlf_in_repository_stay_exact(user: User, trees: Trees) -> None:
    user.commit(dos=b"one\r\ntwo\r\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"dos": b"one\r\n2\r\n"}, base.tree)
    repository.apply(trees.diff(base.tree, tree), base)
    assert (user.root / "dos").read_bytes() == b"one\r\n2\r\n"


def test_filters_pointer_stays_pointer(user: User, trees: Trees) -> None:
    user.git("config", "filter.big.clean", "sed 's/.*/pointer/'")
    user.git("config", "filter.big.smudge", "sed 's/.*/content/'")
    user.commit(**{".gitattributes": b"*.bin filter=big\n", "x.bin": b"content\n"})
    base = Repository.open(user.root).base(trees)
    assert (trees.read(base.tree, "x.bin"), base.changes) == (b"pointer\n", 0)


def test_revision_is_that_commit_exactly(user: User, trees: Trees) -> None:
    first = user.git("rev-parse", "HEAD")
    user.git("tag", "-a", "v1", "-m", "one")
    user.commit(**{"a.py": b"a = 2\n"})
    user.write("b.py", b"dirty")
    repository = Repository.open(user.root)
    for rev in ("v1", first, "HEAD~1", "trunk~"):
        assert repository.base(trees, rev) == Base(first, user.git("rev-parse", "v1^{tree}"), 0)
    assert repository.base(trees, "HEAD").changes == 0


@pytest.mark.parametrize("rev", ["nothing", "HEAD~99", "", "--all", "1" * 40, "HEAD:a.py", "a..b", "nul\0"])
def test_unknown_revisions(user: User, trees: Trees, rev: str) -> None:
    with pytest.raises(UsageError, match="no commit"):
        Repository.open(user.root).base(trees, rev if rev else " ")


def test_merge_in_progress_is_what_lies_on_disk(user: User, trees: Trees) -> None:
    user.git("switch", "-qc", "other")
    user.commit(**{"a.py": b"theirs\n", "b.py": b"theirs\n"})
    user.git("switch", "-q", "trunk")
    user.commit(**{"a.py": b"ours\n"})
    user.git("rm", "-q", "b.py")
    user.git("commit", "-qm", "b is gone")
    with pytest.raises(subprocess.CalledProcessError):
        user.git("merge", "other")
    before = user.state()
    base = Repository.open(user.root).base(trees)
    assert user.state() == before
    assert b"<<<<<<<" in trees.read(base.tree, "a.py")
    assert trees.read(base.tree, "b.py") == b"theirs\n"


def test_submodules_keep_commit_of_index(user: User, trees: Trees, tmp_path: Path) -> None:
    library = User(tmp_path / "library")
    first = library.commit(x=b"1")
    user.git("submodule", "add", "-q", str(library.root), "lib")
    user.commit()
    inside = user.root / "lib"
    (inside / "x").write_text("edited inside")
    run(inside, "commit", "-qam", "later")
    (inside / "y").write_text("untracked inside")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    assert trees.files(base.tree)["lib"].id == first
    assert base.changes == 0
    assert "lib/x" not in trees.files(base.tree)
    tree = trees.write({"a.py": b"2\n"}, base.tree)
    assert user.git("ls-tree", repository.branch("fix", base, tree, trees, "m"), "lib").startswith(
        "160000 commit " + first
    )
    assert Repository.open(inside).base(trees).changes == 1


def test_linked_worktree_has_its_own_files(user: User, trees: Trees, tmp_path: Path) -> None:
    user.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "a.py").write_text("in the worktree\n")
    repository = Repository.open(tmp_path / "side")
    base = repository.base(trees)
    assert trees.read(base.tree, "a.py") == b"in the worktree\n"
    assert base.changes == 1
    repository.history(base, tmp_path / "history")
    assert run(tmp_path / "history", "rev-parse", "main") == base.commit


def test_sparse_checkout_has_all_files(user: User, trees: Trees) -> None:
    for mode in ("--no-sparse-index", "--sparse-index"):
        user.git("sparse-checkout", "set", "--cone", mode, "other")
        assert not (user.root / "dir").exists()
        user.write("a.py", f"edited {mode}\n".encode())
        before = user.state()
        base = Repository.open(user.root).base(trees)
        assert user.state() == before
        assert trees.read(base.tree, "dir/c.py") == b"c = 1\n"
        assert base.changes == 1


def test_split_index_stays_as_it_is(user: User, trees: Trees) -> None:
    user.git("update-index", "--split-index")
    user.write("a.py", b"edited\n")
    user.git("add", "a.py")
    user.write("b.py", b"edited\n")
    before = user.state()
    assert Repository.open(user.root).base(trees).changes == 2
    assert user.state() == before


def test_shared_clones_and_paths_with_separators(user: User, trees: Trees, tmp_path: Path) -> None:
    odd = tmp_path / 'a:b "c" \\d'
    user.root.rename(odd)
    subprocess.run(["git", "clone", "-q", "--shared", odd, tmp_path / "x:y"], check=True)
    (tmp_path / "x:y" / "new").write_text("new")
    with Trees(tmp_path / 'run:"1"' / "trees.git") as oddly_placed:
        repository = Repository.open(tmp_path / "x:y")
        base = repository.base(oddly_placed)
        assert base.changes == 1
        assert len(contents(oddly_placed, base.tree)) == 4
        assert repository.branch("b", base, base.tree, oddly_placed, "m")
        again = oddly_placed.pack(base.tree)
    trees.add_pack(again, base.tree)


def test_clone_without_checkout_is_its_commit(user: User, trees: Trees, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--no-checkout", user.root, tmp_path / "bare-ish"], check=True)
    assert Repository.open(tmp_path / "bare-ish").base(trees).changes == 0


def test_histories_that_strict_git_refuses(user: User, trees: Trees, tmp_path: Path) -> None:
    """Old tools wrote folders' modes with a leading zero, and files' modes with the group's write bit."""
    blob = user.git("hash-object", "-w", "--stdin", input=b"old\n")
    inner = _object(user, "tree", b"100664 f\0" + bytes.fromhex(blob))
    outer = _object(user, "tree", b"100644 a\0" + bytes.fromhex(blob) + b"040000 dir\0" + bytes.fromhex(inner))
    commit = user.git("commit-tree", outer, "-m", "honest")
    user.git("reset", "-q", "--hard", commit)
    with pytest.raises(subprocess.CalledProcessError):
        user.git("fsck", "--strict", outer)
    repository = Repository.open(user.root)
    for rev in (None, commit):
        base = repository.base(trees, rev)
        assert base.changes == 0
        assert base.tree != outer
        assert contents(trees, base.tree) == {"a": b"old\n", "dir/f": b"old\n"}
        assert run(trees.path, "fsck", "--full", "--strict", base.tree) == ""
    with Trees(tmp_path / "container.git") as other:
        other.add_pack(trees.pack(base.tree), base.tree)
    repository.history(base, tmp_path / "history")
    assert run(tmp_path / "history", "log", "--format=%s") == "honest"
    tree = trees.write({"dir/f": b"new\n"}, base.tree)
    fix = repository.branch("fix", base, tree, trees, "fix")
    assert user.git("diff", "--name-only", commit, fix) == "dir/f"


def test_reading_runs_none_of_users_hooks(user: User, trees: Trees, tmp_path: Path) -> None:
    trap = user.write(".git/hooks/trap", b"#!/bin/sh\ntouch " + os.fsencode(tmp_path) + b"/ran\n")
    trap.chmod(0o755)
    for hook in ("reference-transaction", "post-index-change", "pre-commit", "post-commit", "fsmonitor-watchman"):
        (trap.parent / hook).symlink_to("trap")
    user.git("config", "core.fsmonitor", str(trap))
    (tmp_path / "ran").unlink(missing_ok=True)
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    repository.branch("fix", base, tree, trees, "m")
    repository.apply(trees.diff(base.tree, tree), base)
    repository.history(base, tmp_path / "history")
    assert not (tmp_path / "ran").exists()


def _object(user: User, kind: str, data: bytes) -> str:
    """Write an object that git itself would not."""
    whole = f"{kind} {len(data)}\0".encode() + data
    id = hashlib.sha1(whole).hexdigest()
    user.write(f".git/objects/{id[:2]}/{id[2:]}", zlib.compress(whole))
    return id


@pytest.mark.parametrize("damage", ["short", "cut", "signature"])
def test_damaged_index_is_named_by_users_path(user: User, trees: Trees, damage: str) -> None:
    """We read a copy of it, which no user knows."""
    repository = Repository.open(user.root)
    index = user.root / ".git" / "index"
    data = index.read_bytes()
    index.write_bytes({"short": b"x", "cut": data[:50], "signature": b"XXXX" + data[4:]}[damage])
    with pytest.raises(UsageError) as raised:
        repository.base(trees)
    assert str(index) in raised.value.message
    assert str(trees.path) not in raised.value.message
    assert "/tmp/swe-agent-" not in raised.value.message


def test_missing_commit_of_head_is_called_so(user: User) -> None:
    repository = Repository.open(user.root)
    commit = repository.commit()
    (user.root / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    with pytest.raises(UsageError, match=r"The commit that HEAD names in .* is missing"):
        Repository.open(user.root).commit()
