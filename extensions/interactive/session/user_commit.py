"""Commits of chosen changes on the user's branch, with the user's git, name and, if wanted, hooks.

The commit is made from a temporary index, so staged changes stay staged. In the user's index only the committed paths
are updated; other staged changes of such a path are kept.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from aci.repository.commit_programs import commit_environment, hooks_folder
from aci.repository.process_owner import has_ended, is_running, own_mark, owner_mark
from aci.repository.tree_merge import merge_trees
from aci.repository.user_repository import OPTIONS, Repository
from trajectories.errors import Cancelled, TryLater, UsageError
from trajectories.file_limits import open_regular
from trajectories.git_store.git_commands import GitFailed, decode, encode, start_git
from trajectories.git_store.trees import FOLDER, Trees
from trajectories.records import Base

IN_PROGRESS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
OURS = "swe-agent "
"""Prefix of an index lock of swe-agent. The lines of the lock: the owner processes (swe-agent's, and git, which may
outlive it), the parent commit, the branch, the name of the temporary folder."""
MOST_LOCK = 10_000
"""Maximum number of bytes that are read of an index lock: git's own lock may be a large index."""
LOOK, GRACE = 0.1, 5.0
"""Seconds between checks for an interrupt by the user, and seconds until hooks that do not end are killed."""
SECONDS = 3600.0
"""Time limit in seconds for git and its hooks, which may run tests."""
GIT_SECONDS = 1.0
"""Seconds after which a lock of a ref, which git holds while it writes a small file, counts as abandoned."""
FOREIGN = 2 * SECONDS
"""Age in seconds at which a lock counts as abandoned if its process runs on another machine and cannot be checked."""
MOST_SAID = 10_000
"""Maximum number of bytes that are read from the end of the output of git and its hooks."""


def branch_to_commit_to(repository: Repository) -> str:
    """Return the branch that a commit would go to. Raises UsageError if no commit can be made."""
    root = repository.root
    if repository.bare:
        raise UsageError(f"{root} is bare: it has no branch checked out.", "Use /commit --branch NAME.")
    if any((repository.git_dir / name).exists() for name in IN_PROGRESS):
        raise UsageError(f"A merge or a rebase is under way in {root}.", "Finish it, then commit.")
    if repository._git("ls-files", "-u"):
        raise UsageError(f"{root} has unmerged files.", "Resolve them, then commit.")
    branch = repository.checked_out_branch()
    if not branch:
        raise UsageError(f"{root} has no branch checked out.", "Switch to one, or use /commit --branch NAME.")
    commit_identity(repository)
    return branch


def commit_identity(repository: Repository) -> str:
    """Return the user's name and email address as in commits: `Ada <ada@example.org>`. Raises UsageError if git does
    not know them."""
    name, email = (repository._git("config", f"user.{what}", ok=(0, 1)).decode().strip() for what in ("name", "email"))
    name, email = os.environ.get("GIT_AUTHOR_NAME") or name, os.environ.get("GIT_AUTHOR_EMAIL") or email
    if not name or not email:
        fix = "git config --global user.name 'Your Name'; git config --global user.email you@example.org"
        raise UsageError("git does not know who you are.", fix)
    return f"{name} <{email}>"


def find_commit(repository: Repository, head: str, tree: str, message: str, branch: str) -> str:
    """Return the commit with this tree or this message on top of `head`, or "" if there is none.

    Hooks may have changed one of the two. The branch may have later commits.
    """
    id = _child(repository, head, branch)
    if not id:
        return ""
    found = repository._git("show", "-s", "--format=%T%n%B", id).decode("utf-8", "replace")
    its_tree, text = found.split("\n", 1)
    return id if its_tree == tree or text.strip() == message.strip() else ""


def _child(repository: Repository, parent: str, branch: str) -> str:
    """Return the commit on a branch whose only parent is `parent`, or "".

    Both `parent` and `branch` may come from a file in an untrusted repository.
    """
    if not re.fullmatch("[0-9a-f]{40}", parent) or not branch or not repository._is_branch_name(branch):
        return ""
    options = ("--first-parent", "--reverse", "--parents", "--end-of-options")
    try:
        oldest = decode(repository._git("rev-list", *options, f"{parent}..refs/heads/{branch}")).partition("\n")[0]
    except GitFailed:  # there is no such commit or branch
        return ""
    id, *parents = oldest.split() or [""]
    return id if parents == [parent] else ""


def commit(
    repository: Repository,
    trees: Trees,
    old: Base,
    tree: str,
    message: str,
    with_hooks: bool,
    branch: str,
    interrupted: Callable[[], bool] = lambda: False,
) -> str:
    """Commit `tree` on top of HEAD, which must be at `old` on `branch`; return the commit's id.

    The working tree and other paths of the index are not touched. Never adds a sign-off and never pushes. Nothing is
    committed if it raises UsageError (git or a hook refuses, or HEAD has moved), TryLater (git is busy) or Cancelled
    (the user interrupts the hooks before there is a commit).
    """
    repository._take(tree, old, trees)
    with _locked(repository) as lock, tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as name:
        about = f"{old.commit}\n{branch}\n{Path(name).name}\n"
        lock.write_bytes(encode(f"{OURS}{own_mark()}\n{about}"))
        if repository.commit() != old.commit:
            raise UsageError(f"HEAD of {repository.root} has moved.", "Run /commit again.")
        if branch_to_commit_to(repository) != branch:
            raise UsageError(f"{repository.root} no longer has {branch} checked out.", "Run /commit again.")
        index, text = Path(name, "index"), Path(name, "message")
        text.write_text(message, encoding="utf-8", errors="surrogateescape")
        own = {"GIT_INDEX_FILE": str(index)}
        repository._git("read-tree", tree, env=own)
        repository._git("update-index", "-q", "--refresh", env=own, ok=(0, 1))
        env = commit_environment(repository, with_hooks, own)
        folder = hooks_folder(repository) if with_hooks else Path(os.devnull)
        options = (*OPTIONS, "-c", f"core.hooksPath={folder}", "-c", "maintenance.auto=false")
        command = (*options, "commit", "-q", "--no-signoff", "-F", str(text))

        def add_owner(pid: int) -> None:
            lock.write_bytes(encode(f"{OURS}{own_mark()} {owner_mark(pid)}\n{about}"))

        code, output = _run(command, repository.root, env, add_owner, interrupted)
        id = find_commit(repository, old.commit, tree, message, branch)
        if not id and code is None:
            raise Cancelled("Interrupted: nothing was committed.", "Changes that hooks made to your files stay.")
        if not id and code:
            raise UsageError(f"git did not commit: {output[-2000:]}", "Fix it, or commit without hooks.")
        _follow(repository, trees, old, id or repository.commit(), Path(name))
    return id or repository.commit()


def _run(
    command: Sequence[str],
    root: Path,
    env: Mapping[str, str],
    on_start: Callable[[int], object],
    interrupted: Callable[[], bool],
) -> tuple[int | None, str]:
    """Run a git command in `root`; return its exit status and its stderr. `on_start` gets the process id.

    The status is None if the command was stopped, with its whole process group.
    """
    # a file, not a pipe: processes that a hook leaves running would keep a pipe open
    with (
        tempfile.TemporaryFile() as output,
        start_git(*command, env=env, cwd=root, stdout=subprocess.DEVNULL, stderr=output) as process,
    ):
        on_start(process.pid)
        end = time.monotonic() + SECONDS
        code: int | None = None
        while code is None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(LOOK)
            if code is None and (interrupted() or time.monotonic() > end):
                _stop(process)
                break
        output.seek(max(0, output.seek(0, os.SEEK_END) - MOST_SAID))
        return code, output.read(MOST_SAID).decode("utf-8", "replace").strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End git and its hooks: the whole process group, since git does not wait for a hook that ignores SIGTERM."""
    with suppress(ProcessLookupError, PermissionError):  # macOS refuses a signal to a group of zombies
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(LOOK)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def recover_commit(repository: Repository) -> str:
    """Finish or clean up a commit whose process died; return the commit's id, or "".

    Updates the index if the commit exists, then removes the process's files and the lock. Raises TryLater while the
    commit may still be under way.
    """
    lock = repository.git_dir / "index.lock"
    if not _fields(lock):
        return ""
    with repository._lock():  # otherwise this could remove a lock that another session has just made
        return _recover(repository, lock)


def _recover(repository: Repository, lock: Path) -> str:
    fields = _fields(lock)
    if not fields:
        return ""
    owners, old, branch, name = fields
    if _may_run(owners.split(), lock):
        fix = f"Wait until its hooks have ended; if no commit is running there, remove {lock}."
        raise TryLater(f"The commit in {repository.root} is still in progress.", fix)
    id = _child(repository, old, branch)
    if id:
        with (
            tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as made,
            Trees(Path(made, "trees.git")) as trees,
        ):
            _follow(repository, trees, repository.base(trees, old), id, Path(made))
    if re.fullmatch("swe-agent-[a-z0-9_]{8}", name):
        shutil.rmtree(repository.git_dir / name, ignore_errors=True)
    if len(owners.split()) > 1:
        _remove_ref_locks(repository, branch)
    lock.unlink(missing_ok=True)
    return id


def _remove_ref_locks(repository: Repository, branch: str) -> None:
    """Remove the locks of HEAD and the branch that a killed `git commit` has left. Another git process may hold them
    for a few milliseconds, so only locks that stay the same for longer are removed."""
    locks = [repository.git_dir / "HEAD.lock"]
    if branch and repository._is_branch_name(branch):
        locks.append(repository._path(f"refs/heads/{branch}.lock"))
    left: dict[Path, os.stat_result] = {}
    for lock in locks:
        with suppress(FileNotFoundError):
            left[lock] = lock.lstat()
    if left:
        time.sleep(GIT_SECONDS)
    for lock, before in left.items():
        with suppress(FileNotFoundError):
            if os.path.samestat(before, lock.lstat()):
                lock.unlink()


def _fields(lock: Path) -> list[str]:
    """Return the four lines of swe-agent's index lock (see `OURS`); empty if the lock is git's own or there is none."""
    try:
        with open_regular(lock) as file:
            text = decode(file.read(MOST_LOCK))
    except OSError:
        return []
    return [*text.removeprefix(OURS).split("\n"), "", "", ""][:4] if text.startswith(OURS) else []


def _may_run(owners: Sequence[str], lock: Path) -> bool:
    """Whether one of the owners of a lock may still be running.

    A process of another machine or container that shares the folder cannot be checked: the lock's age decides. A lock
    that is made later than now by as much is also abandoned: a clock was wrong.
    """
    left = [owner for owner in owners if not has_ended(owner)]
    try:
        return any(map(is_running, left)) or (bool(left) and abs(time.time() - lock.stat().st_mtime) < FOREIGN)
    except FileNotFoundError:  # the lock has just been removed
        return True


def update_index_for(repository: Repository, trees: Trees, old: Base, commit: str) -> None:
    """Update the index for a commit on top of `old` whose process died before it could do so."""
    with _locked(repository), tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as name:
        _follow(repository, trees, old, commit, Path(name))


def _follow(repository: Repository, trees: Trees, old: Base, commit: str, folder: Path) -> None:
    """Merge the changes of a commit on top of `old` into the user's index."""
    now = repository.base(trees, commit)
    index, copy = repository.git_dir / "index", folder / "copy"
    own = {"GIT_INDEX_FILE": str(copy)}
    if index.exists():
        shutil.copy2(index, copy)  # keeps the modification time: git rereads files that changed after it
    staged = trees.adopt(repository._git("ls-files", "--stage", "-z", env=own), [repository._path("objects")])
    merged = merge_trees(trees, old.tree, staged, now.tree).tree
    if merged == staged:
        return
    repository._take(merged, now, trees)
    changed = [change.path for change in trees.changed(staged, merged)]
    lines = []
    for path in changed:
        mode, id = trees.entry(merged, path) or (FOLDER, "")
        if mode == FOLDER:  # nothing there, or a folder where the file was
            mode, id = "0", "0" * 40
        lines.append(f"{mode} {id}\t".encode() + path.encode("utf-8", "surrogateescape") + b"\0")
    repository._git("update-index", "--replace", "-z", "--index-info", env=own, input=b"".join(lines))
    repository._git("update-index", "-q", "--refresh", env=own, ok=(0, 1))
    copy.replace(index)


@contextmanager
def _locked(repository: Repository) -> Iterator[Path]:
    """Hold git's index lock, as any commit does. The lock names the processes that commit."""
    lock = repository.git_dir / "index.lock"
    with repository._lock():
        _recover(repository, lock)
        try:
            with lock.open("xb") as file:
                file.write(encode(f"{OURS}{own_mark()}\n"))
        except FileExistsError:
            raise TryLater(
                f"git is running in {repository.root}.", f"Try again; if no git is running, remove {lock}."
            ) from None
    try:
        yield lock
    finally:
        lock.unlink(missing_ok=True)
