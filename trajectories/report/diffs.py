"""What differs between many pairs of trees, through one `git diff-tree`, each cut to what somebody reads.

A pair costs a fraction of a millisecond this way; a process of its own costs ten. What a step changed is somebody's, so
files and bytes are bounded: what is too much is named and left out.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from trajectories.plumbing import decode, no_git
from trajectories.trees import Trees

Pair = tuple[str, str]
"""Ids of two trees, before and after."""

FILES = 200
"""Of a pair that are named; the others are counted."""
FILE_BYTES = 100_000
"""Of a file's diff that are kept."""
READ_BYTES = 50_000_000
"""Of a pair that are read: then git is ended, and begun anew with the next pair."""
PIECE = 1 << 16
_COMMAND = (
    *("git", "diff-tree", "--stdin", "-r", "--raw", "-p", "--full-index"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
)


@dataclass(slots=True)
class FileDiff:
    """A file that differs: `A`dded, `M`odified, `D`eleted, or of another `T`ype. Of one that is `cut` the diff does not
    hold all, and the lines are counted as far as they were read."""

    path: str
    status: str
    diff: str = ""
    added: int = 0
    removed: int = 0
    cut: bool = False


@dataclass(slots=True)
class PairDiff:
    """What differs between two trees: the first files of `count`. `missing`: a tree of the two is not in the store."""

    files: list[FileDiff] = field(default_factory=list)
    count: int = 0
    missing: bool = False


def pair_diffs(trees: Trees, pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """What differs between each two trees, in order; `room` is how many bytes of diffs are kept in all."""
    there = {tree for tree in {tree for pair in pairs for tree in pair} if _is_there(trees, tree)}
    asked = [pair for pair in pairs if pair[0] != pair[1] and there.issuperset(pair)]
    answers = _answers(trees.env, asked, room)
    for pair in pairs:
        same = pair[0] == pair[1]
        yield next(answers) if not same and there.issuperset(pair) else PairDiff(missing=not same)


def _is_there(trees: Trees, tree: str) -> bool:
    return len(tree) == 40 and not set(tree) - set("0123456789abcdef") and trees.has(tree)


def _answers(env: Mapping[str, str], pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """One for each pair. Where git stops early, at a damaged object or because we ended it, another goes on."""
    at = 0
    while at < len(pairs):
        began = at
        with _running(env, pairs[at:]) as out:
            for told in _pairs(out, pairs[at:]):
                answer = told.finished(room)
                room -= sum(len(file.diff) for file in answer.files)
                yield answer
                at += 1
        if at == began:
            yield PairDiff(missing=True)
            at += 1


@contextmanager
def _running(env: Mapping[str, str], pairs: Sequence[Pair]) -> Iterator[IO[bytes]]:
    """What git says to these pairs. Raises WorkspaceError without git."""
    with tempfile.TemporaryFile() as asked:  # a pipe would be full before git has read it and been read
        asked.write("".join(f"{old} {new}\n" for old, new in pairs).encode())
        asked.seek(0)
        try:
            process = subprocess.Popen(
                _COMMAND,
                env=env,
                stdin=asked,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise no_git() from None
    assert process.stdout
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _pairs(out: IO[bytes], pairs: Sequence[Pair]) -> Iterator[_Telling]:
    """git says the two ids, a line a file, and the diffs. No line of content looks like the ids, nor like a header."""
    heads = [f"{old} {new}\n".encode() for old, new in pairs]
    number, telling, begins, size = 0, None, True, 0
    while line := out.readline(PIECE):
        if begins and number < len(heads) and line == heads[number]:
            if telling:
                yield telling
            number, telling, size = number + 1, _Telling(), 0
        elif telling:
            telling.take(line, begins)
        begins = line.endswith(b"\n")
        size += len(line)
        if telling and size > READ_BYTES:
            telling.end_early()
            break
    if telling:
        yield telling


class _Telling:
    """A pair's diff while git tells it."""

    def __init__(self) -> None:
        self.count = 0
        self._files: dict[bytes, _File] = {}
        self._at: _File | None = None
        """Of the file that is told just now, if it is one of the first."""

    def take(self, line: bytes, begins: bool) -> None:
        if begins and line.startswith(b":"):
            about, _, name = line.rstrip(b"\n").partition(b"\t")
            self.count += 1
            if self.count <= FILES:
                self._files[_header(name)] = _File(name, about[-1:])
        elif begins and line.startswith(b"diff --git "):
            self._at = self._files.get(line)
            if self._at:
                self._at.begin(line)
        elif self._at:
            self._at.take(line, begins)

    def end_early(self) -> None:
        """Nothing more will be read."""
        if self._at:
            self._at.cut = True

    def finished(self, room: int) -> PairDiff:
        """With no more than `room` bytes of diffs: those of the first files."""
        files = []
        for file in self._files.values():
            fits = file.size <= room
            diff = decode(b"".join(file.lines)) if fits else ""
            room -= len(diff)
            cut = file.cut or not fits or not file.lines
            files.append(FileDiff(_unquoted(file.name), decode(file.status), diff, file.added, file.removed, cut))
        return PairDiff(files, self.count)


class _File:
    def __init__(self, name: bytes, status: bytes) -> None:
        self.name, self.status = name, status
        self.lines: list[bytes] = []
        self.size = self.added = self.removed = 0
        self.cut = self._hunks = False

    def begin(self, header: bytes) -> None:
        """A diff of the file; one that becomes a link has two."""
        self._hunks = False
        self.take(header, begins=True)

    def take(self, line: bytes, begins: bool) -> None:
        """A line, or what follows of a long one (not `begins`)."""
        self._hunks = self._hunks or (begins and line.startswith(b"@@ "))
        if begins and self._hunks:
            self.added += line.startswith(b"+")
            self.removed += line.startswith(b"-")
        self.cut = self.cut or self.size + len(line) > FILE_BYTES
        if not self.cut:
            self.lines.append(line)
            self.size += len(line)


def _header(name: bytes) -> bytes:
    """With which a file's diff begins, from its name as git writes it: quoted where it holds what is special."""
    if name.startswith(b'"'):
        return b'diff --git "a/%s "b/%s\n' % (name[1:], name[1:])
    return b"diff --git a/%s b/%s\n" % (name, name)


def _unquoted(name: bytes) -> str:
    """A path that git quoted as C does."""
    if name.startswith(b'"'):
        name = name[1:-1].decode("unicode_escape").encode("latin-1")
    return decode(name)
