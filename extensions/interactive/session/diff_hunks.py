"""Selectable parts of a diff: each hunk of a text file, and each new, deleted or binary file as a whole."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from trajectories.git_store.git_commands import encode
from trajectories.git_store.trees import Trees
from trajectories.unified_diff import HunkHeader, split_header, split_hunks


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a diff.

    `text` is a complete diff: the file's header and the hunk. `line` is the hunk's first line in the old file, or 0 if
    the part is the whole change of a file or a change of its mode.
    """

    path: str
    text: str
    line: int = 0
    lines: int = 0
    """Number of lines of the old file that the hunk replaces."""


def split_diff(trees: Trees, old: str, new: str, paths: Sequence[str] = ()) -> list[Part]:
    """Return the parts of the diff between two trees, in order, limited to `paths` (files or folders) if given."""
    found = []
    for change in trees.changed(old, new):
        if paths and not is_within(change.path, paths):
            continue
        diff = trees.diff(old, new, [change.path])
        head, hunks = split_hunks(diff)
        if change.status != "M" or not hunks:
            found.append(Part(change.path, diff))
        else:
            found += _of_text(change.path, head, hunks)
    return found


def is_within(path: str, paths: Collection[str]) -> bool:
    """Whether a path is one of `paths` or lies inside one of them."""
    return any(path == each or path.startswith(f"{each}/") or each in ("", ".") for each in paths)


def _of_text(path: str, head: str, hunks: Sequence[tuple[HunkHeader, str]]) -> list[Part]:
    header = head.splitlines(keepends=True)
    mode = [line for line in header if line.startswith(("old mode", "new mode"))]
    lines = [line for line in header if line not in mode]
    found = [Part(path, "".join([header[0], *mode]))] if mode else []
    for hunk, text in hunks:
        # if a hunk only adds lines, its header has the number of the line before it
        line = hunk.old_start + (hunk.old_count == 0)
        found.append(Part(path, "".join([*lines, text]), line, hunk.old_count))
    return found


def apply_parts(trees: Trees, old: str, new: str, chosen: Collection[Part], every: Sequence[Part]) -> str:
    """Return the tree `old` with the `chosen` parts of its diff to `new` applied; `every` holds all parts of that
    diff."""
    files = dict.fromkeys(part.path for part in every)
    whole = [path for path in files if all(part in chosen for part in every if part.path == path)]
    some = [path for path in files if path not in whole and any(part.path == path for part in chosen)]
    modes = [path for path in some if any(part.path == path and not part.line for part in chosen)]
    tree = trees.overlay(old, new, whole + modes) if whole + modes else old
    texts = {path: _replaced(trees.read(old, path), [part for part in chosen if part.path == path]) for path in some}
    return trees.write(texts, tree) if texts else tree


def _replaced(text: bytes, chosen: Sequence[Part]) -> bytes:
    lines = re.findall(rb"[^\n]*\n|[^\n]+", text)
    for part in sorted(chosen, key=lambda part: part.line, reverse=True):
        if part.line:
            lines[part.line - 1 : part.line - 1 + part.lines] = _new_lines(part.text)
    return b"".join(lines)


def _new_lines(text: str) -> list[bytes]:
    """Return the lines of a hunk as they are in the new file."""
    rows = split_header(text)[1].split("\n")[1:-1]
    made: list[bytes] = []
    in_new_file = False
    for row in rows:
        if row.startswith("\\"):  # "\ No newline at end of file" refers to the previous line
            made[-1:] = [made[-1].removesuffix(b"\n")] if in_new_file else made[-1:]
        in_new_file = row.startswith((" ", "+"))
        if in_new_file:
            made.append(encode(row[1:]) + b"\n")
    return made
