"""Building a planned environment: set-up runs, its failures are repaired, tests are tried, and an image is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from aci.docker.docker_daemon import Daemon, docker_errors
from aci.environments.environment_plan import HOME, VENV, Command, EnvironmentOptions, Plan
from aci.environments.image_commit import commit_instructions, language_version, remove_base_files
from aci.environments.network.registry_access import install_certificates, open_registries
from aci.environments.network_outage import find_outage
from aci.environments.package_dates import add_date_option, chooses_versions, code_date, index_as_of
from aci.environments.setup_container import SetupContainer, SetupResult
from aci.environments.setup_repairs import APT_INSTALL, MAX_REPAIRS, Failure, Repair, find_repair
from aci.environments.smoke_check import SmokeResult, collect_test_imports, run_smoke_check
from aci.runtime.workspace import WorkspaceOptions
from trajectories.errors import WorkspaceError

QUIET_ENVIRONMENT = {
    "CI": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_NO_CACHE_DIR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "npm_config_update_notifier": "false",
    "npm_config_fund": "false",
    "npm_config_cache": "/tmp/npm-cache",
    "LANG": "C.UTF-8",
}
"""Variables that keep package managers from asking questions, drawing progress bars and caching."""

INSTALL_GIT = Command(
    f"{APT_INSTALL}git ca-certificates || apk add git || dnf -qy install git",
    "the image has no git",
)
OPTIONAL = 1 / 3
"""The maximum share of the remaining time that an optional command may take."""

_PROGRESS_INTERVAL = 15.0
"""Seconds between progress messages of a slow command."""


class NetworkFailed(WorkspaceError):
    """Set-up failed because of the network. Another run may succeed, so no other environment is built instead."""


class OtherImage(Exception):
    """The image's Python version is not one that the repository supports."""


class HoldsRepository(Exception):
    """The image already has the repository at /testbed, as the images of benchmark instances do. It is used as it
    is."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The result of a build: the repairs, as sentences, and the result of the base's tests."""

    repairs: tuple[str, ...]
    tests: SmokeResult
    seconds: float
    version: str = ""
    """The version of the language."""

    packages: str = ""
    """The date to which packages were limited; empty if they were not limited."""


@dataclass
class Build:
    """A build of `plan` from `image` for the files of `options.base`. If `when` is set, packages released after this
    date are not used."""

    plan: Plan
    image: str
    options: WorkspaceOptions
    settings: EnvironmentOptions
    daemon: Daemon
    when: datetime | None = None
    began: float = field(default_factory=time.monotonic)
    repairs: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """The commands of the set-up, as they ran."""

    def run(self, name: str, labels: Callable[[BuildResult], Mapping[str, str]]) -> BuildResult:
        """Build and name the image. If set-up or tests of the base fail, set-up is tried once more with older packages.

        Raises WorkspaceError with the last output of a command that cannot be repaired, NetworkFailed, OtherImage and
        HoldsRepository.
        """
        with ExitStack() as stack:
            build, container, found = self._build_best(stack)
            remove_base_files(container, self.options)
            day = f"{build.when:%Y-%m-%d}" if build.when else ""
            seconds = time.monotonic() - self.began
            own = build._session_variables(container)
            built = BuildResult(
                tuple(build.repairs), found, seconds, language_version(container, self.plan.language, own), day
            )
            container.commit(name, commit_instructions(own, labels(built)))
            return built

    def _build_best(self, stack: ExitStack) -> tuple[Build, SetupContainer, SmokeResult]:
        """Return the build in which more tests pass: with today's packages, or with those of the base's date."""
        failed = None
        try:
            container, found = self._set_up_and_test(stack)
            if not found.failing:
                return self, container, found
        except NetworkFailed:
            raise
        except WorkspaceError as error:
            if self.plan.instead:
                raise
            failed = error
        older = self._older_build()
        if older:
            self._say(f"Trying again with packages no newer than the base's code: {older.when:%Y-%m-%d}.")
            try:
                other, other_found = older._set_up_and_test(stack)
                if failed or other_found.better(found):
                    return older, other, other_found
                self._say("No more tests pass with them: today's packages are kept.")
            except (WorkspaceError, OtherImage) as error:
                self._say(f"{error} The older packages do not help.")
        if failed:
            raise failed
        return self, container, found

    def _older_build(self) -> Build | None:
        """Return the same build with older packages, if those may change the result and enough time is left."""
        late = time.monotonic() - self.began > self.settings.seconds / 2
        if late or not chooses_versions(self.plan.language, self.ran):
            return None
        when = code_date(self.options, self.plan.language)
        return replace(self, when=when, repairs=[], ran=[]) if when else None

    def _set_up_and_test(self, stack: ExitStack) -> tuple[SetupContainer, SmokeResult]:
        """Set up a container; return it and the result of the base's tests in it."""
        container = stack.enter_context(SetupContainer(self.daemon, self.image, self.options))
        if not container.run("test -e /testbed/.git", {}, 60, where="/").code:
            raise HoldsRepository
        container.put(self.options.trees, self.options.base.tree)
        container.run(f"mkdir -p {HOME}", {}, 60)
        with ExitStack() as network:
            env = self._network(container, network)
            if self.when:
                env |= index_as_of(container, self.when, self.plan.language, env)
            self._set_up(container, env)
            return container, self._test_and_repair(container, env)

    def _network(self, container: SetupContainer, until: ExitStack) -> dict[str, str]:
        """Return the environment of set-up, with access to the package registries. None of it is saved in the image."""
        id, env = str(container.container.id), self.daemon.environment()
        found = dict(QUIET_ENVIRONMENT)
        if self.settings.hosts:
            found |= until.enter_context(open_registries(id, env, self.settings.hosts, self._say))
        if self.settings.certificates:
            found |= install_certificates(id, env, Path(self.settings.certificates))
        return {**found, **self.settings.set_up_environment, **self._session_variables(container)}

    def _session_variables(self, container: SetupContainer) -> dict[str, str]:
        """Return the variables of both set-up and sessions."""
        own = {**self.plan.variables}
        if self.plan.paths:
            own["PATH"] = container.path(self.plan.paths)
        if f"{VENV}/bin" in self.plan.paths:
            own["VIRTUAL_ENV"] = VENV
        return own

    def _set_up(self, container: SetupContainer, env: Mapping[str, str]) -> None:
        commands = list(self.plan.setup)
        if container.run("command -v git", {}, 60).code:
            commands.insert(0, INSTALL_GIT)
        for number, command in enumerate(commands, 1):
            self._say(f"Set-up {number}/{len(commands)}: {command.text} ({command.why})")
            try:
                self._run_until_success(container, command, env)
            except NetworkFailed:
                raise
            except WorkspaceError as error:
                if not command.optional:
                    raise
                self._say(f"{error.message} It is skipped.")

    def _run_until_success(self, container: SetupContainer, command: Command, env: Mapping[str, str]) -> None:
        """Run a command, and repair its failures until it succeeds. Raises WorkspaceError if one cannot be repaired."""
        repairs: list[str] = []
        end = time.monotonic() + self._seconds_left() * (OPTIONAL if command.optional else 1)
        first = done = self._run_command(container, command.text, env, end)
        while done.code:
            found = self._find_repair(done, repairs)
            if found is None:
                raise _failed(first, repairs)
            repairs.append(found.what)
            self._apply_repair(container, found, env, end)
            done = self._run_command(container, found.again or done.command, env, end)
        if repairs:
            _check_network(done)  # a command that installs line by line succeeds if some lines can be installed
        self.repairs += repairs

    def _find_repair(self, done: SetupResult, repairs: Sequence[str]) -> Repair | None:
        if done.timed_out or len(repairs) >= MAX_REPAIRS:
            return None
        imports = collect_test_imports(self.options.trees, self.options.base.tree)
        found = find_repair(Failure(done.command, done.output, self.plan.language, imports), (*self.repairs, *repairs))
        if found and found.other_image:
            if not self.plan.alternatives:
                return None
            raise OtherImage(found.what)
        return found

    def _apply_repair(self, container: SetupContainer, found: Repair, env: Mapping[str, str], end: float) -> None:
        self._say(f"Repairing: {found.what}.")
        for command in found.first:
            done = self._run_command(container, command, env, end)
            if done.code:
                raise _failed(done, [found.what])

    def _test_and_repair(self, container: SetupContainer, env: Mapping[str, str]) -> SmokeResult:
        """Run the tests and install missing packages that they need. Failures that cannot be repaired are only
        reported."""
        own = QUIET_ENVIRONMENT | self._session_variables(container)
        repairs: list[str] = []
        end = time.monotonic() + self._seconds_left()
        found = self._run_tests(container, own)
        while found.lacking and len(repairs) < MAX_REPAIRS:
            wanted = self._find_repair(SetupResult(found.command, 1, found.lacking, 0.0), repairs)
            if wanted is None:
                break
            repairs.append(wanted.what)
            try:
                self._apply_repair(container, wanted, env, end)
            except NetworkFailed:
                raise
            except WorkspaceError as error:
                self._say(error.message)
                break
            found = self._run_tests(container, own)
        self.repairs += repairs
        self._say(f"The base's tests: {found.summary}.")
        return found

    def _run_tests(self, container: SetupContainer, env: Mapping[str, str]) -> SmokeResult:
        """Run the tests in a separate container, so that nothing they write is saved in the image."""
        nameless = ""  # an untagged image is removed with the leftovers if this process dies
        draft = container.commit(nameless, commit_instructions(self._session_variables(container), {}))
        try:
            with SetupContainer(self.daemon, draft, self.options, services=True) as other:
                own = {**env, **other.service_variables}

                def run(command: str, seconds: float) -> SetupResult:
                    return other.run(command, own, min(seconds, self._seconds_left()))

                return run_smoke_check(run, self.plan, self.settings.test)
        finally:
            with suppress(WorkspaceError), docker_errors():
                self.daemon.client.images.remove(draft)

    def _seconds_left(self) -> float:
        """Return the number of seconds left for the whole set-up, including other images and attempts; at least one."""
        return max(1.0, self.began + self.settings.seconds - time.monotonic())

    def _run_command(self, container: SetupContainer, command: str, env: Mapping[str, str], end: float) -> SetupResult:
        """Run a command with a time limit: it must finish by `end`. Raises NetworkFailed if it fails because of the
        network."""
        began = last = time.monotonic()
        self.ran.append(command)

        def on_line(line: str) -> None:
            nonlocal last
            if time.monotonic() - last > _PROGRESS_INTERVAL:
                last = time.monotonic()
                self._say(f"  {last - began:.0f} s: {line.strip()[:160]}")

        dated_command = add_date_option(command, self.when) if self.when else command
        done = replace(container.run(dated_command, env, max(1.0, end - began), on_line), command=command)
        if done.code:
            _check_network(done)
        return done

    def _say(self, line: str) -> None:
        self.options.say(line)


def _check_network(done: SetupResult) -> None:
    if line := find_outage(done.output):
        raise NetworkFailed(
            f"The network failed while `{done.command[:200]}` ran: {line[:300]}",
            "Run it again when the network works; this set-up was discarded.",
        )


def _failed(done: SetupResult, repairs: Sequence[str]) -> WorkspaceError:
    why = f"did not end within {done.seconds:.0f} s" if done.timed_out else f"failed with exit code {done.code}"
    also = f" Tried: {'; '.join(repairs)}." if repairs else ""
    return WorkspaceError(
        f"The set-up command `{done.command[:200]}` {why}.{also} Its last lines:\n{done.last}\n",
        "Name a prepared image with --image, or set-up commands of your own with `setup` in .swe-agent.toml.",
    )
