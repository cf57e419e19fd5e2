"""Completion of arguments by the shell: runs, strategies and the values and names of settings.

Everything is imported on first use, since each subcommand imports this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable

RUN_NAME = re.compile(r"\w[\w.-]*")
PLAIN = re.compile(r"[^\w .,]+", re.ASCII)
"""Characters that are left out of titles, since the scripts of some shells evaluate the help of a completion."""
LONGEST_TITLE = 60


def complete_run(incomplete: str) -> list[tuple[str, str]]:
    """Return the runs whose names start with this text, newest first, with their issues."""
    from agent.config.settings import load_settings
    from agent.runs.resumable_runs import runs_in
    from trajectories.errors import SweAgentError

    try:
        runs = load_settings().runs
    except SweAgentError:
        return []
    found = [run for run in runs_in(runs) if RUN_NAME.fullmatch(run.name) and run.name.startswith(incomplete)]
    return [(run.name, PLAIN.sub(" ", run.title)[:LONGEST_TITLE].strip()) for run in found]


def complete_strategy(incomplete: str) -> list[str]:
    from agent.run_state.strategy_traits import offered_strategies

    return [name for name in offered_strategies() if name.startswith(incomplete)]


def complete_setting(incomplete: str) -> list[str]:
    from agent.config.session_preferences import NAMES, TABLE
    from agent.config.settings import Settings

    known = [*Settings.model_fields, *(f"{TABLE}.{name}" for name in NAMES)]
    return [name for name in known if name.startswith(incomplete)]


def complete_value_of(setting: str) -> Callable[[str], list[str]]:
    """Return a function that completes the values of a setting that has a fixed set of them."""

    def complete(incomplete: str) -> list[str]:
        from typing import get_args

        from agent.config.settings import Settings

        values = get_args(Settings.model_fields[setting].annotation)
        return [value for value in values if value and value.startswith(incomplete)]

    return complete
