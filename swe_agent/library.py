"""Functions that solve an issue for a program: `fix`, and `start_fix`, whose run is an iterator over its events."""

from __future__ import annotations

import os
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, Unpack

from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import advice_in_traceback
from trajectories.records import Issue, Step

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result

Event: TypeAlias = Step | ProgressEvent
"""An event of a run: a step, which the run records, or a progress event, which is not stored."""
END = None
"""Marks the end of a run's events."""


class FixOptions(TypedDict, total=False):
    """The options of `fix` and `start_fix`. Each option corresponds to a flag of `swe-agent fix`.

    The value of an option that is not given comes from the environment, the user's configuration or the repository's
    configuration, as for the command. The same applies to settings that are not options of these functions.
    """

    model: str
    strategy: str
    attempts: int
    workspace: Literal["docker", "sandbox", "local"]
    image: str
    test: str
    """The command that runs the tests."""
    serve: str
    """The command that starts the project's server."""
    effort: Literal["none", "minimal", "low", "medium", "high"]
    budget: float
    """Maximum cost in dollars."""
    max_steps: int
    max_tokens: int
    max_time: float
    """Maximum time in seconds."""
    update_tests: bool
    """Keep changes to existing tests in the patch."""
    apply: bool
    """Apply the patch to the working tree, whatever its verdict is."""
    branch: str
    """Commit the patch on a new branch of this name."""


class FixRun:
    """A run that solves an issue, and an iterator over the events of the run. Close the run, or use it in a `with`
    statement.

    The run works in its own thread, even if nothing reads its events. If an error ends the run, the iterator raises the
    error after the last event. If you close a run before its end, you can continue it with `swe-agent resume`.
    """

    def __init__(self, engine: Engine, events: SimpleQueue[Event | None]) -> None:
        """`events` receives the events of the engine."""
        from aci.runtime.workspace import BackgroundTask

        self._engine = engine
        self._events = events
        self._task = BackgroundTask(self._solve, "fix")

    @property
    def directory(self) -> Path:
        """The folder of the run; its name is the run's name in `swe-agent runs`."""
        return self._engine.journal.directory

    def result(self) -> Result:
        """Wait for the end of the run, skip its unread events and return its result. Raises SweAgentError if the run
        was interrupted or could not continue."""
        for _ in self:
            pass
        return self._answer()

    def __iter__(self) -> FixRun:
        return self

    def __next__(self) -> Event:
        event = self._events.get()
        if event is END:
            self._events.put(END)  # for the next call
            self._answer()
            raise StopIteration
        return event

    def _answer(self) -> Result:
        with advice_in_traceback():
            return self._task.answer()

    def _solve(self) -> Result:
        from agent.lifecycle.publication import solve

        steps = solve(self._engine)
        try:
            while True:
                self._events.put(next(steps))
        except StopIteration as end:
            result: Result = end.value
            return result
        finally:
            self._events.put(END)

    def close(self) -> None:
        """Stop the run if it has not ended, and close its workspace and files."""
        self._engine.cancel.set()
        self._task.wait()
        self._engine.close()

    def __enter__(self) -> FixRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def fix(
    issue: str | Issue | None = None,
    repo: str | os.PathLike[str] = ".",
    base: str | None = None,
    **options: Unpack[FixOptions],
) -> Result:
    """Solve an issue as `swe-agent fix` does, and return the result. The parameters are those of `start_fix`.

    A run that ends without a fix, or at one of its limits, also has a result. Raises SweAgentError for invalid input,
    and for a run that is interrupted or cannot continue. The attribute `fix` of the error says what you can do.
    """
    with start_fix(issue, repo, base, **options) as run:
        return run.result()


@advice_in_traceback()
def start_fix(
    issue: str | Issue | None = None,
    repo: str | os.PathLike[str] = ".",
    base: str | None = None,
    **options: Unpack[FixOptions],
) -> FixRun:
    """Start a run that solves an issue, and return it.

    `issue` is a text whose first line is the title. Without an issue, the run tries to make the failing tests pass.
    `repo` is a folder, or a URL to clone. The run starts from the working tree, or from the commit `base`.

    Raises SweAgentError for invalid input, and TypeError for an unknown option.
    """
    if unknown := [name for name in options if name not in FixOptions.__annotations__]:
        raise TypeError(f"fix has no option {unknown[0]!r}; it has {', '.join(FixOptions.__annotations__)}")
    from agent.cli.shared_options import check_delivery
    from agent.config.settings import load_settings
    from agent.inputs.issue_input import from_text, limit_to_base_date, repository_for
    from agent.lifecycle.run_lifecycle import open_new_run
    from agent.run_state.strategy_traits import FAILING_TESTS

    events: SimpleQueue[Event | None] = SimpleQueue()

    def say(text: str) -> None:
        events.put(ProgressEvent("say", "main", text))

    asked = FAILING_TESTS if issue is None else issue if isinstance(issue, Issue) else from_text(issue)
    source = repository_for(asked, os.fspath(repo), lambda why: False, say)
    asked = limit_to_base_date(asked, source, base)
    settings = load_settings(source.file(".swe-agent.toml", base) or b"", **options, pr=False)
    check_delivery(settings.apply, settings.branch)
    return FixRun(open_new_run(asked, source, settings, base, events.put), events)
