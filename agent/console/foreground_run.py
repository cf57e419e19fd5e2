"""A run in the foreground: signals, steps and the final report, for a terminal or a program."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.console.run_display import Console
from agent.engine.engine import Engine
from agent.lifecycle.publication import solve
from agent.lifecycle.run_lifecycle import open_new_run, result
from agent.lifecycle.run_result import Result
from agent.limits.cancellation import CancellationToken, stopped_by_signals
from agent.permissions.approvals import Answer, Approval
from agent.run_state.proposed_tree import Proposal
from agent.run_state.terminal_question import can_choose
from trajectories.errors import Cancelled, SweAgentError, WorkspaceError
from trajectories.records import Issue, Step


class Stoppable(Protocol):
    """A run or a batch that can be stopped."""

    @property
    def cancel(self) -> CancellationToken: ...


class OnEnd(Protocol):
    """A callback for the end of a run, with the error if it was stopped; it is called while the run is still open."""

    def __call__(self, engine: Engine, ended: Result, error: SweAgentError | None) -> object: ...


def run_to_end(
    start: Callable[[], Engine],
    console: Console,
    work: Callable[[Engine, Console], Result] | None = None,
    on_end: OnEnd = lambda engine, ended, error: None,
) -> int:
    """Solve the run that `start` opens, show it, and return the exit code.

    Errors before the run is open are raised. `work` solves one turn by default.
    """
    opened: list[Engine] = []
    with console.heartbeat(), stopped_by_signals(lambda: stop(opened)):
        try:
            opened.append(start())
            ended = (work or solve_and_show)(opened[0], console)
            console.result(ended)
            console.delivery_hint(opened[0], ended)
            on_end(opened[0], ended, None)
            return ended.exit.code
        except SweAgentError as error:
            return _stopped(opened, console, error, on_end)
        except KeyboardInterrupt:
            interrupted = Cancelled("Interrupted.", "`swe-agent runs` lists what can be resumed.")
            return _stopped(opened, console, interrupted, on_end)
        except OSError as error:
            what = f"This machine failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
            return _stopped(opened, console, WorkspaceError(what, "Fix it, then resume the run."), on_end)
        finally:
            for engine in opened:
                engine.close()


def drive_new(
    issue: Issue,
    source: Repository,
    settings: Settings,
    console: Console,
    rev: str | None = None,
    proposed: Proposal | None = None,
    on_end: OnEnd = lambda engine, ended, error: None,
) -> int:
    """Create a run at `rev` and solve it, or prove a `proposed` patch."""

    def start() -> Engine:
        return open_new_run(issue, source, settings, rev, console.happening, proposed)

    return run_to_end(start, console, on_end=on_end)


def solve_and_show(engine: Engine, console: Console) -> Result:
    """Solve the current turn and show it."""
    console.heading(engine.trajectory)
    engine.delegates = True
    if not console.json and can_choose():
        engine.choose = lambda asked: _choose(engine, console, asked)
    with console.watching(engine):
        return _show(solve(engine), console)


def _choose(engine: Engine, console: Console, asked: Approval) -> Answer:
    """Ask the user while the run's clock is paused."""
    with engine.clock.pause():
        return console.choose(asked, engine.cancel.is_set)


def _show(steps: Generator[Step, None, Result], console: Console) -> Result:
    while True:
        try:
            console.step(next(steps))
        except StopIteration as end:
            result: Result = end.value
            return result


def _stopped(opened: list[Engine], console: Console, error: SweAgentError, on_end: OnEnd) -> int:
    """Show the state of the run and why it stopped; if no run is open, raise the error."""
    if not opened:
        raise error
    if isinstance(error, Cancelled):
        error.fix = f"Continue with `swe-agent resume {opened[0].run.id}`."
    try:
        ended = result(opened[0])
    except (SweAgentError, OSError):  # for the same reason, such as a full disk
        raise error from None
    console.result(ended, error)
    on_end(opened[0], ended, error)
    return error.code


def stop(opened: Sequence[Stoppable]) -> bool:
    """Stop an open run gracefully; return False if there is none, or if it was already stopped."""
    if not opened or opened[0].cancel.stopped:
        return False
    opened[0].cancel.set()
    return True
