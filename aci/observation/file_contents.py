"""The content of a file as text: whether it is text at all, and its lines."""

from __future__ import annotations

import codecs
import re

BINARY_HEAD = 8_000
"""Number of bytes at the start of a file in which a NUL byte shows that the file is not text, as for git."""
LINE_BREAK = re.compile(r"\r\n|\r|\n")
"""Matches a line break as Python reads it in source files."""
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""Byte order marks; a mark that begins with another one stands before it."""


def wide_encoding(data: bytes) -> str:
    """Return "UTF-16" or "UTF-32" for text that begins with the byte order mark of such an encoding, else ""."""
    return next((name for mark, name in _MARKS.items() if data.startswith(mark)), "")


def binary_kind(data: bytes) -> str:
    """Return "UTF-16" or "UTF-32" for the bytes of such a text, "binary" for other bytes that are not text, and "" for
    text in UTF-8 or another encoding that extends ASCII."""
    return wide_encoding(data) or ("binary" if b"\0" in data[:BINARY_HEAD] else "")


def describe_binary(name: str, data: bytes) -> str:
    """Return a sentence that says why the file `name` is not read as text, or "" if it is text."""
    kind = binary_kind(data)
    return f"{name} is a {kind} file of {len(data)} bytes." if kind else ""


def split_lines(text: str) -> list[str]:
    """Return the lines of a text without their line breaks; the last one is empty if the text ends with a break."""
    return LINE_BREAK.split(text)
