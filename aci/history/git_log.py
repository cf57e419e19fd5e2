"""Somebody's commits, as far as they are there.

They are read through a git directory of ours that borrows the other's objects: none of its configuration, hooks,
replacements or attributes has a say, and a partial clone has no remote to fetch from. What is missing is left out.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

from trajectories.plumbing import OWN, GitFailed, create_store, decode, environment, git

MOST_COMMITS = 200_000
MOST_FILES = 100
"""A commit that touches more says nothing."""
MOST_LINES = 2_000
SHORTEST_LINE = 9
BATCH = 10_000
TOGETHER = 1_000
AT_ONCE = 1 << 25
HUGE = 1 << 20
"""Bytes of commits that are in memory together, and of one whose message is not read."""
SAID, UNSAID = "--format=%H%n%ct%n%B", "--format=%H%n%ct%n"
LATEST = 1 << 62
"""Seconds since 1970: what somebody dates later than that was made then, so that it can be stored and subtracted."""
TIMED_OUT = 124

_ID = re.compile(r"[0-9a-f]{40}")
_COMMIT = re.compile(rb"[0-9a-f]{40}")
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_QUOTED = re.compile(rb'\\(?:([0-7]{3})|(["\\abtnvfr]))')
_ESCAPED = dict(zip(b'"\\abtnvfr', b'"\\\a\b\t\n\v\f\r', strict=True))
_DIFF = ("diff-tree", "--stdin", "-r", "--root", "--always", "--no-renames")
FIRST_PARENT = "--diff-merges=first-parent"
_PATCH = ("-p", "-U0", "--no-ext-diff", "--no-textconv", "--no-color")
_TOLD = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "-p", "-U2", *_PATCH[2:])

Said = TypeVar("Said")


@dataclass(frozen=True, slots=True)
class Commit:
    """`time` is when it was committed, in seconds since 1970."""

    id: str
    time: int
    message: bytes


class Span(NamedTuple):
    """Lines of a file as a commit left it, from 1 and inclusive, and the blob that holds it."""

    path: str
    blob: str
    first: int
    last: int


@cache
def _own() -> Path:
    """This process's git directory, in which nothing is but that it is one: no configuration of others has a say."""
    made = Path(tempfile.mkdtemp(prefix="swe-agent-history-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


class Commits:
    """The commits of a git directory.

    `boundary` tells clones apart whose history ends at different commits: "" where it is whole.
    """

    def __init__(self, git_dir: Path) -> None:
        own = _own()
        create_store(own)  # once, but for a folder that somebody has tidied away
        shared = _shared(git_dir)
        shallow = shared / "shallow"
        self._cut = frozenset(_content(shallow).decode("ascii", "replace").split())
        self.boundary = hashlib.sha256("\n".join(sorted(self._cut)).encode()).hexdigest() if self._cut else ""
        borrowed = {"GIT_DIR": str(own), "GIT_OBJECT_DIRECTORY": str(shared / "objects"), "GIT_NO_LAZY_FETCH": "1"}
        if self._cut:
            borrowed["GIT_SHALLOW_FILE"] = str(shallow)
        self._env = environment({**OWN, **borrowed})

    def time(self, commit: str, *paths: str) -> int | None:
        """When a commit was made, or None where there is none of this id.

        With `paths` (globs) of the last, at it or before, that changed one of them.
        """
        if not _ID.fullmatch(commit):
            return None
        try:
            env = {**self._env, "GIT_LITERAL_PATHSPECS": "0"}
            return _seconds(git("rev-list", "-1", "--timestamp", commit, "--", *paths, env=env).split()[0])
        except (GitFailed, IndexError):
            return None

    def first_present(self, commits: Sequence[str]) -> str | None:
        """The first of these that is here."""
        if not commits:
            return None
        answers = self._git("cat-file", "--batch-check", input=_lines(commits)).splitlines()
        return next((id for id, said in zip(commits, answers, strict=True) if b" commit " in said), None)

    def root(self, commit: str) -> str:
        """The first of a commit's ancestors, by first parents; "" where it is not here."""
        try:
            return self._git("rev-list", "--first-parent", "--max-parents=0", commit).decode().strip()
        except GitFailed:
            return ""

    def ancestors(self, commit: str) -> list[str]:
        """The newest of a commit's ancestors, itself included, newest first."""
        return self._git("rev-list", f"--max-count={MOST_COMMITS}", commit).decode().split()

    def apart(self, commit: str, other: str) -> tuple[list[str], list[str]]:
        """The ancestors (each includes itself) that only the one has, and those that only the other has."""
        lines = self._git("rev-list", "--left-right", f"{commit}...{other}").decode().split()
        return [line[1:] for line in lines if line[0] == "<"], [line[1:] for line in lines if line[0] == ">"]

    def read(self, commits: Sequence[str]) -> Iterator[Commit]:
        """What these say, some of them at a time; a message of over 1 MiB says nothing."""
        for asked, form in self._portions(commits):
            said = self._git("log", "--no-walk=unsorted", "--stdin", "-z", form, input=_lines(asked))
            for record in filter(None, said.split(b"\0")):
                id, time, message = record.split(b"\n", 2)
                yield Commit(id.decode(), _seconds(time), message)

    def _portions(self, commits: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """Commits to be read together, and what of them."""
        for first in range(0, len(commits), BATCH):
            some = commits[first : first + BATCH]
            sizes = self._git("cat-file", "--batch-check=%(objectsize)", input=_lines(some)).splitlines()
            portion: list[str] = []
            huge: list[str] = []
            room = AT_ONCE
            for id, size in zip(some, (int(said) if said.isdigit() else 0 for said in sizes), strict=True):
                if size > HUGE:
                    huge.append(id)
                    continue
                if size > room:
                    yield portion, SAID
                    portion, room = [], AT_ONCE
                portion.append(id)
                room -= size
            if portion:
                yield portion, SAID
            if huge:
                yield huge, UNSAID

    def touched(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The files each changed against its first parent; () for one that changed too many.

        A commit whose parents or trees are not here is left out.
        """
        return self._each([id for id in commits if id not in self._cut], self._touched)

    def _touched(self, commits: Sequence[str], merges: str = FIRST_PARENT) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        fields = iter(self._git(*_DIFF, merges, "-z", "--raw", input=_lines(commits)).split(b"\0"))
        paths: list[str] = []
        for field in fields:
            if not field.startswith(b":"):
                paths = found.setdefault(field.decode(), [])
            elif (path := next(fields, b"")) and b"160000" not in field[:14]:
                paths.append(decode(path))
        return {id: tuple(found[id]) if len(found[id]) <= MOST_FILES else () for id in commits if id in found}

    def changed(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The files each changed, for many commits: merges are left out, and so are all that are asked of with one
        whose trees are not here, for a clone without any would be asked commit by commit."""
        found: dict[str, tuple[str, ...]] = {}
        whole = [id for id in commits if id not in self._cut]
        for first in range(0, len(whole), TOGETHER):
            with suppress(GitFailed):
                found |= self._touched(whole[first : first + TOGETHER], "--diff-merges=off")
        return found

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """The lines that each added to each file, stripped, without the shortest; files over 1 MiB are passed over."""
        return self._each([id for id in commits if id not in self._cut], self._added)

    def _added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        return _added_lines(self._git(*_DIFF, FIRST_PARENT, *_PATCH, input=_lines(commits)))

    def spans(self, commits: Sequence[str]) -> dict[str, list[Span]]:
        """The lines that each added or wrote anew, or from between which it took some; of a file that only moved, what
        it changed in it besides."""
        return self._each([id for id in commits if id not in self._cut], self._spans)

    def _spans(self, commits: Sequence[str]) -> dict[str, list[Span]]:
        return _spans(self._git(*_DIFF, "-M", "--full-index", FIRST_PARENT, *_PATCH, input=_lines(commits)))

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Blobs by their ids, but for those that are missing or over 1 MiB."""
        asked = sorted(set(ids))
        sizes = self._git("cat-file", "--batch-check", input=_lines(asked)).splitlines()
        small = [said.split() for said in sizes if said.rpartition(b" ")[2].isdigit()]
        whole = [id.decode() for id, kind, size in small if kind == b"blob" and int(size) <= HUGE]
        said, found = self._git("cat-file", "--batch", input=_lines(whole)), {}
        at = 0
        for id in whole:
            head = said.index(b"\n", at)
            at = head + 2 + int(said[at:head].split()[2])
            found[id] = said[head + 1 : at - 1]
        return found

    def diff(self, commit: str, paths: Sequence[str]) -> str:
        """What a commit changed in these paths against its first parent, as a unified diff; "" if that is not here."""
        if commit in self._cut or not paths:
            return ""
        try:
            return decode(self._git(*_TOLD, FIRST_PARENT, commit, "--", *paths))
        except GitFailed:
            return ""

    def _each(self, commits: Sequence[str], ask: Callable[[Sequence[str]], dict[str, Said]]) -> dict[str, Said]:
        """All at once; where git fails, as when an object is missing, by halves: what fails alone is left out.

        What takes too long is left out at once: its halves would take as long.
        """
        if not commits:
            return {}
        try:
            return ask(commits)
        except GitFailed as error:
            half = len(commits) // 2 if error.status != TIMED_OUT else 0
            return self._each(commits[:half], ask) | self._each(commits[half:], ask) if half else {}

    def _git(self, *args: str, input: bytes = b"") -> bytes:
        return git(*args, env=self._env, input=input)


def _shared(git_dir: Path) -> Path:
    """The part of a git directory that linked worktrees have in common; itself where it says nothing useful of that."""
    pointer = _content(git_dir / "commondir").rstrip(b"\n")
    try:
        found = (git_dir / os.fsdecode(pointer)).resolve()
    except (OSError, ValueError, RuntimeError):  # no path at all, or links in a circle
        return git_dir.absolute()
    return git_dir.absolute() if found.is_symlink() else found  # Python 3.13 returns a link of a circle


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except OSError:
        return b""


def _seconds(said: bytes) -> int:
    """A commit's date is what somebody wrote: it may be missing, and of any length."""
    digits = said.lstrip(b"0")[:20]
    return min(int(digits), LATEST) if digits.isdigit() else 0


def _lines(commits: Sequence[str]) -> bytes:
    return "".join(f"{id}\n" for id in commits).encode()


def _added_lines(said: bytes) -> dict[str, dict[str, tuple[str, ...]]]:
    """Read `diff-tree --stdin -p -U0`. Lines of files are counted off, so that none is taken for a header."""
    found: dict[str, dict[str, list[str]]] = {}
    lines = (line for line in said.split(b"\n") if not line.startswith(b"\\"))  # "\\ No newline at end of file"
    files: dict[str, list[str]] = {}
    path, room = "", 0
    for line in lines:
        if hunk := _HUNK.match(line):
            for _ in range(int(hunk[1] or 1)):
                next(lines, None)
            for _ in range(int(hunk[2] or 1)):
                text = next(lines, b"")[1:].strip()
                if len(text) >= SHORTEST_LINE and room > 0:
                    files.setdefault(path, []).append(decode(text))
                    room -= 1
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif _COMMIT.fullmatch(line):
            files, room = found.setdefault(line.decode(), {}), MOST_LINES
    return {id: {path: tuple(dict.fromkeys(lines)) for path, lines in files.items()} for id, files in found.items()}


def _spans(said: bytes) -> dict[str, list[Span]]:
    """Read `diff-tree --stdin -p -U0 --full-index` as `_added_lines` does."""
    found: dict[str, list[Span]] = {}
    lines = (line for line in said.split(b"\n") if not line.startswith(b"\\"))
    spans: list[Span] = []
    path = blob = ""
    for line in lines:
        if hunk := _HUNK.match(line):
            old, new = int(hunk[1] or 1), int(hunk[2] or 1)
            for _ in range(old + new):
                next(lines, None)
            first = int(line.split(b" ")[2][1:].partition(b",")[0])
            spans.append(Span(path, blob, first, first + max(new, 2 - new) - 1))
        elif line.startswith(b"index "):
            blob = decode(line[6:].split(b" ")[0].rpartition(b"..")[2])
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif _COMMIT.fullmatch(line):
            spans = found.setdefault(line.decode(), [])
    return found


def _path(said: bytes) -> str:
    if said.startswith(b'"'):
        said = _QUOTED.sub(lambda part: bytes([int(part[1], 8) if part[1] else _ESCAPED[part[2][0]]]), said[1:-1])
    return decode(said.rstrip(b"\t").removeprefix(b"b/"))
