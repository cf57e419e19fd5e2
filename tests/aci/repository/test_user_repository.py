"""Opening the user's repository and reading its base without changing anything."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from aci.repository.first_commit import COMMIT, first_commit_advice
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import BYTES, User, contents, run
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees
from trajectories.records import Base

# Opening


def test_open_finds_root_from_folder_inside(user: User) -> None:
    repository = Repository.open(user.root / "dir")
    assert repository.root == user.root
    assert repository.name == "project"


def test_open_explains_unusable_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        Repository.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        Repository.open(tmp_path / "file")
    (tmp_path / "plain").mkdir()
    with pytest.raises(UsageError, match="not in a git repository") as caught:
        Repository.open(tmp_path / "plain")
    assert caught.value.fix == f"Create one: cd {tmp_path / 'plain'} && git init && {COMMIT}"
    empty = User(tmp_path / "empty")
    with pytest.raises(UsageError, match="no commit") as caught:
        Repository.open(empty.root)
    assert caught.value.fix == f"Create one: cd {empty.root} && {COMMIT}"
    run(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(UsageError, match="no commit") as caught:
        Repository.open(tmp_path / "bare.git")
    assert caught.value.fix == "Push a branch to it."


def test_current_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "it's new"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError) as caught:
        Repository.open(".")
    assert caught.value.message == f"{folder} is not in a git repository."
    (command,) = caught.value.fix.removeprefix("Create one: ").splitlines()
    (folder / "a.py").write_text("x = 1\n")
    subprocess.run(["sh", "-c", command], cwd="/", check=True, capture_output=True)
    assert Repository.open(".").root == folder


@pytest.mark.parametrize("has_git", [False, True])
def test_folders_that_are_no_project_are_not_committed(
    has_git: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, outer = tmp_path / "home", tmp_path / "elsewhere"
    (outer / "group" / "b" / ".git").mkdir(parents=True)
    (outer / "a").mkdir()
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for folder in (home, tmp_path, Path("/")):
        assert first_commit_advice(folder, has_git) == "Choose the folder of a project instead."
    assert first_commit_advice(outer, has_git) == f"Choose a repository in it, such as {outer / 'group' / 'b'}."
    (outer / "a" / ".git").write_text("gitdir: of a worktree\n")
    assert first_commit_advice(outer, has_git) == f"Choose a repository in it, such as {outer / 'a'}."
    assert first_commit_advice(outer / "a", has_git).startswith("Create one: ")


def test_repository_with_sha256_objects_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--object-format=sha256", tmp_path / "r"], check=True)
    with pytest.raises(UsageError, match="sha256"):
        Repository.open(tmp_path / "r")


def test_repository_with_broken_config_is_refused(user: User) -> None:
    (user.root / ".git" / "config").write_text("[core\n")
    with pytest.raises(UsageError):
        Repository.open(user.root)


# The base


def test_base_of_clean_working_tree_is_head(user: User, trees: Trees) -> None:
    base = Repository.open(user.root).base(trees)
    assert base == Base(user.git("rev-parse", "HEAD"), user.git("rev-parse", "HEAD^{tree}"), 0)
    assert contents(trees, base.tree) == {"a.py": b"a = 1\n", "b.py": b"b = 1\n", "dir/c.py": b"c = 1\n"}


def test_base_holds_working_tree_as_user_sees_it(user: User, trees: Trees) -> None:
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
    assert base.changes == 13  # a rename counts as two, and so does a file that becomes a folder
    assert str(base).endswith(" + 13 changes")


def test_store_is_complete_without_user_repository(user: User, trees: Trees, tmp_path: Path) -> None:
    user.write("a.py", b"edited\n")
    base = Repository.open(user.root).base(trees)
    user.root.rename(tmp_path / "elsewhere")
    assert not (trees.path / "objects" / "info" / "alternates").exists()
    assert run(trees.path, "fsck", "--full", "--strict", base.tree) == ""
    with Trees(tmp_path / "other.git") as other:
        other.add_pack(trees.pack(base.tree), base.tree)


def test_edit_with_same_size_and_time_is_detected(user: User, trees: Trees) -> None:
    index = user.root / ".git" / "index"
    file = user.write("a.py", b"a = 2\n")
    stamp = index.stat().st_mtime_ns
    os.utime(file, ns=(stamp, stamp))
    user.git("add", "a.py")
    file.write_bytes(b"a = 3\n")
    assert trees.read(Repository.open(user.root).base(trees).tree, "a.py") == b"a = 3\n"


def test_base_of_few_files_may_hold_large_one(user, trees: Trees) -> None:
    (user.root / "logo.svg").write_bytes(b"x" * 1_500_000)
    user.git("add", "-A")
    user.git("commit", "-qm", "logo")
    assert trees.files(Repository.open(user.root).base(trees).tree)["logo.svg"].size == 1_500_000


def test_line_endings_are_converted_as_git_does(user: User, trees: Trees) -> None:
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


def test_committed_crlf_files_stay_exact(user: User, trees: Trees) -> None:
    user.commit(dos=b"one\r\ntwo\r\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"dos": b"one\r\n2\r\n"}, base.tree)
    repository.apply(trees.diff(base.tree, tree), base)
    assert (user.root / "dos").read_bytes() == b"one\r\n2\r\n"


def test_base_holds_pointer_of_filtered_file(user: User, trees: Trees) -> None:
    user.configure("filter.big.clean", "sed 's/.*/pointer/'")
    user.configure("filter.big.smudge", "sed 's/.*/content/'")
    user.commit(**{".gitattributes": b"*.bin filter=big\n", "x.bin": b"content\n"})
    base = Repository.open(user.root).base(trees)
    assert (trees.read(base.tree, "x.bin"), base.changes) == (b"pointer\n", 0)


def test_base_at_revision_is_exactly_that_commit(user: User, trees: Trees) -> None:
    first = user.git("rev-parse", "HEAD")
    user.git("tag", "-a", "v1", "-m", "one")
    user.commit(**{"a.py": b"a = 2\n"})
    user.write("b.py", b"dirty")
    repository = Repository.open(user.root)
    for rev in ("v1", first, "HEAD~1", "trunk~"):
        assert repository.base(trees, rev) == Base(first, user.git("rev-parse", "v1^{tree}"), 0)
    assert repository.base(trees, "HEAD").changes == 0


@pytest.mark.parametrize("rev", ["nothing", "HEAD~99", "", "--all", "1" * 40, "HEAD:a.py", "a..b", "nul\0"])
def test_unknown_revision_is_refused(user: User, trees: Trees, rev: str) -> None:
    with pytest.raises(UsageError, match="no commit"):
        Repository.open(user.root).base(trees, rev if rev else " ")


def test_base_during_merge_holds_files_on_disk(user: User, trees: Trees) -> None:
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


def test_submodule_keeps_commit_of_index(user: User, trees: Trees, tmp_path: Path) -> None:
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


def test_base_of_linked_worktree_holds_its_own_files(user: User, trees: Trees, tmp_path: Path) -> None:
    user.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "a.py").write_text("in the worktree\n")
    repository = Repository.open(tmp_path / "side")
    base = repository.base(trees)
    assert trees.read(base.tree, "a.py") == b"in the worktree\n"
    assert base.changes == 1
    repository.history(base, tmp_path / "history")
    assert run(tmp_path / "history", "rev-parse", "main") == base.commit


def test_base_of_sparse_checkout_has_all_files(user: User, trees: Trees) -> None:
    for mode in ("--no-sparse-index", "--sparse-index"):
        user.git("sparse-checkout", "set", "--cone", mode, "other")
        assert not (user.root / "dir").exists()
        user.write("a.py", f"edited {mode}\n".encode())
        before = user.state()
        base = Repository.open(user.root).base(trees)
        assert user.state() == before
        assert trees.read(base.tree, "dir/c.py") == b"c = 1\n"
        assert base.changes == 1


def test_split_index_is_not_changed(user: User, trees: Trees) -> None:
    user.git("update-index", "--split-index")
    user.write("a.py", b"edited\n")
    user.git("add", "a.py")
    user.write("b.py", b"edited\n")
    before = user.state()
    assert Repository.open(user.root).base(trees).changes == 2
    assert user.state() == before


def test_shared_clone_at_path_with_separators_is_read(user: User, trees: Trees, tmp_path: Path) -> None:
    odd = tmp_path / 'a:b "c" \\d'
    user.root.rename(odd)
    subprocess.run(["git", "clone", "-q", "--shared", odd, tmp_path / "x:y"], check=True)
    user.root = tmp_path / "x:y"
    user.configure("swe-agent.objects", "*")
    (tmp_path / "x:y" / "new").write_text("new")
    with Trees(tmp_path / 'run:"1"' / "trees.git") as odd_trees:
        repository = Repository.open(tmp_path / "x:y")
        base = repository.base(odd_trees)
        assert base.changes == 1
        assert len(contents(odd_trees, base.tree)) == 4
        assert repository.branch("b", base, base.tree, odd_trees, "m")
        pack = odd_trees.pack(base.tree)
    trees.add_pack(pack, base.tree)


def test_base_of_clone_without_checkout_is_its_commit(user: User, trees: Trees, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--no-checkout", user.root, tmp_path / "bare-ish"], check=True)
    assert Repository.open(tmp_path / "bare-ish").base(trees).changes == 0


def test_history_that_strict_git_refuses_is_accepted(user: User, trees: Trees, tmp_path: Path) -> None:
    """Old tools wrote folder modes with a leading zero, and file modes with the group's write bit."""
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


def test_user_hooks_are_not_run(user: User, trees: Trees, tmp_path: Path) -> None:
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
    """Write an object that git would refuse to write."""
    content = f"{kind} {len(data)}\0".encode() + data
    id = hashlib.sha1(content).hexdigest()
    user.write(f".git/objects/{id[:2]}/{id[2:]}", zlib.compress(content))
    return id


@pytest.mark.parametrize("damage", ["short", "cut", "signature"])
def test_damaged_index_is_reported_with_user_path(user: User, trees: Trees, damage: str) -> None:
    """The index is read from a temporary copy, whose path means nothing to the user."""
    repository = Repository.open(user.root)
    index = user.root / ".git" / "index"
    data = index.read_bytes()
    index.write_bytes({"short": b"x", "cut": data[:50], "signature": b"XXXX" + data[4:]}[damage])
    with pytest.raises(UsageError) as raised:
        repository.base(trees)
    assert str(index) in raised.value.message
    assert str(trees.path) not in raised.value.message
    assert "/tmp/swe-agent-" not in raised.value.message


def test_missing_head_commit_is_reported(user: User) -> None:
    repository = Repository.open(user.root)
    commit = repository.commit()
    (user.root / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    with pytest.raises(UsageError, match=r"The commit that HEAD names in .* is missing"):
        Repository.open(user.root).commit()
