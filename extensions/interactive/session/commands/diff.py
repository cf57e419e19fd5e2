"""Show the session's changes that are not applied yet (in place: not committed), or what one prompt changed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from aci.repository.patch import count_diff_lines
from agent.run_state.turn_state import tree_at
from extensions.interactive.session import applied_changes, session_commit
from extensions.interactive.session.diff_hunks import is_within
from extensions.interactive.strategies.rewind import prompts
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[turn N | PATH…]"
IN_EDITORS = "always"


def run(session: Session, words: str) -> None:
    engine = applied_changes.engine_of(session)
    try:
        given = shlex.split(words)
    except ValueError as error:
        raise UsageError(f"{words!r} cannot be read: {error}.", "Quote paths that contain blanks.") from None
    if given[:1] == ["turn"]:
        old, new = _of_turn(engine, given[1:])
        paths: tuple[str, ...] = ()
        title = f"Turn {given[1]}"
    else:
        paths = applied_changes.tree_paths(engine, given)
        if session.settings.in_place:
            (old, new), title = session_commit.pending_changes(engine), "Not committed yet"
        else:
            old, new = applied_changes.common_tree(engine), applied_changes.session_tree(engine)
            title = "Not applied yet"
    all_paths = [change.path for change in engine.trees.changed(old, new)]
    changed = [path for path in all_paths if not paths or is_within(path, paths)]
    if not changed:
        session.show(f"{title}: no changes.")
        return
    diff = engine.trees.diff(old, new, changed if paths else ())
    session.show(diff, "diff", f"{title}: {diff_stat(diff, len(changed))}")


def diff_stat(diff: str, files: int) -> str:
    """Return a summary like `3 files, +10 -2`."""
    sections = count_diff_lines(diff)
    added, removed = sum(added for _, added, _ in sections), sum(removed for *_, removed in sections)
    return f"{files} file{'s' * (files != 1)}, +{added} -{removed}"


def _of_turn(engine: Engine, words: list[str]) -> tuple[str, str]:
    """Return the trees before and after the turn of a prompt, numbered as by `/rewind`. Raises UsageError for an
    unknown one."""
    known = prompts(engine.trajectory)
    if len(words) != 1 or not words[0].isdecimal() or not 1 <= int(words[0]) <= len(known):
        raise UsageError(
            f"There is no turn {' '.join(words) or 'without a number'}.", f"Name one from 1 to {len(known)}."
        )
    turns, turn = engine.trajectory.turns_at, known[int(words[0]) - 1].turn
    end = turns[turn + 1] if turn + 1 < len(turns) else len(engine.trajectory.records)
    base = engine.run.base.tree
    return tree_at(engine.trajectory, turns[turn], base), tree_at(engine.trajectory, end, base)
