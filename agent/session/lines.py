"""A session as lines: for pipes, logs, screen readers and terminals that can do no more. Reads requests, one a line."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event as Flag

from agent.approvals import Answer
from agent.console import Console
from agent.session.events import Asked, Ended, Event, Happened, Opened, Stepped, Stopped, Told
from agent.session.session import Session, Start


class Lines:
    """Shows what happens as lines on stderr, answers on stdout. Nobody is there to ask: what needs a yes gets a no."""

    def __init__(self, start: Start) -> None:
        self.console = Console(plain=True)
        self.session = Session(start, self.hear)
        self._idle = Flag()

    def run(self, requests: Iterable[str]) -> int:
        self.session.open()
        for words in requests:
            self._idle.clear()
            self.session.say(words)
            self.session.later("", self._idle.set)
            self._idle.wait()
        self.session.close()
        return 0

    def hear(self, event: Event) -> None:
        match event:
            case Opened(trajectory):
                self.console.heading(trajectory)
            case Happened(happening):
                self.console.happening(happening)
            case Stepped(step, _):
                self.console.step(step)
            case Ended(result):
                self.console.result(result)
            case Stopped(error):
                self.console.progress.print(f"{error.message} {error.fix}")
            case Asked(approval):
                self.session.answer(approval.id, Answer(False, reason="Nobody is there to ask."))
            case Told(text):
                self.console.progress.print(text)
            case _:
                pass
