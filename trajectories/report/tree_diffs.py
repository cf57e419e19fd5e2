"""What differs between many pairs of trees, through one `git diff-tree`, each cut to what somebody reads.

A pair costs a fraction of a millisecond this way; a process of its own costs ten. What a step changed is somebody's, so
files and bytes are bounded: what is too much is named and left out.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from trajectories.checked_difference import only_objects
from trajectories.errors import RunBroken, UsageError
from trajectories.plumbing import decode, no_git
from trajectories.trees import Trees

Pair = tuple[str, str]
"""Ids of two trees, before and after."""

FILES = 200
"""Of a pair that are named; the others are counted."""
FILE_BYTES = 100_000
"""Of a file's diff that are kept."""
READ_BYTES = 20_000_000
"""Of a pair that are read: then git is ended, and begun anew with the next pair."""
CHUNK = 1 << 18
_COMMAND = (
    *("git", "diff-tree", "--stdin", "-r", "--raw", "-p", "--full-index"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
)


@dataclass(slots=True)
class FileDiff:
    """A file that differs: `A`dded, `M`odified, `D`eleted, or of another `T`ype. `cut` says in a word or two why the
    diff is not one that can be applied; of a long one the lines are counted as far as they were read."""

    path: str
    status: str
    diff: str = ""
    added: int = 0
    removed: int = 0
    cut: str = ""


@dataclass(slots=True)
class PairDiff:
    """What differs between two trees: the first files of `count`. `missing`: a tree of the two is not in the store, or
    what differs is damaged."""

    files: list[FileDiff] = field(default_factory=list)
    count: int = 0
    missing: bool = False


def pair_diffs(trees: Trees, pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """What differs between each two trees, in order; `room` is how many bytes of diffs are kept in all."""
    there = {tree for tree in {tree for pair in pairs for tree in pair} if _is_there(trees, tree)}
    differing = {pair for pair in pairs if pair[0] != pair[1] and there.issuperset(pair)}
    with only_objects(trees.env) as (folder, env):
        copied = {pair for pair in differing if _copy(trees, pair, folder)}
        answers = _answers(env, [pair for pair in pairs if pair in copied], room)
        for pair in pairs:
            yield next(answers) if pair in copied else PairDiff(missing=pair[0] != pair[1])


def _copy(trees: Trees, pair: Pair, folder: Path) -> bool:
    """Copy what differs; false if the content of an object has another id, or is huge."""
    try:
        trees.copy_difference(*pair, folder)
    except (RunBroken, UsageError):
        return False
    return True


def _is_there(trees: Trees, tree: str) -> bool:
    return len(tree) == 40 and not set(tree) - set("0123456789abcdef") and trees.has(tree)


def _answers(env: Mapping[str, str], pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """One for each pair. Where git stops early, at a damaged object or because we ended it, another goes on."""
    at = 0
    while at < len(pairs):
        began = at
        with _running(env, pairs[at:]) as out:
            for said, whole in _said(out, pairs[at:]):
                answer = _told(said, whole, room)
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


def _said(out: IO[bytes], pairs: Sequence[Pair]) -> Iterator[tuple[bytes, bool]]:
    """What git says of each pair, and whether that is all of it. It begins with a line of both ids; no line of content
    looks like one."""
    heads = [f"{old} {new}\n".encode() for old, new in pairs]
    text, number, seen = b"", 0, 0
    while chunk := out.read(CHUNK):
        text += chunk
        while number + 1 < len(heads) and (end := text.find(b"\n" + heads[number + 1], seen) + 1):
            yield text[:end], True
            text, number, seen = text[end:], number + 1, 0
        seen = max(0, len(text) - len(heads[0]))
        if len(text) > READ_BYTES:
            yield text, False
            return
    if text:
        yield text, True


def _told(said: bytes, whole: bool, room: int) -> PairDiff:
    """A line for each file, then the diffs, of which `room` bytes are kept: those of the first files."""
    starts = [match.start() for match in re.finditer(rb"(?m)^diff --git ", said)]
    named = [line for line in said[: starts[0] if starts else None].split(b"\n") if line.startswith(b":")]
    sections: dict[bytes, list[bytes]] = {}
    ends = [*starts[1:], len(said)] if whole else starts[1:]  # the last one may go on
    for start, end in zip(starts, ends, strict=False):
        header = said[start : said.find(b"\n", start) + 1]
        sections.setdefault(header, []).append(said[start:end])
    files = []
    for line in named[:FILES]:
        about, _, name = line.partition(b"\t")
        files.append(_file(name, about[-1:], sections.get(_header(name), []), room))
        room -= len(files[-1].diff)
    return PairDiff(files, len(named))


def _file(name: bytes, status: bytes, sections: Sequence[bytes], room: int) -> FileDiff:
    """One file, of which git has a section; one that becomes a link has two."""
    text = b"".join(sections)
    bodies = [section[section.find(b"\n@@ ") :] for section in sections if b"\n@@ " in section]
    kept = text if len(text) <= FILE_BYTES else text[: text.rfind(b"\n", 0, FILE_BYTES) + 1]
    kept = kept if len(kept) <= room else b""
    added, removed = (sum(body.count(mark) for body in bodies) for mark in (b"\n+", b"\n-"))
    return FileDiff(_unquoted(name), decode(status), decode(kept), added, removed, _cut(sections, kept))


def _cut(sections: Sequence[bytes], kept: bytes) -> str:
    if not sections or len(kept) < sum(map(len, sections)):
        return "too long"
    if any(b"\nBinary files " in section and b"\n@@ " not in section for section in sections):
        return "binary"
    try:
        kept.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""


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
