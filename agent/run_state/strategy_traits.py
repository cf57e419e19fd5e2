"""Traits of a strategy's turns in a session, declared by names in its module.

- `STAYS`: the turn is part of a conversation, so the files stay as its last step left them, however it ends.
- `BY_HAND`: the user's own action, which cannot be resumed after an interrupt.
- `LOOKS`: undo skips the turn unless it changed files.
- `APART`: the user's changes in the working tree are not merged before this turn.
"""

from __future__ import annotations

import sys

from trajectories.errors import UsageError
from trajectories.plugins import find


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


def _has_trait(strategy: str, name: str) -> bool:
    try:
        module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    except UsageError:  # the strategy of an old run may no longer exist
        return False
    return bool(getattr(module, name, False))
