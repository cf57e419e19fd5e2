"""The closing message of a turn: the strategy's or the model's last text, and what an interrupted search has found."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from agent.run_state.strategy_traits import is_conversational
from agent.run_state.turn_state import MAIN, submission_field
from trajectories.plugins import extension_packages
from trajectories.records import Once, Step

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.records import Exit
    from trajectories.trajectory import Trajectory

MOST_EDITS, MOST_LINES = 5, 40
"""Maximum numbers of edits or rewrites that are listed, and of lines of the first one's diff."""
ENDED_EARLY = {"open", "interrupted", "limit", "budget", "error"}
"""Kinds of exits after which a search may be unfinished; the patch of its first edit is not delivered."""


def closing_text(engine: Engine, exit: Exit, began: str) -> str:
    """Return the closing message of the current turn, which began with the tree `began` and ends, or would end, with
    `exit`."""
    is_search_over = exit.kind not in ENDED_EARLY or exit.tree != began
    found = ""
    if not is_search_over:
        # it only describes records, and must not hide the error that ended the run
        with suppress(LookupError, TypeError, ValueError, OSError):
            found = _unfinished_search(engine, began)
    return "\n\n".join(filter(None, [_last_word(engine.trajectory), found]))


def _last_word(trajectory: Trajectory) -> str:
    """Return the closing message of the turn: the text of the last step if the strategy wrote it, or else the model's
    last message or summary; in a conversation it includes the test results."""
    steps = [step for step in trajectory.of_turn if isinstance(step, Step) and step.branch == MAIN]
    last = steps[-1] if steps else None
    if last and not last.actions and last.author == trajectory.turns[-1].strategy:
        return "\n".join(observation.text for observation in last.observations)
    proven = [step for step in steps if step.author == "proof"]
    shown = [proven[-1].observations[0].text] if proven and is_conversational(trajectory.turns[-1].strategy) else []
    replied = next((step for step in reversed(steps) if step.reply is not None), None)
    if replied and not replied.actions and is_conversational(trajectory.turns[-1].strategy):
        return "\n\n".join([trajectory.replies[MAIN, replied.reply or 0].text, *shown])
    return "\n\n".join(filter(None, [submission_field(trajectory.of_turn, "summary"), *shown]))


def _unfinished_search(engine: Engine, tree: str) -> str:
    """Describe what the current turn's search, which began with `tree`, has found so far; "" if it has found
    nothing."""
    done = [record for record in engine.trajectory.of_turn if isinstance(record, Once)]
    for module in extension_packages("agent.lifecycle.unfinished_searches"):
        if found := import_module(module).describe_unfinished(engine, tree, done):
            return str(found)
    return ""


def list_found(title: str, lines: list[str], diff: str) -> str:
    """Return a list of what a search has found, below a title, with the diff of the first one."""
    more = [f"- and {len(lines) - MOST_EDITS} more"] if len(lines) > MOST_EDITS else []
    shown = [line for line in diff.splitlines() if not line.startswith("index ")]
    cut = [f"… {len(shown) - MOST_LINES} more lines"] if len(shown) > MOST_LINES else []
    listed = (f"- {line}" for line in lines[:MOST_EDITS])
    return "\n".join([title, *listed, *more, "The first of them:", *shown[:MOST_LINES], *cut])
