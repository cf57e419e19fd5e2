"""Untrusted text for models and terminals: without invisible characters, in tags or code that it cannot end."""

from __future__ import annotations

import re

from trajectories.characters import BLANKS, BREAKS, DROPPED, JOINERS, MARKS, drop_invisible

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]P_^X][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, APC, PM, SOS: titles, links
    r"|\x1b[ -/]*[0-~]"  # two-character sequences, selection of character sets
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_HIDING = re.compile(f"[{DROPPED}{BREAKS}{JOINERS}{MARKS}{BLANKS}]")
"""Matches all control characters except tab and newline, bidirectional controls, and invisible or zero-width
characters."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean_text(data: bytes | str) -> str:
    """Return text without escape sequences and characters that `drop_invisible` drops.

    A carriage return is a line break, as in a file of Python code. Bytes that are not UTF-8 become U+FFFD, and white
    space at the end is removed.
    """
    return drop_invisible(_without_escapes(data).replace("\r", "\n")).rstrip()


def clean_output(data: bytes | str) -> str:
    """Return the output of a command as `clean_text` returns a text, but as a terminal shows it: carriage returns and
    backspaces overwrite text."""
    text = _without_escapes(data)
    if "\r" in text or "\b" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return drop_invisible(text).rstrip()


def _without_escapes(data: bytes | str) -> str:
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return _ESCAPES.sub("", _SURROGATES.sub("\ufffd", text)).replace("\r\n", "\n")


def one_line(text: str) -> str:
    """Return the clean text as one line, with each run of white space replaced by one space."""
    return " ".join(clean_text(text).split())


def escape_invisible(text: str) -> str:
    """Return the whole text with control and invisible characters written out: `\\r`, `^[`, `U+202E`.

    Nothing is dropped or overwritten, so that users see everything that they approve. Tabs and newlines are kept.
    """
    return _HIDING.sub(_escaped, _SURROGATES.sub("\ufffd", text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0D:
        return "\\r"
    return f"^{chr(code ^ 0x40)}" if code < 0x20 or code == 0x7F else f"U+{code:04X}"


def _overwritten(line: str) -> str:
    """Apply a line's carriage returns and backspaces; a progress bar is reduced to its final state."""
    last = next((part for part in reversed(line.split("\r")) if drop_invisible(part).strip()), "")
    if "\b" not in last:
        return last
    written: list[str] = []
    for character in last:
        if character != "\b":
            written.append(character)
        elif written:
            written.pop()
    return "".join(written)


GAP = r"[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]*"
"""Matches white space and invisible characters."""
_ISSUE = re.compile(r"\A<issue[^>]*>")


def tag_pattern(*names: str, ends: bool = False) -> re.Pattern[str]:
    """Return a pattern that matches the `<` of anything similar to a tag with one of these names; if `ends` is true,
    only of closing tags.

    Its running time is linear in the length of the text.
    """
    slash = rf"/{GAP}" if ends else rf"(?:/{GAP})?"
    return re.compile(rf"<(?={GAP}{slash}(?:{'|'.join(names)})\b)", re.IGNORECASE)


OUTPUT = tag_pattern("output")
"""Matches anything that could close the tag of a tool's output or open another one."""


def wrap_output(tool: str, text: str) -> str:
    """Wrap a tool's output in tags that the output cannot close, to separate it from the user's text."""
    safe = OUTPUT.sub(r"<\\", text)
    return f'<output of="{tool}">\n{safe}\n</output>'


def wrap_code(text: str, language: str = "") -> str:
    """Return text as a Markdown code block that the text cannot close."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def strip_tags(text: str) -> str:
    """Return an issue without its opening tag, for display to users."""
    return _ISSUE.sub("", text)


LONGEST_NAME = 200
_NAMES = (
    "issue",
    "advice",
    "attachments",
    "comment",
    "experience",
    "fix",
    "lesson",
    "memory",
    "patch",
    "skills",
    "source",
)
FRAME, FRAME_END = tag_pattern(*_NAMES), tag_pattern(*_NAMES, ends=True)


def quote_text(text: str) -> str:
    """Escape a text so that it can neither close the tags around it nor send control sequences to a terminal."""
    return FRAME_END.sub(r"<\\", clean_text(text))


def quote_fully(text: str) -> str:
    """Escape a text as `quote_text` does, and also prevent it from opening a tag that would attribute text to someone
    else."""
    return FRAME.sub(r"<\\", clean_text(text))


def quote_source(text: str, **attributes: str) -> str:
    """Return a part of a file as a `source` element with these attributes, such as its `file` and `name`."""
    given = " ".join(f'{name}="{attribute_text(value)}"' for name, value in attributes.items())
    return f"<source {given}>\n{quote_text(text)}\n</source>"


def attribute_text(text: str, most: int = LONGEST_NAME) -> str:
    """Return a text as an attribute of a tag: one line, without characters that would end the attribute."""
    return re.sub(r"[<>\"]", "'", one_line(text))[:most]
