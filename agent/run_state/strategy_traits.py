"""Traits of strategies, declared by names in their modules.

- `STAYS`: the turn is part of a conversation, so the files stay as its last step left them, however it ends.
- `BY_HAND`: the user's own action, which cannot be resumed after an interrupt.
- `LOOKS`: undo skips the turn unless it changed files.
- `APART`: the user's changes in the working tree are not merged before this turn.
- `PROVES`: the strategy proves a patch that somebody else proposed.
- `WHEN`: when to use the strategy; a strategy without it is internal to a front end.

A run without an issue of its own should make the failing tests of a repository pass.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from trajectories.errors import UsageError
from trajectories.plugins import find, missing_extension, names
from trajectories.records import Issue

if TYPE_CHECKING:
    from agent.config.settings import Settings

WITHOUT_MODEL = "templates"
"""The default strategy without a model, in the extension `repair`."""


def is_conversational(strategy: str) -> bool:
    return _has_trait(strategy, "STAYS")


def is_by_hand(strategy: str) -> bool:
    return _has_trait(strategy, "BY_HAND")


def is_read_only(strategy: str) -> bool:
    return _has_trait(strategy, "LOOKS")


def is_apart(strategy: str) -> bool:
    return _has_trait(strategy, "APART")


def reads_messages(strategy: str) -> bool:
    """Return whether the strategy uses a model that reads the user's messages during the turn."""
    return _has_trait(strategy, "ROLES") and not is_by_hand(strategy)


def may_delegate(strategy: str) -> bool:
    """Return whether the strategy's main conversation may have helpers: in a session's turns with a model, and in
    strategies that a user may choose."""
    return _has_trait(strategy, "WHEN") or (is_conversational(strategy) and not is_by_hand(strategy))


def is_proposed(strategy: str) -> bool:
    """Return whether the strategy proves a patch of somebody else, which is used as it is."""
    return _has_trait(strategy, "PROVES")


def is_repair(strategy: str) -> bool:
    """Return whether the strategy ends with a patch for the issue, which an examiner may judge."""
    return _has_trait(strategy, "WHEN") or is_proposed(strategy)


def offered_strategies() -> list[str]:
    """Return the strategies that a user may choose."""
    return sorted(name for name in names("agent.strategies") if _has_trait(name, "WHEN"))


def find_strategy(name: str, attribute: str) -> Any:
    """Return the `attribute` of a strategy. Raises UsageError, which lists the strategies that a user may choose."""
    if name.replace("_", "-") not in names("agent.strategies"):
        raise UsageError(f"There is no strategy named {name!r}.", f"Choose one of: {', '.join(offered_strategies())}.")
    return find("agent.strategies", name, attribute, "strategy")


def strategy_of(settings: Settings) -> str:
    """Return the strategy of a new run: the chosen one, or the default. Raises UsageError if there is no model, and the
    extension that needs none is not installed."""
    strategy = settings.strategy or ("test-then-patch" if settings.model else WITHOUT_MODEL)
    if strategy == WITHOUT_MODEL and WITHOUT_MODEL not in names("agent.strategies"):
        raise missing_extension("Repair without a model", "repair")
    return strategy


def _has_trait(strategy: str, name: str) -> bool:
    try:
        module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    except UsageError:  # the strategy of an old run may no longer exist
        return False
    return bool(getattr(module, name, False))


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
