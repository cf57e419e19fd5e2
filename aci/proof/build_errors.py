"""What a compiler misses in a test that does not build without the patch, in other languages than Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aci.testing.suite_run import TestResult

ERRORS = {
    "go": re.compile(r"^[^\s:]+\.go:\d+:\d+: (.+)$", re.MULTILINE),
    "rust": re.compile(
        r"^error(?:\[E\d+\])?: "
        r"(?!could not compile|aborting|recipe|(?:doc)?test failed|\d+ targets? failed|process did)(.+)$",
        re.MULTILINE,
    ),
    "java": re.compile(
        r"^.*\.java:(?:\[?\d+,?\d*\]?:?) (?:error: )?(.+(?:(?:\n.*){0,3}?\n\s+symbol: .+)?)", re.MULTILINE
    ),
    "typescript": re.compile(
        r"error TS\d+: (.+(?:\n[ \t]+\S.*){0,3})$|(SyntaxError: The requested module .+)$", re.MULTILINE
    ),
    "module": re.compile(r"^(?:\w*Error(?: \[\w+\])?: )?(Cannot find module '.+)$", re.MULTILINE),
}
"""Each error of a compiler, in its output, and what Node reports of a module when it loads it."""
MISSING = re.compile(
    r"undefined: (?:\w+\.)?(\w+)"  # Go
    r"|has no field or method (\w+)|unknown field '?(\w+)'? in struct"
    r"|cannot find [\w ,/]+ `(\w+)`|no [\w ]+ named `(\w+)`|no `(\w+)` in|no field `(\w+)`"  # Rust
    r"|undeclared (?:type|crate or module) `(\w+)`"
    r"|cannot find symbol(?:\n.*){0,3}?\s+symbol:\s+\w+ (\w+)"  # Java
    r"|does not provide an export named '(\w+)'|has no exported member '?(\w+)|Property '(\w+)' does not exist"
    r"|Cannot find name '(\w+)'|'(\w+)' does not exist in type"
    r"|Cannot find module '(?:\.{1,2}/|/(?!(?:[^'\n]*/)?node_modules/))(?:[^'\n]*/)?(\w+)(?:/index)?(?:\.\w+)?'"
)
IMPLIED = re.compile(
    r"the method `(\w+)` exists for|the trait bound `.*: (?:\w+::)*(\w+)|`[^`]*` doesn't implement `(?:\w+::)*(\w+)"
    r"|cannot (?:add|subtract|multiply|divide|calculate|negate|apply)|binary operation|type annotations needed"
)
"""What Rust's compiler says in addition if a method or a trait is missing."""
BOUND = re.compile(r"^note: required by a bound in `(?:\w+::)*(\w+)", re.MULTILINE)
"""Rust's note that names the function for which a trait is missing."""
TOO_MANY = "too many errors"


def is_build_error(message: str) -> bool:
    """Whether a message is that of a compiler. A module that is not found is no such message: code that runs says it
    too, such as of an optional module."""
    return any(pattern.search(message) for name, pattern in ERRORS.items() if name != "module")


@dataclass(frozen=True, slots=True)
class MissingNames:
    """The `names` that are missing if this is all that keeps a test file from being built. `implied` are names of
    traits and methods that may be missing with them, and `callers` the functions that need such a trait."""

    names: frozenset[str]
    implied: frozenset[str] = frozenset()
    callers: frozenset[str] = frozenset()

    def unasked(
        self, is_in_issue: Callable[[str], bool], is_added: Callable[[str], bool] = lambda name: True
    ) -> frozenset[str]:
        """Return the `names` that the issue does not ask for or the patch does not add; all names if it is so for all,
        and no function that needs an added trait is in the issue."""
        all_names = self.names | self.implied
        asked = frozenset(name for name in all_names if is_in_issue(name) and is_added(name))
        is_needed = any(map(is_in_issue, self.callers)) and any(map(is_added, self.implied))
        return self.names - asked if asked or is_needed else all_names


def missing_names(result: TestResult) -> MissingNames | None:
    """Return the missing names of a test file that was not built; None if it was built, or if there is another
    error."""
    if result.outcome != "error":
        return None
    for pattern in ERRORS.values():
        errors = [next(filter(None, match.groups())) for match in pattern.finditer(result.message)]
        errors = [error for error in errors if TOO_MANY not in error]
        if errors:
            return _all_missing(errors, BOUND.findall(result.message))
    return None


def _all_missing(errors: Sequence[str], bounds: Sequence[str]) -> MissingNames | None:
    names: set[str] = set()
    implied: set[str] = set()
    for error in errors:
        if error.startswith("unresolved import"):
            names |= set(re.findall(r"`(?:\w+::)*(\w+)`", error))
        elif match := IMPLIED.search(error):
            implied |= set(filter(None, match.groups()))
        elif match := MISSING.search(error):
            names.add(next(filter(None, match.groups())))
        else:
            return None
    found = MissingNames(frozenset(names), frozenset(implied), frozenset(bounds))
    return found if names | implied else None
