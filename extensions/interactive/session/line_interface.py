"""A line-based session for pipes, logs, screen readers and simple terminals. Reads one request per line."""

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

from aci.observation.untrusted_text import clean_text, escape_invisible
from agent.console.run_display import Console
from agent.lifecycle.run_result import Result
from agent.run_state.terminal_question import can_choose
from extensions.interactive.session import session_events
from extensions.interactive.session.session import Session
from extensions.interactive.session.session_start import Start
from extensions.interactive.session.user_questions import NO_USER, SET_UP_ALLOWED
from trajectories.errors import Cancelled, UsageError
from trajectories.trajectory import HAND

if TYPE_CHECKING:
    from agent.permissions.approvals import Approval
    from extensions.interactive.session.session_events import Event
    from trajectories.records import Step

PROMPT = "> "
AFTER_INTERRUPT = "Use `swe-agent -c` to continue in this repository."
"""Advice after an interrupt if there is no prompt."""
TICK = 0.1
PATIENCE = 5.0
"""Seconds to wait at the end for messages of the start-up checks, for example that Docker is not available."""


def run_lines(prepare: Callable[[], Start], reads_stdin: bool = True) -> int:
    """Run a session with its first request, then those from stdin, and return its exit code. Raises any error that
    `prepare` raises.

    Without `reads_stdin`, the exit code is that of the request, as for `fix`: 6 for a patch that is plausible, disputed
    or unproven.
    """
    return Lines(prepare(), is_single=not reads_stdin).run(_requests() if reads_stdin else ())


class Lines:
    """The front end, which prints progress to stderr and answers to stdout. Questions are answered with no, because no
    user can answer them, except the one about the set-up of the environment in isolation, and multiple-choice questions
    of the model at a terminal."""

    def __init__(self, start: Start, is_single: bool) -> None:
        self._is_single = is_single
        self.console = Console(plain=True)
        self.session = Session(start, self.hear, has_prompt=not is_single, can_choose=can_choose())
        self._asked: Approval | None = None
        """The open multiple-choice question."""
        self.code = 0
        self._done = Flag()
        self._shown = ""
        """The patch that was shown last."""

    def run(self, requests: Iterable[str]) -> int:
        """Run the requests in order; return 0, or the exit code of the last one that failed."""
        try:
            with _signals(self.session):
                self.session.open()
                self._wait()
                self._wait()  # the first request is queued once the run to resume is open
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
        """Wait until all requests are done."""
        done = Flag()
        self.session.later("", done.set)
        with self.console.heartbeat():
            while not done.wait(TICK) and self.session.alive:
                self._choose()

    def _choose(self) -> None:
        """Let the user answer an open multiple-choice question."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.session.answer(asked.id, self.console.choose(asked, self.session.stopped.is_set))

    def hear(self, event: Event) -> None:
        console = self.console
        match event:
            case session_events.RunOpened(trajectory):
                console.heading(trajectory)
            case session_events.ProgressReported(happening):
                console.happening(happening)
            case session_events.StepRecorded(step, _):
                console.step(step)
                self._show_command_output(step)
            case session_events.TurnEnded(result):
                self.code = result.exit.code if self._is_single else 0
                self._result(result)
            case session_events.TurnStopped(error):
                fix = AFTER_INTERRUPT if self._is_single and isinstance(error, Cancelled) else error.fix
                self._show_error(error.code, f"{error.message} {fix}")
            case session_events.QuestionAsked(approval) if approval.kind == "question":
                self._asked = approval
            case session_events.QuestionAsked(approval):
                answer = SET_UP_ALLOWED if approval.kind == "network" else NO_USER
                word = "yes, as for `fix`" if answer.yes else "no"
                self._tell(f"{escape_invisible(approval.title)} Answered {word}: there is no one to ask.")
                self.session.answer(approval.id, answer)
            case session_events.MessageEvent(text, kind, _, code):
                if kind == "error":
                    self._show_error(code or self.code, text)
                elif kind == "notice":
                    self._tell(text)
                elif kind == "diff":
                    self._diff(text)
                else:
                    console.out.print(Text(clean_text(text)), soft_wrap=True)
            case session_events.FrontEndRequested(what, words):
                self._run_request(what, words)
            case _:
                pass

    def _result(self, result: Result) -> None:
        """Print the patch if the turn changed it and did not write it to the user's files, the answer, and the error
        that stopped the turn, if any."""
        console, exit = self.console, result.exit
        if result.patch.diff != self._shown:
            self._shown = result.patch.diff
            if not self.session.settings.in_place or self.session.kept_back:
                self._diff(result.patch.diff)
        if result.word:
            console.out.print(Text(clean_text(result.word)), soft_wrap=True)
        if exit.message:
            self._show_error(exit.code, f"{exit.message} {exit.fix}")

    def _diff(self, diff: str) -> None:
        """Print a diff in a form that `git apply` accepts; on a terminal, control characters are made visible."""
        file = self.console.out.file
        text = diff.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        file.write(escape_invisible(text) if file.isatty() else text)
        file.write("" if not text or text.endswith("\n") else "\n")
        file.flush()

    def _show_command_output(self, step: Step) -> None:
        """Print the output of the user's own commands to stdout, like an answer."""
        for seen in step.observations if step.author == HAND else ():
            self.console.out.print(Text(clean_text(seen.text)), soft_wrap=True)

    def _show_error(self, code: int, text: str) -> None:
        self.code = code
        self._tell(text)

    def _tell(self, text: str) -> None:
        self.console.progress.print(Text(clean_text(text.strip())), soft_wrap=True)

    def _run_request(self, what: str, words: str) -> None:
        match what:
            case "quit":
                self._done.set()
            case "help":
                self.console.out.print(Text(clean_text(words)), soft_wrap=True)
            case "fill":
                self.console.out.print(Text(clean_text(words)), soft_wrap=True)
                self._tell("This is not sent. Send it as a request if you want it.")
            case "copy":
                self.console.out.print(Text(clean_text(words)), soft_wrap=True)
            case "runs":
                self._resume_newest()
            case "models" | "price":
                self._tell(words)
            case _:
                self._tell(f"/{what} needs a screen.")

    def _resume_newest(self) -> None:
        """Resume the newest run of this repository, because this front end cannot show a list to choose from."""
        if self._is_single:
            self._show_error(UsageError.code, "No run is named. Give --continue, or --resume RUN.")
            return
        from agent.runs.resumable_runs import runs_of

        here = self.session.engine.run.id if self.session.engine else ""
        known = runs_of(self.session.settings.runs, self.session.start.source.root)
        run = next((run for run in known if run.name != here), None)
        if run is None:
            self._tell("There is no other run of this repository yet.")
            return
        self._tell(f"Resuming the newest run, {run.name}: {run.title}. `/resume RUN` resumes another.")
        self.session.say(f"/resume {run.name}")


class _Hangup(BaseException):
    """Raised when the terminal closes or the process gets SIGTERM, so that the session is closed properly."""


@contextmanager
def _signals(session: Session) -> Iterator[None]:
    """Let Ctrl-C interrupt the turn, or end the session if there is none; SIGTERM and SIGHUP end the session."""

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
    handlers = {number: do for number, do in wanted.items() if signal.getsignal(number) is not signal.SIG_IGN}
    before = {number: signal.signal(number, do) for number, do in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _requests() -> Iterator[str]:
    """Yield the lines of stdin, with a prompt on a terminal."""
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
