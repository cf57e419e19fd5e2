"""What all branches of a run share: journal, trees, budget, models, tools, workspaces and cancellation.

The suite without the patch runs while the model works, and is kept for later runs of the same environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from aci.environments.environment_records import digest_of, proposed_steps
from aci.environments.preparation import prepare_environment
from aci.environments.python_description import describe_python
from aci.host.project_python import project_python
from aci.instructions.documented_commands import describe_command
from aci.observation.secret_masking import MIN_SECRET, secrets_in_url
from aci.proof.run_audit import find_installed_copies
from aci.proof.suite_baselines import Baselines, BaselineStore
from aci.repository.plain_folder import reopen_repository
from aci.repository.user_repository import Repository
from aci.repository.working_tree import WorkingTree
from aci.runtime.workspace import HARNESS_SESSION, BackgroundTask, Workspace, WorkspaceOptions, open_workspace
from agent.config.api_keys import looks_secret
from agent.config.environment_options import environment_options, option_source, services
from agent.config.settings import SECRET, Settings, secret_reason
from agent.conversation.model_roles import RunModels
from agent.engine.base_instructions import BaseInstructions
from agent.engine.permission_checks import may_set_up
from agent.engine.proof_ahead import ProofAhead
from agent.engine.run_events import RunEvents
from agent.engine.run_hooks import run_hooks
from agent.engine.tool_servers import tool_servers
from agent.limits.cancellation import CancellationToken
from agent.limits.rate_limiter import Limiter
from agent.limits.run_budget import Ledger, RunClock
from agent.permissions.approvals import Answer, Approval, Approve
from agent.run_state.checkouts import StoredResults
from agent.run_state.progress_event import ProgressEvent
from agent.run_state.run_ownership import digest_path
from tools.base import Toolbox
from trajectories.errors import Cancelled, LimitStop, SweAgentError
from trajectories.facts import ENVIRONMENT, INSTALLED, Fact
from trajectories.git_store.trees import Trees
from trajectories.journal import Journal, first_record
from trajectories.records import Hold, Note, Reply, Run, Turn
from trajectories.trajectory import Trajectory

if TYPE_CHECKING:
    from aci.environments.environment_plan import EnvironmentOptions, ProposeSteps


def environment_digest(kind: str, image: str, programs: Path | None, *others: str) -> str:
    """Return a digest of what the results of tests depend on apart from the files of the base, found without running a
    program of the workspace; "" if it is unknown.

    `kind` is that of the workspace, `programs` the folder of its Python. It is unknown in a workspace without
    isolation, and if one of `others`, which also count, is "".
    """
    parts = [_image_id(image)] if kind == "docker" else _packages(programs.parent) if programs else [""]
    if kind == "local" or not all([*parts, *others]):
        return ""
    return digest_of([kind, *parts, *others])


def _image_id(name: str) -> str:
    from docker.errors import DockerException

    from aci.docker.docker_daemon import connect

    with suppress(SweAgentError, DockerException):
        daemon = connect()
        try:
            return str(daemon.client.images.get(name).id)
        finally:
            daemon.rest()
    return ""


def _packages(prefix: Path) -> list[str]:
    """Return the environment's folder, and the names and times of what its folders of packages hold."""
    with suppress(OSError):
        sites = [*prefix.glob("lib/python3*/site-packages"), *prefix.glob("lib/python3*/dist-packages")]
        entries = sorted((str(each), each.stat().st_mtime_ns) for site in sites for each in (site, *site.iterdir()))
        return [str(prefix), *(f"{name} {time}" for name, time in entries)]
    return [""]


FILES = "files"
"""Kind of notes on the files of the user's machine that a workspace got, in addition to the base."""


class RunWorkspaces:
    """The workspaces of a run. `options` returns the options and the settings of the current turn; `record` keeps a
    fact on the environment for the verdict. Thread-safe."""

    def __init__(
        self, options: Callable[[], tuple[WorkspaceOptions, Settings]], record: Callable[[Fact], object]
    ) -> None:
        self._options, self._record = options, record
        self._root: Workspace | None = None
        self._copies: BackgroundTask[None] | None = None
        self._lock = Lock()
        self.environment: dict[str, str | list[str]] = {}
        """What the workspace is: its kind, and the image with the commands that set it up."""

        self.programs: Path | None = None
        """The folder of the Python that a workspace on this machine uses, as the host found it; None if the workspace
        is not open, is a container, or has no environment of its own."""

        self.limits = ""
        """The limits of a container, as text; "" if services run beside it."""

        self.files_digest = "none"
        """A digest of the files of this machine that a workspace on it gets; "" if they may change."""

        self.propose_steps: ProposeSteps | None = None
        """Function that asks a model for set-up steps; None if none may be asked."""

    @property
    def opened(self) -> bool:
        """Whether the run's workspace is open. The workspace may still contain files of an earlier or interrupted
        turn."""
        return self._root is not None

    def root(self) -> Workspace:
        """Return the run's own workspace, opened at the base on first use."""
        with self._lock:
            if self._root is None:
                self._root = self._open()
            return self._root

    @cached_property
    def python(self) -> dict[str, str | list[str]]:
        """The Python of a workspace on this machine, as it is when this is read first; empty for a container, which
        its image names."""
        root = self.root()
        return {} if "image" in self.environment else describe_python(root)

    def digest(self) -> str:
        """Return a digest of what the results of tests depend on apart from the files of the base; "" if unknown."""
        if not self.opened:
            return ""
        kind, image = (str(self.environment.get(name, "")) for name in ("workspace", "image"))
        return environment_digest(kind, image, self.programs, self.limits, self.files_digest)

    def fork(self, tree: str, cancel: CancellationToken) -> Workspace:
        """Return a fresh workspace at `tree` for a proof or a branch. The workspace stops when `cancel` is set."""
        return self.root().fork(tree, cancel)

    def finish_search(self) -> None:
        """Wait until all copies of the package under test that are installed outside the repository are recorded."""
        if self._copies:
            self._copies.answer()

    def close(self) -> None:
        """Close the run's workspace, even if it is broken.

        The next use opens a new workspace, without the ignored files and running processes of the old one.
        """
        with self._lock:
            root, copies = self._root, self._copies
            self._root = None
        if root is None:
            return
        if copies:
            copies.wait()
        root.close()

    def _open(self) -> Workspace:
        options, settings = self._options()
        self.environment = {"workspace": settings.workspace}
        self.limits = "" if options.services else str(sorted(settings.limits.items()))
        if settings.workspace != "docker" and options.services:
            options.say("Services are not started: they need a workspace in a container.")
        environment = self._environment_options(options, settings)
        options, setup = prepare_environment(options, environment, settings.workspace)
        if settings.workspace == "docker":
            self.environment |= {"image": options.image, "setup": setup}
        else:
            python = project_python(options)
            self.programs = python.programs if python else None
        if steps := proposed_steps(options):
            self._record(Fact("limit", f"The environment was set up with commands of a model: {'; '.join(steps)}."))
        workspace = open_workspace(settings.workspace, options)
        workspace.expect(HARNESS_SESSION)
        self._copies = BackgroundTask(lambda: self._record_copies(workspace, options), "copies")
        return workspace

    def _record_copies(self, workspace: Workspace, options: WorkspaceOptions) -> None:
        with suppress(Cancelled):  # the run ends, or its time is used up
            for copy in find_installed_copies(workspace, options.trees, options.base.tree, options.repository.root):
                options.say(copy)
                self._record(Fact("environment", copy))

    def _environment_options(self, options: WorkspaceOptions, settings: Settings) -> EnvironmentOptions:
        """Return the environment options from the settings and from the base's `.swe-agent.toml`, if it has one."""
        try:
            repository_config = options.trees.read(options.base.tree, ".swe-agent.toml")
        except FileNotFoundError:
            repository_config = b""
        found = environment_options(settings, option_source(settings, repository_config))
        return replace(found, propose=self.propose_steps)


class Engine:
    """The shared state of one run, whose directory must already contain its first record.

    Close the engine at the end, or use it in a `with` statement.
    """

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
        self.notify = notify
        self.journal = Journal(directory, digest_path(directory, registry or settings.state))
        self.trajectory = self.journal.trajectory
        try:
            self.run: Run = first_record(self.trajectory, directory)
            self.trees = Trees(directory / "trees.git")
            self.base_instructions = BaseInstructions(self.trees, self.run.base.tree, lambda: self.settings)
            self.settings = self.base_instructions.complete(settings)
            self.ledger = open_ledger(settings, self.trajectory)
        except BaseException:
            self.journal.close()
            raise
        self.resumed = bool(self.trajectory.holds or self.trajectory.steps or self.trajectory.results)
        self.toolbox = Toolbox()
        self.servers = tool_servers(self)
        self._known_secrets = (
            *known_secrets(os.environ),
            *secrets_of_services(settings),
            *secrets_of_servers(settings, os.environ),
            *secrets_of_addresses(settings),
        )
        self.cancel = CancellationToken(parent)
        self.approve: Approve = self._allow_unless_denied
        """Called to ask for permission before anything leaves the workspace."""
        self.is_allowed: Callable[[Approval], bool] = lambda approval: False
        """Whether the user's rules allow an action. No one is asked; without a user who can be asked, nothing is."""
        self.choose: Approve | None = None
        """Asks the user a multiple-choice question; None if the front end has no one to ask."""
        self.asks_later = False
        """Whether the model's questions end the run, which continues with the answers."""
        self.delegates = False
        """Whether the main conversation may delegate tasks to helpers."""
        self.may_test: bool | None = None
        """Whether this turn may run tests in a local workspace; None until the user has been asked."""
        self.testing = Lock()
        self._steps_taken = _count_replies(self.trajectory)
        self._lock = Lock()
        self.models = RunModels(settings)
        self.events = RunEvents(self.run.id, self.journal, lambda: self.secrets)
        self.hooks = run_hooks(self)
        self.clock = RunClock(self.cancel, self.trajectory.live_seconds(), self._time_left(), self._record_pause)
        self.workspaces = RunWorkspaces(self._workspace_options, self._record_environment)
        self.baselines = Baselines(BaselineStore(settings.state / "baselines", self.workspaces.digest))
        """Results of the test suites on the base and with patches, shared by the proofs of this process."""
        self.proof_ahead = ProofAhead(self.trees, self.baselines, self.workspaces.fork)
        """The work of proofs that is done while the model works."""
        self.stored_results = StoredResults(
            settings.state, lambda: self.repository, self.run.base.commit, lambda text: self.report("say", "main", text)
        )

    def _allow_unless_denied(self, approval: Approval) -> Answer:
        """Answer for a user who cannot be asked."""
        from agent.permissions.decisions import allow_unless_denied

        return allow_unless_denied(approval, self.settings.permissions)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Run the clock in this context, while a turn is in progress. The clock stops between turns and while a turn is
        interrupted."""
        self.resumed = self.resumed and not self.workspaces.opened
        self.clock.start(self._time_left())
        try:
            yield
        finally:
            self.clock.stop()

    def _time_left(self) -> float | None:
        """Return the seconds that `max_time` leaves for the current turn; None without a limit."""
        max_time = self.settings.max_time
        return None if max_time is None else max_time - self.trajectory.turn_seconds()

    def _record_environment(self, fact: Fact) -> None:
        if all(fact.text != known.text for known in environment_facts(self.trajectory)):
            data = {INSTALLED: True} if fact.kind == "environment" else {}
            self.journal.append(Note("main", ENVIRONMENT, fact.text, data))

    def _record_files(self, text: str, paths: Mapping[str, Sequence[str]]) -> None:
        self.workspaces.files_digest = "".join(paths.get("digest", [self.workspaces.files_digest]))
        if not any(note.kind == FILES and note.text == text for note in self.trajectory.notes):
            self.journal.append(Note("main", FILES, text, dict(paths)))

    def _record_pause(self, seconds: float) -> None:
        self.journal.append(Note("main", "life", f"paused for {seconds:.0f} s"))

    def report(self, kind: str, branch: str, text: str) -> None:
        event = ProgressEvent(kind, branch, text)
        self.events.progress(event)
        self.notify(event)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that must not be shown, recorded or sent: those in the host's environment and in the services'
        settings, and the keys of models and MCP servers, also those in their addresses."""
        return (*self._known_secrets, *self.models.secrets)

    @cached_property
    def repository(self) -> Repository:
        """The user's own repository. Raises UsageError if it no longer exists."""
        return reopen_repository(self.run.repository, self.settings.state, self.run.base.commit)

    @cached_property
    def working_tree(self) -> WorkingTree:
        """The user's files as they are now."""
        return WorkingTree(self.repository, self.trees, self.settings.copy_files)

    def next_turn(self, turn: Turn, settings: Settings) -> None:
        """Start a turn with these settings, after the previous one has ended. An open workspace is kept."""
        self.proof_ahead.stop()
        self.journal.append(turn)
        self.settings = settings = self.base_instructions.complete(settings)
        self.cancel.clear()
        self._steps_taken = 0
        self.may_test = None
        with self._lock:
            self.models.change_settings(settings)
            self.ledger = open_ledger(settings, self.trajectory)

    def take_step(self) -> None:
        """Count one more reply. Raises LimitStop if the turn has reached its maximum number of steps, counted over all
        branches."""
        with self._lock:
            if not self.has_steps_left:
                steps = "one step" if self.settings.max_steps == 1 else f"{self.settings.max_steps} steps"
                raise LimitStop(f"The run reached its limit of {steps}.", "Give more with --max-steps.")
            self._steps_taken += 1

    @property
    def has_steps_left(self) -> bool:
        """Whether `take_step` allows one more reply."""
        return self._steps_taken < self.settings.max_steps

    def _workspace_options(self) -> tuple[WorkspaceOptions, Settings]:
        options = WorkspaceOptions(
            repository=self.repository,
            base=self.run.base,
            trees=self.trees,
            image=self.settings.image,
            **self.settings.limits,
            services=services(self.settings, self.repository.name),
            serve=self.settings.serve,
            cancel=self.cancel,
            say=lambda line: self.report("say", "main", line),
            record_files=self._record_files,
            may_set_up=lambda *asked: may_set_up(self.approve, self.cancel, *asked),
        )
        if documented := self.base_instructions.test:
            options.say(f"The tests run with {describe_command(documented)}.")
        return options, self.settings

    def leave_workspace(self) -> None:
        """Close the run's workspace. The work continues in a new one, as in a resumed run."""
        self.proof_ahead.stop()
        if self.workspaces.opened:
            self.resumed = True
            self.workspaces.close()

    def close(self) -> None:
        """Close the workspace, run the hooks of the end, and close the run's files.

        An interrupt before the hooks start does not stop them.
        """
        with closing(self.journal), closing(self.trees), closing(self.servers):
            try:
                self.leave_workspace()
            finally:
                was_stopped = self.cancel.stopped
                self.hooks.end(self.trajectory.exit, lambda: self.cancel.stopped and not was_stopped)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def environment_facts(trajectory: Trajectory) -> tuple[Fact, ...]:
    """Return the facts on a run's environment that belong into its verdict, also those of earlier processes."""
    notes = (note for note in trajectory.notes if note.kind == ENVIRONMENT)
    return tuple(Fact("environment" if note.data.get(INSTALLED) is True else "limit", note.text) for note in notes)


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
    return tuple(value for name, value in environment.items() if SECRET.search(name) and len(value) >= MIN_SECRET)


def secrets_of_services(settings: Settings) -> tuple[str, ...]:
    """Return the values of the services' environment variables, most of which are passwords."""
    tables = settings.services.values()
    return tuple(value for table in tables for value in table.env.values() if len(value) >= MIN_SECRET)


def secrets_of_servers(settings: Settings, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tokens of MCP servers, and those of the variables given to them that look secret: others, such as a
    folder, would be masked everywhere."""
    given = ((server, name, environment.get(name, "")) for server in settings.mcp.values() for name in server.variables)
    found = (value for server, name, value in given if name == server.token_env or secret_reason(name, value))
    return tuple(value for value in found if len(value) >= MIN_SECRET)


def secrets_of_addresses(settings: Settings) -> tuple[str, ...]:
    """Return the users, passwords and keys in the addresses of models and MCP servers."""
    addresses = [table.api_base for table in settings.models.values()] + [one.url for one in settings.mcp.values()]
    return tuple(filter(looks_secret, (secret for address in addresses for secret in secrets_in_url(address))))
