"""Starts, resumes and abandons the turns of a session, one at a time, in the session's thread."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from aci.observation.secret_masking import mask_secrets
from agent.config.settings import under_policy
from agent.conversation.model_roles import check_models, needs_model
from agent.engine.engine import known_secrets
from agent.inputs.issue_hosts import issue_host
from agent.lifecycle.publication import solve
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.lifecycle.turn_lifecycle import end_interrupted, next_turn, resume_turn
from agent.lifecycle.user_change_detection import PINNED
from agent.permissions.approvals import Approval
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.run_ownership import run_owner
from agent.run_state.strategy_traits import WITHOUT_MODEL, is_by_hand, offered_strategies, reads_messages
from agent.run_state.turn_state import MAIN
from extensions.interactive.session import applied_changes, session_commit
from extensions.interactive.session.error_messages import to_swe_agent_error
from extensions.interactive.session.in_place import InPlace
from extensions.interactive.session.model_choice import record_switch
from extensions.interactive.session.prompt_input.attachments import NOT_ATTACHED, Request, resolve_attachments
from extensions.interactive.session.prompt_input.pasted_pictures import PASTED_FOLDER, why_unseen
from extensions.interactive.session.session_events import (
    ProgressReported,
    RunOpened,
    StepRecorded,
    TurnEnded,
    TurnStarted,
    TurnStopped,
)
from extensions.interactive.session.session_start import MODES
from extensions.interactive.session.session_state import last_proof
from extensions.replay.run_fork import copy_untrusted_run, find_origin, fork
from trajectories.errors import ConfigError, UsageError, WorkspaceError
from trajectories.records import Issue, Note, Reply

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from extensions.interactive.session.session_protocols import TurnSession
    from extensions.interactive.session.session_start import Start
    from extensions.interactive.session.session_state import SessionSnapshot
    from extensions.interactive.session.work_queue import WorkQueue

BY_HAND = "by-hand"


class TurnRunner:
    """Runs the turns of a session. `steer` and `allow` are thread-safe; call all other methods in the session's
    thread."""

    def __init__(self, session: TurnSession, start: Start, queue: WorkQueue, snapshot: SessionSnapshot) -> None:
        self._session = session
        self._start = start
        self._queue = queue
        self._snapshot = snapshot
        self._lock = Lock()
        self._listening_engine: Engine | None = None
        """The engine of the current turn, if its strategy reads messages."""
        self._turn_settings: Settings | None = None
        """The session's settings when the current turn started."""
        self.in_place = InPlace(session, self.steer)
        """Writes changes to the user's files while they are made, if the user chose that."""

    # Requests

    def request(self, words: str, more: str = "", images: tuple[str, ...] = ()) -> None:
        """Run what a user typed: a request to the model with attached text and images, or a command for the
        workspace."""
        if words.startswith("!"):
            if more or images:
                self._session.show(NOT_ATTACHED, "notice")
            self.act(words, BY_HAND)
            return
        self._send(words, self._resolve(words, more, images))

    def custom_command(self, typed: str, text: str, more: str = "", images: tuple[str, ...] = ()) -> None:
        """Send the text of a custom command, with only those files that the user attached or mentioned in the `typed`
        line: the text may be the repository's."""
        self._send(typed, replace(self._resolve(typed, more, images), words=text))

    def _resolve(self, words: str, more: str, images: tuple[str, ...]) -> Request:
        """Return the request with what it mentions and what the user attached to it."""
        pasted = self._session.settings.state / PASTED_FOLDER
        request = resolve_attachments(words, self._start.source.root, self._start.in_editor, pasted)
        more = "\n\n".join(filter(None, [request.more, more]))
        return replace(request, more=more, images=request.images + images)

    def _send(self, words: str, request: Request) -> None:
        for line in request.read:
            self._session.show(line, "notice")
        if request.whole is not None and request.whole.url:
            self._check_issue(request.whole.url)
        self._queue.release()
        strategy = self._session.next_strategy
        if request.images and (unseen := why_unseen(self._session.settings, strategy)):
            self._session.show(f"{unseen} It only learns how many are attached.", "notice")
        if self._is_paused() and self._is_same_turn(strategy) and not request.images:
            engine = self._engine()
            resume_turn(engine, mask_secrets(request.message, engine.secrets))
        else:
            self._turn(request, strategy)
        self._drive(words)

    def act(self, words: str, strategy: str, attachments: str = "") -> None:
        """Run a turn of a strategy that takes `words` literally and uses no model, or uses one only at its end."""
        self._turn(Request(words, attachments, whole=Issue(words)), strategy)
        self._drive(words)

    def write_commit_message(self, material: str) -> str:
        """Return the model's commit message for a change described by `material`; "" if it wrote none, as the turn's
        end has shown.

        Raises ConfigError if the model cannot be used.
        """
        self.act("/commit", "commit-message", material)
        engine = self._engine()
        if self._is_paused():
            end_interrupted(engine)
        replies = [record for record in engine.trajectory.of_turn if isinstance(record, Reply)]
        return replies[-1].text if replies else ""

    def go_on(self) -> None:
        """Resume the interrupted turn, then run what is queued. Raises UsageError if there is neither."""
        released = self._queue.release()
        if not self._is_paused():
            if released:
                return
            raise UsageError("There is nothing to resume.", "Say what to do; `/resume RUN` resumes another run.")
        resume_turn(self._engine())
        self._drive("")

    def steer(self, words: str) -> bool:
        """Record words that the model reads at its next step. Return False if no turn reads messages."""
        with self._lock:
            engine = self._listening_engine
            if engine is None or engine.trajectory.exit is not None:
                return False
            engine.journal.append(Note("main", "message", mask_secrets(words, engine.secrets)))
            return True

    def allow(self, *, dollars: float | None = None, tokens: int | None = None) -> None:
        """Set the run's budget or its number of tokens, also for the current or interrupted turn; the next turn records
        it."""
        session = self._session
        limits = {"budget": dollars} if dollars is not None else {"max_tokens": tokens}
        settings = under_policy(session.settings.model_copy(update=limits))
        if ruled := next((name for name, value in limits.items() if getattr(settings, name) != value), ""):
            raise UsageError(
                f"The administrator's policy sets {ruled} to {getattr(settings, ruled)}.",
                "Only the administrator can change it.",
            )
        if session.settings is self._turn_settings:
            self._turn_settings = settings
        session.settings = settings
        if engine := session.engine:
            if dollars is not None:
                engine.ledger.allow(dollars)
            elif tokens is not None:
                engine.ledger.allow_tokens(tokens)

    # Runs

    def take_up(self, directory: Path) -> None:
        """Switch to another run, with the strategy of its last request; the current run is kept.

        An interrupted command of the user is not repeated.
        """
        session = self._session
        self._take_up(directory)
        engine = self._engine()
        turns = engine.trajectory.turns
        if self._is_paused() and is_by_hand(turns[-1].strategy):
            end_interrupted(engine)
            session.show("The last command was interrupted and is not repeated.", "notice")
        last = next((turn.strategy for turn in reversed(turns) if not is_by_hand(turn.strategy)), session.mode)
        last = last.replace("_", "-")
        if last in MODES:
            session.mode, session.strategy = last, ""
        elif last != WITHOUT_MODEL:
            session.mode, session.strategy = "build", last if last in offered_strategies() else ""

    def _take_up(self, directory: Path) -> None:
        session = self._session
        state, root = session.settings.state, self._start.source.root
        if run_owner(directory, state) != "user":
            copy = copy_untrusted_run(directory, session.settings, self._start.given, root)
            notice = f"{directory} was not created by you on this computer. It is resumed as a copy, {copy.name}"
            session.show(f"{notice}, with your current settings.", "notice")
            directory = copy
        engine = reopen(directory, state, self._report_progress)
        if engine.run.repository != str(root):
            engine.close()
            raise UsageError(
                f"The run {engine.run.id} belongs to {engine.run.repository}, not to this repository.",
                f"Open it there: swe-agent --repo {engine.run.repository} --resume {engine.run.id}",
            )
        self.leave_for_other_run()
        chosen = {"in_place": session.settings.in_place}  # also by /in-place
        self._use_engine(engine)
        given = {name: getattr(self._start.settings, name) for name in self._start.given}
        ours = {name: getattr(self._start.settings, name) for name in ("update_tests",)}
        documented = {"test": ""} if engine.base_instructions.test else {}  # chosen again for each turn
        session.settings = self._turn_settings = engine.settings.model_copy(update=documented | ours | given | chosen)
        applied_changes.finish_interrupted_apply(session)
        self.in_place.begin()
        self.in_place.write()
        self.in_place.end()
        session_commit.check_interrupted_commit(session)

    def fork(self) -> str:
        """Continue in a copy of the run; return the name of the original. Raises UsageError if there is no step yet."""
        session, engine = self._session, self._session.engine
        steps = engine.trajectory.steps["main"] if engine else []
        if engine is None or not steps:
            raise UsageError("There is nothing to fork yet.", "Say what to do first.")
        old, ended, settings = engine.run.id, engine.trajectory.exit, session.settings
        settings = settings.model_copy(update={"strategy": engine.settings.strategy})
        directory = fork(find_origin(f"{old}@{steps[-1].id}", settings), settings)
        self._take_up(directory)
        if ended is not None:
            self._engine().journal.append(ended)
        session.settings = self._turn_settings = settings
        self._snapshot.refresh()
        return old

    def leave(self) -> None:
        """Close the run; it is kept on disk."""
        engine, self._session.engine = self._session.engine, None
        if engine is not None:
            engine.close()

    def leave_for_other_run(self) -> None:
        """Close the run and discard the held queue, which belongs to it."""
        self.leave()
        if dropped := self._queue.drop():
            quoted = ", ".join(f"“{words}”" for words in dropped)
            self._session.show(
                f"Discarded from the queue of the other run: {quoted}. Send it again if you want it here.", "notice"
            )

    # Helpers

    def _check_issue(self, url: str) -> None:
        """Ask before working on an issue from another repository. Raises UsageError if the user declines."""

        def accept(reason: str) -> bool:
            why = "the session asks about each issue of another repository"
            asked = Approval("issue", f"{reason} Work on it here?", subject=url, why=why, cancel=self._session.stopped)
            return self._session.ask(asked).yes

        issue_host(url).check_belongs(self._start.source, url, accept, "Open a session in a checkout of it.")

    def _turn(self, request: Request, strategy: str) -> None:
        """Start the run's first or next turn; an interrupted turn is abandoned."""
        session = self._session
        if self._start.broken and self._start.reload is not None:
            session.settings = self._start.reload()
        settings = self._settings(strategy)
        if self._start.in_editor and strategy == BY_HAND and settings.workspace == "local":
            what = "`!command`" if request.words.startswith("!") else "`/test`"
            raise UsageError(
                f"{what} is not available in an editor with the workspace `local`.",
                "Run it in a terminal, or start the agent with another --workspace.",
            )
        if session.engine is None:
            directory = begin(request.issue, self._start.source, settings, self._start.base, self._start.run_name)
            self._use_engine(reopen(directory, settings.state, self._report_progress))
            if self._start.base:
                pinned = Note("main", "life", f"begun at {self._start.base}", {PINNED: self._start.base})
                self._engine().journal.append(pinned)
        else:
            if self._is_paused():
                end_interrupted(session.engine)
            secrets = (*known_secrets(os.environ), *session.engine.secrets)
            text, more = (mask_secrets(each, secrets) for each in (request.text, request.more))
            next_turn(session.engine, text, strategy, settings, request.images, more)
        session.model_reason = record_switch(self._engine(), session.model_reason)
        self._turn_settings = session.settings

    def _settings(self, strategy: str) -> Settings:
        """Return the settings of a turn, without an unusable model if the strategy needs none."""
        settings = self._session.settings.model_copy(update={"strategy": strategy})
        if settings.model and not needs_model(strategy):
            try:
                check_models(settings)
            except ConfigError:
                return settings.model_copy(update={"model": ""})
        return settings

    def _drive(self, words: str) -> None:
        """Run a turn from its current state until it ends or stops. Steps that are already recorded send no event."""
        session, engine = self._session, self._engine()
        known = {step.id for steps in engine.trajectory.steps.values() for step in steps}
        if session.stopped.is_set():
            engine.cancel.set()
        session.hear(TurnStarted(engine.trajectory.turns[-1], words))
        self._listening_engine = engine if reads_messages(engine.trajectory.turns[-1].strategy) else None
        self.in_place.begin()
        steps = solve(engine)
        try:
            while True:
                try:
                    step = next(steps)
                except StopIteration as end:
                    if end.value.exit.message:
                        self._queue.hold()
                    self.in_place.write()  # the end may leave out changes of steps
                    session.hear(TurnEnded(end.value, last_proof(engine.trajectory.of_turn)))
                    return
                if step.id in known:
                    continue
                reply = engine.trajectory.replies.get((step.branch, step.reply)) if step.reply else None
                self._snapshot.refresh(head=False)
                session.hear(StepRecorded(step, reply))
                if step.branch == MAIN:
                    self.in_place.write(is_for_model=bool(step.actions))
        except Exception as error:  # noqa: BLE001 - an error stops the turn, not the session
            if isinstance(error, WorkspaceError):
                engine.leave_workspace()
            self._queue.hold()
            session.hear(TurnStopped(to_swe_agent_error(error)))
        finally:
            self.in_place.end()
            with self._lock:
                self._listening_engine = None

    def _use_engine(self, engine: Engine) -> None:
        engine.approve = self._session.ask
        engine.is_allowed = self._session.is_allowed
        engine.servers.can_ask = self._session.can_ask
        engine.delegates = True
        engine.choose = self._session.ask if self._session.can_choose else None
        engine.clock.stop()
        self._session.engine = engine
        self._snapshot.refresh()
        self._session.hear(RunOpened(engine.trajectory))

    def _engine(self) -> Engine:
        engine = self._session.engine
        assert engine is not None
        return engine

    def _is_paused(self) -> bool:
        engine = self._session.engine
        return engine is not None and engine.trajectory.exit is None

    def _is_same_turn(self, strategy: str) -> bool:
        """Return whether the interrupted turn has the strategy and settings that a new turn would have."""
        now = self._engine().trajectory.turns[-1].strategy
        return now.replace("_", "-") == strategy.replace("_", "-") and self._session.settings is self._turn_settings

    def _report_progress(self, happening: ProgressEvent) -> None:
        self._session.hear(ProgressReported(happening))
