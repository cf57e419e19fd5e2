"""What a session tells, as the widgets are to show it: one place for each kind of event."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.session import events
from agent.tui import theme
from agent.tui.blocks import Line, Phase, Said, Words
from agent.tui.endings import ended, stopped
from agent.tui.history import CLOSING, SHOWN, items, of_step, restated
from trajectories.records import Note, Record
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from agent.engine import Happening
    from agent.session.events import Event
    from agent.session.session import Session
    from agent.tui.app import SessionApp

LARGEST = 4_000_000
"""Bytes of an output that are read to be shown."""


def outputs(session: Session, number: int) -> str:
    """The whole output kept under a number, with a word on what is left out."""
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


@dataclass(frozen=True, slots=True)
class Reopened:
    """A run as it stood when it was taken up; it grows while this waits to be shown."""

    trajectory: Trajectory
    records: tuple[Record, ...]


def held(event: Event, session: Session | None = None) -> Event | Reopened | None:
    """An event as it can be shown later, made in the session's thread; None for a new run, which shows itself."""
    if isinstance(event, events.Ended):
        return replace(event, result=replace(event.result, word=_new(session, event.result.word)))
    if not isinstance(event, events.Opened):
        return event
    records = tuple(event.trajectory.records)
    kinds = [record.kind for record in records if isinstance(record, Note)]
    own = kinds[::-1].index("forked") if "forked" in kinds else len(kinds)
    begun = "life" in kinds[len(kinds) - own :]
    return Reopened(event.trajectory, records) if begun else None


def show(app: SessionApp, session: Session, event: Event | Reopened) -> None:
    """In the app's thread."""
    conversation = app.conversation
    if not isinstance(event, (events.Happened, events.Stepped)):
        app.show_status()
    match event:
        case Reopened():
            if any(isinstance(item, Words) for item in conversation.items):
                conversation.clear()
            app.put(*items(event.records, event.trajectory.replies, lambda number: outputs(session, number)))
        case events.Began(_, words):
            app.notifier.began()
            if words:
                app.put(Words(words))
        case events.Happened(happening):
            _happened(app, happening)
        case events.Stepped(step, reply):
            conversation.live.done(step.branch, step.author)
            if not restated(step) and step.author not in CLOSING:
                app.put(of_step(step, reply, lambda number: outputs(session, number)))
            conversation.changed()
        case events.Ended(result, proof):
            conversation.live.clear()
            app.put(*ended(result.exit, result.word, proof))
            app.notifier.wanted("the turn is done")
        case events.Stopped(error):
            conversation.live.clear()
            app.put(stopped(error))
            app.notifier.wanted("the turn has stopped")
        case events.Asked(approval):
            app.dialogs.ask(session, approval)
            app.notifier.wanted(approval.title)
        case events.Answered(approval):
            app.notifier.began()
            app.dialogs.answered(approval.id)
        case events.Told():
            _told(app, event)
        case events.Wanted(what, words):
            _wanted(app, session, what, words)
        case events.Closed():
            app.exit(0)
        case events.Changed():
            pass


def _new(session: Session | None, word: str) -> str:
    """What a strategy says at the end, without the answer that stands there already."""
    replies = session.engine.trajectory.replies.values() if session and session.engine else ()
    answer = next((reply.text.strip() for reply in reversed(replies) if reply.branch == "main"), "")
    return word.strip().removeprefix(answer).removesuffix(answer).strip()


def _happened(app: SessionApp, happening: Happening) -> None:
    if happening.kind in ("delta", "action", "ask", "progress"):
        app.conversation.live.heard(happening.kind, happening.branch, happening.text)
        app.conversation.changed()
    elif happening.branch == "proof":
        app.conversation.live.heard("action", "proof", happening.text)
        app.conversation.changed()
    elif happening.kind in SHOWN:
        app.put(Phase(happening.text))
    elif happening.kind == "say":
        app.put(Line(happening.text))


def _told(app: SessionApp, told: events.Told) -> None:
    if told.kind == "diff" and told.title:
        app.dialogs.diff(told.text, told.title)
    else:
        app.put(Said(told.text, told.kind, told.title))


def _wanted(app: SessionApp, session: Session, what: str, words: str) -> None:
    match what:
        case "theme":
            app.put(Said(theme.choose(app, words), "text"))
        case "copy":
            app.copy_to_clipboard(words)
        case "runs":
            app.dialogs.runs(session)
        case "quit":
            app.action_leave()
