"""What a compiler misses in a test that does not build without the patch, in other languages than Python."""

from __future__ import annotations

import re

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
    "typescript": re.compile(r"error TS\d+: (.+)$|(SyntaxError: The requested module .+)$", re.MULTILINE),
}
"""Each error of a compiler, in its output. The last entry also matches what Node reports of a module."""
MISSING = re.compile(
    r"undefined: (?:\w+\.)?(\w+)"  # Go
    r"|has no field or method (\w+)|unknown field '?(\w+)'? in struct"
    r"|cannot find [\w ,/]+ `(\w+)`|no [\w ]+ named `(\w+)`|no `(\w+)` in|no field `(\w+)`"  # Rust
    r"|unresolved imports? `(?:\w+::)*(\w+)`|undeclared (?:type|crate or module) `(\w+)`"
    r"|cannot find symbol(?:\n.*){0,3}?\s+symbol:\s+\w+ (\w+)"  # Java
    r"|does not provide an export named '(\w+)'|has no exported member '?(\w+)|Property '(\w+)' does not exist"
    r"|Cannot find name '(\w+)'"
)
TOO_MANY = "too many errors"


def is_build_error(message: str) -> bool:
    """Whether a message is that of a compiler."""
    return any(pattern.search(message) for pattern in ERRORS.values())


def missing_names(result: TestResult) -> frozenset[str]:
    """Return the names that are missing if this is all that keeps a test file from being built; empty if it was built,
    or if there is another error."""
    if result.outcome != "error":
        return frozenset()
    for pattern in ERRORS.values():
        errors = [next(filter(None, match.groups())) for match in pattern.finditer(result.message)]
        errors = [error for error in errors if TOO_MANY not in error]
        if errors:
            names = [MISSING.search(error) for error in errors]
            found = (next(filter(None, match.groups()), "") for match in names if match)
            return frozenset(found) if all(names) else frozenset()
    return frozenset()
