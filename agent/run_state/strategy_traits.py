"""What kind of turn a strategy makes of a session, told by names in its module.

`STAYS`: the turn is a part of a conversation, so however it ends, files stay as its last step left them. `BY_HAND`: a
user's own doing, of which nothing is left to go on with once it is interrupted. `LOOKS`: undoing passes it over, unless
it changed files. `APART`: what the user changed in the working tree meanwhile waits for the next turn.
"""

from __future__ import annotations

import sys

from trajectories.errors import UsageError
from trajectories.plugins import find


def stays(strategy: str) -> bool:
    return _says(strategy, "STAYS")


def is_by_hand(strategy: str) -> bool:
    return _says(strategy, "BY_HAND")


def looks(strategy: str) -> bool:
    return _says(strategy, "LOOKS")


def is_apart(strategy: str) -> bool:
    return _says(strategy, "APART")


def listens(strategy: str) -> bool:
    """Whether it asks a model that reads what the user says meanwhile."""
    return _says(strategy, "ROLES") and not is_by_hand(strategy)


def _says(strategy: str, name: str) -> bool:
    try:
        module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    except UsageError:  # of a run that ended, by a strategy that is no longer there
        return False
    return bool(getattr(module, name, False))
