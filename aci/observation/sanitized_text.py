"""Text without what a terminal would obey: nothing that strangers wrote drives one. Imports next to nothing."""

from __future__ import annotations

import re

from trajectories.characters import BLANKS, BREAKS, DROPPED, JOINERS, MARKS, drop_unseen

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]P_^X][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, APC, PM, SOS: titles, links
    r"|\x1b[ -/]*[0-~]"  # two characters, character sets
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
_HIDING = re.compile(f"[{DROPPED}{BREAKS}{JOINERS}{MARKS}{BLANKS}]")
"""All controls but tab and newline, what turns the direction of text, and what has no width or looks like nothing."""
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean(data: bytes | str) -> str:
    """Text without escape sequences, what `drop_unseen` drops, and what a carriage return or a backspace wrote over.

    Bytes that are not UTF-8 become U+FFFD. Blank lines at the end go.
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    text = _SURROGATES.sub("\ufffd", text)
    text = _ESCAPES.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text or "\b" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return drop_unseen(text).rstrip()


def one_line(text: str) -> str:
    """Such a text in one line, its white space folded."""
    return " ".join(clean(text).split())


def visible(text: str) -> str:
    """The whole text, with what a screen would obey or not show written out: `\\r`, `^[`, `U+202E`. Nothing of it is
    dropped or overwritten, so that what is approved of is what is shown. Tabs and newlines stay."""
    return _HIDING.sub(_written, _SURROGATES.sub("\ufffd", text))


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0D:
        return "\\r"
    return f"^{chr(code ^ 0x40)}" if code < 0x20 or code == 0x7F else f"U+{code:04X}"


def _overwritten(line: str) -> str:
    """What stands on the line after its last carriage return and its backspaces: the end state of a progress bar."""
    last = next((part for part in reversed(line.split("\r")) if drop_unseen(part).strip()), "")
    if "\b" not in last:
        return last
    written: list[str] = []
    for character in last:
        if character != "\b":
            written.append(character)
        elif written:
            written.pop()
    return "".join(written)
