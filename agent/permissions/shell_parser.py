"""A parser for plain shell command lines, which rules can decide on: it returns the commands they run and the files
they write.

The user is asked about any other line as a whole. Nothing here interprets shell syntax: a line is either built from the
few tokens below, which bash and sh read alike, or it is not plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agent.permissions.command_wrappers import ASSIGNED, BUILTINS, RESERVED, Words, reason_to_ask, without_limit

LONGEST = 20_000
"""Maximum number of characters of a command line that rules can decide on."""

_BARE = r"(?:[A-Za-z0-9_./+@%:=,^-]|(?<=[A-Za-z0-9^~])~)"
_SINGLE = r"'[^'\n]*'"
_DOUBLE = r'"(?:[^"\\$`\n]|\\[A-Za-z0-9.,()|*+?^<>\[\]{}-])*"'
_WORD = rf"(?:{_BARE}|{_SINGLE}|{_DOUBLE})+"
_TOKEN = re.compile(
    rf"(?P<duplicate>2>&1|1?>&2)(?=[ \t\n;|&]|\Z)|[12]?>>?[ \t]*(?P<file>{_WORD})(?=[ \t\n;|&]|\Z)"
    rf"|(?P<word>{_WORD})(?=[ \t\n;|&]|\Z)|(?P<operator>&&|\|\||[|;\n])|(?P<blank>[ \t]+)"
)
"""A token of a plain command line. A word ends at a blank or an operator: bash does not read `{NAME}>f` and `2>f` as a
word followed by a redirection."""
_QUOTED = re.compile(rf"({_SINGLE}|{_DOUBLE})")
_VISIBLE = re.compile(r"[\t\n -~]*")
_NAME = re.compile(r":|[A-Za-z0-9_./][A-Za-z0-9_./+@:-]*")
_FOLDER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./+@:=,-]*")


@dataclass(frozen=True, slots=True)
class Line:
    """A parsed line: the words of every simple command except `cd`; the files that redirections write; the folder of a
    leading `cd`.

    `why` says why no rule may allow the line; empty if rules may.
    """

    commands: tuple[Words, ...] = ()
    writes: tuple[str, ...] = ()
    folder: str = ""
    why: str = ""


class _NotPlain(Exception):
    """Raised for a line that is not plain. The message says why no rule may allow it."""


def parse_line(line: str) -> Line:
    """Parse a command line; `why` says why it is not plain."""
    try:
        return _read(line)
    except _NotPlain as error:
        return Line(why=str(error))


def _read(line: str) -> Line:
    if len(line) > LONGEST:
        raise _NotPlain("it is too long")
    if not _VISIBLE.fullmatch(line):
        raise _NotPlain("it has characters other than visible ASCII")
    commands: list[Words] = []
    writes: list[str] = []
    folder = ""
    for number, (words, files, operator) in enumerate(_simple_commands(line)):
        writes += map(_text, files)
        if words[0] != "cd":
            commands.append(_parse_command(words))
        elif number or files or operator not in ("&&", "") or len(words) != 2 or not _FOLDER.fullmatch(words[1]):
            raise _NotPlain("it changes the folder other than by one plain `cd FOLDER &&` at the beginning")
        else:
            folder = words[1]
    return Line(tuple(commands), tuple(writes), folder)


def _simple_commands(line: str) -> Iterator[tuple[list[str], list[str], str]]:
    """Yield (words, files that are written, following operator) of each simple command, with the quotes still in
    place."""
    words: list[str] = []
    files: list[str] = []
    operator, at = "\n", 0
    while at < len(line):
        token = _TOKEN.match(line, at)
        if token is None:
            raise _NotPlain(f"it is not plain at {line[at : at + 20].strip() or 'its end'!r}")
        at = token.end()
        match token.lastgroup:
            case "word":
                words.append(token["word"])
            case "file":
                files.append(token["file"])
            case "operator" if words:
                operator = token["operator"]
                yield words, files, operator
                words, files = [], []
            case "operator" if token["operator"] != "\n" or files:
                raise _NotPlain("it has an operator without a command")
            case _:
                pass
    if words:
        yield words, files, ""
    elif files or operator not in (";", "\n"):
        raise _NotPlain("it ends without a command")


def _parse_command(written: list[str]) -> Words:
    """Return the words of a simple command without quotes. Raises _NotPlain if no rule may allow it."""
    words = tuple(map(_text, written))
    count = next((n for n, word in enumerate(words) if not ASSIGNED.fullmatch(word)), len(words))
    if count == len(words):
        raise _NotPlain("it sets a variable of the shell")
    name = written[count]
    if any("'" in word or '"' in word for word in written[:count]) or not _NAME.fullmatch(name):
        raise _NotPlain("a command's name, or a variable set for it, is not plain")
    if name in RESERVED or (count and name in BUILTINS):
        raise _NotPlain(f"`{name}` is a keyword or builtin of the shell")
    if why := reason_to_ask(words[count:]):
        raise _NotPlain(why)
    return words[:count] + without_limit(words[count:])


def _text(written: str) -> str:
    """Return a word without its quotes; a backslash within them is literal."""
    return "".join(part[1:-1] if part[:1] in ("'", '"') else part for part in _QUOTED.split(written))
