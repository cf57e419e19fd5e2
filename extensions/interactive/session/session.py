"""A session: one run of many turns, in its own thread. Front ends call its methods and receive its events.

Each turn runs a strategy, as `fix` does, and everything that the strategy reads is recorded. Therefore, a run does not
depend on the front end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event as Flag
from threading import Thread, current_thread
from typing import TYPE_CHECKING

from agent.engine.engine import Engine
from agent.permissions.approvals import Answer, Approval
from agent.permissions.rule_store import Permissions
from agent.run_state.strategy_traits import WITHOUT_MODEL
from extensions.interactive.session import commands
from extensions.interactive.session.custom_commands import CustomCommand, find_custom_commands
from extensions.interactive.session.error_messages import error_event
from extensions.interactive.session.prompt_input.attachments import NOT_ATTACHED
from extensions.interactive.session.prompt_input.file_completion import FileIndex
from extensions.interactive.session.session_events import (
    Event,
    FrontEndRequested,
    MessageEvent,
    MessageKind,
    SessionClosed,
    StatusChanged,
)
from extensions.interactive.session.session_state import SessionSnapshot
from extensions.interactive.session.session_status import State, Status
from extensions.interactive.session.startup_checks import run_startup_checks
from extensions.interactive.session.turn_runner import TurnRunner
from extensions.interactive.session.user_questions import UserQuestions
from extensions.interactive.session.work_queue import Job, WorkQueue
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from extensions.interactive.session.session_start import Start


class Session:
    """A session, as used by front ends and commands. Its methods return at once and are thread-safe.

    `hear` receives events in the session's thread and in the threads that call methods. It must not wait for another
    thread, because `close` waits for the session's thread.
    """

    def __init__(
        self,
        start: Start,
        hear: Callable[[Event], object],
        has_prompt: bool = True,
        can_ask: bool = False,
        can_choose: bool = False,
    ) -> None:
        """Without `has_prompt`, the text of a custom command is sent at once. `can_ask` says that the front end shows
        questions to a user; without it, what needs the user's own consent is not offered to the model. `can_choose`
        says that it shows at least the model's multiple-choice questions."""
        self.can_ask = can_ask
        self.can_choose = can_choose or can_ask
        self.start = start
        self._front_end = hear
        self._has_prompt = has_prompt
        self._failure: Exception | None = None
        """The error that the front end raised."""
        self.settings = start.settings
        self.mode = start.mode
        self.strategy = start.settings.strategy if "strategy" in start.given else ""
        """The strategy that the user chose; "" for the mode's strategy."""
        self.model_reason = ""
        """Why the user chose the current model, for the record of the next turn."""
        self.engine: Engine | None = None
        self.state: State = "idle"
        self.stopped = Flag()
        """Set when the user interrupts the current job."""
        rules = Permissions(start.settings.state, start.source.root, lambda: self.settings.permissions)
        self.questions = UserQuestions(self, rules)
        self._waiting = WorkQueue()
        self.snapshot = SessionSnapshot(self, start.source)
        self.turns = TurnRunner(self, start, self._waiting, self.snapshot)
        self._doing = ""
        """The text with which the user started the current job."""
        self._paths: FileIndex | None = None
        self._checks: Thread | None = None
        self._is_leaving = False
        self._thread = Thread(target=self._work, name="session", daemon=True)

    def open(self) -> None:
        """Start the session: run the start-up checks, resume a run if one was given, and run the first request."""
        self._thread.start()
        self._checks = run_startup_checks(self.start, lambda: self.settings, self._hear_check)
        if self.start.run is not None:
            run = self.start.run
            self.later("", lambda: self._take_up(run))
        elif self.start.choose:
            self.hear(FrontEndRequested("runs"))
        else:
            self.say(self.start.request)

    def _take_up(self, run: Path) -> None:
        """Resume a run, then run the first request; if the run cannot be resumed, the request is not run elsewhere."""
        self.turns.take_up(run)
        if self.start.mode != "build":
            self.mode = self.start.mode
        if "strategy" in self.start.given:
            self.strategy = self.start.settings.strategy
        self.say(self.start.request)

    # User actions

    def greeted(self, seconds: float) -> None:
        """Wait at most `seconds` for the start-up checks."""
        if self._checks is not None:
            self._checks.join(seconds)

    def say(self, words: str, more: str = "", images: tuple[str, ...] = ()) -> None:
        """Run a request, `!command` or `/command`, now or after the current job. `more` is text and `images` are data:
        URLs that the user attached to a request or a custom command; other commands take none."""
        words = words.strip()
        if words.startswith("/") and commands.is_command(words):
            command, _, rest = words[1:].partition(" ")
            self._run_command(command, rest.strip(), more, images)
        elif words:
            self.later(words, lambda: self.turns.request(words, more, images))

    def _run_command(self, name: str, words: str, more: str, images: tuple[str, ...]) -> None:
        """Run `/name words`, now or after the current job."""
        own_commands = self.custom_commands
        try:
            command = commands.find(name, own_commands)
        except UsageError as error:
            if own := own_commands.get(name):
                self._run_custom_command(own, words, more, images)
            else:
                self.hear(error_event(error))
            return
        if more or images:
            self.show(NOT_ATTACHED, "notice")
        if not commands.runs_at_once(name, self.changing):
            self.later(f"/{name} {words}".strip(), lambda: command.run(self, words))
            return
        try:
            command.run(self, words)
        except Exception as error:  # noqa: BLE001 - an error does not end the session
            self.hear(error_event(error))

    def _run_custom_command(self, command: CustomCommand, words: str, more: str, images: tuple[str, ...]) -> None:
        """Put the text of a command into the prompt, or send it if there is no prompt for the user to check it in."""
        what, text = f"/{command.name} is a command of {command.source}.", command.prompt(words)
        if self._has_prompt:
            self.hear(FrontEndRequested("fill", text))
            self.show(f"{what} Enter sends its text.", "notice")
        else:
            typed = f"/{command.name} {words}".strip()
            self.show(what, "notice")
            self.later(typed, lambda: self.turns.custom_command(typed, text, more, images))

    def steer(self, words: str) -> bool:
        """Send words to the model at its next step and return True.

        If the words are a command, or no turn that uses a model is running, pass them to `say` and return False.
        """
        words = words.strip()
        if self.state in ("working", "asking") and words[:1] not in ("", "/", "!") and self.turns.steer(words):
            return True
        self.say(words)
        return False

    def go_on(self) -> None:
        """Resume the interrupted turn, then run what is queued."""
        self.later("/resume", self.turns.go_on)

    def unqueue(self) -> str:
        """Remove the user's last entry from the queue and return its words, or "" if there is none."""
        words = self._waiting.take_back()
        self.hear(StatusChanged())
        return words

    def interrupt(self) -> None:
        """Stop the current turn within a second. It can be resumed; the queue is kept until then."""
        if self.state in ("working", "asking"):
            self._stop()

    def _stop(self) -> None:
        self.stopped.set()
        if engine := self.engine:
            engine.cancel.set()
        self.questions.refuse_all()

    def answer(self, id: int, answer: Answer) -> bool:
        """Answer the `Approval` with this id. Return False and do nothing if that question is not open."""
        return self.questions.answer(id, answer)

    def leave(self) -> None:
        """Ask the front end to close the session."""
        self._is_leaving = True
        self.hear(FrontEndRequested("quit"))

    def close(self) -> None:
        """Stop the current job, close the run and wait for both. Raises the error of the front end, if any."""
        self._waiting.close()
        self.interrupt()
        if self.alive and self._thread is not current_thread():
            self._thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # For commands and front ends

    def hear(self, event: Event) -> None:
        """Send an event to the front end. If that fails, no more events are sent and the session ends."""
        if self._failure is not None:
            return
        try:
            self._front_end(event)
        except Exception as error:  # noqa: BLE001 - raised again by `close`
            self._failure = error
            self._waiting.close()
            self._stop()

    @property
    def alive(self) -> bool:
        """Whether the session's thread is running."""
        return self._thread.is_alive()

    def later(self, words: str, job: Callable[[], None]) -> None:
        """Queue a job for the session's thread."""
        self._waiting.put(Job(words, job))
        self.hear(StatusChanged())

    def check_user_changes(self) -> None:
        """Check the working tree for the user's changes, which the status shows, unless the session is busy."""
        if self.engine is not None and self.state in ("idle", "paused"):
            self.later("", self.snapshot.check_user_changes)

    def ask(self, approval: Approval) -> Answer:
        """Ask the user and wait for the answer; the run's clock is paused meanwhile."""
        return self.questions.ask(approval)

    def is_allowed(self, approval: Approval) -> bool:
        """Return whether the user's rules allow this, without asking; False if the front end cannot ask."""
        return self.can_ask and self.questions.is_allowed(approval)

    def write_commit_message(self, material: str) -> str:
        """Return the model's commit message for a change; "" if the user interrupted it. Raises ConfigError."""
        return self.turns.write_commit_message(material)

    def show(self, text: str, kind: MessageKind = "text", title: str = "") -> None:
        self.hear(MessageEvent(text, kind, title))

    @property
    def kept_back(self) -> tuple[str, ...]:
        """The changed files that are not written to the user's, although the session works in place."""
        return self.turns.in_place.kept if self.settings.in_place else ()

    @property
    def custom_commands(self) -> Mapping[str, CustomCommand]:
        """The commands that the user and the repository define, by name."""
        return find_custom_commands(self.start.source.root)

    @property
    def paths(self) -> FileIndex:
        """The index of files for completion; it starts to list them at its first use."""
        if self._paths is None:
            self._paths = FileIndex(self.start.source)
        return self._paths

    @property
    def queued(self) -> tuple[str, ...]:
        return self._waiting.words

    @property
    def next_strategy(self) -> str:
        """The strategy of the next request."""
        if self.mode != "build":
            return self.mode
        return self.strategy or ("build" if self.settings.model else WITHOUT_MODEL)

    @property
    def changing(self) -> bool:
        """Whether a command that changes files is queued or running."""
        waiting = self._waiting.words  # read the queue first: a job moves from it to `_doing`
        return any(commands.is_change(words) for words in (*waiting, self._doing))

    @property
    def status(self) -> Status:
        """The current status; cheap enough to be read several times a second."""
        return self.snapshot.now()

    # In the session's thread

    def _work(self) -> None:
        while (job := self._waiting.take(self._begin)) is not None:
            for do in (job.do, self._rest):
                try:
                    do()
                except Exception as error:  # noqa: BLE001 - an error does not end the session
                    self.hear(error_event(error))
        try:
            self.turns.leave()
        except SweAgentError as error:
            self.show(f"{error.message} {error.fix}".strip(), "error")
        finally:
            self.hear(SessionClosed())

    def _begin(self, job: Job) -> None:
        if job.has_text:
            self._doing = job.words
            self.stopped.clear()
            self.state = "working"

    def _hear_check(self, event: Event) -> None:
        """Send an event of the start-up checks, unless the user leaves: a choice of models has no use then."""
        if not self._is_leaving:
            self.hear(event)

    def _rest(self) -> None:
        open_turn = self.engine is not None and self.engine.trajectory.exit is None
        try:
            self.snapshot.refresh()
        finally:
            self._doing = ""
            self.state = "paused" if open_turn else "idle"
            self.hear(StatusChanged())
