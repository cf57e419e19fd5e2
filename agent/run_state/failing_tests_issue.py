"""The issue of a run that should make the failing tests of a repository pass."""

from __future__ import annotations

import re

from trajectories.errors import UsageError
from trajectories.records import Issue

FAILING_TESTS = Issue("Make the failing tests pass", "")
"""The issue of a run that was started without one."""


class NoFailingTest(UsageError):
    """No test fails, so a run that should make the failing tests pass has nothing to do."""


_REQUEST = re.compile(
    r"(?:make|get) (?:all )?(?:the )?(?:failing |broken )?tests? (?:to )?(?:pass|green|work)"
    r"|(?:fix|repair) (?:all )?(?:the )?(?:failing|broken) tests?"
)


def is_about_failing_tests(issue: Issue) -> bool:
    """Return whether the issue says no more than that the failing tests should pass."""
    return bool(_REQUEST.fullmatch(" ".join(re.findall(r"\w+", f"{issue.title} {issue.body}".lower())[:20])))
