"""Parsing of Python text into syntax trees, without the compiler's warnings.

The compiler warns about code like `1if a else b` or an invalid escape. Such warnings about the repository would appear
in the user's terminal, and would prevent parsing where warnings are errors.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from threading import Lock

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""Exceptions for text that is not Python or is nested too deeply for the parser."""
_LOCK = Lock()
"""Lock for changing the warning filters, which are global to the process."""


def parse_module(code: str | bytes) -> ast.Module:
    """Parse a module. Raises one of the exceptions in UNREADABLE."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def parse_expression(text: str) -> ast.expr:
    """Parse one expression. Raises one of the exceptions in UNREADABLE."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def is_expression(text: str) -> bool:
    """Return whether the text is a single expression."""
    try:
        parse_expression(text)
    except UNREADABLE:
        return False
    return True


def is_pattern(text: str) -> bool:
    """Return whether the text can be a value in a `case` pattern; a plain name would be bound instead."""
    try:
        case = parse_module(f"match 0:\n case {text}: 0").body[0].cases[0].pattern  # type: ignore[attr-defined]
    except UNREADABLE:
        return False
    return isinstance(case, ast.MatchValue | ast.MatchSingleton)


def decode_source(data: bytes) -> str:
    """Return a file's text. Raises ValueError if the file declares an encoding other than UTF-8 that changes the
    text."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode("utf-8")
    if encoding not in ("utf-8", "utf-8-sig") and not (data.isascii() and data.decode(encoding) == text):
        raise ValueError(f"its encoding is {encoding}")
    return text


def fstring_literals(text: str) -> list[tuple[int, str]]:
    """Return the start and the quote of each literal of an f-string, which may consist of several adjacent literals."""
    if "'" not in text or '"' not in text:
        return [(0, "'" if "'" in text else '"')]
    starts = [0, 0, *(found.end() + 1 for found in re.finditer(r"\r\n|\r|\n", text))]
    found: list[tuple[int, str]] = []
    inside = 0
    for token in tokenize.generate_tokens(io.StringIO(f"({text})", newline="").readline):
        kind = tokenize.tok_name[token.type]
        if kind in ("STRING", "FSTRING_START") and not inside:
            line, column = token.start
            found.append((starts[line] + column - 1, token.string.lstrip("rRfFbBuU")[0]))
        inside += (kind == "FSTRING_START") - (kind == "FSTRING_END")
    return found
