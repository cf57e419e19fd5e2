"""Choose the strategy of the next turns, or list the strategies; `/strategy build` returns to the modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.run_state.strategy_traits import is_by_hand
from extensions.interactive.session.session_events import StatusChanged
from trajectories.errors import UsageError
from trajectories.plugins import find, names

if TYPE_CHECKING:
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[NAME]"
ONLY_FOR_LATER = "with words"
GROUP = "how"
IN_EDITORS = "always"
OF_MODES = ("build", "plan")


def run(session: Session, words: str) -> None:
    known = _names()
    if not words:
        lines = [f"{'>' if name == session.next_strategy else ' '} {name}: {_summary(name)}" for name in known]
        session.show("\n".join(lines), title="Strategies")
        return
    name = words.replace("_", "-")
    if name not in known:
        raise UsageError(f"There is no strategy named {words!r}.", f"Choose one of: {', '.join(known)}.")
    session.strategy = "" if name in OF_MODES else name
    session.mode = name if name in OF_MODES else "build"
    session.hear(StatusChanged())


def completions(session: Session, words: str) -> list[tuple[str, str]]:
    return [(name, _summary(name)) for name in _names()]


def _names() -> list[str]:
    """Return the strategies that work on a request; strategies that only run as a command are left out."""
    return sorted(name for name in names("agent.strategies") if not is_by_hand(name))


def _summary(name: str) -> str:
    """Return the first sentence of a strategy's docstring."""
    import sys

    module = sys.modules[find("agent.strategies", name, "solve", "strategy").__module__]
    text = " ".join((module.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".") + "."
