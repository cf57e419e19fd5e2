"""Removal of uninformative lines: progress, build steps, library frames, encoded data.

Functions label the lines to remove; `replace_runs` replaces each run of lines with the same label by one line that
states their number. Lines that report an error, the first and the last line of a run, and the ends of a stack are never
labelled. Condensing is idempotent and never makes text longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

MARK = "… "
WORTH = 40
"""Minimum number of characters that replacing a run must save."""
LONG_RUN = 4
LONGEST_FRAME = 30
"""Maximum number of lines of a Python frame: since 3.13, the source of a call over several lines, and its marks."""
LONGEST = 1_000
"""Maximum number of characters of a progress line."""

TROUBLE = re.compile(
    r"\b(?:error|errors|fail(?:ed|ure|ures|s)?|fatal|exception|traceback|warning|cannot|can't|denied"
    r"|undefined|panic(?:ked)?"
    r"|abort(?:ed)?|not found|no such|missing|unresolved|segmentation|killed|mismatch|conflict\w*)\b"
    r"|\w(?:Error|Exception)\b",
    re.IGNORECASE,
)
"""Matches lines about errors, failures and warnings."""

_PROGRESS = re.compile(
    r"(?:^|[\s|\[(:])\d{1,3}(?:\.\d+)?\s?%(?:[\s|\]):]|$)|\d\s?(?:it|[kKMG]?i?B)/s\b|[█▉▊▋▌▍▎▏━▓▒░]{3}"
    r"|(?<![=#>.-])[=#>.-]{8,}\s*[\]|]"
    r"|^\s*\(?\d+\s?(?:/|of)\s?\d+\)?\s|^(?:remote: )?(?:Counting|Compressing|Receiving|Resolving|Updating) \w+:"
)
_STEP = re.compile(
    r"\s*(?:Collecting|Downloading|Downloaded|Using cached|Requirement already satisfied|Preparing metadata|Obtaining"
    r"|Installing (?:build dep|backend dep|collected)|Getting requirements|Building wheel|Created wheel"
    r"|Stored in directory"
    r"|Attempting uninstall|Found existing|Uninstalling|Successfully uninstalled|Unpacking|Setting up"
    r"|Selecting previously"
    r"|Preparing to unpack|Get:\d|Hit:\d|Processing triggers|Fetching|Updating crates|Compiling|Checking"
    r"|Fresh|Locking|Adding"
    r"|(?:\[INFO\] )?Download(?:ing|ed) from)\b"
    r"|[0-9a-f]{12}: (?:Pulling|Waiting|Verifying|Download|Extracting|Pull complete|Already)|npm (?:http"
    r"|timing|sill|verb) "
    r"|\s*(?:copying|creating|adding|writing|byte-compiling|hard linking|running|reading|skipping) (?:'"
    r"|[-\w./]*[/._])"
    r"|\[\s*\d+(?:%|/\d+)\]|\s+(?:CC|CXX|LD|AR|GEN|AS|LINK|CCLD)\s+\S+|(?:\S*/)?(?:gcc|g\+\+|cc|c\+\+"
    r"|clang(?:\+\+)?|x86_64\S*)\s+-"
    r"|\d+ packages? (?:in|from)|libtool: |checking (?:for|whether|if|how) "
)
_LIBRARY = re.compile(
    r"/(?:site|dist)-packages/|/lib/python\d|<frozen |/node_modules/|node:internal|\(internal/|<anonymous>"
    r"|\bat (?:java|javax|jdk|sun|com\.sun|kotlin|scala|groovy|org\.(?:junit|gradle|apache\.maven|testng"
    r"|codehaus|hamcrest))\."
    r"|/usr/(?:local/)?(?:go/src|lib)/|/rustc/|/\.cargo/registry/|/go/pkg/mod/|/\.rustup/|/gems/|/vendor/"
)
_PYTHON_FRAME = re.compile(r'\s*File "[^"]+", line \d+|\S+\.py:\d+: in \S')
_AT_FRAME = re.compile(r"\s+at \S.*(?:\)|:\d+)\s*$")
_GO_FRAME = re.compile(r"\t/\S+\.go:\d+|\t\S*/\S+\.go:\d+ \+0x")
_ENCODED = re.compile(
    r"\s*(?:[A-Za-z0-9+/]{57,}={0,2}|(?:[0-9a-fA-F]{2}[ :]?){24,}|[0-9a-f]{7,8}:? (?:[0-9a-f]{4} ?){8}.*)$"
)
_DENSE = re.compile(r"[A-Za-z0-9+/=_%\\-]{240,}")


def condense(text: str) -> str:
    """Return the text with long runs of progress, build steps, library frames and encoded data shortened."""
    lines = [_DENSE.sub(_dense, line) if len(line) >= 240 else line for line in text.split("\n")]
    lines = replace_runs(lines, label_library_frames(lines))
    lines = replace_runs(lines, _runs(lines, _is_progress, "of progress"))
    return "\n".join(replace_runs(lines, _runs(lines, _is_encoded, "of encoded data")))


def replace_runs(lines: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Replace each run of lines with the same label by one line that states their number, if that is shorter."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        end = at + 1
        if labels[at]:
            while end < len(lines) and labels[end] == labels[at]:
                end += 1
            mark = f"{MARK}{end - at} lines {labels[at]}"
            worth = sum(len(line) + 1 for line in lines[at:end]) - len(mark) >= WORTH
            kept += [mark] if worth else lines[at:end]
        else:
            kept.append(lines[at])
        at = end
    return kept


def reports_error(line: str) -> bool:
    """Return whether a line reports an error, a failure or a warning."""
    return TROUBLE.search(line) is not None


def _is_progress(line: str) -> bool:
    return (
        len(line) <= LONGEST and (_STEP.match(line) or _PROGRESS.search(line)) is not None and not reports_error(line)
    )


def _is_encoded(line: str) -> bool:
    return _ENCODED.match(line) is not None


def _dense(match: re.Match[str]) -> str:
    text = match[0]
    return f"{text[:80]}…{len(text) - 120} characters…{text[-40:]}"


def _runs(lines: Sequence[str], belongs: Callable[[str], bool], label: str) -> list[str]:
    """Label all but the first and the last line of each long run of lines that `belongs` accepts."""
    labels = [""] * len(lines)
    start = 0
    for at in range(len(lines) + 1):
        if at < len(lines) and belongs(lines[at]):
            continue
        if at - start >= LONG_RUN:
            labels[start + 1 : at - 1] = [label] * (at - start - 2)
        start = at + 1
    return labels


def label_library_frames(lines: Sequence[str]) -> list[str]:
    """Label the frames inside libraries, except the first and the last of a stack."""
    labels = [""] * len(lines)
    for stack in _stacks(lines):
        for start, end in stack[1:-1]:
            if any(_LIBRARY.search(line) for line in lines[start:end]):
                labels[start:end] = ["of library frames"] * (end - start)
    return labels


def _stacks(lines: Sequence[str]) -> Iterator[list[tuple[int, int]]]:
    """Yield the stacks of frames in text, each frame as the range of its lines (start, end)."""
    frames: list[tuple[int, int]] = []
    for start, end in _frames(lines):
        if frames and not _continues_stack(lines[frames[-1][1] : start]):
            yield frames
            frames = []
        frames.append((start, end))
    yield frames


def _continues_stack(lines: Iterable[str]) -> bool:
    """Return whether the lines between two frames belong to the stack: marks of removed lines, and Python's notes about
    repeated lines."""
    return all(line.startswith(MARK) or "previous line repeated" in line.lower() for line in lines)


def _frames(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(lines):
        end = at
        if _PYTHON_FRAME.match(lines[at]):
            end = _end_of_python(lines, at)
        elif _AT_FRAME.match(lines[at]):
            end = at + 1
        elif at + 1 < len(lines) and _GO_FRAME.match(lines[at + 1]):
            end = at + 2
        if end > at:
            yield at, end
        at = max(end, at + 1)


def _end_of_python(lines: Sequence[str], at: int) -> int:
    """Return the index of the line after a Python frame and its source lines and `^^^^` markers, which are indented
    further."""
    indent = len(lines[at]) - len(lines[at].lstrip())
    end = at + 1
    while (
        end < min(len(lines), at + LONGEST_FRAME)
        and lines[end][: indent + 1].isspace()
        and not _PYTHON_FRAME.match(lines[end])
    ):
        end += 1
    return end
