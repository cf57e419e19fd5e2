"""The user's repository on the host, which provides the base of a run and receives its patch.

git runs here, but never the repository's hooks, file system monitor or remotes. Reading changes neither the index nor
the object store.

A tree holds each file as git stores it: a clean working tree gives HEAD's tree even if line-ending conversion or
filters (autocrlf, LFS) changed the files on disk, and a changed file is stored as `git add` would store it. A
workspace therefore equals a fresh clone without conversions; `git apply` redoes them when a patch is applied.

The user's own ignore patterns (`core.excludesFile`, `.git/info/exclude`) may contain private names, so their text never
enters a workspace. Only patterns of files that tools, editors and systems write are known there.

A failure to read the repository is explained: what git reported, and what the user can do.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from aci.repository.base_size import check_base
from aci.repository.file_blobs import GitBlobs
from aci.repository.first_commit import first_commit_advice
from aci.repository.git_view import (
    MOST_PATTERNS,
    TO_READ,
    TO_WRITE,
    GitView,
    check_alternates,
    check_filters,
    common_folder,
    view_of,
)
from aci.repository.repository_search import find_repository
from aci.repository.staged_patch import StagedPatch, check_no_interrupted_patch
from aci.repository.untracked_files import credential_files, is_readable, without_environments
from trajectories.errors import NoRepository, TryLater, UsageError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import (
    DURABLE,
    GitFailed,
    create_store,
    decode,
    encode,
    exclusive,
    folders,
    git,
    sync_folder,
)
from trajectories.git_store.trees import Trees
from trajectories.records import Base
from trajectories.temporary_folders import temporary_folder

_FILTER = re.compile(r"^fatal: (.*: (?:clean|smudge) filter '(.+)' failed)$", re.MULTILINE)
_HUNG_UP = "the remote end hung up unexpectedly"
"""What git reports if a filter's process ends before git has written to it."""
_MISSING = re.compile(
    r"^(?:fatal|error): (?:could not fetch \w+ from promisor remote|invalid object |unable to read |bad object )",
    re.MULTILINE,
)


def read_failure(root: Path, error: GitFailed, setting: Callable[..., str]) -> UsageError:
    """Return the error for users if the files of the repository at `root` cannot be read.

    `setting` returns the value of a git setting, given its name and options of `git config`, or "" if it is not set.
    """
    if _FILTER.search(error.stderr) or error.reason == _HUNG_UP:
        return _filter_failure(root, error, setting)
    remote = setting(r"^remote\..*\.promisor$", "--get-regexp").partition(".promisor")[0].removeprefix("remote.")
    if remote and _MISSING.search(error.stderr):
        fetch = shlex.join(["git", "-C", str(root), "fetch", "--refetch", "--no-filter", remote])
        return UsageError(
            f"The files of {root} cannot be read, because this partial clone lacks objects: {error.reason}.",
            f"Fetch them: {fetch}",
        )
    return UsageError(f"The files of {root} cannot be read: {error.reason}.", "Check `git status` and `git fsck`.")


def _filter_failure(root: Path, error: GitFailed, setting: Callable[..., str]) -> UsageError:
    """Return the error for a filter of `.gitattributes` whose program failed or is missing, such as git-lfs."""
    failed = _FILTER.search(error.stderr)
    by_program = (line for line in error.stderr.splitlines() if not line.startswith(("fatal:", "error:", "warning:")))
    said = next(by_program, "")
    settings = setting(r"^filter\..*\.(process|clean|smudge)$", "--get-regexp").splitlines()
    for name, _, command in (each.partition(" ") for each in settings):
        program = next(iter(command.split()), "")
        if program and (program in said or (failed and name.startswith(f"filter.{failed[2]}."))):
            break
    else:
        program = "the program of the filter"
    what = (failed[1] if failed else error.reason) + (f" ({said})" if said else "")
    return UsageError(
        f"The files of {root} cannot be read: {what}.", f"Install {program} or repair it, so that `git status` works."
    )


GENERATED = frozenset(
    (
        *(
            "__pycache__",
            "*.pyc",
            "*.pyo",
            "*.pyd",
            "*.py[co]",
            "*.py[cod]",
            "*$py.class",
            "*.so",
            "*.egg",
            "*.egg-info",
        ),
        *(".venv", "venv", "env", ".eggs", ".tox", ".nox", ".coverage", ".coverage.*", "htmlcov", ".cache", ".direnv"),
        *(".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".ipynb_checkpoints", ".benchmarks"),
        *(
            "node_modules",
            ".nyc_output",
            "coverage",
            ".next",
            ".parcel-cache",
            ".turbo",
            "*.tsbuildinfo",
            "npm-debug.log*",
        ),
        *(
            "build",
            "dist",
            "out",
            "bin",
            "obj",
            "target",
            ".gradle",
            "*.class",
            "*.o",
            "*.a",
            "*.obj",
            "*.exe",
            "*.dll",
        ),
        *(".idea", ".vscode", ".vs", "*.iml", ".project", ".classpath", ".settings", "*.sublime-workspace"),
        *(".DS_Store", "._*", "Thumbs.db", "desktop.ini", "*~", "*.swp", "*.swo", "*.swn", ".*.sw?", "[._]*.sw[a-p]"),
        *("*.log", "logs", "*.tmp", "tmp", "*.bak", "*.orig", "*.rej", "*.pid", "tags", "TAGS", ".tags"),
    )
)
"""Patterns without a slash at the beginning or the end."""


def generated_patterns(lines: bytes) -> bytes:
    """Return those of a user's ignore patterns that are in GENERATED, in their order."""
    known = []
    for line in lines.splitlines():
        text = line.decode("utf-8", "replace").strip()
        name = text.removeprefix("**/").removeprefix("/").removesuffix("/")
        if name in GENERATED:
            known.append(text)
    return "".join(f"{text}\n" for text in known).encode()


OPTIONS = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.splitIndex=false"),  # with a split index, git writes the shared part into the git directory
    *("-c", "core.safecrlf=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "log.showSignature=false"),  # otherwise git starts the program that checks signatures
    *("-c", "apply.whitespace=nowarn"),  # a patch is applied as it is, whatever the user's settings say
    *("-c", "apply.ignoreWhitespace=no"),
    *("-c", f"core.fsync={DURABLE}"),
    *("-c", "gc.auto=0"),
)
IDENTITY = ("swe-agent", "swe-agent@localhost")
LOCK_SECONDS = 60.0

HISTORY_CONFIG = f"""[core]
\trepositoryformatversion = 0
\tbare = false
\tfilemode = true
\tlogAllRefUpdates = false
\tfsync = {DURABLE}
[gc]
\tauto = 0
[user]
\tname = {IDENTITY[0]}
\temail = {IDENTITY[1]}
"""


@dataclass(frozen=True)
class Repository:
    """A repository of the user. `root` is its working tree, or the git directory of a bare one. `plain` marks a folder
    without git, for which swe-agent keeps a git directory elsewhere (`aci/repository/plain_folder.py`)."""

    root: Path
    git_dir: Path
    bare: bool = False
    plain: bool = False

    @property
    def name(self) -> str:
        return self.root.name.removesuffix(".git") or "repository"

    @staticmethod
    def open(path: str | Path) -> Repository:
        """Return the repository at `path` or in one of its parent folders; it may be bare. Raises UsageError."""
        path = Path(path).expanduser()
        if not path.is_dir():
            raise UsageError(
                f"There is no folder {path}." if not path.exists() else f"{path} is not a folder.",
                "Give the path of a git repository.",
            )
        found = find_repository(path)
        if not found:
            place = path.resolve()
            raise NoRepository(f"{place} is not in a git repository.", first_commit_advice(place))
        is_linked = common_folder(found.git_dir) != found.git_dir  # of a bare repository, all worktrees are linked
        bare = found.bare or (not is_linked and view_of(found.git_dir, found.root).is_set("core.bare"))
        root = found.git_dir if bare else found.root
        repository = Repository(root, found.git_dir, bare)
        try:
            kind, *commit = decode(repository._git("rev-parse", "--show-object-format", "--revs-only", "HEAD")).split()
        except GitFailed as error:
            raise UsageError(f"git cannot use {root}: {error.reason}.", "See what `git status` says there.") from error
        if kind != "sha1":
            raise UsageError(f"{root} uses {kind} object names.", "Only repositories with SHA-1 names are supported.")
        check_alternates(repository.view)
        if not commit:
            fix = "Push a branch to it." if bare else first_commit_advice(root, has_git=True)
            raise NoRepository(f"{root} has no commit yet.", fix)
        return repository

    # The base of a run

    def base(self, trees: Trees, rev: str | None = None, allowed: Collection[str] = ()) -> Base:
        """Return the base of a run, with all objects of its tree copied to `trees`.

        Without `rev` it is the working tree as the user sees it: HEAD with staged and unstaged changes and with
        untracked files that are not ignored. Files that git cannot add (unreadable, sockets, nested repositories) and
        submodules are taken from the index. Untracked files that look like credentials are left out, unless they are
        `allowed` or the run has their content already. With `rev` it is that commit's tree. Raises UsageError if there
        is no such commit.
        """
        check_base(self.git_dir, commit := self.commit(rev))
        index = self._path("index")
        if rev or self.bare or not index.exists():
            with self._git_errors():
                listing = self._git("ls-tree", "-r", "-z", "--full-tree", commit)
                return Base(commit, trees.adopt(listing, [self._path("objects")]))
        with tempfile.TemporaryDirectory(prefix="base-", dir=trees.path) as folder, self._git_errors():
            listing, left_out = self._worktree(index, Path(folder), allowed, trees)
            tree = trees.adopt(listing, [self._path("objects"), Path(folder)])
        env = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(trees.path / "objects")}
        paths = self._git("diff-tree", "-r", "-z", "--no-renames", "--name-only", f"{commit}^{{tree}}", tree, env=env)
        return Base(commit, tree, paths.count(b"\0"), tuple(map(os.fsdecode, left_out)))

    def commit(self, rev: str | None = None) -> str:
        """Return the id of a commit, HEAD's by default. Raises UsageError if there is no such commit."""
        commit = self._commit(rev or "HEAD")
        if not commit and not rev:
            raise UsageError(f"The commit that HEAD names in {self.root} is missing.", "Run `git fsck` there.")
        if not commit:
            raise UsageError(f"There is no commit {rev!r} in {self.root}.", "Give a branch, tag or commit id.")
        return commit

    def checked_out_branch(self) -> str:
        """Return the name of the branch that is checked out; "" if a commit is."""
        return decode(self._git("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1)).strip())

    def release(self, commit: str) -> str:
        """Return the version number in the name of the nearest tag at or before a commit, or "" if there is none."""
        tag = decode(self._git("describe", "--tags", "--abbrev=0", commit, ok=(0, 128)))
        version = re.search(r"\d+(?:\.\d+)+(?:(?:a|b|rc|\.?dev|\.?post)\d+)?", tag)
        return version.group() if version else ""

    def configured(self, name: str, *how: str) -> str:
        """Return the value of a git setting, or "" if it is not set."""
        return decode(self._git("config", *how, name, ok=(0, 1)).strip())

    def describe_source(self, rev: str | None = None) -> str:
        """Return a description of the source that `blobs` reads: a revision, HEAD or the working tree."""
        return rev or ("HEAD" if self.bare or not self._path("index").exists() else "the working tree")

    @contextmanager
    def blobs(self, rev: str | None = None) -> Iterator[GitBlobs]:
        """Yield the files that a run would start from (see `base`); they can be read only inside the `with` block.

        Nothing is written to the repository. Raises UsageError for damaged objects and for a tree that is too large,
        also while files are read.
        """
        commit = self.commit(rev)
        index = self._path("index")
        with self._git_errors():
            if rev or self.bare or not index.exists():
                yield GitBlobs.at(self.git_dir, commit)
                return
            with temporary_folder() as name:
                folder = Path(name)
                self._worktree(index, folder)
                tree = self._git("write-tree", "--missing-ok", env=self._draft(folder)).decode().strip()
                yield GitBlobs(self.git_dir, tree, objects=[folder])

    def _draft(self, folder: Path, *more: Path) -> dict[str, str]:
        """Return an environment in which git uses the index in `folder` and writes new objects there."""
        return {
            "GIT_INDEX_FILE": str(folder / "index"),
            "GIT_OBJECT_DIRECTORY": str(folder),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(self._path("objects"), *more),
        }

    def _worktree(
        self, index: Path, folder: Path, allowed: Collection[str] = (), trees: Trees | None = None
    ) -> tuple[bytes, list[bytes]]:
        """Write the working tree's new objects to `folder`. Return its files in the format of `git ls-files --stage`,
        and the untracked files that are left out."""
        shutil.copy2(index, folder / "index")  # keeps the modification time: git rereads files that changed after it
        env = self._draft(folder)
        left_out = self._bring_up(env, allowed, trees)
        return self._git("ls-files", "--stage", "-z", env=env), left_out

    def _bring_up(self, env: dict[str, str], allowed: Collection[str] = (), trees: Trees | None = None) -> list[bytes]:
        """Update the index of `env` to match the working tree, without untracked virtual environments and files that
        look like credentials. Return those files."""
        fields = self._git("diff-files", "-z", "--raw", "--no-renames", "--ignore-submodules=all", env=env).split(b"\0")
        tracked = {path: about.endswith(b"D") for about, path in zip(fields[::2], fields[1::2], strict=False)}
        untracked = self._git("ls-files", "-o", "-z", "--exclude-standard", env=env).split(b"\0")[:-1]
        untracked = without_environments(untracked)
        secret = credential_files(self.root, untracked, allowed, trees)
        gone = {path for path, deleted in tracked.items() if deleted or not os.path.lexists(self._file(path))}
        paths = (*tracked, *sorted(set(untracked) - set(secret)))
        kept = [path for path in paths if path not in gone and is_readable(self._file(path))]
        check_filters(self.view, kept, TO_READ)
        self._git("update-index", "--force-remove", "-z", "--stdin", env=env, input=_lines(gone))
        self._git("update-index", "--add", "--remove", "--replace", "-z", "--stdin", env=env, input=_lines(kept))
        return secret

    def _file(self, path: bytes) -> Path:
        return self.root / os.fsdecode(path)

    @contextmanager
    def _git_errors(self) -> Iterator[None]:
        try:
            yield
        except GitFailed as error:
            raise read_failure(self.root, error, self.configured) from error

    def history(self, base: Base, into: Path) -> None:
        """Write a git directory with the base commit and its ancestors on a branch `main`.

        It has no other branch, tag, remote, reflog or alternate, no conversions, and the user's patterns of generated
        files. It can be moved and used as a `.git` folder. It is written atomically; an existing folder is kept.
        """
        if into.exists():
            return
        into.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{into.name}-", dir=into.parent))
        try:
            self._write_history(base.commit, made)
            made.rename(into)
            sync_folder(into.parent)
        except OSError:
            if not (into / "HEAD").exists():  # otherwise, another process has created it
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _write_history(self, commit: str, into: Path) -> None:
        create_store(into, HISTORY_CONFIG)
        objects = into / "objects"  # git first creates the pack there; the user's store may be on another file system
        env = {"GIT_OBJECT_DIRECTORY": str(objects), "GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(self._path("objects"))}
        options = ("-q", "--revs", "--no-use-bitmap-index", str(objects / "pack" / "pack"))
        with self._git_errors():
            self._git("pack-objects", *options, env=env, input=f"{commit}\n".encode())
        (into / "refs" / "heads" / "main").write_text(f"{commit}\n")
        (into / "info" / "exclude").write_bytes(self._excludes())
        shallow = self._path("shallow")
        if shallow.exists():
            ancestors = set(self._git("rev-list", commit).split())
            roots = [line for line in shallow.read_bytes().split() if line in ancestors]
            (into / "shallow").write_bytes(b"".join(root + b"\n" for root in roots))
        sync_folder(into / "objects" / "pack")

    def _excludes(self) -> bytes:
        """Return the user's patterns of generated files that are not in the repository's .gitignore files."""
        default = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git" / "ignore"
        users = Path(self.configured("core.excludesFile", "--type=path") or default)  # the repository's is not read
        found = []
        for file, inside in ((users, None), (self._path("info/exclude"), common_folder(self.git_dir))):
            with suppress(OSError):
                found.append(read_limited(file, MOST_PATTERNS, inside))
        return generated_patterns(b"\n".join(found))

    # Delivering a patch

    def apply(self, diff: str, base: Base, kept: Path | None = None, staged: Path | None = None) -> None:
        """Apply a diff to the user's working tree; the index and other edits stay as they are.

        If the diff does not apply completely and cleanly, nothing is changed and UsageError names the files (and
        `kept`, the file with the patch). `staged` is a path in the run's folder, from which `finish_apply` finishes
        the work after a crash. Raises TryLater while another process applies a patch, and UsageError if another one
        has died while it did so.
        """
        fix = f"Apply it by hand: git apply --3way {shlex.quote(str(kept))}" if kept else "Use --branch, and merge."
        if self.bare:
            raise UsageError(f"{self.root} is bare: it has no working tree to apply the patch to.", "Use --branch.")
        if not diff:
            return
        with self._lock(), nullcontext("") if staged else temporary_folder() as folder:
            check_no_interrupted_patch(self.git_dir, self.root)
            try:
                self._git("apply", "--check", input=encode(diff))
                paths = self._paths_in(diff)
            except GitFailed as error:
                why = f"The patch for {base} does not apply to {self.root}: {error.reasons}."
                raise UsageError(why, fix) from error
            check_filters(self.view, paths, TO_WRITE)
            patch = self._staged(staged or Path(folder, "staged"))
            with patch.prepared(paths) as copies:
                self._git("apply", env={"GIT_WORK_TREE": str(copies)}, input=encode(diff), cwd=copies)
            patch.write()

    def _paths_in(self, diff: str) -> list[bytes]:
        """Return the paths of all files that a diff reads or writes. git lists only one path for a renamed or copied
        file: the new one, or the old one if the diff is reversed."""
        listed = [self._git("apply", "--numstat", "-z", *side, input=encode(diff)) for side in ((), ("--reverse",))]
        lines = b"".join(listed).split(b"\0")[:-1]
        return list(dict.fromkeys(line.split(b"\t", 2)[2] for line in lines))

    def finish_apply(self, staged: Path) -> list[str] | None:
        """Finish an apply whose process died. Return the paths of files that were changed since, and that are left as
        they are; None if no apply has to be finished. Raises UsageError if a file cannot be written."""
        with self._lock():
            return self._staged(staged).finish() if staged.exists() and not self.bare else None

    def _staged(self, folder: Path) -> StagedPatch:
        return StagedPatch(folder, self.root, self.git_dir, self.has_modes)

    @property
    def has_modes(self) -> bool:
        """Whether the file system keeps the executable bit of files. Raises UsageError."""
        return self.view.is_set("core.filemode", default=True)

    def applied(self, diff: str) -> bool:
        """Whether the working tree already contains the diff's changes."""
        if self.bare or not diff:
            return not self.bare
        try:
            self._git("apply", "--check", "--reverse", input=encode(diff))
        except GitFailed:
            return False
        return True

    def file(self, name: str, rev: str | None = None) -> bytes | None:
        """Return a file of the working tree or of the commit `rev`; None if it is missing, a link or a pipe."""
        if commit := self._commit(rev or "HEAD") if rev or self.bare else "":
            try:
                return self._git("cat-file", "blob", f"{commit}:{name}")
            except GitFailed:
                return None
        path = self.root / name
        try:
            return path.read_bytes() if path.is_file() and not path.is_symlink() else None
        except OSError:
            return None

    def check_delivery(self, apply: bool, branch: str, staged: Path | None = None) -> None:
        """Raise UsageError if a patch could not be applied to the working tree (`apply`) or committed to `branch`;
        called before the run costs anything. An interrupted apply from `staged` does not count."""
        if apply and self.bare:
            raise UsageError(f"{self.root} is bare: it has no working tree to apply a patch to.", "Use --branch.")
        if apply:
            check_no_interrupted_patch(self.git_dir, self.root, staged)
        if branch and not self._is_branch_name(branch):
            raise UsageError(f"{branch!r} is not a valid branch name.", "Choose another name.")
        if branch and self._commit(f"refs/heads/{branch}"):
            raise UsageError(f"The branch {branch} exists already.", "Choose another name, or delete it.")

    def branch(self, name: str, base: Base, tree: str, trees: Trees, message: str) -> str:
        """Create a branch at a new commit of `tree` on top of `base.commit`; return the commit's id.

        `tree` includes uncommitted changes of the base, so the commit does too. Working tree, index and current branch
        are not touched. The author is the user configured in git, or else swe-agent. Raises UsageError if the branch
        name is invalid, or if the branch exists with another tree or base.
        """
        ref = f"refs/heads/{name}"
        if not self._is_branch_name(name):
            raise UsageError(f"{name!r} is not a valid branch name.", "Choose another name.")
        if taken := self._commit(ref):
            if self._git("rev-parse", f"{taken}^{{tree}}", f"{taken}^@").decode().split() == [tree, base.commit]:
                return taken
            raise UsageError(f"The branch {name} exists already.", "Choose another name, or delete it.")
        self._take(tree, base, trees)
        commit = self._git(
            *("-c", "i18n.commitEncoding=UTF-8", "commit-tree", tree, "-p", base.commit, "-F", "-"),
            env=self._identity(),
            input=encode(message),
        )
        id = commit.decode().strip()
        try:
            self._git("update-ref", "-m", "swe-agent: patch", ref, id, "0" * 40)
        except GitFailed as error:
            raise UsageError(f"The branch {name} cannot be created: {error.reason}.", "Choose another name.") from error
        return id

    def _is_branch_name(self, name: str) -> bool:
        if name.startswith("-") or name == "HEAD" or "\0" in name:
            return False
        try:
            self._git("check-ref-format", f"refs/heads/{name}")
        except GitFailed:
            return False
        return True

    def _take(self, tree: str, base: Base, trees: Trees) -> None:
        """Copy the objects of `tree` that the base commit lacks into the user's repository."""
        env = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(trees.path / "objects")}
        trees.check_difference(base.tree, tree)
        revs = f"{tree}\n^{base.commit}^{{tree}}\n".encode()
        pack = self._git("pack-objects", "-q", "--revs", "--stdout", env=env, input=revs)
        self._git("unpack-objects", "-q", input=pack)

    def _identity(self) -> dict[str, str]:
        """Return variables with swe-agent's name and email address, or none if the user's are configured in git."""
        if self.configured("user.name") and self.configured("user.email"):
            return {}
        ours = dict(zip(("NAME", "EMAIL"), IDENTITY, strict=True))
        named = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in ours.items()}
        return {key: value for key, value in named.items() if key not in os.environ}

    def is_ancestor(self, commit: str, later: str) -> bool:
        """Whether `commit` is `later` or one of its ancestors; False for commits that the repository does not have."""
        ids = [self._commit(commit), self._commit(later)]
        return all(ids) and not self._git("rev-list", "--max-count=1", ids[0], f"^{ids[1]}")

    def _lock(self) -> AbstractContextManager[None]:
        busy = TryLater(f"Another swe-agent is changing {self.root}.", "Try again in a minute.")
        return exclusive(self.git_dir / "swe-agent.lock", LOCK_SECONDS, busy)

    # Internals

    def _commit(self, rev: str) -> str:
        """Return the id of the commit named `rev`, or "" if there is none."""
        if not rev.strip() or rev.startswith("-") or "\0" in rev:
            return ""
        output = self._git("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}", ok=(0, 1, 128))
        return output.decode().strip()

    def _path(self, name: str) -> Path:
        """Return the path of a file in the git directory; linked worktrees share all of them except the index."""
        return (self.git_dir if name == "index" else common_folder(self.git_dir)) / name

    @property
    def view(self) -> GitView:
        """The view of this repository for git commands that read it."""
        return view_of(self.git_dir, None if self.bare else self.root)

    def _git(
        self,
        *args: str,
        env: dict[str, str] | None = None,
        input: bytes = b"",
        ok: tuple[int, ...] = (0,),
        cwd: Path | None = None,
    ) -> bytes:
        index, cwd = self._path("index"), cwd or self.root
        return git(*OPTIONS, *args, env=self.view.environment(env or {}), cwd=cwd, input=input, ok=ok, index=index)


def _lines(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)
