"""Shortening of long lists so that every file or folder remains represented.

In listings of paths, deeply nested entries are replaced by their number per folder. In search results, each file keeps
its first matches.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from aci.observation.line_condensing import MARK

_HEAD = re.compile(r"(\S.*):$")
_LONG = re.compile(r"[-dlbcps][-rwxsStT]{9}|total \d+$")
_PLAIN, _COLUMNS = re.compile(r"[^\s:]+"), re.compile(r"\t+| {2,}")
_MATCH = re.compile(r"([^\s:]+):")
DEEPEST = 12
FEW, LONGEST_MATCH = (20, 10, 5, 3, 2, 1), 200
"""Numbers of matches per file that are tried in turn, and the maximum number of characters of a match."""


def outline_listing(text: str, room: int) -> str:
    """Return the deepest outline of a listing that fits into `room` characters.

    The listing is returned unchanged if it fits, or if no outline fits.
    """
    if len(text) <= room:
        return text
    lines = text.split("\n")
    paths = _of_blocks(lines) if _is_blocks(lines) else lines
    if not paths:
        return text
    if any(_LONG.match(line) for line in paths) or sum("/" in line for line in paths) * 2 < len(paths):
        return text
    if sum(_PLAIN.fullmatch(line) is None for line in paths) * 5 > len(paths):
        return text
    for depth in range(DEEPEST, 0, -1):
        rows = _rows(paths, depth)
        if sum(len(row) + 1 for row in rows) <= room:
            return "\n".join(rows)
    return text


def first_matches(text: str, room: int) -> str:
    """Return the output of `grep` if it fits into `room` characters, else the first few matches of each file."""
    if len(text) <= room:
        return text
    lines = text.split("\n")
    named = [found[1] if (found := _MATCH.match(line)) else "" for line in lines]
    files = [file if "/" in file or "." in file else "" for file in named]
    if len(set(files)) < 2 or sum(map(bool, files)) * 2 < len(files):
        return text
    for most in FEW:
        rows = _first_of_each(lines, files, most)
        if sum(len(row) + 1 for row in rows) <= room:
            return "\n".join(rows)
    return text


def _first_of_each(lines: Sequence[str], files: Sequence[str], most: int) -> list[str]:
    """Return the first lines of each file, with long lines cut; each file's last line ends with the number of lines
    left out."""
    count = Counter(files)
    shown: Counter[str] = Counter()
    rows = []
    for line, file in zip(lines, files, strict=True):
        shown[file] += 1
        if shown[file] <= most:
            rows.append(line if len(line) <= LONGEST_MATCH else f"{line[:LONGEST_MATCH]}…")
        if shown[file] == most < count[file]:
            rows[-1] += f" {MARK}{count[file] - most} more"
    return rows


def _is_blocks(lines: Sequence[str]) -> bool:
    """Return whether the lines are output of `ls -R`: the name of a folder with a colon, its entries, an empty line."""
    return bool(lines) and _HEAD.match(lines[0]) is not None and any(not line for line in lines)


def _of_blocks(lines: Sequence[str]) -> list[str]:
    paths, folder = [], ""
    for at, line in enumerate(lines):
        if (head := _HEAD.match(line)) and (at == 0 or not lines[at - 1]):
            folder = head[1].rstrip("/")
        elif line:
            paths += [f"{folder}/{name}" for name in _COLUMNS.split(line) if name]
    return paths


def _rows(paths: Sequence[str], depth: int) -> list[str]:
    """Return the paths up to a depth; a folder at that depth is followed by the number of entries below it."""
    common = _common(paths)
    counts: dict[str, int] = {}
    for path in paths:
        folder = common if path.startswith(common) else ""
        parts = path[len(folder) :].split("/")
        deep = len([part for part in parts if part]) > depth
        row = folder + "/".join(parts[:depth]) + ("/" if deep else "")
        counts[row] = counts.get(row, 0) + deep
    folders = {row.rstrip("/") for row, count in counts.items() if count}
    return [f"{row} ({count})" if count else row for row, count in counts.items() if count or row not in folders]


def _common(paths: Sequence[str]) -> str:
    """Return the folder that contains all paths, with a trailing slash; lines without a slash, such as error messages,
    are ignored."""
    parts = [path.split("/") for path in paths if "/" in path]
    common: list[str] = []
    for at, part in enumerate(parts[0][:-1]):
        if any(len(each) <= at + 1 or each[at] != part for each in parts):
            break
        common.append(part)
    return "/".join([*common, ""]) if common else ""
