"""A session: one run of many turns, worked on by a thread of its own. Front ends call it and hear its events.

It decides nothing that the agent decides: a turn is a strategy, as `fix` runs it, and what the strategy reads is on the
record. So a run is the same whoever shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag
from threading import Thread, current_thread
from typing import Any, Literal

from aci.repository import Repository
from agent.approvals import Answer, Approval
from agent.engine import Engine
from agent.session import commands
from agent.session.asking import Asking
from agent.session.events import Changed, Closed, Event, Told, Wanted
from agent.session.paths import Paths
from agent.session.standing import Standing
from agent.session.status import State, Status
from agent.session.trouble import told
from agent.session.turning import Turning
from agent.session.waiting import Job, Waiting
from agent.session.welcome import welcome
from agent.settings import Settings
from trajectories.errors import SweAgentError

MODES = ("build", "plan")


@dataclass(frozen=True, slots=True)
class Start:
    """What a session begins with. `run` is the folder of one to go on with; `choose`: the user wants to choose one.

    `given` are the settings that flags gave, which hold for a run that is gone on with, too. `trouble` is said first.
    `reload` reads the settings again where the config is broken: nothing runs until it can.
    """

    source: Repository
    settings: Settings
    base: str | None = None
    run: Path | None = None
    mode: str = "build"
    choose: bool = False
    subtree: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    trouble: tuple[str, ...] = ()
    reload: Callable[[], Settings] | None = None


class Session:
    """Its methods return at once and may be called from any thread; `hear` is called from the session's own, and from
    that of whoever calls a method. It must not wait for one of them: `close` waits for the session's thread."""

    def __init__(self, start: Start, hear: Callable[[Event], object]) -> None:
        self.start = start
        self._front_end = hear
        self._failure: Exception | None = None
        """What the front end failed with."""
        self.settings = start.settings
        self.mode = start.mode
        self.strategy = start.settings.strategy if "strategy" in start.given else ""
        """What the user chose instead of the mode's own; "" for that."""
        self.engine: Engine | None = None
        self.state: State = "idle"
        self.stopped = Flag()
        """The user interrupted what is under way."""
        self.asking = Asking(self)
        self.turning = Turning(self)
        self._waiting = Waiting()
        self._doing = ""
        """What the user said that is being done."""
        self._paths: Paths | None = None
        self._looking: Thread | None = None
        self.standing = Standing(self)
        self._thread = Thread(target=self._work, name="session", daemon=True)

    def open(self) -> None:
        """Begin to work: say what is to be known first; take up the run to go on with, if there is one."""
        self._thread.start()
        self._looking = welcome(self)
        if self.start.run is not None:
            run = self.start.run
            self.later("", lambda: self.turning.take_up(run))
        elif self.start.choose:
            self.hear(Wanted("runs"))

    # What a user does

    def greeted(self, seconds: float) -> None:
        """Wait for what is to be known first, so long at most."""
        if self._looking is not None:
            self._looking.join(seconds)

    def say(self, words: str) -> None:
        """A request, `!command` or `/command`: done now, or when what is under way has ended."""
        words = words.strip()
        if words.startswith("/") and commands.is_command(words):
            command, _, rest = words[1:].partition(" ")
            commands.run(self, command, rest.strip())
        elif words:
            self.later(words, lambda: self.turning.request(words))

    def steer(self, words: str) -> bool:
        """Tell the model at its next step. Without a turn under way, in one that asks no model, and for commands, as
        `say`; False then."""
        words = words.strip()
        if self.state in ("working", "asking") and words[:1] not in ("", "/", "!") and self.turning.steer(words):
            return True
        self.say(words)
        return False

    def go_on(self) -> None:
        """Go on with the turn that was interrupted, as it was, then with what waits."""
        self.later("/resume", self.turning.go_on)

    def unqueue(self) -> str:
        """Take back the last words that wait, for another look at them; "" where none do."""
        words = self._waiting.take_back()
        self.hear(Changed())
        return words

    def interrupt(self) -> None:
        """Stop the turn under way, within a second; it can be gone on with. What waits is kept for then."""
        if self.state in ("working", "asking"):
            self._stop()

    def _stop(self) -> None:
        self.stopped.set()
        if engine := self.engine:
            engine.cancel.set()
        self.asking.refuse_all()

    def answer(self, id: int, answer: Answer) -> bool:
        """The user's to the `Approval` of that id; False, and no effect, for one that is not asked now."""
        return self.asking.answer(id, answer)

    def close(self) -> None:
        """Stop what is under way and let go of the run; returns when all is closed. Raises what the front end failed
        with, if it did."""
        self._waiting.close()
        self.interrupt()
        if self.alive and self._thread is not current_thread():
            self._thread.join()
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    # For commands and front ends

    def hear(self, event: Event) -> None:
        """Tell the front end. One that fails is told nothing more, and the session ends in order."""
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
        """Whether anything is still done."""
        return self._thread.is_alive()

    def later(self, words: str, job: Callable[[], None]) -> None:
        """Do something in the session's thread, after what is under way and what was queued before."""
        self._waiting.put(Job(words, job))
        self.hear(Changed())

    def look_out(self) -> None:
        """Find what the user changed in the working tree, for the status; nothing while there is something to do."""
        if self.engine is not None and self.state in ("idle", "paused"):
            self.later("", self.standing.look_out)

    def ask(self, approval: Approval) -> Answer:
        """The user's answer; the thread that asks waits for it, and its run's time stands still."""
        return self.asking.ask(approval)

    def tell(
        self, text: str, kind: Literal["text", "markdown", "diff", "error", "notice"] = "text", title: str = ""
    ) -> None:
        self.hear(Told(text, kind, title))

    def hold(self) -> None:
        """Keep what waits until the user says how to go on."""
        self._waiting.hold()

    def release(self) -> bool:
        """What was kept comes next. Whether anything was."""
        return self._waiting.release()

    def drop(self) -> None:
        """What was kept is not done: it was said to another run."""
        if dropped := self._waiting.drop():
            said = ", ".join(f"“{words}”" for words in dropped)
            self.tell(f"What waited in the other run is not done: {said}. Say it here if you want it.", "notice")

    @property
    def paths(self) -> Paths:
        """The files that may be named, listed from the first time on."""
        if self._paths is None:
            self._paths = Paths(self.start.source)
        return self._paths

    @property
    def queued(self) -> tuple[str, ...]:
        return self._waiting.words

    @property
    def changing(self) -> bool:
        """Whether a command of the user's that changes something is yet to be done, or not through."""
        waiting = self._waiting.words  # first: what is taken from there is in the other by then
        return any(commands.is_change(words) for words in (*waiting, self._doing))

    @property
    def status(self) -> Status:
        """See `agent/session/status.py`; cheap enough to be asked several times a second."""
        return self.standing.now()

    # Its own thread

    def _work(self) -> None:
        while (job := self._waiting.take(self._begin)) is not None:
            for do in (job.do, self._rest):
                try:
                    do()
                except Exception as error:  # noqa: BLE001 - a session outlives what fails in it
                    self.hear(told(error))
        try:
            self.turning.leave()
        except SweAgentError as error:
            self.tell(f"{error.message} {error.fix}".strip(), "error")
        finally:
            self.hear(Closed())

    def _begin(self, job: Job) -> None:
        if job.is_said:
            self._doing = job.words
            self.stopped.clear()
            self.state = "working"

    def _rest(self) -> None:
        open_turn = self.engine is not None and self.engine.trajectory.exit is None
        try:
            self.standing.look()
        finally:
            self._doing = ""
            self.state = "paused" if open_turn else "idle"
            self.hear(Changed())
