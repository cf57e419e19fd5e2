"""A session's questions to its user: one at a time, in the order in which they came, from whatever thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from threading import Condition
from typing import TYPE_CHECKING

from agent.approvals import Answer, Approval
from agent.session.events import Answered, Asked
from agent.session.status import State

if TYPE_CHECKING:
    from agent.session.session import Session

TICK = 0.1
INTERRUPTED = Answer(False, reason="Interrupted.")


class Asking:
    """`ask` waits in the thread that asks; `answer` and `refuse_all` may be called from any, also while it is heard."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = Condition()
        self._waiting: deque[int] = deque()
        self._answers: dict[int, Answer] = {}
        self._last = 0
        self._before: State = "idle"

    @property
    def waiting(self) -> bool:
        """Whether a question is open."""
        return bool(self._waiting)

    def ask(self, approval: Approval) -> Answer:
        """The user's answer; the run's time stands still until it is there."""
        engine = self._session.engine
        with engine.standing_still() if engine else nullcontext():
            approval = self._queued(approval)
            try:
                shown = self._wait(approval, lambda: self._waiting[0] == approval.id)
                if shown:
                    self._session.hear(Asked(approval))
                    self._wait(approval, lambda: False)
            finally:
                answer = self._done(approval)
        if shown:
            self._session.hear(Answered(approval, answer))
        return answer

    def _queued(self, approval: Approval) -> Approval:
        with self._turn:
            self._last += 1
            self._waiting.append(self._last)
            return replace(approval, id=self._last)

    def _wait(self, approval: Approval, until: Callable[[], bool]) -> bool:
        """Whether it came to that before somebody answered, or stopped what asks."""
        engine = self._session.engine
        cancel = approval.cancel or (engine.cancel if engine else None)
        with self._turn:
            while approval.id not in self._answers and not (cancel and cancel.is_set()):
                if until():
                    self._before, self._session.state = self._session.state, "asking"
                    return True
                self._turn.wait(TICK)  # a stop is noticed without being told
            return False

    def _done(self, approval: Approval) -> Answer:
        with self._turn:
            if self._waiting[0] == approval.id and self._session.state == "asking":
                self._session.state = self._before
            self._waiting.remove(approval.id)
            self._turn.notify_all()
            return self._answers.pop(approval.id, INTERRUPTED)

    def answer(self, id: int, answer: Answer) -> bool:
        """The answer to the question that is open; False for one that is not, or is answered already."""
        with self._turn:
            if not self._waiting or self._waiting[0] != id or id in self._answers:
                return False
            self._answers[id] = answer
            self._turn.notify_all()
            return True

    def refuse_all(self, answer: Answer = INTERRUPTED) -> None:
        """End every wait with a no: the user interrupts, or the session closes."""
        with self._turn:
            for id in self._waiting:
                self._answers.setdefault(id, answer)
            self._turn.notify_all()
