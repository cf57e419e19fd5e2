"""A commit of exactly given changes on the user's branch: the user's own git, name and, if wanted, hooks.

The commit is made from an index of its own, so what is staged stays staged. In the user's index only the committed
paths follow, and of a path that has other staged changes, only what was committed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from aci.merging import merge
from aci.owner import lives, me, name_of
from aci.repository import OPTIONS, Repository
from trajectories.errors import Cancelled, TryLater, UsageError
from trajectories.plumbing import GitFailed, environment, git
from trajectories.records import Base
from trajectories.trees import FOLDER, Trees

HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit")
MIDDLE = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
OURS = "swe-agent "
"""How our lock of the index begins: who commits (in the end a git that may outlive our process), on top of which commit
of which branch, and the folder of its files, a line each."""
LOOK, GRACE = 0.1, 5.0
"""Seconds between two looks at whether the user interrupts, and until hooks that do not end are killed."""
SECONDS = 3600.0
"""Hooks may run tests."""
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
    try:
        since = repository._git("rev-list", "--first-parent", "--reverse", f"{head}..refs/heads/{branch}").split()
    except GitFailed:  # the branch is gone
        return ""
    if not since:
        return ""
    found = repository._git("show", "-s", "--format=%P%n%T%n%B", since[0].decode()).decode("utf-8", "replace")
    parent, its_tree, text = found.split("\n", 2)
    return since[0].decode() if parent == head and (its_tree == tree or text.strip() == message.strip()) else ""


def hooks(repository: Repository) -> tuple[str, ...]:
    """The hooks that a commit of the user's would run."""
    folder = _hooks_folder(repository)
    return tuple(name for name in HOOKS if os.access(folder / name, os.X_OK))


def hooks_in_tree(repository: Repository, names: Sequence[str]) -> Mapping[str, str]:
    """The paths of those of the hooks that are files of the repository: by `core.hooksPath`, or a link."""
    folder, root = _hooks_folder(repository), repository.root.resolve()
    files = {name: (folder / name).resolve() for name in names}
    return {name: str(file.relative_to(root)) for name, file in files.items() if file.is_relative_to(root)}


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
        about = f"{old.commit}\n{branch}\n{name}\n"
        lock.write_text(f"{OURS}{me()}\n{about}")
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
        code, said = _run(git_commit, env, lambda pid: lock.write_text(f"{OURS}{name_of(pid)}\n{about}"), interrupted)
        id = made(repository, old.commit, tree, message, branch)
        if not id and code is None:
            raise Cancelled("Interrupted: nothing was committed.", "What hooks did to your files stays.")
        if not id and code:
            raise UsageError(f"git did not commit: {said[-2000:]}", "Mend it, or commit without hooks.")
        _follow(repository, trees, old, id or repository.commit(), Path(name))
    return id or repository.commit()


def _run(
    command: Sequence[str], env: Mapping[str, str], begun: Callable[[int], object], interrupted: Callable[[], bool]
) -> tuple[int | None, str]:
    """The status, None where it was stopped with all that runs in its process group, and what was said on stderr.
    `begun` gets its process id."""
    # a file and no pipe: what a hook leaves running holds a pipe open for good
    with tempfile.TemporaryFile() as said, subprocess.Popen(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
    ) as process:  # fmt: skip
        begun(process.pid)
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
    with suppress(ProcessLookupError):
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
    """Finish what a commit of a process that died left behind: the index follows the commit, if it was made, its files
    and the lock of the index go. The commit's id, "" for none. Raises TryLater while git is still at it."""
    lock = repository.git_dir / "index.lock"
    said = lock.read_text("utf-8", "replace") if lock.is_file() else ""
    if not said.startswith(OURS):
        return ""
    who, old, branch, name = (*said.removeprefix(OURS).split("\n"), "", "", "")[:4]
    if lives(who.strip()):
        raise TryLater(f"The commit in {repository.root} is still under way.", "Wait until its hooks have ended.")
    since = repository._git("rev-list", "--first-parent", "--reverse", f"{old}..refs/heads/{branch}", ok=(0, 128))
    id = since.decode().partition("\n")[0] if old and branch else ""
    if id:
        with (
            tempfile.TemporaryDirectory(prefix="swe-agent-", dir=repository.git_dir) as made,
            Trees(Path(made, "trees.git")) as trees,
        ):
            _follow(repository, trees, repository.base(trees, old), id, Path(made))
    left = Path(name)
    if left.parent == repository.git_dir and left.name.startswith("swe-agent-"):
        shutil.rmtree(left, ignore_errors=True)
    lock.unlink(missing_ok=True)
    return id


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
    recover(repository)
    lock = repository.git_dir / "index.lock"
    try:
        with lock.open("x") as file:
            file.write(f"{OURS}{me()}\n")
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
