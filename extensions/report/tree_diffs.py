"""Diffs between many pairs of trees, made by one `git diff-tree` process and cut to a readable size.

A pair takes a fraction of a millisecond this way, but ten milliseconds with a separate process. The content is
untrusted, so the number of files and bytes is limited; files beyond the limit are named or counted, without a diff.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import decode, start_git
from trajectories.git_store.trees import Trees, object_folder
from trajectories.unified_diff import count_changed_lines

Pair = tuple[str, str]
"""Ids of two trees, before and after."""

FILES = 200
"""Maximum number of files of a pair that are named; further files are only counted."""
FILE_BYTES = 100_000
"""Maximum number of bytes of a file's diff that are kept."""
READ_BYTES = 20_000_000
"""Maximum number of bytes of a pair's diff that are read; beyond it, git is stopped, and restarted with the next
pair."""
CHUNK = 1 << 18
_COMMAND = (
    *("diff-tree", "--stdin", "-r", "--raw", "-p", "--full-index"),
    *("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color"),
)


@dataclass(slots=True)
class FileDiff:
    """A file that differs: `A`dded, `M`odified, `D`eleted, or of another `T`ype. `cut` is a short reason why the diff
    cannot be applied, or empty. If only a part of a long diff was read, only the lines in that part are counted."""

    path: str
    status: str
    diff: str = ""
    added: int = 0
    removed: int = 0
    cut: str = ""


@dataclass(slots=True)
class PairDiff:
    """The difference between two trees; `files` are the first of the `count` files that differ. `missing` means that
    one of the trees is not in the store, or an object that differs is damaged."""

    files: list[FileDiff] = field(default_factory=list)
    count: int = 0
    missing: bool = False


def pair_diffs(trees: Trees, pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """Yield the difference of each pair, in order; `room` is the maximum number of bytes of all diffs together."""
    there = {tree for tree in {tree for pair in pairs for tree in pair} if _is_there(trees, tree)}
    differing = {pair for pair in pairs if pair[0] != pair[1] and there.issuperset(pair)}
    with object_folder(trees.env) as (folder, env):
        copied = {pair for pair in differing if _copy(trees, pair, folder)}
        answers = _answers(env, [pair for pair in pairs if pair in copied], room)
        for pair in pairs:
            yield next(answers) if pair in copied else PairDiff(missing=pair[0] != pair[1])


def _copy(trees: Trees, pair: Pair, folder: Path) -> bool:
    """Copy the objects that differ between the two trees of a pair. Return False if one is huge or does not match its
    id."""
    try:
        trees.copy_difference(*pair, folder)
    except (RunBroken, UsageError):
        return False
    return True


def _is_there(trees: Trees, tree: str) -> bool:
    return len(tree) == 40 and not set(tree) - set("0123456789abcdef") and trees.has(tree)


def _answers(env: Mapping[str, str], pairs: Sequence[Pair], room: int) -> Iterator[PairDiff]:
    """Yield one difference per pair. If git stops early, at a damaged object or at a limit, restart it with the
    remaining pairs."""
    at = 0
    while at < len(pairs):
        began = at
        with _running(env, pairs[at:]) as out:
            for output, whole in _pair_outputs(out, pairs[at:]):
                answer = _parse_pair(output, whole, room)
                room -= sum(len(file.diff) for file in answer.files)
                yield answer
                at += 1
        if at == began:
            yield PairDiff(missing=True)
            at += 1


@contextmanager
def _running(env: Mapping[str, str], pairs: Sequence[Pair]) -> Iterator[IO[bytes]]:
    """Provide git's output for these pairs. Raises WorkspaceError if git is not installed."""
    with tempfile.TemporaryFile() as requests:  # a pipe could fill up and block, since git's output is read later
        requests.write("".join(f"{old} {new}\n" for old, new in pairs).encode())
        requests.seek(0)
        process = start_git(*_COMMAND, env=env, stdin=requests)
    assert process.stdout
    try:
        yield process.stdout
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _pair_outputs(out: IO[bytes], pairs: Sequence[Pair]) -> Iterator[tuple[bytes, bool]]:
    """Yield git's output for each pair, and whether it is complete. The output of a pair starts with a line of both
    ids, which cannot be confused with a line of content."""
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


def _parse_pair(output: bytes, whole: bool, room: int) -> PairDiff:
    """Parse the output for one pair: a line per file, then the diffs. A diff is kept if it fits into the rest of the
    `room` bytes."""
    starts = [match.start() for match in re.finditer(rb"(?m)^diff --git ", output)]
    named = [line for line in output[: starts[0] if starts else None].split(b"\n") if line.startswith(b":")]
    sections: dict[bytes, list[bytes]] = {}
    ends = [*starts[1:], len(output)] if whole else starts[1:]  # the last section may be incomplete
    for start, end in zip(starts, ends, strict=False):
        header = output[start : output.find(b"\n", start) + 1]
        sections.setdefault(header, []).append(output[start:end])
    files = []
    for line in named[:FILES]:
        about, _, name = line.partition(b"\t")
        files.append(_file(name, about[-1:], sections.get(_header(name), []), room))
        room -= len(files[-1].diff)
    return PairDiff(files, len(named))


def _file(name: bytes, status: bytes, sections: Sequence[bytes], room: int) -> FileDiff:
    """Return the diff of one file from its section; a file that becomes a link has two sections."""
    text = b"".join(sections)
    kept = text if len(text) <= FILE_BYTES else text[: text.rfind(b"\n", 0, FILE_BYTES) + 1]
    kept = kept if len(kept) <= room else b""
    counts = [count_changed_lines(section.decode("latin-1")) for section in sections]  # any bytes are Latin-1
    added, removed = (sum(count[side] for count in counts) for side in (0, 1))
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
    """Return the first line of a file's diff; `name` is as git writes it, quoted if it has special characters."""
    if name.startswith(b'"'):
        return b'diff --git "a/%s "b/%s\n' % (name[1:], name[1:])
    return b"diff --git a/%s b/%s\n" % (name, name)


def _unquoted(name: bytes) -> str:
    """Return a path without git's C-style quotes."""
    if name.startswith(b'"'):
        name = name[1:-1].decode("unicode_escape").encode("latin-1")
    return decode(name)
