"""Attempts that run at the same time, each on its own branch. Their steps are merged into one stream, and their
outcomes are recorded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING

from agent.engine.proof_step import best_outcome
from agent.run_state.attempt_outcome import Outcome, load_outcome
from trajectories.errors import Cancelled, ModelError, Refused, Stop, WorkspaceError
from trajectories.records import Once, Step

if TYPE_CHECKING:
    from agent.engine.branch import Branch

AT_ONCE = 8
"""Maximum number of attempts that run at the same time: each has a workspace and a conversation."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A strategy that runs on its own branch; `solve` starts it."""

    branch: Branch
    solve: Callable[[], Generator[Step, None, Outcome]]


@dataclass(frozen=True, slots=True)
class _AttemptEnd:
    """The last item that an attempt's thread puts into the stream. `error` makes the whole run fail."""

    number: int
    outcome: Outcome | None = None
    error: BaseException | None = None


def run_all(attempts: Sequence[Attempt]) -> Generator[Step, None, list[Outcome]]:
    """Yield the attempts' steps as they are completed; return the outcomes in the order of the attempts.

    If a Stop ends an attempt, the Stop becomes its outcome. Closing the generator cancels all attempts.
    """
    outcomes: list[Outcome | None] = [_recorded_outcome(attempt) for attempt in attempts]
    stream: SimpleQueue[Step | _AttemptEnd] = SimpleQueue()
    pool = ThreadPoolExecutor(AT_ONCE, "attempt")
    missing = [number for number, outcome in enumerate(outcomes) if outcome is None]
    for number in missing:
        pool.submit(_run_in_thread, number, attempts[number], stream)
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
        attempt.branch.cancel.set()


def _run_in_thread(number: int, attempt: Attempt, stream: SimpleQueue[Step | _AttemptEnd]) -> None:
    try:
        with closing(attempt.branch.place):
            outcome = _run(attempt, stream)
    except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
        stream.put(_AttemptEnd(number, error=error))
    else:
        stream.put(_AttemptEnd(number, outcome))


def _run(attempt: Attempt, stream: SimpleQueue[Step | _AttemptEnd]) -> Outcome:
    branch, steps = attempt.branch, attempt.solve()
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
        # If the attempt was cancelled, its closed workspace is not an infrastructure error.
        branch.cancel.check()
        raise
    except (Stop, ModelError) as stop:
        if isinstance(stop, Refused) or (isinstance(stop, ModelError) and stop.retryable):
            raise  # this stops the whole run, which can be resumed later
        best = best_outcome(branch.engine.trajectory, branch.engine.trees, branch.turn.base.tree, branch.name)
        outcome = replace(best, exit=stop.kind if isinstance(stop, Stop) else "error")
    branch.engine.journal.append(Once(branch.name, "outcome", asdict(outcome)))
    return outcome


def _recorded_outcome(attempt: Attempt) -> Outcome | None:
    result = attempt.branch.engine.trajectory.results.get((attempt.branch.name, "outcome"))
    return load_outcome(result.value) if result else None
