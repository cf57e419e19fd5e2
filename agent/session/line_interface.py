"""A session as lines: for pipes, logs, screen readers and terminals that can do no more. Reads requests, one a line."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from threading import Event as Flag
from threading import current_thread, main_thread
from types import FrameType
from typing import TYPE_CHECKING

from rich.text import Text

from aci.cleaning import visible
from aci.view import clean
from agent.console import Console
from agent.session import events
from agent.session.asking import NOBODY
from agent.session.session import Session, Start
from agent.solve import Result
from trajectories.errors import Cancelled
from trajectories.material import HAND

if TYPE_CHECKING:
    from agent.session.events import Event
    from trajectories.records import Step

PROMPT = "> "
TICK = 0.1
PATIENCE = 5.0
"""Seconds at the end for what was to be known first, such as that Docker is not there."""


def run_lines(prepare: Callable[[], Start]) -> int:
    """A session whose requests stand on stdin, to its end; the exit code. Raises what `prepare` raises."""
    return Lines(prepare()).run(_requests())


class Lines:
    """Shows what happens as lines on stderr, answers on stdout. Nobody is there to ask: what needs a yes gets a no."""

    def __init__(self, start: Start) -> None:
        self.console = Console(plain=True)
        self.session = Session(start, self.hear)
        self.code = 0
        self._done = Flag()
        self._shown = ""
        """The patch as it was last shown."""

    def run(self, requests: Iterable[str]) -> int:
        """Do the requests in order; the exit code is 0, or that of the last that failed."""
        try:
            with _signals(self.session):
                self.session.open()
                self._wait()
                for words in requests:
                    self.session.say(words)
                    self._wait()
                    if self._done.is_set() or not self.session.alive:
                        break
                self.session.greeted(PATIENCE)
        except (KeyboardInterrupt, _Hangup):
            self.code = Cancelled.code
        finally:
            self.session.close()
        return self.code

    def _wait(self) -> None:
        """Until all that was said is done."""
        done = Flag()
        self.session.later("", done.set)
        while not done.wait(TICK) and self.session.alive:
            pass

    def hear(self, event: Event) -> None:
        console = self.console
        match event:
            case events.Opened(trajectory):
                console.heading(trajectory)
            case events.Happened(happening):
                console.happening(happening)
            case events.Stepped(step, _):
                console.step(step)
                self._by_hand(step)
            case events.Ended(result):
                self.code = 0
                self._result(result)
            case events.Stopped(error):
                self._failed(error.code, f"{error.message} {error.fix}")
            case events.Asked(approval):
                self._tell(f"{visible(approval.title)} Nobody is there to ask: no.")
                self.session.answer(approval.id, NOBODY)
            case events.Told(text, kind, _, code):
                if kind == "error":
                    self._failed(code or self.code, text)
                elif kind == "notice":
                    self._tell(text)
                elif kind == "diff":
                    self._diff(text)
                else:
                    console.out.print(Text(clean(text)), soft_wrap=True)
            case events.Wanted(what, words):
                self._wanted(what, words)
            case _:
                pass

    def _result(self, result: Result) -> None:
        """The answer; the patch where the turn made another; what stopped it, if anything did."""
        console, exit = self.console, result.exit
        if result.patch.diff != self._shown:
            self._shown = result.patch.diff
            self._diff(result.patch.diff)
        if result.word:
            console.out.print(Text(clean(result.word)), soft_wrap=True)
        if exit.message:
            self._failed(exit.code, f"{exit.message} {exit.fix}")

    def _diff(self, diff: str) -> None:
        """As `git apply` takes it where a program reads; a terminal shows what it would obey."""
        file = self.console.out.file
        text = diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        file.write(visible(text) if file.isatty() else text)
        file.write("" if not text or text.endswith("\n") else "\n")
        file.flush()

    def _by_hand(self, step: Step) -> None:
        """What the user's own command said is an answer."""
        for seen in step.observations if step.author == HAND else ():
            self.console.out.print(Text(clean(seen.text)), soft_wrap=True)

    def _failed(self, code: int, text: str) -> None:
        self.code = code
        self._tell(text)

    def _tell(self, text: str) -> None:
        self.console.progress.print(Text(clean(text.strip())), soft_wrap=True)

    def _wanted(self, what: str, words: str) -> None:
        match what:
            case "quit":
                self._done.set()
            case "copy":
                self.console.out.print(Text(clean(words)), soft_wrap=True)
            case "runs":
                self._newest()
            case _:
                self._tell(f"There is no {what} without a screen.")

    def _newest(self) -> None:
        """Without a screen there is no list to choose from: the newest run of this repository it is."""
        from agent.session.runs import runs_here

        here = self.session.engine.run.id if self.session.engine else ""
        run = next((run for run in runs_here(self.session) if run.name != here), None)
        if run is None:
            self._tell("There is no other run of this repository yet.")
            return
        self._tell(f"Going on with the newest run, {run.name}: {run.title}. `/resume RUN` takes another.")
        self.session.say(f"/resume {run.name}")


class _Hangup(BaseException):
    """The terminal is gone, or somebody ended the process: the session is closed in order."""


@contextmanager
def _signals(session: Session) -> Iterator[None]:
    """Ctrl-C interrupts the turn under way, and ends the session where none is; SIGTERM and SIGHUP end it."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        if session.state not in ("working", "asking") or session.stopped.is_set():
            raise KeyboardInterrupt
        session.interrupt()

    def end(number: int, frame: FrameType | None) -> None:
        raise _Hangup

    if current_thread() is not main_thread():
        yield
        return
    wanted = {signal.SIGINT: interrupt, signal.SIGTERM: end, signal.SIGHUP: end}
    heeded = {number: do for number, do in wanted.items() if signal.getsignal(number) is not signal.SIG_IGN}
    before = {number: signal.signal(number, do) for number, do in heeded.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _requests() -> Iterator[str]:
    """The lines of stdin; a terminal is told when it is its turn."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    asks = sys.stdin.isatty()
    while True:
        if asks:
            sys.stderr.write(PROMPT)
            sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        yield line
