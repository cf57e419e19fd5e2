"""A commit of exactly given changes on the user's branch: the user's own git, name and, if wanted, hooks.

The commit is made from an index of its own, so what is staged stays staged. In the user's index only the committed
paths follow, and of a path that has other staged changes, only what was committed.
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

from aci.merging import merge
from aci.owner import gone, lives, me, name_of
from aci.repository import OPTIONS, Repository
from trajectories.errors import Cancelled, TryLater, UsageError
from trajectories.limits import open_regular
from trajectories.plumbing import GitFailed, decode, encode, environment, git
from trajectories.records import Base
from trajectories.tree_size import FOLDER
from trajectories.trees import Trees

HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
MIDDLE = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
OURS = "swe-agent "
"""Start of our index lock. Its lines: the owner processes (ours, and git, which may outlive it), the parent commit, the
branch, the name of the temporary folder."""
MOST_LOCK = 10_000
"""Bytes that are read of an index lock: one of git's may be a large index."""
LOOK, GRACE = 0.1, 5.0
"""Seconds between two looks at whether the user interrupts, and until hooks that do not end are killed."""
SECONDS = 3600.0
"""Time limit for git and its hooks, which may run tests."""
FOREIGN = 2 * SECONDS
"""Age in seconds at which the lock of a process that cannot be checked, one of another machine, counts as abandoned."""
MOST_SAID = 10_000
"""Bytes that are read of what git and hooks said, the last ones."""
SIGNING = {
    "gpg.program": "gpg",
    "gpg.openpgp.program": "gpg",
    "gpg.x509.program": "gpgsm",
    "gpg.ssh.program": "ssh-keygen",
    "gpg.ssh.defaultkeycommand": "false",
}
"""What runs on the user's machine to sign a commit, and git's own choice."""


def check(repository: Repository) -> str:
    """The branch that a commit would go to. Raises UsageError where none can be made."""
    root = repository.root
    if repository.bare:
        raise UsageError(f"{root} is bare: it has no branch checked out.", "Use /commit --branch NAME.")
    if any((repository.git_dir / name).exists() for name in MIDDLE):
        raise UsageError(f"A merge or a rebase is under way in {root}.", "Finish it, then commit.")
    if repository._git("ls-files", "-u"):
        raise UsageError(f"Files of {root} are not merged.", "Resolve them, then commit.")
    branch = repository._git("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)).decode().strip()
    if not branch:
        raise UsageError(f"{root} is at no branch.", "Switch to one, or use /commit --branch NAME.")
    identity(repository)
    return branch


def identity(repository: Repository) -> str:
    """The user as commits name them: `Ada <ada@example.org>`. Raises UsageError where git does not know."""
    name, email = (repository._git("config", f"user.{what}", ok=(0, 1)).decode().strip() for what in ("name", "email"))
    name, email = os.environ.get("GIT_AUTHOR_NAME") or name, os.environ.get("GIT_AUTHOR_EMAIL") or email
    if not name or not email:
        fix = "git config --global user.name 'Your Name'; git config --global user.email you@example.org"
        raise UsageError("git does not know who you are.", fix)
    return f"{name} <{email}>"


def made(repository: Repository, head: str, tree: str, message: str, branch: str) -> str:
    """The commit of this tree or message that was made on top of `head`, also if the branch went on since; "" for none.
    Hooks may have changed one of the two."""
    id = _child(repository, head, branch)
    if not id:
        return ""
    found = repository._git("show", "-s", "--format=%T%n%B", id).decode("utf-8", "replace")
    its_tree, text = found.split("\n", 1)
    return id if its_tree == tree or text.strip() == message.strip() else ""


def _child(repository: Repository, parent: str, branch: str) -> str:
    """The commit of a branch whose first parent is `parent`, or "". Both names may come from a file of a repository
    that somebody else prepared."""
    if not re.fullmatch("[0-9a-f]{40}", parent) or not branch or not repository._is_branch_name(branch):
        return ""
    options = ("--first-parent", "--reverse", "--parents", "--end-of-options")
    try:
        oldest = decode(repository._git("rev-list", *options, f"{parent}..refs/heads/{branch}")).partition("\n")[0]
    except GitFailed:  # there is no such commit or branch
        return ""
    id, *parents = oldest.split() or [""]
    return id if parents == [parent] else ""


def hooks(repository: Repository) -> tuple[str, ...]:
    """The hooks that a commit of the user's would run."""
    folder = _hooks_folder(repository)
    return tuple(name for name in HOOKS if os.access(folder / name, os.X_OK))


def hooks_in_tree(repository: Repository, names: Sequence[str]) -> frozenset[str]:
    """The paths of those of the hooks that are in the repository, as they are configured and with links followed."""
    folder, root = _hooks_folder(repository), repository.root
    written = {os.path.relpath(folder / name, root) for name in names}
    real = {os.path.relpath((folder / name).resolve(), root.resolve()) for name in names}
    in_real_folder = {os.path.relpath(folder.resolve() / name, root.resolve()) for name in names}
    return frozenset(path for path in written | real | in_real_folder if not path.startswith("../"))


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
    """Commit `tree` on top of HEAD, which is `old` and at `branch`; return the commit's id. Neither working tree nor
    other paths of the index are touched; never signs off, never pushes.

    Raises UsageError, with nothing done, where git or a hook refuses, or HEAD has moved; TryLater while git is busy;
    Cancelled, with nothing done, where the user interrupts the hooks before there is a commit.
    """
    repository._take(tree, old, trees)
    with _locked(repository) as lock, tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as name:
        about = f"{old.commit}\n{branch}\n{Path(name).name}\n"
        lock.write_bytes(encode(f"{OURS}{me()}\n{about}"))
        if repository.commit() != old.commit:
            raise UsageError(f"HEAD of {repository.root} has moved.", "Say /commit again.")
        if check(repository) != branch:
            raise UsageError(f"{repository.root} is at {branch} no more.", "Say /commit again.")
        index, text = Path(name, "index"), Path(name, "message")
        text.write_text(message, encoding="utf-8", errors="surrogateescape")
        own = {"GIT_INDEX_FILE": str(index)}
        repository._git("read-tree", tree, env=own)
        repository._git("update-index", "-q", "--refresh", env=own, ok=(0, 1))
        folder = _hooks_folder(repository) if with_hooks else Path(os.devnull)
        # with the user's own environment: hooks are theirs
        env = environment({**own, "GIT_TERMINAL_PROMPT": "0"}, keep=("GIT_CONFIG", "GIT_AUTHOR_", "GIT_COMMITTER_"))
        options = (*OPTIONS, "-c", f"core.hooksPath={folder}", "-c", "maintenance.auto=false", *_signing(repository))
        command = ("commit", "-q", "--no-signoff", "-F", str(text))
        git_commit = ["git", "-C", str(repository.root), *options, *command]

        def add_owner(pid: int) -> None:
            lock.write_bytes(encode(f"{OURS}{me()} {name_of(pid)}\n{about}"))

        code, said = _run(git_commit, env, add_owner, interrupted)
        id = made(repository, old.commit, tree, message, branch)
        if not id and code is None:
            raise Cancelled("Interrupted: nothing was committed.", "What hooks did to your files stays.")
        if not id and code:
            raise UsageError(f"git did not commit: {said[-2000:]}", "Mend it, or commit without hooks.")
        _follow(repository, trees, old, id or repository.commit(), Path(name))
    return id or repository.commit()


def _run(
    command: Sequence[str], env: Mapping[str, str], on_start: Callable[[int], object], interrupted: Callable[[], bool]
) -> tuple[int | None, str]:
    """The status, None where it was stopped with all that runs in its process group, and its stderr.
    `on_start` gets its process id."""
    # a file and no pipe: what a hook leaves running holds a pipe open for good
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
    ) as process:  # fmt: skip
        on_start(process.pid)
        end = time.monotonic() + SECONDS
        code: int | None = None
        while code is None:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(LOOK)
            if code is None and (interrupted() or time.monotonic() > end):
                _stop(process)
                break
        said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_SAID))
        return code, said.read(MOST_SAID).decode("utf-8", "replace").strip()


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


def _signing(repository: Repository) -> list[str]:
    """Options with which git signs, where it is to, by programs that the user's own configuration names: a repository
    may have come from anywhere with its own."""
    chosen = dict(SIGNING)
    fields = repository._git("config", "--list", "--show-scope", "-z").decode("utf-8", "surrogateescape").split("\0")
    for scope, field in zip(fields[::2], fields[1::2], strict=False):
        key, _, value = field.partition("\n")
        if key in SIGNING and scope in ("system", "global"):
            chosen[key] = value
            if key == "gpg.program":
                chosen["gpg.openpgp.program"] = value
    return [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]


def recover(repository: Repository) -> str:
    """Finish or clean up a commit whose process died: update the index if the commit exists, then remove its files and
    the lock. Return the commit's id, or "". Raises TryLater while the commit may still be under way."""
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
        raise TryLater(f"The commit in {repository.root} is still under way.", fix)
    id = _child(repository, old, branch)
    if id:
        with (
            tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as made,
            Trees(Path(made, "trees.git")) as trees,
        ):
            _follow(repository, trees, repository.base(trees, old), id, Path(made))
    if re.fullmatch("swe-agent-[a-z0-9_]{8}", name):
        shutil.rmtree(repository.git_dir / name, ignore_errors=True)
    lock.unlink(missing_ok=True)
    return id


def _fields(lock: Path) -> list[str]:
    """The four lines of our own index lock (see `OURS`); empty for one of git's, or none."""
    try:
        with open_regular(lock) as file:
            text = decode(file.read(MOST_LOCK))
    except OSError:
        return []
    return [*text.removeprefix(OURS).split("\n"), "", "", ""][:4] if text.startswith(OURS) else []


def _may_run(owners: Sequence[str], lock: Path) -> bool:
    """Whether one of the owners of a lock may still be at work. One of another machine or container, which may share
    the folder, cannot be checked: the age of the lock decides."""
    left = [owner for owner in owners if not gone(owner)]
    try:
        return any(map(lives, left)) or (bool(left) and time.time() - lock.stat().st_mtime < FOREIGN)
    except FileNotFoundError:  # it has just ended
        return True


def follow(repository: Repository, trees: Trees, old: Base, commit: str) -> None:
    """Let the index follow a commit on top of `old` that a process made and could not end."""
    with _locked(repository), tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as name:
        _follow(repository, trees, old, commit, Path(name))


def _follow(repository: Repository, trees: Trees, old: Base, commit: str, folder: Path) -> None:
    """Bring what was committed on top of `old` into the user's index."""
    now = repository.base(trees, commit)
    index, copy = repository.git_dir / "index", folder / "copy"
    own = {"GIT_INDEX_FILE": str(copy)}
    copy.write_bytes(index.read_bytes() if index.exists() else b"")
    if not index.exists():
        copy.unlink()
    staged = trees.adopt(repository._git("ls-files", "--stage", "-z", env=own), [repository._path("objects")])
    merged = merge(trees, old.tree, staged, now.tree).tree
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
    """The user's git changes no index meanwhile, as it is with any commit. The lock says who commits."""
    lock = repository.git_dir / "index.lock"
    with repository._lock():
        _recover(repository, lock)
        try:
            with lock.open("xb") as file:
                file.write(encode(f"{OURS}{me()}\n"))
        except FileExistsError:
            raise TryLater(f"git is at work in {repository.root}.", f"Try again; else remove {lock}.") from None
    try:
        yield lock
    finally:
        lock.unlink(missing_ok=True)


def _hooks_folder(repository: Repository) -> Path:
    env = environment({}, keep=("GIT_CONFIG",))
    found = git("-C", str(repository.root), "rev-parse", "--git-path", "hooks", env=env).decode().strip()
    return repository.root / found
