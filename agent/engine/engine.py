"""What all branches of a run share: journal, trees, purse, models, tools, workspaces, and the way to stop."""

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

from aci.aside import Aside
from aci.baselines import Baselines
from aci.contamination import installed_copies
from aci.disguises import SHORTEST
from aci.environment import environment_for
from aci.plain_folder import reopened
from aci.repository import Repository
from aci.working_tree import WorkingTree
from aci.workspace import OURS, Options, Workspace, open_workspace
from agent.approvals import Approve, unless_denied
from agent.backtrack import rewinds
from agent.casting import CODER, chosen_model
from agent.consent import may_set_up
from agent.ledger import Ledger
from agent.limiter import Limiter
from agent.models.base import Model
from agent.named import named
from agent.ownership import digest_path
from agent.settings import SECRET, Settings
from agent.surroundings import services, wishes
from tools.base import Toolbox
from trajectories.errors import Cancelled, LimitStop
from trajectories.journal import Journal, first_record
from trajectories.records import Hold, Note, Reply, Run, Turn
from trajectories.trajectory import Trajectory
from trajectories.trees import Trees

if TYPE_CHECKING:
    from aci.environments.plan import Wishes


OF_MODELS = ("models", "effort", "first_timeout", "model_timeout", "max_reply")
"""Settings with which a model is loaded."""
BRIEF = 1.0
"""Seconds; that the run stood still for less is not on its record."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something a front end may show: `delta`, `action`, `phase`, `say`, `progress` (of what is done, again and again).
    Ephemeral; the journal holds what counts."""

    kind: str
    branch: str
    text: str


class Token(Event):
    """One way to stop, seen between stream chunks and while a command runs: set, past its deadline, or its parent's."""

    def __init__(self, parent: Token | None = None) -> None:
        super().__init__()
        self._parent = parent
        self.deadline: float | None = None

    def is_set(self) -> bool:
        return super().is_set() or self.expired or (self._parent is not None and self._parent.is_set())

    @property
    def stopped(self) -> bool:
        """Whether somebody set it, whatever the clock says."""
        return super().is_set() or (self._parent is not None and self._parent.stopped)

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def sleep(self, seconds: float) -> None:
        """Wait, but not longer than until stopped. Raises Cancelled."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    def check(self) -> None:
        if self.is_set():
            raise Cancelled("Interrupted.", "Resume the run to go on.")


class Engine:
    """Opened on a run's directory whose first record is written. Close it in the end."""

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        notify: Callable[[Happening], object] = lambda _: None,
        limiter: Limiter | None = None,
        parent: Token | None = None,
        registry: Path | None = None,
    ) -> None:
        """`registry` is the state folder in which the run is registered, if it is not that of the settings."""
        self.limiter = limiter or Limiter(settings.retry_wait)
        """Shared by all runs of a batch."""
        self.settings = settings
        self.notify = notify
        self.journal = Journal(directory, digest_path(directory, registry or settings.state))
        self.trajectory = self.journal.trajectory
        try:
            self.run: Run = first_record(self.trajectory, directory)
            self.trees = Trees(directory / "trees.git")
            self.ledger = purse(settings, self.trajectory)
        except BaseException:
            self.journal.close()
            raise
        self.resumed = bool(self.trajectory.holds or self.trajectory.steps or self.trajectory.results)
        self.toolbox = Toolbox()
        self._known_secrets = (*known_secrets(os.environ), *secrets_of_services(settings))
        self.cancel = Token(parent)
        self.approve: Approve = lambda approval: unless_denied(approval, self.settings.permissions)
        """Asked before something leaves the workspace."""
        self.may_test: bool | None = None
        """Whether tests of a local workspace may be run in this turn; None before it was asked."""
        self.testing = Lock()
        self.baselines = Baselines()
        """What the suites did on the base, for the proofs of this process."""
        self._copies: Aside[tuple[str, ...]] | None = None
        self._asked = _replies(self.trajectory)
        self._models: dict[str, Model] = {}
        self._root: Workspace | None = None
        self._lock = Lock()
        self._standing = 0
        self._stood = Lock()
        self._rested: float | None = None
        self._begin_to_count(self.trajectory.live_seconds())

    @property
    def seconds(self) -> float:
        """Live time of the run, earlier processes included; that in which it stood still, or rested, is not."""
        if (rested := self._rested) is not None:
            return rested
        with self._stood:
            return (self._since if self._standing else time.monotonic()) - self.started

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a turn is worked on. Between turns, and while one is interrupted, the run's time does not pass."""
        self.resumed = self.resumed and not self.opened
        if self._rested is not None:
            self._begin_to_count(self._rested)
            self._rested = None
        try:
            yield
        finally:
            self.rest()

    def rest(self) -> None:
        """From here on the run's time does not pass, until a turn is worked on."""
        self._rested, self.cancel.deadline = self.seconds, None

    def _begin_to_count(self, seconds: float) -> None:
        """`seconds` were live before: in a process what it counted itself, which is more than its records know of.
        `max_time` is that of a turn."""
        now, max_time = time.monotonic(), self.settings.max_time
        self.started = now - seconds
        self.cancel.deadline = None if max_time is None else now - self.trajectory.turn_seconds() + max_time

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """The run's time does not pass while a request of any of its branches is in here: it may not leave yet."""
        with self._stood:
            if not self._standing:
                self._since, self._left = time.monotonic(), self.cancel.deadline
                self.cancel.deadline = None
            self._standing += 1
        stood = 0.0
        try:
            yield
        finally:
            with self._stood:
                self._standing -= 1
                if not self._standing:
                    stood = time.monotonic() - self._since
                    self.started += stood
                    self.cancel.deadline = None if self._left is None else self._left + stood
        if stood >= BRIEF:  # whoever resumes it counts as we do
            self.journal.append(Note("main", "life", f"stood still for {stood:.0f} s"))

    def settle_late(self) -> None:
        """Settle the requests whose reply is on the record but whose settle was lost with the process."""
        trajectory = self.trajectory
        for hold in [hold for name, hold in trajectory.holds.items() if name not in trajectory.settles]:
            reply = trajectory.replies.get((hold.branch, hold.ask))
            if reply is not None and hold.attempt == trajectory.attempts[hold.branch, hold.ask]:
                settle = self.ledger.price_of(hold, reply.usage, self.model_named(hold.model).price)
                self.ledger.settle(settle)
                self.journal.append(settle)

    def tell(self, kind: str, branch: str, text: str) -> None:
        self.notify(Happening(kind, branch, text))

    def model(self, role: str) -> Model:
        """The model of a role: its own, or the one of all that have none. Raises ConfigError."""
        named = self.settings.roles.get(role) if role != CODER else ""
        return self.model_named(named or self.settings.model)

    def model_named(self, name: str) -> Model:
        """A model by its name, loaded once. Raises ConfigError for one that cannot be had, or paid."""
        with self._lock:
            if name not in self._models:
                self._models[name] = chosen_model(self.settings, name)
            return self._models[name]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nothing shown, recorded or sent may hold: keys of the host's environment and of the models."""
        return (*self._known_secrets, *(key for model in tuple(self._models.values()) for key in model.secrets))

    @cached_property
    def repository(self) -> Repository:
        """The user's own repository. Raises UsageError when it is gone."""
        return reopened(self.run.repository, self.settings.state, self.run.base.commit)

    @cached_property
    def working_tree(self) -> WorkingTree:
        """The user's files as they are now."""
        return WorkingTree(self.repository, self.trees)

    def next_turn(self, turn: Turn, settings: Settings) -> None:
        """Begin a turn under these settings; the workspace, if one is open, goes on. The turn before has ended."""
        self.journal.append(turn)
        before, self.settings = self.settings, settings
        self.cancel.clear()
        self._asked = 0
        self.may_test = None
        with self._lock:
            if any(getattr(before, name) != getattr(settings, name) for name in OF_MODELS):
                self._known_secrets = self.secrets
                self._models = {}
            self.ledger = purse(settings, self.trajectory)

    def take_step(self) -> None:
        """Count one more reply. Raises LimitStop when the turn has had all it may have, in whatever branch."""
        with self._lock:
            if self._asked >= self.settings.max_steps:
                steps = "one step" if self.settings.max_steps == 1 else f"{self.settings.max_steps} steps"
                raise LimitStop(f"The run has taken its {steps}.", "Give more with --max-steps.")
            self._asked += 1

    @property
    def opened(self) -> bool:
        """Whether the run's workspace is open: files may lie there of an earlier turn, or one that was interrupted."""
        return self._root is not None

    def context_share(self) -> float | None:
        """The share of its model's window that the main branch's last request took; None where nobody knows."""
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
        """The run's own workspace, opened at the base by the first who needs it."""
        with self._lock:
            if self._root is None:
                self._root = self._open()
            return self._root

    def fork(self, tree: str, cancel: Token) -> Workspace:
        """A fresh workspace at `tree`, for a proof or a branch beside the main one; it stops with `cancel`."""
        return self.root().fork(tree, cancel)

    def _open(self) -> Workspace:
        options = Options(
            repository=self.repository,
            base=self.run.base,
            trees=self.trees,
            image=self.settings.image,
            **self.settings.limits,
            services=services(self.settings, self.repository.name),
            cancel=self.cancel,
            say=lambda line: self.tell("say", "main", line),
            may_set_up=partial(may_set_up, self),
        )
        if self.settings.workspace == "docker":
            options = replace(options, image=environment_for(options, self._wishes()))
        elif options.services:
            options.say("Services are started beside workspaces in containers only: there are none.")
        workspace = open_workspace(self.settings.workspace, options)
        workspace.expect(OURS)
        self._copies = Aside(lambda: self._look_for_copies(workspace), "copies")
        return workspace

    @property
    def copies(self) -> tuple[str, ...]:
        """Where the package under work lies installed beside the repository, in sentences."""
        return self._copies.answer() if self._copies else ()

    def _look_for_copies(self, workspace: Workspace) -> tuple[str, ...]:
        found = installed_copies(workspace, self.trees, self.run.base.tree)
        for copy in found:
            self.tell("say", "main", copy)
        return found

    def _wishes(self) -> Wishes:
        """What the settings wish of an environment; a base without a `.swe-agent.toml` names nothing."""
        try:
            of_repository = self.trees.read(self.run.base.tree, ".swe-agent.toml")
        except FileNotFoundError:
            of_repository = b""
        return wishes(self.settings, named(self.settings, of_repository))

    def leave_workspace(self) -> None:
        """End the run's workspace, whole or broken. Whoever needs one next opens a new one, where ignored files and
        processes are gone."""
        if (root := self._root) is None:
            return
        self._root, self.resumed = None, True
        if self._copies:
            self._copies.wait()
        root.close()

    def close(self) -> None:
        """End the workspaces, then let go of the run."""
        try:
            self.leave_workspace()
        finally:
            self.trees.close()
            self.journal.close()


def _replies(trajectory: Trajectory) -> int:
    """Of the present turn."""
    return sum(isinstance(record, Reply) for record in trajectory.of_turn)


def purse(settings: Settings, trajectory: Trajectory) -> Ledger:
    """The run's, as its record leaves it. A provider that billed too much in an earlier turn ended that turn only."""
    ledger = Ledger(settings.budget, settings.max_tokens)
    of_turn = {record.id for record in trajectory.of_turn if isinstance(record, Hold)}
    for present in (False, True):
        ledger.overrun = ""
        holds = [hold for name, hold in trajectory.holds.items() if (name in of_turn) == present]
        ledger.replay(holds, trajectory.settles)
    return ledger


def known_secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Values of the host's environment that must not be seen by a model, by the names they go under."""
    return tuple(value for name, value in environment.items() if SECRET.search(name) and len(value) >= SHORTEST)


def secrets_of_services(settings: Settings) -> tuple[str, ...]:
    """Values that services are given: passwords, mostly."""
    tables = settings.services.values()
    return tuple(value for table in tables for value in table.env.values() if len(value) >= SHORTEST)
