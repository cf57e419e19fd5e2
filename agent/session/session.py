"""A session: one run of many turns, worked on by a thread of its own. Front ends call it and hear its events.

It decides nothing that the agent decides: a turn is a strategy, as `fix` runs it, and what the strategy reads is on the
record. So a run is the same whoever shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from aci.repository import Repository
from agent.approvals import Answer, Approval
from agent.engine import Engine, Happening
from agent.session import commands
from agent.session.asking import Asking
from agent.session.events import (
    Began,
    Changed,
    Closed,
    Ended,
    Event,
    Happened,
    Opened,
    Stepped,
    Stopped,
    Told,
)
from agent.session.status import State, Status
from agent.settings import Settings
from agent.solve import begin, reopen, solve
from agent.turns import next_turn
from trajectories.errors import SweAgentError
from trajectories.records import Issue, Note

MODES = ("build", "plan")


@dataclass(frozen=True, slots=True)
class Start:
    """What a session begins with. `run` is the folder of one to go on with."""

    source: Repository
    settings: Settings
    base: str | None = None
    run: Path | None = None
    mode: str = "build"


class Session:
    """Its methods return at once and may be called from any thread; `hear` is called from the session's own."""

    def __init__(self, start: Start, hear: Callable[[Event], object]) -> None:
        self.start = start
        self.hear = hear
        self.settings = start.settings
        self.mode = start.mode
        self.engine: Engine | None = None
        self.state: State = "idle"
        self._jobs: SimpleQueue[tuple[str, Callable[[], None]] | None] = SimpleQueue()
        self._queued: list[str] = []
        self._lock = Lock()
        self.asking = Asking(self)
        self._thread = Thread(target=self._work, name="session", daemon=True)

    def open(self) -> None:
        """Begin to work; takes up the run to go on with, if there is one."""
        self._thread.start()
        if self.start.run is not None:
            self._later("", self._take_up)

    # What a user does

    def say(self, words: str) -> None:
        """A request, `!command` or `/command`: done now, or when what is under way has ended."""
        words = words.strip()
        if words.startswith("/"):
            command, _, rest = words[1:].partition(" ")
            commands.run(self, command, rest.strip())
        elif words:
            self._later(words, lambda: self._turn(words))

    def steer(self, words: str) -> None:
        """Tell the model at its next step; without a turn under way it is a request."""
        if self.state == "idle" or self.engine is None:
            self.say(words)
        else:
            self.engine.journal.append(Note("main", "message", words))

    def interrupt(self) -> None:
        """Stop the turn under way, within a second; it can be gone on with."""
        if self.engine is not None and self.state in ("working", "asking"):
            self.engine.cancel.set()
            self.asking.refuse_all()

    def answer(self, id: int, answer: Answer) -> bool:
        """The user's to the `Approval` of that id; False, and no effect, for one that is not asked now."""
        return self.asking.answer(id, answer)

    def close(self) -> None:
        """Stop what is under way and let go of the run; returns when all is closed."""
        self.interrupt()
        self._jobs.put(None)
        self._thread.join()

    def later(self, words: str, job: Callable[[], None]) -> None:
        """Do something in the session's thread, after what is under way and what was queued before."""
        self._later(words, job)

    def tell(self, text: str, kind: str = "text", title: str = "") -> None:
        self.hear(Told(text, kind, title))  # type: ignore[arg-type]

    # How it stands

    @property
    def status(self) -> Status:
        """See `agent/session/status.py`; cheap enough to be asked several times a second."""
        engine = self.engine
        run = engine.run if engine else None
        return Status(
            state=self.state,
            mode=self.mode,
            strategy=self.settings.strategy or self.mode,
            model=self.settings.model,
            workspace=self.settings.workspace,
            branch="",
            base=str(run.base) if run else "",
            spent=engine.ledger.spent if engine else None,
            budget=self.settings.budget,
            seconds=engine.seconds if engine else 0.0,
            queued=tuple(self._queued),
        )

    # Inside: its own thread

    def _later(self, words: str, job: Callable[[], None]) -> None:
        with self._lock:
            if words:
                self._queued.append(words)
            self._jobs.put((words, job))
        self.hear(Changed())

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            words, job = item
            with self._lock:
                if words:
                    self._queued.remove(words)
            try:
                job()
            except SweAgentError as error:
                self.tell(f"{error.message} {error.fix}".strip(), "error")
            except OSError as error:
                self.tell(f"This machine failed: {error.strerror or error}.", "error")
        if self.engine is not None:
            self.engine.close()
        self.hear(Closed())

    def _take_up(self) -> None:
        assert self.start.run is not None
        self.engine = reopen(self.start.run, self.settings.state, self._happened)
        self.engine.approve = self.ask
        self.settings = self.engine.settings
        self.state = "idle" if self.engine.trajectory.exit is not None else "paused"
        self.hear(Opened(self.engine.trajectory))

    def _turn(self, words: str) -> None:
        if self.engine is None:
            self._begin(words)
        elif self.engine.trajectory.exit is None:
            self.engine.journal.append(Note("main", "message", words))
            self.engine.cancel.clear()
        else:
            next_turn(self.engine, words, self.settings.strategy or self.mode, self.settings)
        self._drive(words)

    def _begin(self, words: str) -> None:
        title, _, body = words.partition("\n")
        settings = replace_strategy(self.settings, self.settings.strategy or self.mode)
        directory = begin(Issue(title, body.strip()), self.start.source, settings, self.start.base)
        self.engine = reopen(directory, settings.state, self._happened)
        self.engine.approve = self.ask
        self.hear(Opened(self.engine.trajectory))

    def _drive(self, words: str) -> None:
        """One turn, from where it stands to its end or its stop."""
        engine = self.engine
        assert engine is not None
        self.state = "working"
        self.hear(Began(engine.trajectory.turns[-1], words))
        try:
            steps = solve(engine)
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    self.state = "idle"
                    self.hear(Ended(end.value))
                    return
                reply = engine.trajectory.replies.get((step.branch, step.reply)) if step.reply else None
                self.hear(Stepped(step, reply))
        except SweAgentError as error:
            self.state = "paused"
            self.hear(Stopped(error))

    def _happened(self, happening: Happening) -> None:
        self.hear(Happened(happening))

    def ask(self, approval: Approval) -> Answer:
        """The user's answer; the thread that asks waits for it, and its run's time stands still."""
        return self.asking.ask(approval)


def replace_strategy(settings: Settings, strategy: str) -> Settings:
    return settings.model_copy(update={"strategy": strategy})
