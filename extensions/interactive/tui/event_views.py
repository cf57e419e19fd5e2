"""How the widgets show the events of a session."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.run_state.progress_event import LIVE_DETAILS
from extensions.interactive.session import session_events
from extensions.interactive.tui.dialogs import MODELS_LATER, PRICE_LATER
from extensions.interactive.tui.widgets.conversation_items import Line, ModelText, Phase, UserMessage
from extensions.interactive.tui.widgets.outcome_items import end_lines, stop_line
from extensions.interactive.tui.widgets.restored_run import CLOSING, SHOWN, repeats_user_message, run_items, step_item
from trajectories.records import Note, Record
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from agent.run_state.progress_event import ProgressEvent
    from extensions.interactive.session.session import Session
    from extensions.interactive.session.session_events import Event
    from extensions.interactive.tui.dialogs import Dialogs
    from extensions.interactive.tui.notifications import Notifier
    from extensions.interactive.tui.widgets.conversation_items import Item
    from extensions.interactive.tui.widgets.conversation_view import Conversation

LARGEST = 4_000_000
"""Maximum number of bytes of an output that are shown."""


def read_output(session: Session, number: int) -> str:
    """Return the stored output with this number, with a note if it is truncated."""
    if session.engine is None:
        return ""
    file = session.engine.journal.directory / "out" / str(number)
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST).decode("utf-8", "replace")
            more = bool(opened.read(1))
    except OSError:
        return ""
    return f"{text}\n… the rest is in {file}" if more else text


def picture_path(session: Session, number: int) -> str:
    """Return the path of the picture with this number, which the user can open; "" if there is none."""
    from trajectories.page_picture import picture_file

    return str((session.engine and picture_file(session.engine.journal.directory, number)) or "")


class SessionDisplay(Protocol):
    """The members of the app that events use."""

    conversation: Conversation
    dialogs: Dialogs
    notifier: Notifier

    def put(self, *items: Item) -> None: ...

    def show_status(self) -> None: ...

    def choose_theme(self, name: str) -> str: ...

    def copy_to_clipboard(self, text: str) -> None: ...

    def fill_prompt(self, words: str) -> None: ...

    def paste_picture(self) -> None: ...

    def action_leave(self) -> None: ...

    @property
    def has_input(self) -> bool: ...

    def exit(self, result: int) -> None: ...


@dataclass(frozen=True, slots=True)
class RunReopened:
    """A snapshot of a resumed run; the run itself may get new records while this event waits to be shown."""

    trajectory: Trajectory
    records: tuple[Record, ...]


def snapshot_event(event: Event, session: Session | None = None) -> Event | RunReopened | None:
    """Return an event in a form that can be shown later, or None if it only announces a new run. Called in the
    session's thread."""
    if isinstance(event, session_events.TurnEnded):
        return replace(event, result=replace(event.result, word=_without_answer(session, event.result.word)))
    if not isinstance(event, session_events.RunOpened):
        return event
    records = tuple(event.trajectory.records)
    kinds = [record.kind for record in records if isinstance(record, Note)]
    own = kinds[::-1].index("forked") if "forked" in kinds else len(kinds)
    is_resumed = "life" in kinds[len(kinds) - own :]
    return RunReopened(event.trajectory, records) if is_resumed else None


def show(display: SessionDisplay, session: Session, event: Event | RunReopened) -> None:
    """Show an event; called in the app's thread."""
    conversation = display.conversation
    if not isinstance(event, (session_events.ProgressReported, session_events.StepRecorded)):
        display.show_status()
    match event:
        case RunReopened():
            if any(isinstance(item, UserMessage) for item in conversation.items):
                conversation.clear()
            files = partial(read_output, session), partial(picture_path, session)
            display.put(*run_items(event.records, event.trajectory, *files))
        case session_events.TurnStarted(_, words):
            display.notifier.began()
            if words:
                display.put(UserMessage(words))
        case session_events.ProgressReported(happening):
            _show_progress(display, happening)
        case session_events.StepRecorded(step, reply):
            conversation.live.done(step.branch, step.author)
            if not repeats_user_message(step) and step.author not in CLOSING:
                sent = session.engine.trajectory.request_time(step) if session.engine else None
                picture = partial(picture_path, session)
                display.put(step_item(step, reply, partial(read_output, session), sent, picture))
            conversation.changed()
        case session_events.TurnEnded(result, proof):
            conversation.live.clear()
            display.put(*end_lines(result.exit, result.word, proof))
            display.notifier.wanted("the turn is done")
        case session_events.TurnStopped(error):
            conversation.live.clear()
            display.put(stop_line(error))
            display.notifier.wanted("the turn has stopped")
        case session_events.QuestionAsked(approval):
            display.dialogs.ask(session, approval)
            display.notifier.wanted(approval.title)
        case session_events.QuestionAnswered(approval):
            display.notifier.began()
            display.dialogs.answered(approval.id)
        case session_events.MessageEvent():
            _show_message(display, event)
        case session_events.FrontEndRequested():
            _run_request(display, session, event)
        case session_events.SessionClosed():
            display.exit(0)
        case session_events.StatusChanged():
            pass


def _without_answer(session: Session | None, word: str) -> str:
    """Return a strategy's final message without the answer that is already shown."""
    replies = session.engine.trajectory.replies.values() if session and session.engine else ()
    answer = next((reply.text.strip() for reply in reversed(replies) if reply.branch == "main"), "")
    return word.strip().removeprefix(answer).removesuffix(answer).strip()


def _show_progress(display: SessionDisplay, happening: ProgressEvent) -> None:
    if happening.kind in ("ask", "delta", "action", "progress", *LIVE_DETAILS):
        display.conversation.live.add_event(happening.kind, happening.branch, happening.text)
        display.conversation.changed()
    elif happening.branch == "proof":
        display.conversation.live.add_event("action", "proof", happening.text)
        display.conversation.changed()
    elif happening.kind in SHOWN:
        display.put(Phase(happening.text))
    elif happening.kind == "say":
        display.put(Line(happening.text))


def _show_message(display: SessionDisplay, message: session_events.MessageEvent) -> None:
    if message.kind == "diff" and message.title:
        display.dialogs.diff(message.text, message.title)
    else:
        display.put(ModelText(message.text, message.kind, message.title))


def _run_request(display: SessionDisplay, session: Session, request: session_events.FrontEndRequested) -> None:
    words = request.words
    match request.what:
        case "theme":
            display.put(ModelText(display.choose_theme(words), "text"))
        case "copy":
            display.copy_to_clipboard(words)
        case "fill":
            display.fill_prompt(words)
        case "paste":
            display.paste_picture()
        case "help":
            display.dialogs.help(session)
        case "runs":
            display.dialogs.runs(session)
        case "models" | "price" if _is_busy(display, session, request.at_start):
            later = MODELS_LATER if request.what == "models" else PRICE_LATER.format(model=request.model)
            display.put(ModelText(later, "notice"))
        case "models":
            display.dialogs.models(session)
        case "price":
            display.dialogs.price(session, request.model, words)
        case "quit":
            display.action_leave()


def _is_busy(display: SessionDisplay, session: Session, at_start: bool) -> bool:
    """Return whether a choice would interrupt the user's input, another question or, at the start, a turn."""
    status = session.status
    is_working = status.state in ("working", "asking") or bool(status.queued)
    return display.has_input or display.dialogs.is_asking or (at_start and is_working)
