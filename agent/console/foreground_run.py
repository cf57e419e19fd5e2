"""Run an engine to its end for a person or a program at a terminal: signals, steps, the last word."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from aci.repository import Repository
from agent.console import Console
from agent.engine import Engine, Token
from agent.settings import Settings
from agent.signals import stopped_by_signals
from agent.solve import Result, begin, reopen, result, solve
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError
from trajectories.records import Issue, Step


class Stoppable(Protocol):
    """A run, or a batch of them."""

    @property
    def cancel(self) -> Token: ...


class Tell(Protocol):
    """Hears how a run ended, or why it stopped, while it is still open."""

    def __call__(self, engine: Engine, ended: Result, error: SweAgentError | None) -> object: ...


def drive(
    start: Callable[[], Engine],
    console: Console,
    work: Callable[[Engine, Console], Result] | None = None,
    tell: Tell = lambda engine, ended, error: None,
) -> int:
    """Solve what `start` opens, show it, and return the exit code. What fails before the run is open is raised.

    `work` is one turn's by default.
    """
    opened: list[Engine] = []
    with stopped_by_signals(lambda: stop(opened)):
        try:
            opened.append(start())
            ended = (work or shown)(opened[0], console)
            console.result(ended)
            tell(opened[0], ended, None)
            return ended.exit.code
        except SweAgentError as error:
            return _stopped(opened, console, error, tell)
        except KeyboardInterrupt:
            cut = Cancelled("Interrupted.", "`swe-agent runs` lists what can be resumed.")
            return _stopped(opened, console, cut, tell)
        except OSError as error:
            what = f"This machine failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
            return _stopped(opened, console, WorkspaceError(what, "Mend it, then resume the run."), tell)
        finally:
            for engine in opened:
                engine.close()


def drive_new(asked: Issue, source: Repository, settings: Settings, console: Console, rev: str | None = None) -> int:
    """Begin a run at `rev`, and drive it."""
    return drive(lambda: reopen(begin(asked, source, settings, rev), settings.state, console.happening), console)


def shown(engine: Engine, console: Console) -> Result:
    """Solve the present turn, and show it."""
    console.heading(engine.trajectory)
    with console.watching(engine):
        return _show(solve(engine), console)


def _show(steps: Generator[Step, None, Result], console: Console) -> Result:
    while True:
        try:
            console.step(next(steps))
        except StopIteration as end:
            result: Result = end.value
            return result


def _stopped(opened: list[Engine], console: Console, error: SweAgentError, tell: Tell) -> int:
    """What is there of the run, and why it stopped; without a run the error is raised as it is."""
    if not opened:
        raise error
    if isinstance(error, Cancelled):
        error.fix = f"Go on with `swe-agent resume {opened[0].run.id}`."
    ended = result(opened[0])
    console.result(ended, error)
    tell(opened[0], ended, error)
    return error.code


def stop(opened: Sequence[Stoppable]) -> bool:
    """End what is open in order; False where nothing is, or that was asked before."""
    if not opened or opened[0].cancel.stopped:
        return False
    opened[0].cancel.set()
    return True
