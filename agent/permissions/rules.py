"""Permission rules: `command git status`, `apply src/**`, `network *.example.org`.

A rule for commands is a prefix of a simple command, word by word: `git status` covers `git status -s`, not
`git statusx`; `exactly rm -r build` covers only that command. The other rules are globs for paths, hosts or a branch
name: `*` stays within a folder, `**` does not.

Denied commands are searched for in the text of a command, without interpreting it as a shell would. Only a shell can
parse all the ways in which a command can be wrapped, quoted and nested, so the words of a rule are searched for
anywhere in the text. This search prefers false matches to missed ones. A name that is assembled only at run time is not
found.
"""

from __future__ import annotations

import re
import shlex
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from agent.permissions.approvals import KINDS, Kind
from agent.permissions.command_wrappers import ASSIGNED, INTERPRETERS, RUNNING_PROGRAMS, SHELLS, Words, word_set

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


EXACTLY = "exactly"
OF_PATHS: tuple[Kind, ...] = ("apply", "commit")


@dataclass(frozen=True, slots=True)
class Rule:
    """A permission rule: its kind, and a pattern of words or a glob."""

    kind: Kind
    pattern: str

    def __str__(self) -> str:
        return f"{self.kind} {self.pattern}"

    @property
    def description(self) -> str:
        """What the rule allows or denies, in words."""
        return f"{self.kind} everything" if self.pattern == "**" else str(self)

    @property
    def words(self) -> tuple[str, ...]:
        """The words of a rule for commands, without `exactly`."""
        found = tuple(shlex.split(self.pattern))
        return found[1:] if self.exact else found

    @property
    def exact(self) -> bool:
        return self.pattern.startswith(f"{EXACTLY} ")

    def covers(self, words: Words) -> bool:
        """Return whether this allow rule covers the simple command. A rule that consists only of variable
        assignments covers nothing."""
        own = self.words
        if all(map(ASSIGNED.fullmatch, own)):
            return False
        return words == own if self.exact else words[: len(own)] == own

    def is_denied_in(self, text: str) -> bool:
        """Return whether the denied command may occur in this text, using the loose search of
        `agent/permissions/rules.py`."""
        return self.pattern == "*" or occurs(self.words, text, self.exact)

    def is_denied_at(self, name: str) -> bool:
        """Return whether the rule denies this path, host or branch, ignoring case.

        This includes the parent folders of a path in the rule, since replacing one (for example by a link) would
        bypass the rule.
        """
        folders = _folders(self.pattern) if self.kind in OF_PATHS else ()
        return any(_glob(each, re.IGNORECASE).fullmatch(name) for each in (self.pattern, *folders))

    def matches(self, text: str) -> bool:
        """Return whether the glob matches a path, a host or a branch."""
        return _glob(self.pattern).fullmatch(text) is not None


def parse_rule(text: str) -> Rule | str:
    """Parse a rule; return the reason as text if it is not valid."""
    kind, _, pattern = text.strip().partition(" ")
    pattern = pattern.strip()
    known = next((each for each in KINDS if each == kind.rstrip(":")), None)
    if known is None:
        return f"{text!r} is not a rule: it must start with one of {', '.join(KINDS)}"
    rule = Rule(known, pattern)
    try:
        empty = not pattern or (known == "command" and not rule.words)
    except ValueError as error:
        return f"{text!r} is not a rule: {error}"
    return f"{text!r} is not a rule: it names nothing" if empty else rule


@cache
def _folders(pattern: str) -> tuple[str, ...]:
    """Return the parent folders in a glob whose last component has no wildcard."""
    parts = pattern.split("/")
    ends = (number for number, part in enumerate(parts[:-1], 1) if part and not re.search(r"[*?]", part))
    return tuple("/".join(parts[:end]) for end in ends)


@cache
def _glob(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Compile a glob: `**` matches any text; `*` and `?` do not match a slash."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    said = {"**": "[\\s\\S]*", "**/": "(?:[\\s\\S]*/)?", "*": "[^/\n]*", "?": "[^/\n]"}
    return re.compile("".join(said.get(part) or re.escape(part) for part in parts), flags)


# The rule that is stored if the user always allows a command

ALONE = word_set(
    "pytest ls cat grep rg wc head tail ruff mypy tox jest tsc which stat diff cut sort nl du eslint prettier black "
    "isort flake8 pylint pyright vitest phpunit rspec basename dirname realpath"
)
"""Programs that may be allowed with any arguments."""

SUBCOMMANDS = word_set("git cargo go npm yarn pnpm npx make just rake mvn gradle dotnet swift hatch uv poetry bundle")
"""Programs whose first argument names the operation."""

RUNNERS = frozenset((("npm", "run"), ("yarn", "run"), ("pnpm", "run"), ("uv", "run"), ("poetry", "run")))
"""Pairs of a program and a subcommand whose next argument names what is run."""

BROAD = word_set(
    "push reset clean bisect submodule checkout restore rebase config filter-branch publish install add remove exec "
    "dlx x run pip ensurepip"
)
"""Operations that are too broad to be allowed by their name alone."""


def offered_rule(words: Words) -> Rule:
    """Return the rule that a user is offered for commands like this one."""
    count = next((n for n, word in enumerate(words) if not ASSIGNED.fullmatch(word)), len(words))
    if prefix := _descriptive_prefix(words[count:]):
        return Rule("command", shlex.join((*words[:count], *prefix)))
    return Rule("command", f"{EXACTLY} {shlex.join(words)}")


def _descriptive_prefix(words: Words) -> Words:
    """Return the first words if they describe the operation well; empty if only the whole command describes it."""
    name, second, third = (*words, "", "", "")[:3]
    if name in ALONE:
        return (name,)
    if name in INTERPRETERS | SHELLS:
        if second == "-m" and _is_descriptive(third):
            return (name, second, third)
        return (name, second) if _is_descriptive(second) else ()
    if (name, second) in RUNNERS:
        return (name, second, third) if _is_descriptive(third) else ()
    return (name, second) if name in SUBCOMMANDS and _is_descriptive(second) else ()


def _is_descriptive(word: str) -> bool:
    return bool(word) and not word.startswith("-") and word not in BROAD | INTERPRETERS | SHELLS | RUNNING_PROGRAMS
