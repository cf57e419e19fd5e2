"""Run an engine to its end for a person or a program at a terminal: signals, steps, the last word."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from agent.console import Console
from agent.engine import Engine
from agent.solve import result, solve
from trajectories.errors import Cancelled, SweAgentError


def drive(open_engine: Callable[[], Engine], console: Console) -> int:
    """Solve what `open_engine` opens, show it, return the exit code. What fails before the run is open is raised."""
    engine = open_engine()
    try:
        console.heading(engine.trajectory)
        with stopped_by_signals(engine):
            for step in solve(engine):
                console.step(step)
        console.result(result(engine))
        return result(engine).exit.code
    except SweAgentError as error:
        if isinstance(error, Cancelled):
            error.fix = f"Go on with `swe-agent resume {engine.run.id}`."
        console.result(result(engine), error)
        return error.code
    finally:
        engine.close()


@contextmanager
def stopped_by_signals(engine: Engine) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the run in order, a second one at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        if engine.cancel.stopped:
            raise KeyboardInterrupt
        engine.cancel.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
