"""Run an engine to its end for a person or a program at a terminal: signals, steps, the last word."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from agent.console import Console
from agent.engine import Engine, Token
from agent.signals import stopped_by_signals
from agent.solve import Result, result, solve
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError
from trajectories.records import Step


class Stoppable(Protocol):
    """A run, or a batch of them."""

    @property
    def cancel(self) -> Token: ...


def drive(start: Callable[[], Engine], console: Console) -> int:
    """Solve what `start` opens, show it, and return the exit code. What fails before the run is open is raised."""
    opened: list[Engine] = []
    with stopped_by_signals(lambda: stop(opened)):
        try:
            opened.append(start())
            return _solve(opened[0], console)
        except SweAgentError as error:
            return _stopped(opened, console, error)
        except KeyboardInterrupt:
            return _stopped(opened, console, Cancelled("Interrupted.", "`swe-agent runs` lists what can be resumed."))
        except OSError as error:
            what = f"This machine failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
            return _stopped(opened, console, WorkspaceError(what, "Mend it, then resume the run."))
        finally:
            for engine in opened:
                engine.close()


def _solve(engine: Engine, console: Console) -> int:
    console.heading(engine.trajectory)
    with console.watching(engine):
        ended = _show(solve(engine), console)
    console.result(ended)
    return ended.exit.code


def _show(steps: Generator[Step, None, Result], console: Console) -> Result:
    while True:
        try:
            console.step(next(steps))
        except StopIteration as end:
            result: Result = end.value
            return result


def _stopped(opened: list[Engine], console: Console, error: SweAgentError) -> int:
    """What is there of the run, and why it stopped; without a run the error is raised as it is."""
    if not opened:
        raise error
    if isinstance(error, Cancelled):
        error.fix = f"Go on with `swe-agent resume {opened[0].run.id}`."
    console.result(result(opened[0]), error)
    return error.code


def stop(opened: Sequence[Stoppable]) -> bool:
    """End what is open in order; False where nothing is, or that was asked before."""
    if not opened or opened[0].cancel.stopped:
        return False
    opened[0].cancel.set()
    return True
