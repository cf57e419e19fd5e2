"""The state that all branches of a run share: journal, trees, budget, models, tools, workspaces and cancellation."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from aci.environments.environment import environment_for
from aci.observation.secret_forms import SHORTEST
from aci.proof.contamination import find_installed_copies
from aci.proof.suite_baselines import Baselines
from aci.repository.plain_folder import reopen_repository
from aci.repository.user_repository import Repository
from aci.repository.working_tree import WorkingTree
from aci.runtime.background_task import BackgroundTask
from aci.runtime.workspace import HARNESS_SESSION, Workspace, WorkspaceOptions, open_workspace
from agent.config.environment_options import environment_options, services
from agent.config.named_environment import option_source
from agent.config.settings import SECRET, Settings
from agent.conversation.model_roles import CODER, chosen_model
from agent.conversation.rewind import rewinds
from agent.engine.permission_checks import may_set_up
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Ledger
from agent.models.base import Model
from agent.permissions.approvals import Approve, allow_unless_denied
from agent.run_state.run_ownership import digest_path
from tools.base import Toolbox
from trajectories.errors import Cancelled, LimitStop
from trajectories.git_store.trees import Trees
from trajectories.journal import Journal, first_record
from trajectories.records import Hold, Note, Reply, Run, Turn
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from aci.environments.environment_plan import EnvironmentOptions


MODEL_SETTINGS = ("models", "effort", "first_timeout", "model_timeout", "max_reply")
"""The settings that determine how a model is loaded."""
SHORTEST_PAUSE = 1.0
"""Pauses of the run's clock that are shorter than this number of seconds are not recorded."""


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """An event that a front end may show: `delta`, `action`, `phase`, `say` or `progress` (a status that is updated
    repeatedly).

    Events are not stored; everything that must persist is in the journal.
    """

    kind: str
    branch: str
    text: str


class CancellationToken(Event):
    """The only mechanism for stopping work; it is checked between stream chunks and while a command runs.

    The token is set if `set` was called, its deadline has passed, or its parent is set.
    """

    def __init__(self, parent: CancellationToken | None = None) -> None:
        super().__init__()
        self._parent = parent
        self.deadline: float | None = None

    def is_set(self) -> bool:
        return super().is_set() or self.expired or (self._parent is not None and self._parent.is_set())

    @property
    def stopped(self) -> bool:
        """Whether the token or its parent was set explicitly, regardless of deadlines."""
        return super().is_set() or (self._parent is not None and self._parent.stopped)

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or until the token is set. Raises Cancelled if the token is set."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def check(self) -> None:
        if self.is_set():
            raise Cancelled("Interrupted.", "Resume the run to continue.")


class Engine:
    """The shared state of one run, whose directory must already contain its first record. Call `close` at the end."""

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        notify: Callable[[ProgressEvent], object] = lambda _: None,
        limiter: Limiter | None = None,
        parent: CancellationToken | None = None,
        registry: Path | None = None,
    ) -> None:
        """`registry` is the state folder in which the run is registered, if it differs from the one in the settings."""
        self.limiter = limiter or Limiter(settings.retry_wait)
        """The limiter of model requests, shared by all runs of a batch."""
        self.settings = settings
        self.notify = notify
        self.journal = Journal(directory, digest_path(directory, registry or settings.state))
        self.trajectory = self.journal.trajectory
        try:
            self.run: Run = first_record(self.trajectory, directory)
            self.trees = Trees(directory / "trees.git")
            self.ledger = open_ledger(settings, self.trajectory)
        except BaseException:
            self.journal.close()
            raise
        self.resumed = bool(self.trajectory.holds or self.trajectory.steps or self.trajectory.results)
        self.toolbox = Toolbox()
        self._known_secrets = (*known_secrets(os.environ), *secrets_of_services(settings))
        self.cancel = CancellationToken(parent)
        self.approve: Approve = lambda approval: allow_unless_denied(approval, self.settings.permissions)
        """Called to ask for permission before anything leaves the workspace."""
        self.may_test: bool | None = None
        """Whether this turn may run tests in a local workspace; None until the user has been asked."""
        self.testing = Lock()
        self.baselines = Baselines()
        """Results of the test suites on the base, shared by the proofs of this process."""
        self._copies: BackgroundTask[tuple[str, ...]] | None = None
        self._steps_taken = _count_replies(self.trajectory)
        self._models: dict[str, Model] = {}
        self._root: Workspace | None = None
        self._lock = Lock()
        self._pauses = 0
        self._pause_lock = Lock()
        self._rest_seconds: float | None = None
        self._start_clock(self.trajectory.live_seconds())

    @property
    def seconds(self) -> float:
        """The active time of the run in seconds over all its processes, excluding pauses and the time between turns."""
        if (seconds := self._rest_seconds) is not None:
            return seconds
        with self._pause_lock:
            return (self._paused_since if self._pauses else time.monotonic()) - self.started

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Run the clock in this context, while a turn is in progress. The clock stops between turns and while a turn is
        interrupted."""
        self.resumed = self.resumed and not self.opened
        if self._rest_seconds is not None:
            self._start_clock(self._rest_seconds)
            self._rest_seconds = None
        try:
            yield
        finally:
            self.rest()

    def rest(self) -> None:
        """Stop the run's clock until the next turn starts or resumes."""
        self._rest_seconds, self.cancel.deadline = self.seconds, None

    def _start_clock(self, seconds: float) -> None:
        """Start the clock at `seconds`, the active time so far.

        Within a process, `seconds` is the clock's own value, which includes time that is not in the records. `max_time`
        limits the time of the current turn.
        """
        now, max_time = time.monotonic(), self.settings.max_time
        self.started = now - seconds
        self.cancel.deadline = None if max_time is None else now - self.trajectory.turn_seconds() + max_time

    @contextmanager
    def pause_clock(self) -> Iterator[None]:
        """Pause the run's clock in this context, while a branch waits for the user or for permission to send a
        request."""
        with self._pause_lock:
            if not self._pauses:
                self._paused_since, self._paused_deadline = time.monotonic(), self.cancel.deadline
                self.cancel.deadline = None
            self._pauses += 1
        paused = 0.0
        try:
            yield
        finally:
            with self._pause_lock:
                self._pauses -= 1
                if not self._pauses:
                    paused = time.monotonic() - self._paused_since
                    self.started += paused
                    self.cancel.deadline = None if self._paused_deadline is None else self._paused_deadline + paused
        if paused >= SHORTEST_PAUSE:  # so that a resumed run counts the same time
            self.journal.append(Note("main", "life", f"paused for {paused:.0f} s"))

    def settle_late(self) -> None:
        """Settle requests whose reply was recorded but whose settlement was lost when the process ended."""
        trajectory = self.trajectory
        for hold in [hold for name, hold in trajectory.holds.items() if name not in trajectory.settles]:
            reply = trajectory.replies.get((hold.branch, hold.ask))
            if reply is not None and hold.attempt == trajectory.attempts[hold.branch, hold.ask]:
                settle = self.ledger.price_of(hold, reply.usage, self.model_named(hold.model).price)
                self.ledger.settle(settle)
                self.journal.append(settle)

    def report(self, kind: str, branch: str, text: str) -> None:
        self.notify(ProgressEvent(kind, branch, text))

    def model(self, role: str) -> Model:
        """Return the model of a role: its own if it has one, else the default model. Raises ConfigError."""
        named = self.settings.roles.get(role) if role != CODER else ""
        return self.model_named(named or self.settings.model)

    def model_named(self, name: str) -> Model:
        """Return a model by name; each model is loaded only once. Raises ConfigError if the model is unavailable or its
        cost cannot be limited."""
        with self._lock:
            if name not in self._models:
                self._models[name] = chosen_model(self.settings, name)
            return self._models[name]

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that must not be shown, recorded or sent: those in the host's environment and in the services'
        settings, and the models' API keys."""
        return (*self._known_secrets, *(key for model in tuple(self._models.values()) for key in model.secrets))

    @cached_property
    def repository(self) -> Repository:
        """The user's own repository. Raises UsageError if it no longer exists."""
        return reopen_repository(self.run.repository, self.settings.state, self.run.base.commit)

    @cached_property
    def working_tree(self) -> WorkingTree:
        """The user's files as they are now."""
        return WorkingTree(self.repository, self.trees)

    def next_turn(self, turn: Turn, settings: Settings) -> None:
        """Start a turn with these settings, after the previous one has ended. An open workspace is kept."""
        self.journal.append(turn)
        before, self.settings = self.settings, settings
        self.cancel.clear()
        self._steps_taken = 0
        self.may_test = None
        with self._lock:
            if any(getattr(before, name) != getattr(settings, name) for name in MODEL_SETTINGS):
                self._known_secrets = self.secrets
                self._models = {}
            self.ledger = open_ledger(settings, self.trajectory)

    def take_step(self) -> None:
        """Count one more reply. Raises LimitStop if the turn has reached its maximum number of steps, counted over all
        branches."""
        with self._lock:
            if self._steps_taken >= self.settings.max_steps:
                steps = "one step" if self.settings.max_steps == 1 else f"{self.settings.max_steps} steps"
                raise LimitStop(f"The run reached its limit of {steps}.", "Give more with --max-steps.")
            self._steps_taken += 1

    @property
    def opened(self) -> bool:
        """Whether the run's workspace is open. The workspace may still contain files of an earlier or interrupted
        turn."""
        return self._root is not None

    def context_share(self) -> float | None:
        """Return the share of the context window that the main branch's last request used; None if unknown."""
        reply = self.trajectory.last_replies.get("main")
        model = self._models.get(reply.model) if reply else None
        steps = self.trajectory.steps["main"]
        since = itertools.takewhile(lambda step: step.reply is None, reversed(steps))
        if (
            not reply
            or not reply.usage
            or not model
            or not model.window
            or any(rewinds(step) is not None for step in since)
        ):
            return None
        return (reply.usage.input_tokens + reply.usage.output_tokens) / model.window

    def root(self) -> Workspace:
        """Return the run's own workspace, opened at the base on first use."""
        with self._lock:
            if self._root is None:
                self._root = self._open()
            return self._root

    def fork(self, tree: str, cancel: CancellationToken) -> Workspace:
        """Return a fresh workspace at `tree` for a proof or a branch. The workspace stops when `cancel` is set."""
        return self.root().fork(tree, cancel)

    def _open(self) -> Workspace:
        options = WorkspaceOptions(
            repository=self.repository,
            base=self.run.base,
            trees=self.trees,
            image=self.settings.image,
            **self.settings.limits,
            services=services(self.settings, self.repository.name),
            cancel=self.cancel,
            say=lambda line: self.report("say", "main", line),
            may_set_up=partial(may_set_up, self),
        )
        if self.settings.workspace == "docker":
            options = replace(options, image=environment_for(options, self._environment_options()))
        elif options.services:
            options.say("Services are not started: they need a workspace in a container.")
        workspace = open_workspace(self.settings.workspace, options)
        workspace.expect(HARNESS_SESSION)
        self._copies = BackgroundTask(lambda: self._find_copies(workspace), "copies")
        return workspace

    @property
    def copies(self) -> tuple[str, ...]:
        """Messages about copies of the package under test that are installed outside the repository."""
        return self._copies.answer() if self._copies else ()

    def _find_copies(self, workspace: Workspace) -> tuple[str, ...]:
        found = find_installed_copies(workspace, self.trees, self.run.base.tree)
        for copy in found:
            self.report("say", "main", copy)
        return found

    def _environment_options(self) -> EnvironmentOptions:
        """Return the environment options from the settings and from the base's `.swe-agent.toml`, if it has one."""
        try:
            repository_config = self.trees.read(self.run.base.tree, ".swe-agent.toml")
        except FileNotFoundError:
            repository_config = b""
        return environment_options(self.settings, option_source(self.settings, repository_config))

    def leave_workspace(self) -> None:
        """Close the run's workspace, even if it is broken.

        The next use opens a new workspace, without the ignored files and running processes of the old one.
        """
        if (root := self._root) is None:
            return
        self._root, self.resumed = None, True
        if self._copies:
            self._copies.wait()
        root.close()

    def close(self) -> None:
        """Close the workspace and the run's files."""
        try:
            self.leave_workspace()
        finally:
            self.trees.close()
            self.journal.close()


def _count_replies(trajectory: Trajectory) -> int:
    """Return the number of replies in the current turn."""
    return sum(isinstance(record, Reply) for record in trajectory.of_turn)


def open_ledger(settings: Settings, trajectory: Trajectory) -> Ledger:
    """Return the run's ledger, restored from its records.

    If a provider billed more than was reserved in an earlier turn, this does not stop the current turn.
    """
    ledger = Ledger(settings.budget, settings.max_tokens)
    of_turn = {record.id for record in trajectory.of_turn if isinstance(record, Hold)}
    for is_present_turn in (False, True):
        ledger.overrun = ""
        holds = [hold for name, hold in trajectory.holds.items() if (name in of_turn) == is_present_turn]
        ledger.replay(holds, trajectory.settles)
    return ledger


def known_secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of environment variables whose names look secret; no model may see them."""
    return tuple(value for name, value in environment.items() if SECRET.search(name) and len(value) >= SHORTEST)


def secrets_of_services(settings: Settings) -> tuple[str, ...]:
    """Return the values of the services' environment variables, most of which are passwords."""
    tables = settings.services.values()
    return tuple(value for table in tables for value in table.env.values() if len(value) >= SHORTEST)
