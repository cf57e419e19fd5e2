"""Rules about what may leave the workspace: `command git status`, `apply src/**`, `network *.example.org`.

A command's rule is the beginning of a simple command, word by word: `git status` covers `git status -s`, not
`git statusx`; `exactly rm -r build` covers no more than that. The others are globs over paths, hosts or a branch's
name: `*` stays within a folder, `**` does not.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache

from aci.bash_running import ASSIGNED, INTERPRETERS, RUNS, SHELLS, Words, words_of
from agent.approvals import KINDS, Kind
from agent.denials import occurs

EXACTLY = "exactly"
OF_PATHS: tuple[Kind, ...] = ("apply", "commit")


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
        """Whether it is about this simple command, seen closely: for what is allowed. A rule of nothing but variables
        covers nothing."""
        own = self.words
        if all(map(ASSIGNED.fullmatch, own)):
            return False
        return words == own if self.exact else words[: len(own)] == own

    def is_denied_in(self, text: str) -> bool:
        """Whether a denied command's words may be in this text, seen loosely: see `agent/denials.py`."""
        return self.pattern == "*" or occurs(self.words, text, self.exact)

    def is_denied_at(self, name: str) -> bool:
        """Whether a denied path, host or branch may be this one, in upper or lower case; also a path that takes the
        place of a folder which the rule names, as a link can."""
        folders = _folders(self.pattern) if self.kind in OF_PATHS else ()
        return any(_glob(each, re.IGNORECASE).fullmatch(name) for each in (self.pattern, *folders))

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


@cache
def _folders(pattern: str) -> tuple[str, ...]:
    """The folders above what a glob matches, those whose own name has no wildcard."""
    parts = pattern.split("/")
    ends = (number for number, part in enumerate(parts[:-1], 1) if part and not re.search(r"[*?]", part))
    return tuple("/".join(parts[:end]) for end in ends)


@cache
def _glob(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """`**` any text, `*` and `?` none with a slash."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern)
    said = {"**": "[\\s\\S]*", "**/": "(?:[\\s\\S]*/)?", "*": "[^/\n]*", "?": "[^/\n]"}
    return re.compile("".join(said.get(part) or re.escape(part) for part in parts), flags)


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


def offered(words: Words) -> Rule:
    """The rule that a user is offered for commands like this one."""
    count = next((n for n, word in enumerate(words) if not ASSIGNED.fullmatch(word)), len(words))
    if telling := _telling(words[count:]):
        return Rule("command", shlex.join((*words[:count], *telling)))
    return Rule("command", f"{EXACTLY} {shlex.join(words)}")


def _telling(words: Words) -> Words:
    """The first words, if they say well what is done; none if only the whole does."""
    name, second, third = (*words, "", "", "")[:3]
    if name in ALONE:
        return (name,)
    if name in INTERPRETERS | SHELLS:
        if second == "-m" and _says(third):
            return (name, second, third)
        return (name, second) if _says(second) else ()
    if (name, second) in RUNNERS:
        return (name, second, third) if _says(third) else ()
    return (name, second) if name in SUBCOMMANDS and _says(second) else ()


def _says(word: str) -> bool:
    return bool(word) and not word.startswith("-") and word not in BROAD | INTERPRETERS | SHELLS | RUNS
