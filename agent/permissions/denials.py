"""A loose search for denied commands in the text of a command, without interpreting it as a shell would.

Only a shell can parse all the ways in which a command can be wrapped, quoted and nested, so the words of a rule are
searched for anywhere in the text. This search prefers false matches to missed ones. A name that is assembled only at
run time is not found.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

_JOINED = re.compile(r"(?:[\w./+@%~'\"-]|\\\S|\\\n|\$(?=['\"]))+")
"""A word as a shell joins it: quotes and backslashes are dropped, so `g"i"t` and `g$'i't` are `git`."""
_SPLIT = re.compile(r"\\[\s\S]|[\w./+@%~-]+")
"""Single words, such as those inside quotes, values or braces, or after a `\\n`."""
_DROPPED = re.compile(r"\\\n|['\"\\]|\$(?=['\"])")
_BLANKS = re.compile(r"\$(?:IFS\b|\{IFS\b[^{}]*\})")
_EXPANDED = re.compile(r"\$(?:\{[^{}]*\}|[A-Za-z_]\w*|[\d@*#?$!-]|\(\s*\)|\(\([^()]*\)\))|`\s*`")
"""Expansions that may produce nothing or a blank, so that `g$@it` may be `git`."""
_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,4}))")
"""Characters written as numeric escapes, as in `$'\\x67it'` and in printf formats."""
_SEPARATORS = frozenset(";&|\n")
_OPENING = frozenset("'\"\\#<>$`(){}=")
"""Characters after which a separator may be part of a word, or the text may be parsed again."""

Token = tuple[int, int, str]
"""The start and end of a token, and its text as a shell would read it."""


def occurs(words: Sequence[str], text: str, exact: bool) -> bool:
    """Return whether the words occur in this text in this order.

    Between them there may be any text that does not clearly end a command, or only quotes and blanks if `exact`.
    """
    for form in (_JOINED, _SPLIT):
        own = [name for word in words for *_, name in _tokens(word, form) or [(0, 0, word.casefold())]]
        own[0] = own[0].rpartition("/")[2] or own[0]
        if any(_is_in_order(own, _tokens(each, form), each, exact) for each in _readings(text)):
            return True
    return False


def _readings(text: str) -> Iterable[str]:
    """Return the text as written, and variants with numeric escapes decoded and expansions replaced."""
    unescaped = _ESCAPED.sub(_character, text)
    blank = _BLANKS.sub(" ", unescaped)
    expanded = (_EXPANDED.sub("", unescaped), _EXPANDED.sub("", blank), _EXPANDED.sub(" ", blank))
    return dict.fromkeys((text, unescaped, *expanded))


def _character(match: re.Match[str]) -> str:
    of_hex, of_octal = match[1] or match[2] or match[3], match[4]
    number = int(of_hex, 16) if of_hex else int(of_octal, 8)
    return chr(number) if 0 < number <= sys.maxunicode else match[0]


def _tokens(text: str, form: re.Pattern[str]) -> list[Token]:
    found = ((each.start(), each.end(), _DROPPED.sub("", each[0]).casefold()) for each in form.finditer(text))
    return [token for token in found if token[2] and not (form is _SPLIT and text[token[0]] == "\\")]


def _is_named(word: str, token: str) -> bool:
    """Return whether a token is this word, by itself or as the last part of a path."""
    return word == token or token.endswith(f"/{word}")


def _is_in_order(own: Sequence[str], tokens: Sequence[Token], text: str, exact: bool) -> bool:
    separators = [0, *accumulate(letter in _SEPARATORS for letter in text)]
    opening = [0, *accumulate(letter in _OPENING for letter in text)]

    def is_one_command(start: int, end: int) -> bool:
        before = max(start - 1, 0)  # include the character before it, such as the `=` in `g=git; g push`
        return separators[end] == separators[start] or opening[end] > opening[before]

    places = [number for number, token in enumerate(tokens) if _is_named(own[0], token[2])]
    for word in own[1:]:
        after = []
        for number, (start, _, name) in enumerate(tokens):
            before = bisect_left(places, number)
            if not before or not _is_named(word, name):
                continue
            first, last = places[0], places[before - 1]  # checking the first and the last place is enough
            if (last == number - 1) if exact else any(is_one_command(tokens[at][0], start) for at in (first, last)):
                after.append(number)
        places = after
    return bool(places)
