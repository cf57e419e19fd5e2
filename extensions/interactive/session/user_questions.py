"""Questions of a session to its user, which are asked one at a time, in order, if no rule answers them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from threading import Condition
from typing import TYPE_CHECKING

from aci.observation.secret_masking import mask_secrets
from agent.permissions.approvals import FORBIDDEN, Answer, Approval
from agent.permissions.decisions import Decision, judge
from extensions.interactive.session.session_events import MessageEvent, QuestionAnswered, QuestionAsked
from extensions.interactive.session.session_status import State
from trajectories.errors import ConfigError, SweAgentError
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.permissions.rule_store import Permissions
    from extensions.interactive.session.session_protocols import QuestionSession

TICK = 0.1
INTERRUPTED = Answer(False, reason="Interrupted.")
NO_USER = Answer(False, reason="There is no one to ask.")
SET_UP_ALLOWED = Answer(True, reason="There is no one to ask, and `fix` sets up the environment without asking, too.")
MODEL_MESSAGES = {
    "apply": "[The user was asked to apply your changes and said no: {}]",
    "commit": "[The user was asked to commit your changes and said no: {}]",
    "branch": "[The user was asked to create a branch of your changes and said no: {}]",
}
"""Messages that tell the model that the user refused and why, by kind of question; they exist for questions that the
model did not cause itself."""


class UserQuestions:
    """The questions of a session.

    `ask` waits in the calling thread. `answer` and `refuse_all` are thread-safe and may be called from event handlers.
    """

    def __init__(self, session: QuestionSession, permissions: Permissions) -> None:
        self._session = session
        self.permissions = permissions
        self._turn = Condition()
        self._waiting: deque[int] = deque()
        self._answers: dict[int, Answer] = {}
        self._last = 0
        self._before: State = "idle"
        self._reported = ""

    @property
    def waiting(self) -> bool:
        """Whether there is an open question."""
        return bool(self._waiting)

    def ask(self, approval: Approval) -> Answer:
        """Return the answer of the rules, or else of the user; the run's clock is paused while the user is asked."""
        decision = self._decide(approval)
        if decision.yes is not None:
            return self._by_rule(approval, decision)
        engine = self._session.engine
        with engine.clock.pause() if engine else nullcontext():
            approval = self._enqueue(approval)
            shown = False
            try:
                if self._wait(approval, lambda: self._waiting[0] == approval.id):
                    decision = self._decide(approval)  # the previous answer may have added a rule
                    if decision.yes is None:
                        why = f"This can only be allowed once: {decision.why}." if decision.why else ""
                        approval = replace(
                            approval,
                            always=tuple(rule.description for rule in decision.always),
                            why=why,
                            detail="\n\n".join(filter(None, (decision.notice, approval.detail))),
                        )
                        shown = True
                        self._show(approval)
            finally:
                answer = self._finish(approval)
        if decision.yes is not None:
            return self._by_rule(approval, decision)
        if shown:
            self._session.hear(QuestionAnswered(approval, answer))
        return self._by_user(approval, answer, decision)

    def is_allowed(self, approval: Approval) -> bool:
        """Return whether the rules allow this, without asking the user."""
        return self._decide(approval).yes is True

    def answer(self, id: int, answer: Answer) -> bool:
        """Answer the open question. Return False if the question with that id is not open or already has an answer."""
        with self._turn:
            if not self._waiting or self._waiting[0] != id or id in self._answers:
                return False
            self._answers[id] = answer
            self._turn.notify_all()
            return True

    def refuse_all(self, answer: Answer = INTERRUPTED) -> None:
        """Answer all questions with no when the user interrupts or the session closes."""
        with self._turn:
            for id in self._waiting:
                self._answers.setdefault(id, answer)
            self._turn.notify_all()

    # Waiting

    def _enqueue(self, approval: Approval) -> Approval:
        with self._turn:
            self._last += 1
            self._waiting.append(self._last)
            return replace(approval, id=self._last)

    def _show(self, approval: Approval) -> None:
        with self._turn:
            self._before, self._session.state = self._session.state, "asking"
        self._session.hear(QuestionAsked(approval))
        self._wait(approval, lambda: False)

    def _wait(self, approval: Approval, until: Callable[[], bool]) -> bool:
        """Wait until `until` returns true; return False if the question is answered or cancelled first."""
        stopped = self._session.stopped
        cancel = approval.cancel or (self._session.engine.cancel if self._session.engine else stopped)
        with self._turn:
            while not (approval.id in self._answers or cancel.is_set() or stopped.is_set()):
                if until():
                    return True
                self._turn.wait(TICK)  # the timeout is needed because a stop does not notify this condition
            return False

    def _finish(self, approval: Approval) -> Answer:
        with self._turn:
            if self._waiting[0] == approval.id and self._session.state == "asking":
                self._session.state = self._before
            self._waiting.remove(approval.id)
            self._turn.notify_all()
            return self._answers.pop(approval.id, INTERRUPTED)

    # Rules

    def _decide(self, approval: Approval) -> Decision:
        """Return the decision of the rules. An untrusted rules file is reported once and ignored."""
        try:
            kept = self.permissions.allow_rules()
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
        if approval.kind == "question":
            return answer  # the branch that asks records it
        rules = decision.always if answer.yes and answer.scope != "once" else ()
        if rules:
            try:
                self.permissions.keep(rules, "project" if answer.scope == "project" else "session")
            except SweAgentError as error:
                self._tell(error)
        by = "interrupt" if answer is INTERRUPTED else "nobody" if answer in (NO_USER, SET_UP_ALLOWED) else "user"
        self._record(approval, answer, ", ".join(map(str, rules)), by)
        if by == "user" and not answer.yes and answer.reason and approval.kind in MODEL_MESSAGES:
            self._tell_model(MODEL_MESSAGES[approval.kind].format(answer.reason))
        return answer

    def _tell_model(self, words: str) -> None:
        if engine := self._session.engine:
            engine.journal.append(Note("main", "message", mask_secrets(words, engine.secrets)))

    def _tell(self, error: SweAgentError) -> None:
        if error.message != self._reported:
            self._reported = error.message
            self._session.hear(MessageEvent(f"{error.message} {error.fix}".strip(), "error"))

    def _record(self, approval: Approval, answer: Answer, rule: str, by: str) -> None:
        engine = self._session.engine
        if engine is None:
            return
        verdict = "yes" if answer.yes else "no"
        data = {"kind": approval.kind, "subject": approval.subject, "answer": verdict, "rule": rule, "by": by}
        if answer.reason:
            data["reason"] = answer.reason
        if answer.yes and answer.scope != "once":
            data["scope"] = answer.scope
        masked = {name: mask_secrets(text, engine.secrets) for name, text in data.items()}
        engine.journal.append(
            Note("main", "approval", f"{verdict}: {masked['kind']} {masked['subject']}".strip(), masked)
        )
