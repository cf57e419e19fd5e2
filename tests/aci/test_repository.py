"""The user's repository: read without a trace, given back without a loss."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aci.repository import Repository, clone
from trajectories.errors import UsageError
from trajectories.plumbing import GitFailed
from trajectories.records import Base
from trajectories.trees import EMPTY_TREE, Trees

BYTES = b"name \xff\xfe"


class User:
    """Somebody at work in a repository of theirs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "trunk")

    def git(self, *args: str | bytes, input: bytes | None = None) -> str:
        return _run(self.root, *args, input=input)

    def write(self, path: str | bytes, data: bytes = b"text\n") -> Path:
        file = self.root / os.fsdecode(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        return file

    def commit(self, **files: bytes) -> str:
        for path, data in files.items():
            self.write(path, data)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"Commit {time.monotonic_ns()}")
        return self.git("rev-parse", "HEAD")

    def state(self) -> dict[str, tuple[int, bytes]]:
        """Every byte of the repository, with modes: working tree, index, objects, refs, configuration."""
        files = (file for file in self.root.rglob("*") if file.is_symlink() or file.is_file())
        return {
            str(file.relative_to(self.root)): (
                file.lstat().st_mode,
                os.fsencode(file.readlink()) if file.is_symlink() else file.read_bytes(),
            )
            for file in files
        }


def _run(root: Path, *args: str | bytes, input: bytes | None = None) -> str:
    return (
        subprocess.run(["git", *args], cwd=root, check=True, capture_output=True, input=input).stdout.decode().strip()
    )


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        '[user]\n\tname = Ada\n\temail = ada@example.org\n[protocol "file"]\n\tallow = always\n'
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture
def user(tmp_path: Path) -> User:
    user = User(tmp_path / "project")
    user.commit(**{"a.py": b"a = 1\n", "b.py": b"b = 1\n", "dir/c.py": b"c = 1\n"})
    return user


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "run" / "trees.git") as trees:
        yield trees


def _content(trees: Trees, tree: str) -> dict[str, bytes]:
    return {path: trees.read(tree, path) for path, entry in trees.files(tree).items() if entry.mode != "160000"}


# Opening


def test_open_finds_the_root_from_a_folder_inside(user: User) -> None:
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


def test_a_repository_with_sha256_names_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", "--object-format=sha256", tmp_path / "r"], check=True)
    with pytest.raises(UsageError, match="sha256"):
        Repository.open(tmp_path / "r")


def test_a_broken_repository_is_named(user: User) -> None:
    (user.root / ".git" / "config").write_text("[core\n")
    with pytest.raises(UsageError):
        Repository.open(user.root)


# The base


def test_a_clean_working_tree_is_heads_tree(user: User, trees: Trees) -> None:
    base = Repository.open(user.root).base(trees)
    assert base == Base(user.git("rev-parse", "HEAD"), user.git("rev-parse", "HEAD^{tree}"), 0)
    assert _content(trees, base.tree) == {"a.py": b"a = 1\n", "b.py": b"b = 1\n", "dir/c.py": b"c = 1\n"}


def test_the_base_is_what_the_user_sees(user: User, trees: Trees) -> None:
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
    content = _content(trees, base.tree)
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


def test_the_store_holds_the_base_by_itself(user: User, trees: Trees, tmp_path: Path) -> None:
    user.write("a.py", b"edited\n")
    base = Repository.open(user.root).base(trees)
    user.root.rename(tmp_path / "elsewhere")
    assert not (trees.path / "objects" / "info" / "alternates").exists()
    assert _run(trees.path, "fsck", "--full", "--strict", base.tree) == ""
    with Trees(tmp_path / "other.git") as other:
        other.add_pack(trees.pack(base.tree), base.tree)


def test_an_edit_within_the_second_of_the_same_size_is_seen(user: User, trees: Trees) -> None:
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


def test_files_with_crlf_in_the_repository_stay_exact(user: User, trees: Trees) -> None:
    user.commit(dos=b"one\r\ntwo\r\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"dos": b"one\r\n2\r\n"}, base.tree)
    repository.apply(trees.diff(base.tree, tree), base)
    assert (user.root / "dos").read_bytes() == b"one\r\n2\r\n"


def test_a_filters_pointer_stays_a_pointer(user: User, trees: Trees) -> None:
    user.git("config", "filter.big.clean", "sed 's/.*/pointer/'")
    user.git("config", "filter.big.smudge", "sed 's/.*/content/'")
    user.commit(**{".gitattributes": b"*.bin filter=big\n", "x.bin": b"content\n"})
    base = Repository.open(user.root).base(trees)
    assert (trees.read(base.tree, "x.bin"), base.changes) == (b"pointer\n", 0)


def test_a_revision_is_that_commit_exactly(user: User, trees: Trees) -> None:
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


def test_a_merge_in_progress_is_what_lies_on_disk(user: User, trees: Trees) -> None:
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


def test_submodules_keep_the_commit_of_the_index(user: User, trees: Trees, tmp_path: Path) -> None:
    library = User(tmp_path / "library")
    first = library.commit(x=b"1")
    user.git("submodule", "add", "-q", str(library.root), "lib")
    user.commit()
    inside = user.root / "lib"
    (inside / "x").write_text("edited inside")
    _run(inside, "commit", "-qam", "later")
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


def test_a_linked_worktree_has_its_own_files(user: User, trees: Trees, tmp_path: Path) -> None:
    user.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side" / "a.py").write_text("in the worktree\n")
    repository = Repository.open(tmp_path / "side")
    base = repository.base(trees)
    assert trees.read(base.tree, "a.py") == b"in the worktree\n"
    assert base.changes == 1
    repository.history(base, tmp_path / "history")
    assert _run(tmp_path / "history", "rev-parse", "main") == base.commit


def test_a_sparse_checkout_has_all_files(user: User, trees: Trees) -> None:
    for mode in ("--no-sparse-index", "--sparse-index"):
        user.git("sparse-checkout", "set", "--cone", mode, "other")
        assert not (user.root / "dir").exists()
        user.write("a.py", f"edited {mode}\n".encode())
        before = user.state()
        base = Repository.open(user.root).base(trees)
        assert user.state() == before
        assert trees.read(base.tree, "dir/c.py") == b"c = 1\n"
        assert base.changes == 1


def test_a_split_index_stays_as_it_is(user: User, trees: Trees) -> None:
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
        assert len(_content(oddly_placed, base.tree)) == 4
        assert repository.branch("b", base, base.tree, oddly_placed, "m")
        again = oddly_placed.pack(base.tree)
    trees.add_pack(again, base.tree)


def test_a_clone_without_checkout_is_its_commit(user: User, trees: Trees, tmp_path: Path) -> None:
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
        assert _content(trees, base.tree) == {"a": b"old\n", "dir/f": b"old\n"}
        assert _run(trees.path, "fsck", "--full", "--strict", base.tree) == ""
    with Trees(tmp_path / "container.git") as other:
        other.add_pack(trees.pack(base.tree), base.tree)
    repository.history(base, tmp_path / "history")
    assert _run(tmp_path / "history", "log", "--format=%s") == "honest"
    tree = trees.write({"dir/f": b"new\n"}, base.tree)
    fix = repository.branch("fix", base, tree, trees, "fix")
    assert user.git("diff", "--name-only", commit, fix) == "dir/f"


def test_reading_runs_none_of_the_users_hooks(user: User, trees: Trees, tmp_path: Path) -> None:
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


# Quarantined history


def test_history_knows_ancestors_and_nothing_later(user: User, trees: Trees, tmp_path: Path) -> None:
    first = user.git("rev-parse", "HEAD")
    user.git("tag", "-a", "old", "-m", "an ancestor")
    middle = user.commit(**{"a.py": b"a = 2\n"})
    user.git("repack", "-adbq")
    secret = user.commit(**{"a.py": b"the fix\n", "fix": b"the fix, too\n"})
    user.git("tag", "v2")
    user.git("switch", "-qc", "side", first)
    side = user.commit(side=b"elsewhere\n")
    user.git("remote", "add", "origin", "https://user:token@example.org/x")
    user.git("update-ref", "refs/remotes/origin/trunk", secret)
    user.git("repack", "-adbq")
    into = tmp_path / "cache" / "history"
    repository = Repository.open(user.root)
    base = repository.base(trees, middle)
    repository.history(base, into)

    known = set(_run(into, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    reachable = {line.split()[0] for line in user.git("rev-list", "--objects", middle).splitlines()}
    assert known == reachable
    for later in (secret, side, user.git("rev-parse", "v2:fix")):
        assert later not in known
        assert subprocess.run(["git", "cat-file", "-e", later], cwd=into, check=False).returncode
    assert _run(into, "log", "--all", "--reflog", "--format=%H").split() == [middle, first]
    assert _run(into, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert _run(into, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert _run(into, "fsck", "--unreachable", "--full") == ""
    text = b"".join(file.read_bytes() for file in into.rglob("*") if file.is_file())
    assert b"token" not in text
    assert not (into / "objects" / "info" / "alternates").exists()
    assert sorted(path.name for path in into.parent.iterdir()) == ["history"]


def test_history_becomes_a_git_folder_with_a_clean_status(user: User, trees: Trees, tmp_path: Path, home: Path) -> None:
    user.commit(**{".gitattributes": b"* text=auto eol=crlf\n", "x": b"x\ny\n"})
    (home / ".gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.org\n[core]\n\texcludesFile = ~/mine\n")
    (home / "mine").write_text("*.mine")
    user.write(".git/info/exclude", b"*.local\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    work = tmp_path / "work"
    work.mkdir()
    repository.history(base, work / ".git")
    _run(work, "checkout", "-q", "main")
    assert (work / "x").read_bytes() == b"x\ny\n"
    assert _run(work, "status", "--porcelain") == ""
    (work / "a.mine").write_text("")
    (work / "a.local").write_text("")
    assert _run(work, "status", "--porcelain") == ""
    assert _run(work, "rev-parse", "--is-bare-repository") == "false"


def test_history_of_a_shallow_clone(user: User, trees: Trees, tmp_path: Path) -> None:
    for n in range(6):
        user.commit(**{"a.py": b"%d\n" % n})
    user.git("branch", "other", "HEAD~3")
    subprocess.run(
        ["git", "clone", "-q", "--no-single-branch", "--depth=2", f"file://{user.root}", tmp_path / "shallow"],
        check=True,
    )
    repository = Repository.open(tmp_path / "shallow")
    base = repository.base(trees)
    repository.history(base, tmp_path / "history")
    assert len((tmp_path / "shallow" / ".git" / "shallow").read_text().split()) == 2
    assert (tmp_path / "history" / "shallow").read_text().split() == [user.git("rev-parse", "HEAD~1")]
    assert len(_run(tmp_path / "history", "log", "--all", "--format=%H").split()) == 2
    assert _run(tmp_path / "history", "fsck", "--full") == ""


def test_history_is_made_once_and_whole(user: User, trees: Trees, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    into = tmp_path / "cache" / "history"
    threads = [threading.Thread(target=repository.history, args=(base, into)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _run(into, "rev-parse", "main") == base.commit
    assert [path.name for path in into.parent.iterdir()] == ["history"]
    with pytest.raises(UsageError):
        repository.history(Base("1" * 40, EMPTY_TREE), tmp_path / "cache" / "none")
    assert [path.name for path in into.parent.iterdir()] == ["history"]


# Applying


def test_apply_changes_the_files_and_nothing_else(user: User, trees: Trees) -> None:
    user.write("b.py", b"mine, not staged\n")
    user.write("staged", b"mine\n")
    user.git("add", "staged")
    user.write("untracked", b"mine\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write(
        {"a.py": b"a = 2\n", "dir/c.py": None, "new/ \xe9\n.bin": bytes(range(256)), os.fsdecode(BYTES): b"x"},
        base.tree,
    )
    diff = trees.diff(base.tree, tree)
    index = (user.root / ".git" / "index").read_bytes()
    assert not repository.applied(diff)
    repository.apply(diff, base)
    assert repository.applied(diff)
    assert (user.root / ".git" / "index").read_bytes() == index
    assert repository.base(trees).tree == tree
    assert (user.root / "b.py").read_bytes() == b"mine, not staged\n"
    assert not [file for file in (user.root / ".git").iterdir() if file.name.startswith("swe-agent-")]


def test_apply_refuses_whole_and_names_the_files(user: User, trees: Trees, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "b.py": b"b = 2\n", "new.py": b"new\n", "dir/c.py": None}, base.tree)
    user.write("b.py", b"changed since\n")
    user.write("new.py", b"the user's own, untracked\n")
    before = user.state()
    with pytest.raises(UsageError) as caught:
        repository.apply(trees.diff(base.tree, tree), base, tmp_path / "patch.diff")
    after = user.state()
    after.pop(".git/swe-agent.lock", None)
    assert after == before
    assert "b.py" in caught.value.message
    assert "new.py: already exists" in caught.value.message
    assert "dir/c.py" not in caught.value.message
    assert str(tmp_path / "patch.diff") in caught.value.fix


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-commit", "link/file", "/etc/x"])
def test_apply_never_leaves_the_working_tree(user: User, trees: Trees, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside-folder").mkdir()
    (user.root / "link").symlink_to(tmp_path / "outside-folder")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n"
    with pytest.raises(UsageError):
        repository.apply(diff, base)
    assert not list((tmp_path / "outside-folder").iterdir())
    assert not (tmp_path / "outside").exists()


def test_what_is_no_diff_is_refused_and_nothing_is_nothing(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    with pytest.raises(UsageError):
        repository.apply("Here is your patch!", base)
    repository.apply("", base)


def test_two_at_once_one_applies(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    lines = b"".join(b"line %d\n" % n for n in range(3000))
    tree = trees.write({"a.py": lines, "b.py": lines}, base.tree)
    diff, refused = trees.diff(base.tree, tree), []

    def work() -> None:
        try:
            Repository.open(user.root).apply(diff, base)
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 2
    assert repository.base(trees).tree == tree


def test_an_apply_that_fails_half_way_puts_the_files_back(user: User, trees: Trees) -> None:
    """A filter that fails while git writes stands for a full disk."""
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "a_new.py": b"", "dir/c.py": b"c = 2\n"}, base.tree)
    user.git("config", "filter.bad.clean", "cat")
    user.git("config", "filter.bad.smudge", "false")
    user.git("config", "filter.bad.required", "true")
    user.write(".git/info/attributes", b"dir/* filter=bad\n")
    before = {path: file for path, file in user.state().items() if not path.startswith(".git/")}
    with pytest.raises(GitFailed, match="filter"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert {path: file for path, file in user.state().items() if not path.startswith(".git/")} == before


# Branches


def test_a_branch_holds_the_tree_and_touches_nothing_else(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "tests/test_a.py": b"x\n"}, base.tree)
    user.write("b.py", b"edited since\n")
    kept = {path: data for path, data in user.state().items() if not path.startswith((".git/objects", ".git/refs"))}
    commit = repository.branch("fix/it", base, tree, trees, "Fix it\n\n# not a comment\n")
    assert {
        path: data
        for path, data in user.state().items()
        if not path.startswith((".git/objects", ".git/refs", ".git/logs"))
    } == {path: data for path, data in kept.items() if not path.startswith(".git/logs")}
    assert user.git("rev-parse", "fix/it", "fix/it^", "fix/it^{tree}").split() == [commit, base.commit, tree]
    assert (
        user.git("log", "-1", "--format=%an <%ae>|%cn|%B", commit)
        == "Ada <ada@example.org>|Ada|Fix it\n\n# not a comment"
    )
    assert user.git("symbolic-ref", "HEAD") == "refs/heads/trunk"
    user.git("fsck", "--full", "--strict")
    assert repository.branch("fix/it", base, tree, trees, "again") == commit


def test_a_branch_from_a_dirty_base_holds_the_users_changes_too(user: User, trees: Trees) -> None:
    user.write("b.py", b"uncommitted\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"a.py": b"a = 2\n"}, base.tree), trees, "m")
    assert user.git("diff", "--name-only", f"{commit}^", commit).split() == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a..b", "x.lock", "@{-1}", "HEAD", "a/", "/a", "nul\0x", "a\nb", "trunk", "taken/below"]
)
def test_names_that_no_branch_can_have(user: User, trees: Trees, name: str) -> None:
    user.git("branch", "taken")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    refs = user.git("for-each-ref")
    with pytest.raises(UsageError):
        repository.branch(name, base, tree, trees, "m")
    assert user.git("for-each-ref") == refs


def test_without_an_identity_the_author_is_swe_agent(user: User, trees: Trees, home: Path) -> None:
    (home / ".gitconfig").write_text("")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"n": b""}, base.tree), trees, "Grüße")
    assert (
        user.git("log", "-1", "--format=%an <%ae> %cn %s", commit) == "swe-agent <swe-agent@localhost> swe-agent Grüße"
    )


# Bare repositories and clones


def test_a_bare_repository_gives_a_base_and_takes_a_branch(user: User, trees: Trees, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", user.root, tmp_path / "mirror.git"], check=True)
    repository = Repository.open(tmp_path / "mirror.git")
    assert repository.name == "mirror"
    base = repository.base(trees)
    assert base.tree == user.git("rev-parse", "HEAD^{tree}")
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    with pytest.raises(UsageError, match="bare"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert repository.branch("fix", base, tree, trees, "m")
    repository.history(base, tmp_path / "history")


def test_a_url_is_cloned_once_and_kept_up_to_date(user: User, trees: Trees, tmp_path: Path) -> None:
    url = f"file://{user.root}"
    place = clone(url, tmp_path / "clones")
    latest = user.commit(**{"a.py": b"later\n"})
    assert clone(url, tmp_path / "clones") == place
    assert Repository.open(place).base(trees).commit == latest
    for wrong in (f"file://{tmp_path}/none", "ext::sh -c true", "--upload-pack=true", "https://u:secret@localhost:1/x"):
        with pytest.raises(UsageError, match="cannot be cloned") as caught:
            clone(wrong, tmp_path / "clones")
        assert "secret" not in caught.value.message
    assert list((tmp_path / "clones").iterdir()) == [place]


def _object(user: User, kind: str, data: bytes) -> str:
    """Write an object that git itself would not."""
    whole = f"{kind} {len(data)}\0".encode() + data
    id = hashlib.sha1(whole).hexdigest()
    user.write(f".git/objects/{id[:2]}/{id[2:]}", zlib.compress(whole))
    return id
