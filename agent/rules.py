"""Rules about what may leave the workspace: `command git status`, `apply src/**`, `network *.example.org`.

A command's rule is the beginning of a simple command, word by word: `git status` covers `git status -s`, not
`git statusx`; `exactly rm -r build` covers no more than that. The others are globs over paths, hosts or a branch's
name: `*` stays within a folder, `**` does not.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from aci.bash_running import ASKED_BUILTINS, ASSIGNED, INTERPRETERS, RESERVED, RUNS, SHELLS, Words, words_of
from agent.approvals import KINDS, Kind

EXACTLY = "exactly"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a rule is about, and the words or the glob it is written in."""

    kind: Kind
    pattern: str

    def __str__(self) -> str:
        return f"{self.kind} {self.pattern}"

    @property
    def words(self) -> tuple[str, ...]:
        """Of a command's rule, without `exactly`."""
        found = tuple(shlex.split(self.pattern))
        return found[1:] if self.exact else found

    @property
    def exact(self) -> bool:
        return self.pattern.startswith(f"{EXACTLY} ")

    def covers(self, words: Words) -> bool:
        """Whether it is about this simple command, seen closely: for what is allowed."""
        own = self.words
        return words == own if self.exact else words[: len(own)] == own

    def touches(self, words: Words) -> bool:
        """Whether it is about this simple command, seen loosely: for what is denied. Options may stand between."""
        own = self.words
        if own == ("*",):
            return True
        if self.exact:
            return words == own
        first = next((n for n, word in enumerate(words) if word is None or not ASSIGNED.fullmatch(word)), len(words))
        runs_others = words[first : first + 1] and _base(words[first]) in RUNS | ASKED_BUILTINS | RESERVED
        others = range(first, len(words)) if runs_others else (first,)
        return any(_in_order(own, words[at:]) for at in others)

    def matches(self, text: str) -> bool:
        """Whether the glob is about a path, a host or a branch."""
        return _glob(self.pattern).fullmatch(text) is not None


def rule_of(text: str) -> Rule | str:
    """The rule that is written so; or why there is none."""
    kind, _, pattern = text.strip().partition(" ")
    pattern = pattern.strip()
    known = next((each for each in KINDS if each == kind.rstrip(":")), None)
    if known is None:
        return f"{text!r} is no rule: it begins with none of {', '.join(KINDS)}"
    rule = Rule(known, pattern)
    try:
        empty = not pattern or (known == "command" and not rule.words)
    except ValueError as error:
        return f"{text!r} is no rule: {error}"
    return f"{text!r} is no rule: it names nothing" if empty else rule


def _in_order(own: Sequence[str], words: Words) -> bool:
    """Whether the program is the same and the other words come after it, in this order."""
    if not words or _base(words[0]) != _base(own[0]):
        return False
    rest = iter(words[1:])
    return all(any(word == each for each in rest) for word in own[1:])


def _base(word: str | None) -> str:
    return (word or "").rpartition("/")[2]


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """`**` any text, `*` and `?` none with a slash."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    said = {"**": "[\\s\\S]*", "**/": "(?:[\\s\\S]*/)?", "*": "[^/\n]*", "?": "[^/\n]"}
    return re.compile("".join(said.get(part) or re.escape(part) for part in parts))


# Which rule a yes for longer keeps

ALONE = words_of(
    "pytest ls cat grep rg wc head tail ruff mypy tox jest tsc which stat diff cut sort nl du eslint prettier black "
    "isort flake8 pylint pyright vitest phpunit rspec basename dirname realpath"
)
"""Programs that may be allowed with whatever stands behind them."""

SUBCOMMANDS = words_of("git cargo go npm yarn pnpm npx make just rake mvn gradle dotnet swift hatch uv poetry bundle")
"""Programs whose next word says what they do."""

RUNNERS = frozenset((("npm", "run"), ("yarn", "run"), ("pnpm", "run"), ("uv", "run"), ("poetry", "run")))
"""Behind these words the next says what is run."""

BROAD = words_of(
    "push reset clean bisect submodule checkout restore rebase config filter-branch publish install add remove exec "
    "dlx x run pip ensurepip"
)
"""Too many different things to be allowed by their name alone."""


def offered(words: Words) -> Rule | None:
    """The rule that a user is offered for commands like this one; None where part of it is known only when it runs."""
    count = next((n for n, word in enumerate(words) if word is None or not ASSIGNED.fullmatch(word)), len(words))
    if telling := _telling(words[count:]):
        return Rule("command", shlex.join(filter(None, (*words[:count], *telling))))
    if None in words or not words:
        return None
    return Rule("command", f"{EXACTLY} {shlex.join(word or '' for word in words)}")


def _telling(words: Words) -> Words:
    """The first words, if they say well what is done; none if only the whole does."""
    name, second, third = (*words[:3], None, None, None)[:3]
    if name in ALONE:
        return (name,)
    if name in INTERPRETERS | SHELLS:
        if second == "-m" and _says(third):
            return (name, second, third)
        return (name, second) if _says(second) else ()
    if name in SUBCOMMANDS and (name, second) in RUNNERS:
        return (name, second, third) if _says(third) else ()
    return (name, second) if name in SUBCOMMANDS and _says(second) else ()


def _says(word: str | None) -> bool:
    return (
        bool(word)
        and word is not None
        and not word.startswith("-")
        and word not in BROAD | INTERPRETERS | SHELLS | RUNS
    )
