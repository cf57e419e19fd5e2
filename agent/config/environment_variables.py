"""Known `SWE_AGENT_*` environment variables, and the check for unknown ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator

from trajectories.errors import ConfigError

PREFIX = "SWE_AGENT_"
PROGRAM_VARIABLES = {
    "CONFIG": "Path of your configuration file.",
    "CACHE": "Folder of indexes and other files that `swe-agent` can create again.",
    "MCP_TOKEN": "Token that clients of `swe-agent mcp --http` must send.",
}
"""Variables of this program that are not settings, each with its meaning."""
GITHUB = (
    *("LABEL", "ON_OPENED", "ALLOWED_BOTS", "BOT", "MOST_OPEN", "BUDGET", "BUDGET_PER_ISSUE", "BUDGET_PER_DAY"),
    *("ACCEPT", "OPEN_UNPROVEN", "DRY_RUN", "MAX_PATCH", "MINUTES", "CI_ATTEMPTS", "ASK"),
)
"""Names of the Action's inputs without the prefix `SWE_AGENT_GITHUB_`; they match the fields of
`extensions/github/action_inputs.py`."""
TESTS = ("TEST_SEED", "TEST_IMAGE", "TEST_CHROMIUM", "TEST_NODE_MODULES", "TEST_PYTHON")
INTERNAL = (
    "COUNTED",
    "DJANGO_SETTINGS",
    "GUEST",
    "JOB",
    "METER",
    "PROFILE",
    "RUN",
    "SERVER",
    "SESSION",
    "SET_UP",
    "WIRE",
    "APP_KEY",
)
"""Variables that this program sets for commands in a workspace, since a command may start the program again, and the
variable of the Action's secret."""
PRINCETON = ("CONFIG_DIR", "TOOLS_DIR", "TRAJECTORY_DIR")
"""Variables of Princeton's SWE-agent."""
MOST_EDITS = 2
_warned: set[str] = set()


def check_environment(settings: Collection[str] = (), others: Collection[str] = (), beginning: str = PREFIX) -> None:
    """Check for unknown variables whose names start with `beginning`, since they would have no effect.

    `settings` contains the names of the settings, and `others` the full names of variables that the user's config
    mentions. Each unknown variable is reported on stderr once.

    Raises ConfigError for a misspelt name.
    """
    names = {
        f"{PREFIX}{name.upper()}"
        for name in (*settings, *PROGRAM_VARIABLES, *TESTS, *(f"GITHUB_{name}" for name in GITHUB))
    }
    silent = {f"{PREFIX}{name}" for name in (*INTERNAL, *PRINCETON)} | set(others)
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
    """Yield the unknown variables. Case is ignored, as in the settings themselves."""
    for variable in sorted(os.environ):
        if variable.upper().startswith(beginning) and variable.upper() not in known and variable not in known:
            yield variable


def _shown(variable: str) -> str:
    from aci.observation.untrusted_text import one_line

    return one_line(variable)[:100]


def edits(one: str, other: str) -> int:
    """Return the edit distance between two words; a swap of two adjacent letters counts as one edit."""
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
