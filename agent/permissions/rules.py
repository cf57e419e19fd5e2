"""Permission rules: `command git status`, `apply src/**`, `network *.example.org`.

A rule for commands is a prefix of a simple command, word by word: `git status` covers `git status -s`, not
`git statusx`; `exactly rm -r build` covers only that command. The other rules are globs for paths, hosts or a branch
name: `*` stays within a folder, `**` does not.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache

from agent.permissions.approvals import KINDS, Kind
from agent.permissions.command_wrappers import ASSIGNED, INTERPRETERS, RUNNING_PROGRAMS, SHELLS, Words, word_set
from agent.permissions.denials import occurs

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
        `agent/permissions/denials.py`."""
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
