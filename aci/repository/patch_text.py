"""The text of a patch from elsewhere: a file as editors, shells and mail programs save it, read as git writes diffs."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from aci.observation.file_contents import wide_encoding
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import decode, encode
from trajectories.unified_diff import split_hunks

HOW = "Give a diff as `git diff` writes it."
MOST_BLANK = 20
"""Maximum number of blank context lines that are added at the end of a diff."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_COLOURED = re.compile(r"^\x1b\[[0-9;]*m(?:diff --git |--- \S)", re.MULTILINE)
_FIRST_HEADER = re.compile(r"^(?:diff --git |--- \S)[^\n]*", re.MULTILINE)
_NAMES = re.compile(r"^diff --git (?P<names>[^\r\n]+)(?P<more>(?:\r?\n(?!diff |--- |@@ )[^\n]*)*)", re.MULTILINE)
_MOVED = re.compile(r"^(?:rename|copy) from (?P<old>[^\r\n]+)", re.MULTILINE)
_PAIR = re.compile(r"^--- (?P<old>[^\t\r\n]+)[^\n]*\n\+\+\+ (?P<new>[^\t\r\n]+)", re.MULTILINE)
_NO_CONTENT = re.compile(r"^Binary files [^\n]* differ\r?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PatchForm:
    """A way to read a patch: the diff, and how many folders at the start of its names are not part of the path."""

    diff: str
    strip: int


def read_patch(data: bytes, name: str = "") -> str:
    """Return the diff in a file: decoded by its byte order mark, and without the colours of a terminal.

    Other bytes need not be UTF-8; `encode` gives them back. Raises UsageError, which calls the patch `name`, if there
    is no diff.
    """
    called = f"The patch {name}".rstrip()
    encoding = wide_encoding(data)
    try:
        text = data.decode(encoding) if encoding else decode(data.removeprefix(codecs.BOM_UTF8))
    except UnicodeDecodeError:
        raise UsageError(f"{called} is not valid {encoding}.", "Save it as UTF-8.") from None
    text = _COLOUR.sub("", text) if _COLOURED.search(text) else text
    if not _FIRST_HEADER.search(text):
        raise UsageError(f"{called} {'contains no diff' if text.strip() else 'is empty'}.", HOW)
    return text


def decoded_patch(text: str) -> str:
    """Return the diff in a text in which git finds none, since the text has another encoding or the colours of a
    terminal. Any other text is returned unchanged."""
    if _FIRST_HEADER.search(text):
        return text
    try:
        return read_patch(encode(text))
    except (UsageError, UnicodeEncodeError):
        return text


def patch_forms(diff: str) -> list[PatchForm]:
    """Return the ways in which a diff may be meant, the likeliest first.

    If the headers end in CRLF, a program has converted the whole file. Whether the changed files have CRLF too is then
    not known.
    """
    strip, first = _strip_level(diff), _FIRST_HEADER.search(diff)
    forms = [PatchForm(_completed(diff), strip)]
    if first and first[0].endswith("\r"):
        forms.insert(0, PatchForm(_completed(diff.replace("\r\n", "\n").removesuffix("\r")), strip))
    return forms


def lacks_content(diff: str) -> bool:
    """Whether the patch changes a binary file but does not have its content, as `git diff` without `--binary`."""
    return bool(_NO_CONTENT.search(diff))


def _strip_level(diff: str) -> int:
    """Return 0 if the names have no prefixes: then both names of a file are equal, unlike a/x and b/x."""
    header = _NAMES.search(diff)
    if header is None:
        return int(not any(pair["old"] == pair["new"] for pair in _PAIR.finditer(diff)))
    names, moved = header["names"], _MOVED.search(header["more"])
    if moved:
        return int(not names.startswith(f"{moved['old']} "))
    middle = len(names) // 2
    return int(names[:middle] != names[middle + 1 :])


def _completed(diff: str) -> str:
    """Return the diff with the white space at its end that copying has removed: the last newline, and context lines
    that are blank."""
    diff = diff if diff.endswith("\n") else f"{diff}\n"
    hunks = split_hunks(diff)[1]
    if not hunks:
        return diff
    header, text = hunks[-1]
    marks = [line[:1] for line in text.split("\n")[1:-1]]
    context = sum(mark in (" ", "\r", "") for mark in marks)
    missing = header.old_count - context - marks.count("-")
    is_context = missing == header.new_count - context - marks.count("+")
    return diff + " \n" * missing if is_context and 0 < missing <= MOST_BLANK else diff
