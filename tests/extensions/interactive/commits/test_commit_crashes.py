"""kill -9 in the middle of a commit's own writing: the repository is as before or after, and the next commit works."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from extensions.interactive.session.user_commit import commit, recover_commit
from tests.aci.repository.conftest import User
from trajectories.git_store.trees import Trees

NEW = b"b = 2\n"
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "subprocess.Popen")


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Run `work` in a child process, which is killed before its event `number` that changes a file or starts a program;
    return whether it was killed."""
    child = os.fork()
    if child == 0:
        left = number

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if event not in EVENTS or (event == "open" and isinstance(arguments[2], int) and not arguments[2] & 3):
                return
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

        code = 1
        try:
            sys.addaudithook(count)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status == signal.SIGKILL


class Desk:
    """A user with a staged and an unstaged change, and a change of b.py to commit."""

    def __init__(self, user: User, trees: Trees) -> None:
        self.user, self.trees = user, trees
        user.write("a.py", b"a = 2\n")
        user.git("add", "a.py")
        user.write("dir/c.py", b"c = 2\n")
        user.write("b.py", NEW)
        self.head = user.git("rev-parse", "HEAD")
        self.files = self.read_files()

    def read_files(self) -> dict[str, tuple[int, bytes]]:
        return {path: state for path, state in self.user.state().items() if not path.startswith(".git/")}

    def commit(self, with_hooks: bool = False) -> str:
        repository = Repository.open(self.user.root)
        base = repository.base(self.trees, "HEAD")
        tree = self.trees.write({"b.py": NEW}, base.tree)
        return commit(repository, self.trees, base, tree, "Change b", with_hooks, "trunk")

    def check(self) -> None:
        """Check that the next session recovers, that the commit is made once, and that nothing else has changed."""
        recover_commit(Repository.open(self.user.root))
        head = self.user.git("rev-parse", "HEAD")
        if head == self.head:
            head = self.commit()
        assert self.user.git("rev-parse", "HEAD^") == self.head
        assert self.user.git("show", "--format=%s", "--name-only", head).split("\n\n") == ["Change b", "b.py"]
        assert self.user.git("diff", "--cached", "--name-only") == "a.py"
        assert self.user.git("diff", "--name-only") == "dir/c.py"
        assert self.read_files() == self.files
        assert self.user.git("fsck", "--strict", "--no-dangling") == ""
        git_dir = self.user.root / ".git"
        left = [each for pattern in ("*.lock", "swe-agent*", "refs/heads/*.lock") for each in git_dir.glob(pattern)]
        assert left == []


@pytest.fixture
def desk(user: User, trees: Trees) -> Desk:
    return Desk(user, trees)


@pytest.mark.parametrize("number", range(0, 80, 3))
def test_commit_killed_at_any_event_is_finished_or_repeated(desk: Desk, number: int) -> None:
    if not killed_at(number, desk.commit):
        pytest.skip("the commit has fewer events")
    desk.check()


HOOK = """#!/bin/sh
[ "$1" = {argument} ] && mkdir {folder}/killed 2>/dev/null || exit 0
kill -9 $(cat {folder}/driver) $PPID
"""
"""A hook that kills swe-agent and git, once."""


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("pre-commit", '""'),
        ("commit-msg", '"$1"'),
        ("reference-transaction", "prepared"),
        ("reference-transaction", "committed"),
        ("prepare-commit-msg", '"$1"'),
        ("post-commit", '""'),
    ],
)
def test_commit_killed_together_with_git_is_finished_or_repeated(
    desk: Desk, tmp_path: Path, name: str, argument: str
) -> None:
    hook = desk.user.root / ".git" / "hooks" / name
    hook.write_text(HOOK.format(argument=argument, folder=tmp_path))
    hook.chmod(0o755)

    def work() -> None:
        (tmp_path / "driver").write_text(str(os.getpid()))
        desk.commit(with_hooks=True)

    assert killed_at(-1, work)
    hook.unlink()
    desk.check()
