"""Attempts side by side: their steps in one stream, their outcomes on the record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from agent.outcome import Outcome, load_outcome
from trajectories.errors import Cancelled, ModelError, Refused, Stop, WorkspaceError
from trajectories.records import Once, Step

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.task import Task


AT_ONCE = 8
"""Attempts that are under way at a time: each has a workspace and a conversation."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A strategy on a branch of its own."""

    task: Task
    strategy: Callable[[Task], Generator[Step, None, Outcome]]


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last thing an attempt's thread says; `error` is what the whole run fails with."""

    number: int
    outcome: Outcome | None = None
    error: BaseException | None = None


def run_all(engine: Engine, attempts: Sequence[Attempt]) -> Generator[Step, None, list[Outcome]]:
    """Yield the attempts' steps as they come; return their outcomes in the order given.

    An attempt that a Stop ends has that as its outcome. Closing the generator cancels them all.
    """
    outcomes: list[Outcome | None] = [_recorded(engine, attempt) for attempt in attempts]
    stream: SimpleQueue[Step | _Ended] = SimpleQueue()
    pool = ThreadPoolExecutor(AT_ONCE, "attempt")
    missing = [number for number, outcome in enumerate(outcomes) if outcome is None]
    for number in missing:
        pool.submit(_work, engine, number, attempts[number], stream)
    failure: BaseException | None = None
    try:
        for _ in missing:
            while isinstance(item := stream.get(), Step):
                yield item
            outcomes[item.number] = item.outcome
            if item.error is not None:
                failure = failure or item.error
                _cancel(attempts)
    finally:
        _cancel(attempts)
        pool.shutdown(cancel_futures=True)
    if failure is not None:
        raise failure
    return [outcome for outcome in outcomes if outcome is not None]


def _cancel(attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        attempt.task.cancel.set()


def _work(engine: Engine, number: int, attempt: Attempt, stream: SimpleQueue[Step | _Ended]) -> None:
    try:
        with closing(attempt.task.place):
            outcome = _run(engine, attempt, stream)
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
        stream.put(_Ended(number, error=error))
    else:
        stream.put(_Ended(number, outcome))


def _run(engine: Engine, attempt: Attempt, stream: SimpleQueue[Step | _Ended]) -> Outcome:
    task = attempt.task
    steps = attempt.strategy(task)
    try:
        while True:
            try:
                stream.put(next(steps))
            except StopIteration as end:
                outcome: Outcome = end.value
                break
    except Cancelled:
        raise
    except WorkspaceError:
        # A workspace that was closed under a cancelled attempt is no trouble of the machine's.
        task.cancel.check()
        raise
    except (Stop, ModelError) as stop:
        if isinstance(stop, Refused) or (isinstance(stop, ModelError) and stop.retryable):
            raise  # the whole run waits and is resumed
        outcome = replace(task.best(), exit=stop.kind if isinstance(stop, Stop) else "error")
    engine.journal.append(Once(task.branch, "outcome", asdict(outcome)))
    return outcome


def _recorded(engine: Engine, attempt: Attempt) -> Outcome | None:
    result = engine.trajectory.results.get((attempt.task.branch, "outcome"))
    return load_outcome(result.value) if result else None
