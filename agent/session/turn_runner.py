"""The turns of a session, one at a time, in the session's own thread: begun, gone on with, left behind."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from aci.view import mask
from agent.approvals import Approval
from agent.casting import check_models, needs_model
from agent.engine import Happening, known_secrets
from agent.forking import adopt, fork, origin
from agent.host_edits import PINNED
from agent.ownership import run_owner
from agent.session import applying, committing
from agent.session.attaching import Request, attached
from agent.session.events import Began, Ended, Happened, Opened, Stepped, Stopped
from agent.session.standing import last_proof
from agent.session.trouble import as_ours
from agent.settings import under_policy
from agent.solve import begin, reopen, solve
from agent.traits import is_by_hand, listens
from agent.turns import end_interrupted, go_on, next_turn
from trajectories.errors import ConfigError, UsageError, WorkspaceError
from trajectories.records import Issue, Note

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.session.session import Session
    from agent.settings import Settings

BY_HAND = "by-hand"
WITHOUT_MODEL = "templates"


class Turning:
    """`steer` and `allow` may be called from any thread, all else in the session's own."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._driving = Lock()
        self._driven: Engine | None = None
        """Whose turn is under way, if it asks a model."""
        self._under: Settings | None = None
        """The session's settings when the present turn began."""

    # What is asked for

    def request(self, words: str) -> None:
        """What a user typed: a request to the model, or a command for the workspace."""
        if words.startswith("!"):
            self.act(words, BY_HAND)
            return
        request = attached(words, self._session.start.source.root)
        for line in request.read:
            self._session.tell(line, "notice")
        if request.whole is not None and request.whole.url:
            self._check_issue(request.whole.url)
        self._session.release()
        strategy = self.strategy()
        if self._paused() and self._same(strategy) and not request.images:
            engine = self._engine()
            go_on(engine, mask(request.text, engine.secrets))
        else:
            self._turn(request, strategy)
        self._drive(words)

    def act(self, words: str, strategy: str) -> None:
        """A turn of a strategy that reads `words` as they are and asks no model, or only at its end."""
        self._turn(Request(words, whole=Issue(words)), strategy)
        self._drive(words)

    def go_on(self) -> None:
        """Go on with a turn that was interrupted, as it was, then with what waits. Raises UsageError where there is
        neither."""
        released = self._session.release()
        if not self._paused():
            if released:
                return
            raise UsageError("There is nothing to go on with.", "Say what to do; `/resume RUN` takes up another run.")
        go_on(self._engine())
        self._drive("")

    def steer(self, words: str) -> bool:
        """Put the words where the model reads them at its next step; False where no turn is under way
        whose model would."""
        with self._driving:
            engine = self._driven
            if engine is None or engine.trajectory.exit is not None:
                return False
            engine.journal.append(Note("main", "message", mask(words, engine.secrets)))
            return True

    def allow(self, dollars: float) -> None:
        """What the run may spend in all. It holds for the turn under way, too, and one that was interrupted goes on
        with it; the next turn has it on its record."""
        session = self._session
        settings = under_policy(session.settings.model_copy(update={"budget": dollars}))
        if settings.budget != dollars:
            raise UsageError(
                f"The administrator's policy sets the budget to {settings.budget}.",
                "Only the administrator can change it.",
            )
        if session.settings is self._under:
            self._under = settings
        session.settings = settings
        if engine := session.engine:
            engine.ledger.allow(dollars)

    def strategy(self) -> str:
        """What the next request is worked on by."""
        session = self._session
        if session.mode != "build":
            return session.mode
        return session.strategy or ("build" if session.settings.model else WITHOUT_MODEL)

    # Runs

    def take_up(self, directory: Path) -> None:
        """Go on with another run, the present one is left as it is. It is worked on as its last request was; what was
        done by hand and cut off is not begun anew."""
        from agent.session.session import MODES

        session = self._session
        self._take_up(directory)
        engine = self._engine()
        turns = engine.trajectory.turns
        if self._paused() and is_by_hand(turns[-1].strategy):
            end_interrupted(engine)
            session.tell("What was done last by hand was cut off. It is not done again.", "notice")
        last = next((turn.strategy for turn in reversed(turns) if not is_by_hand(turn.strategy)), session.mode)
        if last in MODES:
            session.mode, session.strategy = last, ""
        elif last != WITHOUT_MODEL:
            session.mode, session.strategy = "build", last.replace("_", "-")

    def _take_up(self, directory: Path) -> None:
        session = self._session
        state, root = session.settings.state, session.start.source.root
        if run_owner(directory, state) != "user":
            copy = adopt(directory, session.settings, session.start.given, root)
            said = f"{directory} was not created by you here. It is resumed as a copy, {copy.name}"
            session.tell(f"{said}, with your current settings.", "notice")
            directory = copy
        engine = reopen(directory, state, self._happened)
        if engine.run.repository != str(root):
            engine.close()
            raise UsageError(
                f"The run {engine.run.id} is about {engine.run.repository}, not about this repository.",
                f"Go there: swe-agent --repo {engine.run.repository} --resume {engine.run.id}",
            )
        self.leave()
        session.drop()
        self._have(engine)
        given = {name: getattr(session.start.settings, name) for name in session.start.given}
        ours = {"update_tests": session.start.settings.update_tests}
        session.settings = self._under = engine.settings.model_copy(update=ours | given)
        applying.settle(session)
        committing.settle(session)

    def fork(self) -> str:
        """Go on in a new run with all that this one holds; the name of this one, which is left as it is. Raises
        UsageError where there is nothing to fork yet."""
        session, engine = self._session, self._session.engine
        steps = engine.trajectory.steps["main"] if engine else []
        if engine is None or not steps:
            raise UsageError("There is nothing to fork yet.", "Say what to do first.")
        old, ended, settings = engine.run.id, engine.trajectory.exit, session.settings
        settings = settings.model_copy(update={"strategy": engine.settings.strategy})
        directory = fork(origin(f"{old}@{steps[-1].id}", settings), settings)
        self._take_up(directory)
        if ended is not None:
            self._engine().journal.append(ended)
        session.settings = self._under = settings
        session.standing.look()
        return old

    def leave(self) -> None:
        """Let go of the run; it stays as it is."""
        engine, self._session.engine = self._session.engine, None
        if engine is not None:
            engine.close()

    # Inside

    def _check_issue(self, url: str) -> None:
        """Ask before an issue of another repository is worked on. Raises UsageError after a no."""
        from agent.github.issue_repository import check_belongs

        def accept(reason: str) -> bool:
            why = "each issue of another repository is asked about"
            asked = Approval("issue", f"{reason} Work on it here?", subject=url, why=why, cancel=self._session.stopped)
            return self._session.ask(asked).yes

        check_belongs(self._session.start.source, url, accept, "Open a session in a checkout of it.")

    def _turn(self, request: Request, strategy: str) -> None:
        """Begin a turn, the run's first or its next; one that was interrupted is left behind."""
        session = self._session
        if session.start.reload is not None:
            session.settings = session.start.reload()
        settings = self._settings(strategy)
        if session.engine is None:
            directory = begin(request.issue, session.start.source, settings, session.start.base)
            self._have(reopen(directory, settings.state, self._happened))
            if session.start.base:
                pinned = Note("main", "life", f"begun at {session.start.base}", {PINNED: session.start.base})
                self._engine().journal.append(pinned)
        else:
            if self._paused():
                end_interrupted(session.engine)
            text = mask(request.text, (*known_secrets(os.environ), *session.engine.secrets))
            next_turn(session.engine, text, strategy, settings, request.images)
        self._under = session.settings

    def _settings(self, strategy: str) -> Settings:
        """A strategy that asks nobody does without a model that cannot be had."""
        settings = self._session.settings.model_copy(update={"strategy": strategy})
        if settings.model and not needs_model(strategy):
            try:
                check_models(settings)
            except ConfigError:
                return settings.model_copy(update={"model": ""})
        return settings

    def _drive(self, words: str) -> None:
        """One turn, from where it stands to its end or its stop. Steps that are on the record are not told again."""
        session, engine = self._session, self._engine()
        known = {step.id for steps in engine.trajectory.steps.values() for step in steps}
        if session.stopped.is_set():
            engine.cancel.set()
        session.hear(Began(engine.trajectory.turns[-1], words))
        self._driven = engine if listens(engine.trajectory.turns[-1].strategy) else None
        steps = solve(engine)
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    if end.value.exit.message:
                        session.hold()
                    session.hear(Ended(end.value, last_proof(engine.trajectory.of_turn)))
                    return
                if step.id in known:
                    continue
                reply = engine.trajectory.replies.get((step.branch, step.reply)) if step.reply else None
                session.standing.look(head=False)
                session.hear(Stepped(step, reply))
        except Exception as error:  # noqa: BLE001 - what stops a turn does not end the session
            if isinstance(error, WorkspaceError):
                engine.leave_workspace()
            session.hold()
            session.hear(Stopped(as_ours(error)))
        finally:
            with self._driving:
                self._driven = None

    def _have(self, engine: Engine) -> None:
        engine.approve = self._session.ask
        engine.rest()
        self._session.engine = engine
        self._session.standing.look()
        self._session.hear(Opened(engine.trajectory))

    def _engine(self) -> Engine:
        engine = self._session.engine
        assert engine is not None
        return engine

    def _paused(self) -> bool:
        engine = self._session.engine
        return engine is not None and engine.trajectory.exit is None

    def _same(self, strategy: str) -> bool:
        """Whether the turn that was interrupted is what the user would begin now."""
        now = self._engine().trajectory.turns[-1].strategy
        return now.replace("_", "-") == strategy.replace("_", "-") and self._session.settings is self._under

    def _happened(self, happening: Happening) -> None:
        self._session.hear(Happened(happening))
