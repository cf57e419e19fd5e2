"""The encoding of a source file, and Python source in another encoding than UTF-8.

Standard library only, for the target's own Python (3.6 and later).
"""

import io
import re
import tokenize

_DECLARES = re.compile(rb"^[ \t\f]*#")
_WORD, _VOID = rb"coding(?=[:=])", b"c0ding"


def text_encoding(data: bytes) -> str:
    """Return "utf-8" for valid UTF-8, the encoding that another text declares as Python source does (`# coding:
    latin-1`), or "" if it declares none that gives back its bytes."""
    try:
        data.decode("utf-8")
        return "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0]
        return encoding if data.decode(encoding).encode(encoding) == data else ""
    except (SyntaxError, ValueError, LookupError):
        return ""


def as_utf8(data: bytes) -> bytes:
    """Return Python source as UTF-8, so that the offsets of its syntax tree are those of its bytes.

    The declaration of another encoding is made void, with the same length. Source that is UTF-8, or that has no known
    encoding, is returned unchanged.
    """
    encoding = text_encoding(data)
    if encoding in ("utf-8", ""):
        return data
    lines = data.decode(encoding).encode("utf-8").split(b"\n", 2)
    return b"\n".join([re.sub(_WORD, _VOID, line) if _DECLARES.match(line) else line for line in lines[:2]] + lines[2:])


def from_utf8(text: str, original: bytes) -> str:
    """Return the text of edited source from `as_utf8` with the declaration of the `original` bytes."""
    encoding = text_encoding(original)
    if encoding in ("utf-8", ""):
        return text
    declared = original.decode(encoding).split("\n", 2)[:2]
    restored = dict(zip(as_utf8(original).decode("utf-8").split("\n", 2), declared))
    lines = text.split("\n", 2)
    return "\n".join([restored.get(line, line) for line in lines[:2]] + lines[2:])
