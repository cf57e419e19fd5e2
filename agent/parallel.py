"""Attempts side by side: one thread each, their steps in one stream, their outcomes on the record."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from trajectories.errors import Cancelled, ModelError, Stop, WorkspaceError
from trajectories.records import Once, Step, Verdict

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.task import Outcome, Task


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
    threads = [
        Thread(target=_work, args=(engine, number, attempt, stream), name=attempt.task.branch)
        for number, attempt in enumerate(attempts)
        if outcomes[number] is None
    ]
    for thread in threads:
        thread.start()
    failure: BaseException | None = None
    try:
        for _ in threads:
            while isinstance(item := stream.get(), Step):
                yield item
            outcomes[item.number] = item.outcome
            if item.error is not None:
                failure = failure or item.error
                _cancel(attempts)
    finally:
        _cancel(attempts)
        for thread in threads:
            thread.join()
        for attempt in attempts:
            attempt.task.place.close()
    if failure is not None:
        raise failure
    return [outcome for outcome in outcomes if outcome is not None]


def _cancel(attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        attempt.task.cancel.set()


def _work(engine: Engine, number: int, attempt: Attempt, stream: SimpleQueue[Step | _Ended]) -> None:
    try:
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
        if isinstance(stop, ModelError) and stop.retryable:
            raise  # the whole run waits and is resumed
        best = task.best()
        outcome = type(best)(best.tree, best.verdict, stop.kind if isinstance(stop, Stop) else "error")
    engine.journal.append(Once(task.branch, "outcome", asdict(outcome)))
    return outcome


def _recorded(engine: Engine, attempt: Attempt) -> Outcome | None:
    from agent.task import Outcome

    result = engine.trajectory.results.get((attempt.task.branch, "outcome"))
    if result is None:
        return None
    value: dict[str, Any] = result.value
    return Outcome(value["tree"], load_verdict(value["verdict"]), value["exit"])


def load_verdict(value: dict[str, Any]) -> Verdict:
    """A verdict as the journal holds it."""
    parts: dict[str, Any] = {name: tuple(part) if isinstance(part, list) else part for name, part in value.items()}
    return Verdict(**parts)
