"""Python text to syntax trees, without a word about what is odd in it: it is not ours.

The compiler warns of what a repository's code does (`1if a else b`, an escape that is none). Said from here, that would
stand in the user's terminal, and where warnings are errors a file could not be read.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from threading import Lock

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What text may raise that is no Python, or nests deeper than the parser goes."""
_LOCK = Lock()
"""The filters of warnings belong to the whole process."""


def parsed(code: str | bytes) -> ast.Module:
    """A module's tree. Raises one of UNREADABLE."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def expression(text: str) -> ast.expr:
    """The tree of one expression. Raises one of UNREADABLE."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def is_expression(text: str) -> bool:
    """Whether a text is one expression."""
    try:
        expression(text)
    except UNREADABLE:
        return False
    return True


def is_pattern(text: str) -> bool:
    """Whether a text can be what a `case` compares with; a plain name there would be bound."""
    try:
        case = parsed(f"match 0:\n case {text}: 0").body[0].cases[0].pattern  # type: ignore[attr-defined]
    except UNREADABLE:
        return False
    return isinstance(case, ast.MatchValue | ast.MatchSingleton)


def decoded(data: bytes) -> str:
    """The file's text. Raises ValueError where it says that it is no UTF-8 and it makes a difference."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    text = data.decode("utf-8")
    if encoding not in ("utf-8", "utf-8-sig") and not (data.isascii() and data.decode(encoding) == text):
        raise ValueError(f"its encoding is {encoding}")
    return text


def pieces(text: str) -> list[tuple[int, str]]:
    """Where the literals of an f-string begin, which may be several side by side, and the quote of each."""
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
