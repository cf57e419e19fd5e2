"""Classification of the lines of an issue's text as prose, code, tracebacks or output; frames of tracebacks.

Details of the user's system are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_FENCE = re.compile(r"^\s*(?:>\s*)?(?:```+|~~~+|\{\{\{|\}\}\})")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.(?: |$)|In ?\[\d*\]:|\$ |%|julia>)")
_CODE = re.compile(
    r"^\s*(?:from [\w.]+ import |import [\w.]+|(?:async )?def \w+\(|class \w+|@\w|return\b"
    r"|(?:for|while|if|elif|with|except)\b.*:\s*$"
    r"|(?:else|try|finally):|[\w.\[\]'\"]+(?:, [\w.]+)* ?[-+*/|&]?= ?\S|[\w.]+\(.*\)\s*(?:#.*)?$|[)\]}]+,?\s*$)"
)
_TRACE = re.compile(
    r"Traceback \(most recent call last\)|^\s*File [\"~/\w].*(?:, line \d+|:\d+, in )|^\s*(?:-+> ?)\d+\b"
    r"|^[^\s:]+\.py:\d+: |^\S+\.py in [\w<>]+\(|^\s*at [\w.$<>]+ ?\(.*:\d+|^E  +"
)
_ERROR = re.compile(r"^(?:E\s+)?(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Warning|Exit|DoesNotExist)\b(?::|$)")
_MACHINE = re.compile(
    r"^\W*(?:installed versions|system (?:details|info\w*)|versions?(?: info\w*)?|(?:your |test )?environment(?: info)?"
    r"|operating system|platform|output of .{0,12}xr\.show_versions.*|python dependencies|pip (?:list|freeze)|os)\W*$",
    re.IGNORECASE,
)
_HEADING = re.compile(r"^(?:#{1,6} |\*\*[^*]+\*\*:?\s*$|</details>)")
_VERSION = re.compile(
    r"^\W*[\w .()/-]{2,30}\s*(?:\||[:=]{1,2})\s*(?:v?\d+(?:\.\d+)+\S*|None|not installed|_module not found_)\s*$"
)
LONGEST_LINE = 500
"""Maximum number of characters at the start of a line that are used to classify it."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The text of an issue's body by kind of line."""

    prose: str = ""
    code: str = ""
    trace: str = ""
    """Frames of tracebacks and the source lines they quote."""
    output: str = ""
    """Lines in code blocks that do not look like code."""
    errors: tuple[str, ...] = ()
    """Lines with an exception and its message, in order."""


def split_sections(body: str) -> Sections:
    """Classify the lines of an issue's body. Never fails: a line that matches nothing is prose."""
    kinds: dict[str, list[str]] = {"prose": [], "code": [], "trace": [], "output": []}
    errors: list[str] = []
    fenced = machine = False
    after_frame = 0
    for line in body.splitlines():
        start = line[:LONGEST_LINE]
        if _FENCE.match(start):
            fenced = not fenced
            continue
        if not fenced and _HEADING.match(start):
            machine = False
        if _MACHINE.match(start):
            machine = True
        if machine or _VERSION.match(" ".join(start.split())):
            continue
        if _ERROR.match(start.strip()):
            errors.append(line.strip())
            kinds["prose"].append(line)
        elif _TRACE.search(start):
            kinds["trace"].append(line)
            after_frame = 1
        elif after_frame and line.startswith((" ", "\t")):
            kinds["trace"].append(line)
            after_frame -= 1
        else:
            kinds[_plain_kind(line, fenced)].append(line)
    prose, code, trace, output = ("\n".join(kinds[kind]) for kind in ("prose", "code", "trace", "output"))
    return Sections(prose, code, trace, output, tuple(errors))


def _plain_kind(line: str, fenced: bool) -> str:
    if _PROMPT.match(line[:LONGEST_LINE]) or _CODE.match(line[:LONGEST_LINE]):
        return "code"
    if fenced:
        return "code" if line.startswith((" ", "\t")) or line.rstrip().endswith((",", "(", "[", "{", ":")) else "output"
    return "code" if line.startswith(("    ", "\t")) and re.search(r"[=(\[{]", line) else "prose"


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
