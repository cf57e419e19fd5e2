"""The updates that an editor gets: the events of a session, or the records of an earlier one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aci.observation.secret_masking import ReplyLines, mask_secrets
from aci.observation.untrusted_text import clean_text, wrap_code
from agent.engine.engine import known_secrets
from agent.engine.proof_step import NO_LOSS_TEXT
from extensions.interactive.acp.permission_requests import PermissionRequest
from extensions.interactive.acp.tool_calls import PROOF, ToolCalls
from extensions.interactive.session import session_events
from extensions.interactive.session.session_state import is_proof
from trajectories.errors import Cancelled
from trajectories.outcome_words import ending_of
from trajectories.records import Exit, Note, Reply, Run, Step, Turn
from trajectories.trajectory import HAND

if TYPE_CHECKING:
    from agent.run_state.progress_event import ProgressEvent
    from extensions.interactive.session.session import Session
    from extensions.interactive.session.session_events import Event
    from trajectories.records import Record
    from trajectories.trajectory import Trajectory

MAIN = "main"
INSERTED = frozenset({"task", "user", "resume"})
"""Authors of steps that only hold a message to the model."""
QUIET = frozenset({"answered", "done", "undone"})
"""Kinds of ends that need no words."""
MOST_FILES = 20
MOST_SHOWN = 60_000
"""Maximum number of characters of one message that is not the model's, such as a diff."""
LATER = "The session cannot show a list here: the editor lists earlier sessions."


class SessionUpdates:
    """Translates events to updates of the protocol, in order; only one thread may use it at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._mode = session.mode
        self._calls: ToolCalls | None = None
        self._lines = ReplyLines()
        self._streamed = ""
        """The text of the current reply of the main branch that was sent."""
        self._plan: list[str] = []
        self._last_reply = ("", 0)
        self._answer = ""
        """The text of the last reply of the main branch in this turn."""

    def of_event(self, event: Event) -> Iterator[Any]:
        """Yield the updates for an event."""
        if self._session.mode != self._mode:
            self._mode = self._session.mode
            yield _helpers().update_current_mode(self._mode)
        match event:
            case session_events.TurnStarted():
                self._streamed = self._answer = ""
                self._plan = []
            case session_events.ProgressReported(happening):
                yield from self._progress(happening)
            case session_events.StepRecorded(step, reply):
                yield from self._step(step, reply)
            case session_events.TurnEnded(result):
                yield from self._flush()
                yield from self._abandoned()
                yield from self._plan_done()
                yield from self._ending(result.exit, result.word)
                yield from self.say(self._changes())
            case session_events.TurnStopped(error):
                yield from self._last_words()
                yield from self._abandoned()
                if not isinstance(error, Cancelled):
                    yield from self.say(f"{error.message} {error.fix}")
            case session_events.QuestionAsked(approval):
                yield PermissionRequest(approval).started()
            case session_events.QuestionAnswered(approval, answer):
                yield PermissionRequest(approval).ended(answer)
            case session_events.MessageEvent(text, kind):
                yield from self.say(wrap_code(clean_text(text), "diff") if kind == "diff" else text)
            case session_events.FrontEndRequested(what, words):
                yield from self.say(LATER if what == "runs" else words)
            case _:
                pass

    def of_history(self, trajectory: Trajectory) -> Iterator[Any]:
        """Yield the updates that show an earlier run as the user saw it."""
        turns = 0
        for record in tuple(trajectory.records):
            turns += isinstance(record, Turn)
            yield from self._record(record, trajectory, turns)
        yield from self.say(self._changes())

    def _record(self, record: Record, trajectory: Trajectory, turns: int) -> Iterator[Any]:
        match record:
            case Run():
                yield from self._user(record.issue.text)
            case Turn():
                self._answer = ""
                yield from self._user((record.request or f"/{record.strategy}") if turns > 1 else "")
            case Note(kind="message", text=text):
                yield from self._user(text)
            case Step():
                reply = trajectory.replies.get((record.branch, record.reply)) if record.reply else None
                yield from self._step(record, reply)
            case Reply() if record.branch == MAIN and not record.actions:
                yield from self._reply(record)
            case Exit():
                yield from self._ending(record, "")
            case _:
                pass

    def say(self, text: str) -> Iterator[Any]:
        """Yield a message that is not the model's."""
        clean = clean_text(self._masked(text)).strip()
        if clean:
            shown = clean if len(clean) <= MOST_SHOWN else f"{clean[:MOST_SHOWN]}\n…"
            yield _helpers().update_agent_message_text(f"\n\n{shown}\n\n")

    def _user(self, text: str) -> Iterator[Any]:
        if clean := clean_text(self._masked(text)).strip():
            yield _helpers().update_user_message_text(clean)

    def _thought(self, text: str) -> Iterator[Any]:
        if clean := clean_text(self._masked(text)).strip():
            yield _helpers().update_agent_thought_text(f"{clean}\n\n")

    # What happens during a turn

    def _progress(self, event: ProgressEvent) -> Iterator[Any]:
        calls = self._tool_calls()
        match event.kind:
            case "delta" if event.branch == MAIN:
                yield from self._stream(self._lines.add(event.text, self._secrets))
            case "ask" if event.branch == MAIN:
                yield from self._flush()
                self._streamed = ""
            case "replied" if event.branch == MAIN:
                yield from self._flush()
            case "say" | "progress" if event.branch == PROOF and calls:
                if not calls.is_live(PROOF):
                    yield from calls.started(PROOF, "Proof")
            case "action" if calls:
                yield from self._flush()
                yield from calls.started(event.branch, event.text)
            case "output" if calls:
                yield from calls.printed(event.branch, event.text)
            case "done" | "failed" if calls:
                yield from calls.ended(event.branch, event.kind == "done")
            case "phase" if event.branch == MAIN:
                yield from self._phase(event.text)
            case "say" | "candidate" | "summary":
                yield from self._thought(event.text)
            case _:
                pass

    def _stream(self, text: str) -> Iterator[Any]:
        if text:
            self._streamed += text
            yield _helpers().update_agent_message_text(text)

    def _last_words(self) -> Iterator[Any]:
        """Send the reply whose step a stop prevented from being recorded."""
        yield from self._flush()
        engine = self._session.engine
        turn = engine.trajectory.of_turn if engine is not None else ()
        replies = [record for record in turn if isinstance(record, Reply) and record.branch == MAIN]
        if replies:
            yield from self._reply(replies[-1])

    def _flush(self) -> Iterator[Any]:
        """Send the rest of the reply that has arrived."""
        yield from self._stream(self._lines.finish(self._secrets))

    def _phase(self, text: str) -> Iterator[Any]:
        if self._plan[-1:] != [text]:
            self._plan.append(text)
            yield self._plan_update(is_done=False)

    def _plan_done(self) -> Iterator[Any]:
        if self._plan:
            yield self._plan_update(is_done=True)
            self._plan = []

    def _plan_update(self, is_done: bool) -> Any:
        last = len(self._plan) - 1
        entries = [
            _helpers().plan_entry(
                clean_text(self._masked(text)),
                status="completed" if is_done or number < last else "in_progress",
            )
            for number, text in enumerate(self._plan)
        ]
        return _helpers().update_plan(entries)

    def _step(self, step: Step, reply: Reply | None) -> Iterator[Any]:
        calls = self._tool_calls()
        if calls is None:
            return
        if is_proof(step):
            yield from calls.proved(step)
            return
        if reply is not None:
            yield from self._reply(reply)
        yield from calls.recorded(step)
        if step.actions or step.author in INSERTED or reply is not None:
            return
        text = "\n".join(seen.text for seen in step.observations)
        yield from self.say(wrap_code(clean_text(text))) if step.author == HAND else self._thought(text[:MOST_SHOWN])

    def _reply(self, reply: Reply) -> Iterator[Any]:
        """Send what was not streamed of a reply."""
        yield from self._flush()
        if (reply.branch, reply.ask) == self._last_reply:
            return
        self._last_reply = reply.branch, reply.ask
        if reply.reasoning:
            yield from self._thought(reply.reasoning)
        text = self._masked(reply.text)
        if reply.branch == MAIN:
            self._answer = text.strip()
        if reply.branch != MAIN:
            yield from self._thought(f"{reply.branch}: {text}" if text.strip() else "")
        else:
            yield from self.say(_unsent(text, self._streamed))
        self._streamed = ""

    def _ending(self, exit: Exit, word: str) -> Iterator[Any]:
        """Send how a turn ended."""
        yield from self.say(_without(self._masked(word), self._answer or self._streamed))
        lines = []
        if exit.kind not in QUIET and NO_LOSS_TEXT not in word:
            lines.append(ending_of(exit).headline)
        lines.append(f"{exit.message} {exit.fix}".strip())
        yield from self.say("\n\n".join(filter(None, lines)))

    def _changes(self) -> str:
        """Return what the session changed in its own copy, and how the user gets it."""
        files = self._session.status.files
        if not files:
            return ""
        counted = [
            f"`{each.path}`" + (f" +{each.added} -{each.removed}" if each.added is not None else "") for each in files
        ]
        more = f" and {len(files) - MOST_FILES} more" if len(files) > MOST_FILES else ""
        return (
            f"Not in your files yet: {', '.join(counted[:MOST_FILES])}{more}. `/apply` writes them, `/diff` shows them."
        )

    def _abandoned(self) -> Iterator[Any]:
        calls = self._tool_calls()
        if calls is not None:
            yield from calls.abandoned()

    def _tool_calls(self) -> ToolCalls | None:
        engine = self._session.engine
        if engine is None:
            return None
        if self._calls is None or self._calls.engine is not engine:
            self._calls = ToolCalls(engine)
        return self._calls

    @property
    def _secrets(self) -> Sequence[str]:
        engine = self._session.engine
        return engine.secrets if engine is not None else known_secrets(os.environ)

    def _masked(self, text: str) -> str:
        return mask_secrets(text, self._secrets)


def _unsent(text: str, sent: str) -> str:
    """Return the part of a text that does not repeat what was sent."""
    plain = text.strip()
    if sent.strip() and plain.startswith(sent.strip()):
        return plain[len(sent.strip()) :].strip()
    return plain


def _without(word: str, answer: str) -> str:
    """Return a strategy's closing message without the model's answer, which was sent."""
    return word.strip().removeprefix(answer.strip()).removesuffix(answer.strip()).strip()


def _helpers() -> Any:
    from acp import helpers

    return helpers
