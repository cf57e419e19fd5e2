"""Processes that are killed while they apply a patch to the user's files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees
from trajectories.records import Base

ROOT = Path(__file__).parents[3]
COUNT = 60
"""Number of files of each kind in the patch; enough that a kill hits the middle of writing them."""


def killed(work: Callable[[], object], is_time: Callable[[], bool]) -> bool:
    """Run `work` in a child process and kill it as soon as `is_time`; return whether it was killed."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    while not is_time():
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert status == 0
            return False
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == signal.SIGKILL


class LargePatch:
    """A patch that changes, deletes and adds many files of a repository with uncommitted work."""

    def __init__(self, user: User, trees: Trees, tmp_path: Path) -> None:
        names = [f"{kind}/{n:03d}.txt" for n in range(COUNT) for kind in ("changed", "deleted")]
        user.commit(**dict.fromkeys(names, b"first\nsecond\nthird\n" * 100), **{"swap": b"a file\n"})
        for name in names:
            if name.startswith("changed"):
                user.write(name, b"first\nsecond\nthird\n" * 100 + b"the user's own line\n")
        self.user, self.trees = user, trees
        self.repository = Repository.open(user.root)
        self.base = self.repository.base(trees, "HEAD")
        mine = self.repository.base(trees).tree
        changes: dict[str, bytes | None] = {"swap": None, "swap/inside.txt": b"a folder\n"}
        for name in names:
            changes[name] = b"FIRST\nsecond\nthird\n" + b"first\nsecond\nthird\n" * 99 if "changed" in name else None
        changes |= {f"added/{n:03d}.txt": b"new\n" * 5000 for n in range(COUNT)}
        self.diff = trees.diff(self.base.tree, trees.write(changes, self.base.tree))
        self.staged = tmp_path / "run" / "apply"
        self.before = self.files()
        self.after = {name: data for name, data in self.before.items() if changes.get(name, b"") is not None}
        self.after |= {name: data for name, data in changes.items() if data is not None}
        for name in names:
            if "changed" in name:
                self.after[name] = (changes[name] or b"") + b"the user's own line\n"
        assert mine != self.base.tree

    def files(self) -> dict[str, bytes]:
        root = self.user.root
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file() and ".git" not in file.relative_to(root).parts
        }

    def apply(self) -> None:
        Repository.open(self.user.root).apply(self.diff, self.base, staged=self.staged)

    def reset(self) -> None:
        root = self.user.root
        for name in self.files():
            (root / name).unlink()
        for folder in ("added", "swap"):
            if (root / folder).is_dir():
                (root / folder).rmdir()
        for name, data in self.before.items():
            self.user.write(name, data)


@pytest.fixture
def large(user: User, trees: Trees, tmp_path: Path) -> LargePatch:
    return LargePatch(user, trees, tmp_path)


def is_there(file: Path) -> bool:
    return file.exists()


def is_gone(file: Path) -> bool:
    return not file.exists()


def is_changed(file: Path) -> bool:
    return file.read_bytes().startswith(b"FIRST")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_apply_killed_at_many_moments_is_finished(large: LargePatch) -> None:
    root = large.user.root
    kinds = (is_there, is_gone, is_changed)
    moments = [
        partial(is_time, root / f"{folder}/{n:03d}.txt")
        for n in range(0, COUNT, 6)
        for folder, is_time in zip(("added", "deleted", "changed"), kinds, strict=True)
    ]
    partly = 0
    for is_time in moments:
        large.reset()
        killed(large.apply, is_time)
        partly += large.files() not in (large.before, large.after)
        for name, data in large.files().items():
            if not name.rpartition("/")[2].startswith(".swe-agent-"):
                assert data in (large.before.get(name), large.after.get(name)), f"{name} is neither old nor new"
        assert not large.repository.finish_apply(large.staged)
        assert large.files() == large.after
        assert large.repository.applied(large.diff)
        assert not list(large.staged.parent.glob("apply*"))
        assert not list((root / ".git").glob("swe-agent.apply*"))
    assert partly, "no process was killed while it wrote"


@pytest.mark.slow
def test_apply_killed_before_it_writes_changes_nothing(large: LargePatch) -> None:
    for share in range(10):
        end = time.monotonic() + 0.01 * share

        def is_time(end: float = end) -> bool:
            return time.monotonic() > end or large.staged.exists()

        killed(large.apply, is_time)
        if large.files() == large.before:
            assert large.repository.finish_apply(large.staged) is None
            assert large.files() == large.before
        else:
            large.repository.finish_apply(large.staged)
            assert large.files() == large.after
            large.reset()
    large.apply()
    assert large.files() == large.after


WRITE_TWO_AND_DIE = """
import os, signal, sys
from pathlib import Path
from aci.repository.user_repository import Repository
from trajectories.records import Base
replace, count = Path.replace, 0
def replace_or_die(path, target):
    global count
    count += path.name.startswith(".swe-agent-")
    if count == 2 and path.name.startswith(".swe-agent-"):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(path, target)
Path.replace = replace_or_die
Repository.open(sys.argv[1]).apply(sys.stdin.read(), Base("", ""), staged=Path(sys.argv[2]))
"""


@pytest.fixture
def interrupted(user: User, trees: Trees, tmp_path: Path) -> tuple[Repository, Base, str, Path]:
    """An apply of four files that was killed after it had written the first one and the bytes of the second one."""
    repository = Repository.open(user.root)
    base = repository.base(trees)
    files = {"a.py": b"a = 2\n", "b.py": b"b = 2\n", "dir/c.py": None, "dir/d.py": b"d = 2\n"}
    diff = trees.diff(base.tree, trees.write(files, base.tree))
    staged = tmp_path / "runs" / "20260101-000000-abc123" / "apply"
    command = [sys.executable, "-c", WRITE_TWO_AND_DIE, str(user.root), str(staged)]
    died = subprocess.run(command, input=diff, text=True, cwd=ROOT, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert repository.file("a.py") == b"a = 2\n"
    assert repository.file("b.py") == b"b = 1\n"
    return repository, base, diff, staged


def test_interrupted_apply_is_finished_once(user: User, interrupted: tuple[Repository, Base, str, Path]) -> None:
    repository, _, diff, staged = interrupted
    assert list(user.root.glob(".swe-agent-*"))
    assert repository.finish_apply(staged) == []
    assert repository.applied(diff)
    assert user.git("status", "--short").split() == ["M", "a.py", "M", "b.py", "D", "dir/c.py", "??", "dir/d.py"]
    assert repository.finish_apply(staged) is None


def test_interrupted_rename_is_finished(user: User, tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % n for n in range(40))
    user.commit(**{"x.py": lines, "y.py": lines[::-1]})
    repository = Repository.open(user.root)
    (user.root / "new").mkdir()
    user.git("mv", "x.py", "new/x.py")
    user.git("mv", "y.py", "new/y.py")
    user.write("new/y.py", lines[::-1] + b"more\n")
    user.git("add", "-A")
    diff = f"{user.git('diff', '--cached', '-M')}\n"
    assert diff.count("rename from") == 2
    user.git("reset", "-q", "--hard")
    staged = tmp_path / "runs" / "20260101-000000-abc123" / "apply"
    command = [sys.executable, "-c", WRITE_TWO_AND_DIE, str(user.root), str(staged)]
    died = subprocess.run(command, input=diff, text=True, cwd=ROOT, capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert repository.finish_apply(staged) == []
    assert repository.applied(diff)


def test_file_edited_since_interruption_is_kept(user: User, interrupted: tuple[Repository, Base, str, Path]) -> None:
    repository, _, _, staged = interrupted
    user.write("b.py", b"mine\n")
    assert repository.finish_apply(staged) == ["b.py"]
    assert repository.file("a.py") == b"a = 2\n"
    assert repository.file("b.py") == b"mine\n"
    assert repository.file("dir/d.py") == b"d = 2\n"


def test_apply_that_the_user_took_back_is_not_finished(
    user: User, interrupted: tuple[Repository, Base, str, Path]
) -> None:
    repository, _, _, staged = interrupted
    user.git("checkout", "--", ".")
    assert repository.finish_apply(staged) is None
    assert user.git("status", "--short", "--untracked-files=no") == ""


def test_link_made_since_interruption_is_not_followed(
    user: User, interrupted: tuple[Repository, Base, str, Path], tmp_path: Path
) -> None:
    repository, _, _, staged = interrupted
    (tmp_path / "elsewhere").mkdir()
    (user.root / "dir").symlink_to(tmp_path / "elsewhere")
    assert repository.finish_apply(staged) == ["dir/d.py"]
    assert not list((tmp_path / "elsewhere").iterdir())


def test_next_apply_names_the_interrupted_one(
    user: User, interrupted: tuple[Repository, Base, str, Path], tmp_path: Path
) -> None:
    repository, base, diff, staged = interrupted
    other = tmp_path / "runs" / "other" / "apply"
    attempts: list[Callable[[], None]] = [
        partial(repository.apply, diff, base, staged=other),
        partial(repository.check_delivery, True, "", other),
        partial(repository.check_delivery, True, ""),
    ]
    for attempt in attempts:
        with pytest.raises(UsageError, match=r"An apply to .* was interrupted") as caught:
            attempt()
        assert "swe-agent resume 20260101-000000-abc123 --apply" in caught.value.fix
        assert str(user.root / ".git" / "swe-agent.apply") in caught.value.fix
    repository.check_delivery(True, "", staged)
    repository.check_delivery(False, "new")
    (user.root / ".git" / "swe-agent.apply").unlink()
    user.git("checkout", "--", ".")
    repository.apply(diff, base, staged=other)
    assert repository.applied(diff)


@pytest.mark.parametrize("text", ["", "\0", "relative/apply", "/nowhere/run/apply", "/etc/apply", "x" * 50_000])
def test_forged_mark_has_no_effect(user: User, trees: Trees, text: str, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2\n"}, base.tree))
    user.write(".git/swe-agent.apply", text.encode())
    repository.apply(diff, base, staged=tmp_path / "run" / "apply")
    assert repository.file("a.py") == b"a = 2\n"


def test_mark_that_is_a_link_is_replaced(user: User, trees: Trees, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2\n"}, base.tree))
    (tmp_path / "precious").write_bytes(b"mine")
    (user.root / ".git" / "swe-agent.apply").symlink_to(tmp_path / "precious")
    repository.apply(diff, base)
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_attributes_hold_for_a_staged_patch(user: User, trees: Trees) -> None:
    """Line endings are converted by the working tree's attributes, also by those that are not committed."""
    user.write("dir/.gitattributes", b"*.py eol=crlf\n")
    user.write("dir/c.py", b"c = 1\r\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    repository.apply(trees.diff(base.tree, trees.write({"dir/c.py": b"c = 2\n"}, base.tree)), base)
    assert repository.file("dir/c.py") == b"c = 2\r\n"
