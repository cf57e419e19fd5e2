"""A diff as rows for display, parsed in one pass that accepts any text.

Text that is not a diff is kept as notes. Paths and lines are not sanitised here; the code that displays them must do
that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal, NamedTuple

from trajectories.unified_diff import HunkHeader, parse_hunk_header

Kind = Literal["file", "note", "hunk", "same", "added", "removed"]

_ESCAPED = re.compile(r"\\([0-7]{3}|.)")
_LETTERS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_KINDS: dict[str, Kind] = {" ": "same", "": "same", "+": "added", "-": "removed"}


NO_NEWLINE = "no newline at the end of the file"


class Row(NamedTuple):
    """A line with its line numbers in the old and the new file; a number is 0 if the line is not in that file.

    `n` is the row's index in its file; rows of one hunk have the same `hunk`.
    """

    kind: Kind
    text: str
    n: int = 0
    hunk: int = 0
    old: int = 0
    new: int = 0


@dataclass(slots=True)
class FileDiff:
    """The diff of one file; `notes` describe changes that do not appear as changed lines."""

    path: str
    letter: str = "M"
    added: int = 0
    removed: int = 0
    binary: bool = False
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


class Pair(NamedTuple):
    """A row of the side-by-side view."""

    left: Row | None
    right: Row | None


def parse_diff(diff: str) -> list[FileDiff]:
    """Parse a unified diff of git into its files."""
    return list(_Reader(diff.split("\n")).files())


def pair_rows(rows: Sequence[Row]) -> Iterator[Pair]:
    """Yield rows side by side: removed lines beside the added lines that replace them, other lines on both sides."""
    removed: list[Row] = []
    added: list[Row] = []
    for row in rows:
        if row.kind == "removed" and not added:
            removed.append(row)
            continue
        if row.kind == "added":
            added.append(row)
            continue
        yield from map(Pair._make, zip_longest(removed, added))
        removed, added = ([row], []) if row.kind == "removed" else ([], [])
        if row.kind != "removed":
            yield Pair(row, row)
    yield from map(Pair._make, zip_longest(removed, added))


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines[:-1] if lines and not lines[-1] else lines
        self._at = 0
        self._hunks = 0

    def files(self) -> Iterator[FileDiff]:
        file: FileDiff | None = None
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.startswith("diff --git "):
                if file is not None:
                    yield file
                file = self._headed(line)
                continue
            if line.startswith("--- ") and self._peek(1).startswith("+++ ") and (file is None or file.rows):
                if file is not None:
                    yield file
                file = FileDiff("")
            if file is None:
                file = FileDiff("", notes=[])
            self._line(file, line)
        if file is not None:
            yield file

    def _headed(self, line: str) -> FileDiff:
        """Create the diff of a file from git's first header line, which names the same path twice except for
        renames."""
        self._at += 1
        rest = line.removeprefix("diff --git ")
        half = rest[: len(rest) // 2]
        return FileDiff(_path(half, "a/"))

    def _line(self, file: FileDiff, line: str) -> None:
        self._at += 1
        if header := parse_hunk_header(line):
            self._hunk(file, line, header)
        elif line.startswith("--- ") and self._peek(0).startswith("+++ "):
            self._names(file, line[4:], self._lines[self._at][4:])
            self._at += 1
        elif line == "GIT binary patch":
            file.binary = True
            file.notes.append("binary file")
            while self._at < len(self._lines) and not self._peek(0).startswith("diff --git "):
                self._at += 1
        else:
            _extended(file, line)

    def _names(self, file: FileDiff, old: str, new: str) -> None:
        before, after = _path(old.partition("\t")[0], "a/"), _path(new.partition("\t")[0], "b/")
        if file.letter != "R":
            file.path = before if after == "/dev/null" else after
            file.letter = "A" if before == "/dev/null" else "D" if after == "/dev/null" else file.letter

    def _hunk(self, file: FileDiff, line: str, header: HunkHeader) -> None:
        """Read as many lines as the hunk's header states, even if they look like headers."""
        self._hunks += 1
        rows = file.rows
        rows.append(Row("hunk", line, len(rows), self._hunks))
        old, new = header.old_start, header.new_start
        last_old, last_new = old + header.old_count, new + header.new_count
        while self._at < len(self._lines):
            text = self._lines[self._at]
            if text.startswith("\\"):
                rows.append(Row("note", NO_NEWLINE, len(rows), self._hunks))
                self._at += 1
                continue
            kind = _KINDS.get(text[:1])
            if kind is None or (old >= last_old and new >= last_new):
                return
            numbers = (old * (kind != "added"), new * (kind != "removed"))
            rows.append(Row(kind, text[1:], len(rows), self._hunks, *numbers))
            old += kind != "added"
            new += kind != "removed"
            file.added += kind == "added"
            file.removed += kind == "removed"
            self._at += 1

    def _peek(self, ahead: int) -> str:
        at = self._at + ahead
        return self._lines[at] if at < len(self._lines) else ""


def _extended(file: FileDiff, line: str) -> None:
    """Parse a header line that precedes a file's hunks."""
    last = line.rpartition(" ")[2]
    if line.startswith("new file mode "):
        file.letter = "A"
        file.notes += ["executable"] if last == "100755" else ["symbolic link"] if last == "120000" else []
    elif line.startswith("deleted file mode "):
        file.letter = "D"
    elif line.startswith("old mode "):
        file.notes.append(f"mode {last}")
    elif line.startswith("new mode ") and file.notes:
        file.notes[-1] += f" becomes {last}"
    elif line.startswith(("rename from ", "copy from ")):
        done = "renamed" if line.startswith("rename") else "copied"
        file.notes.append(f"{done} from {_path(line.split(' ', 2)[2])}")
    elif line.startswith(("rename to ", "copy to ")):
        file.path, file.letter = _path(line.split(" ", 2)[2]), "R" if line.startswith("rename") else "A"
    elif line.startswith("Binary files ") and line.endswith(" differ"):
        file.binary = True
        file.notes.append("binary file")
    elif line and not line.startswith(("index ", "similarity index ", "dissimilarity index ")):
        file.rows.append(Row("note", line, len(file.rows)))


def _path(written: str, prefix: str = "") -> str:
    """Decode a path in git's notation, which uses quotes and escaped bytes if necessary."""
    written = written.strip()
    if len(written) > 1 and written[0] == written[-1] == '"':
        written = _ESCAPED.sub(_byte, written[1:-1]).encode("latin-1", "replace").decode("utf-8", "replace")
    return written.removeprefix(prefix)


def _byte(match: re.Match[str]) -> str:
    code = match[1]
    return chr(int(code, 8) & 255) if len(code) == 3 else chr(_LETTERS.get(code, ord(code) & 255))
