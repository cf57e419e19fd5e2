"""Known `SWE_AGENT_*` environment variables, and the check for unknown ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator

from trajectories.errors import ConfigError

PREFIX = "SWE_AGENT_"
OURS = ("CONFIG", "CACHE")
"""Variables of the program that are not settings."""
GITHUB = (
    *("LABEL", "ON_OPENED", "ALLOWED_BOTS", "BOT", "MOST_OPEN", "BUDGET", "BUDGET_PER_ISSUE", "BUDGET_PER_DAY"),
    *("OPEN_UNPROVEN", "DRY_RUN", "MAX_PATCH", "MINUTES"),
)
"""Inputs of the Action, after `SWE_AGENT_GITHUB_`: the fields of `agent/github/rules.py`."""
TESTS = ("TEST_SEED", "TEST_IMAGE", "TEST_CHROMIUM", "TEST_NODE_MODULES", "TEST_PYTHON")
INNER = ("COUNTED", "JOB", "METER", "PROFILE", "RUN", "SESSION", "SET_UP", "WIRE", "APP_KEY")
"""Set by this program for commands in a workspace, where it may run itself, and the secret of the Action."""
OF_SWE_AGENT = ("CONFIG_DIR", "TOOLS_DIR", "TRAJECTORY_DIR")
"""Variables that Princeton's SWE-agent reads."""
MOST_EDITS = 2
_warned: set[str] = set()


def check_environment(settings: Collection[str] = (), others: Collection[str] = (), beginning: str = PREFIX) -> None:
    """Look for unknown variables whose names have this `beginning`: they would have no effect. `settings` are the
    fields of the settings, `others` whole names that the user's config gives. Warns on stderr, once for each variable.

    Raises ConfigError for a name that looks like a known one misspelt.
    """
    names = {f"{PREFIX}{name.upper()}" for name in (*settings, *OURS, *TESTS, *(f"GITHUB_{name}" for name in GITHUB))}
    silent = {f"{PREFIX}{name}" for name in (*INNER, *OF_SWE_AGENT)} | set(others)
    for variable in _unknown(names | silent, beginning):
        found = min(sorted(names), key=lambda name: edits(variable.upper(), name))
        if edits(variable.upper(), found) <= min(MOST_EDITS, (len(found) - len(PREFIX)) // 3):
            raise ConfigError(
                f"{variable} is not a variable of swe-agent; {found} is.", f"Rename it to {found}, or unset it."
            )
        if variable not in _warned:
            _warned.add(variable)
            sys.stderr.write(f"swe-agent: warning: {_shown(variable)} is not a variable of swe-agent.\n")


def _unknown(known: Collection[str], beginning: str) -> Iterator[str]:
    """Case does not count, as in the settings themselves."""
    for variable in sorted(os.environ):
        if variable.upper().startswith(beginning) and variable.upper() not in known and variable not in known:
            yield variable


def _shown(variable: str) -> str:
    from aci.cleaning import one_line

    return one_line(variable)[:100]


def edits(one: str, other: str) -> int:
    """How many insertions, removals, replacements and swaps of neighbours lead from one word to the other."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
