"""A session's questions to its user: what rules do not decide, one at a time, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from threading import Condition
from typing import TYPE_CHECKING

from aci.view import mask
from agent.approvals import FORBIDDEN, Answer, Approval
from agent.judging import Decision, judge
from agent.permissions import Permissions
from agent.session.events import Answered, Asked
from agent.session.status import State
from trajectories.errors import ConfigError, SweAgentError
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.session.session import Session

TICK = 0.1
INTERRUPTED = Answer(False, reason="Interrupted.")
NOBODY = Answer(False, reason="Nobody is there to ask.")
TOLD = {
    "apply": "[The user was asked to take over your changes and said no: {}]",
    "commit": "[The user was asked to commit your changes and said no: {}]",
    "branch": "[The user was asked for a branch of your changes and said no: {}]",
}
"""How a no with a reason, to what a model did not ask for itself, is told to it at its next request."""


class Asking:
    """`ask` waits in the thread that asks; `answer` and `refuse_all` may be called from any, also while it is heard."""

    def __init__(self, session: Session) -> None:
        self._session = session
        start = session.start
        self.permissions = Permissions(start.settings.state, start.source.root, lambda: session.settings.permissions)
        self._turn = Condition()
        self._waiting: deque[int] = deque()
        self._answers: dict[int, Answer] = {}
        self._last = 0
        self._before: State = "idle"
        self._told = ""

    @property
    def waiting(self) -> bool:
        """Whether a question is open."""
        return bool(self._waiting)

    def ask(self, approval: Approval) -> Answer:
        """What the rules say, or the user; the run's time stands still until the answer is there."""
        decision = self._decide(approval)
        if decision.yes is not None:
            return self._by_rule(approval, decision)
        engine = self._session.engine
        with engine.standing_still() if engine else nullcontext():
            approval = self._queued(approval)
            shown = False
            try:
                if self._wait(approval, lambda: self._waiting[0] == approval.id):
                    decision = self._decide(approval)  # the answer before may be a rule for this one
                    if decision.yes is None:
                        why = f"This can be allowed once only: {decision.why}." if decision.why else ""
                        approval = replace(approval, always=tuple(map(str, decision.always)), why=why)
                        shown = True
                        self._show(approval)
            finally:
                answer = self._done(approval)
        if decision.yes is not None:
            return self._by_rule(approval, decision)
        if shown:
            self._session.hear(Answered(approval, answer))
        return self._by_user(approval, answer, decision)

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

    # Waiting

    def _queued(self, approval: Approval) -> Approval:
        with self._turn:
            self._last += 1
            self._waiting.append(self._last)
            return replace(approval, id=self._last)

    def _show(self, approval: Approval) -> None:
        with self._turn:
            self._before, self._session.state = self._session.state, "asking"
        self._session.hear(Asked(approval))
        self._wait(approval, lambda: False)

    def _wait(self, approval: Approval, until: Callable[[], bool]) -> bool:
        """Whether it came to that before somebody answered, or stopped what asks."""
        stopped = self._session.stopped
        cancel = approval.cancel or (self._session.engine.cancel if self._session.engine else stopped)
        with self._turn:
            while not (approval.id in self._answers or cancel.is_set() or stopped.is_set()):
                if until():
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

    # Rules

    def _decide(self, approval: Approval) -> Decision:
        """A file of rules that cannot be trusted is told of once, and allows nothing."""
        try:
            kept = self.permissions.kept()
        except ConfigError as error:
            kept = self.permissions.without_file()
            self._tell(error)
        return judge(approval, self.permissions.denied, kept)

    def _by_rule(self, approval: Approval, decision: Decision) -> Answer:
        rules = ", ".join(map(str, decision.rules))
        answer = Answer(True) if decision.yes else Answer(False, reason=FORBIDDEN.format(rules))
        self._record(approval, answer, rules, decision.by)
        return answer

    def _by_user(self, approval: Approval, answer: Answer, decision: Decision) -> Answer:
        rules = decision.always if answer.yes and answer.scope != "once" else ()
        if rules:
            try:
                self.permissions.keep(rules, "project" if answer.scope == "project" else "session")
            except SweAgentError as error:
                self._tell(error)
        by = "interrupt" if answer is INTERRUPTED else "nobody" if answer is NOBODY else "user"
        self._record(approval, answer, ", ".join(map(str, rules)), by)
        if by == "user" and not answer.yes and answer.reason and approval.kind in TOLD:
            self._tell_model(TOLD[approval.kind].format(answer.reason))
        return answer

    def _tell_model(self, words: str) -> None:
        if engine := self._session.engine:
            engine.journal.append(Note("main", "message", mask(words, engine.secrets)))

    def _tell(self, error: SweAgentError) -> None:
        if error.message != self._told:
            self._told = error.message
            self._session.tell(f"{error.message} {error.fix}".strip(), "error")

    def _record(self, approval: Approval, answer: Answer, rule: str, by: str) -> None:
        engine = self._session.engine
        if engine is None:
            return
        said = "yes" if answer.yes else "no"
        data = {"kind": approval.kind, "subject": approval.subject, "answer": said, "rule": rule, "by": by}
        if answer.reason:
            data["reason"] = answer.reason
        if answer.yes and answer.scope != "once":
            data["scope"] = answer.scope
        masked = {name: mask(text, engine.secrets) for name, text in data.items()}
        engine.journal.append(Note("main", "approval", f"{said}: {masked['kind']} {masked['subject']}".strip(), masked))
