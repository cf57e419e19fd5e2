"""Parsing of traceback frames in the formats that occur in issues."""

from __future__ import annotations

import re
from typing import NamedTuple


class Frame(NamedTuple):
    """A code location in a traceback; `line` is 0 and `name` is empty if they are not given."""

    path: str
    line: int = 0
    name: str = ""


_PY = (
    # Matches only at the start of a word, since matching inside long words is slow.
    r"(?<![^\s:\"'(<>])[^\s:\"'(<>]{1,300}\.pyx?"
)
_FORMS = (
    # File "x.py", line 3, in f
    re.compile(r'File "(?P<path>[^"\n]{1,300})", line (?P<line>\d{1,7})(?:, in (?P<name>[\w.<>]{1,100}))?'),
    # File x.py:3, in f(a, b)
    re.compile(rf"File (?P<path>{_PY}):(?P<line>\d{{1,7}}), in (?P<name>[\w.<>]{{1,100}})"),
    # ~/x.py in f(a, b), with the line number after an arrow further down
    re.compile(
        rf"(?P<path>{_PY}) in (?P<name>[\w.<>]{{1,100}})\("
        r"(?:[^\n]{0,500}\n(?:[^\n]{0,500}\n){0,9}?[ \t]{0,20}-{1,40}> ?(?P<line>\d{1,7}))?"
    ),
    # x.py:3: in f
    re.compile(rf"(?P<path>{_PY}):(?P<line>\d{{1,7}})(?::|\b)(?: in (?P<name>[\w.<>]{{1,100}}))?"),
    # x.py, line 3, in f: like the first form, but without quotes
    re.compile(rf"(?:File )?(?P<path>{_PY}),? line (?P<line>\d{{1,7}})(?:,? in (?P<name>[\w.<>]{{1,100}}))?"),
    # at f (x.js:3:5), at a.b.C.m(C.java:3)
    re.compile(
        r"\bat (?P<name>[\w.$<>]{1,200}) ?\((?P<path>[^\s()]{1,300}?\.\w{1,5}):(?P<line>\d{1,7})(?::\d{1,7})?\)"
    ),
    # Rust and Go: at src/x.rs:3:5, /a/b/x.go:3 +0x1d
    re.compile(
        r"(?P<path>(?<![^\s:\"'(])[^\s:\"'(]{1,300}\.(?:rs|go|c|cc|cpp|rb|php|[jt]sx?)):(?P<line>\d{1,7})(?P<name>)"
    ),
)


def find_frames(text: str) -> tuple[tuple[Frame, ...], str]:
    """Return the frames of all tracebacks in the order of the text, and the text without the tracebacks."""
    found: list[tuple[int, Frame]] = []
    for form in _FORMS:
        for match in form.finditer(text):
            name = (match["name"] or "").rpartition(".")[2]
            found.append((match.start(), Frame(match["path"], int(match["line"] or 0), name)))
        text = form.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return tuple(frame for _, frame in sorted(found, key=lambda item: item[0])), text
