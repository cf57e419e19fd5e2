"""Running the set-up commands of a plan: failures are repaired, then the base's tests are tried."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from aci.environments.environment_plan import (
    BROWSER_SETUP,
    Command,
    EnvironmentOptions,
    FailedSetup,
    Plan,
    SetupPlaceKind,
)
from aci.observation.activity_message import ActivityMessage
from aci.observation.failure_cause import failure_cause
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.network_outage import find_outage
from extensions.environments.package_dates import add_date_option
from extensions.environments.setup_container import SetupResult
from extensions.environments.setup_repairs import APT_INSTALL, MAX_REPAIRS, Failure, Repair, find_repair
from extensions.environments.smoke_check import SmokeResult, collect_test_imports
from trajectories.errors import WorkspaceError
from trajectories.plugins import installed_module

QUIET_ENVIRONMENT = {
    "CI": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_ROOT_USER_ACTION": "ignore",
    # Every value disables pip's cache; only `0` works with the pip of Python 3.6.
    "PIP_NO_CACHE_DIR": "0",
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

MAX_PROPOSALS = 3
"""The maximum number of answers of a model for one set-up."""

_PROGRESS_INTERVAL = 15.0
"""Seconds between progress messages of a slow command."""


class NetworkFailed(WorkspaceError):
    """Set-up failed because of the network. Another run may succeed, so no other environment is built instead."""


class OtherImage(Exception):
    """The image's Python version is not one that the repository supports."""


class SetupPlace(Protocol):
    """Where set-up runs: a container, or a workspace on this machine."""

    def run(
        self, command: str, env: Mapping[str, str], seconds: float, on_line: Callable[[str], None] = ...
    ) -> SetupResult:
        """Run a shell command in the repository. Raises Cancelled."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file at an absolute path; its folder need not exist."""
        ...


Place = TypeVar("Place", bound=SetupPlace)


@dataclass
class SetupRun(ABC, Generic[Place]):
    """The set-up of `plan` for the files of `options.base`. If `when` is set, packages released after this date are not
    used."""

    plan: Plan
    options: WorkspaceOptions
    settings: EnvironmentOptions
    when: datetime | None = None
    began: float = field(default_factory=time.monotonic)
    repairs: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """The commands of the set-up, as they ran."""

    succeeded: list[str] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)
    """The commands of a model that ran and succeeded."""

    asked: int = 0
    """How many times a model was asked for steps."""

    browser: str = ""
    """The versions of the browser that was added, or why there is none."""

    @abstractmethod
    def _session_variables(self, place: Place) -> dict[str, str]:
        """Return the variables of both set-up and sessions."""

    @abstractmethod
    def _run_tests(self, place: Place, env: Mapping[str, str]) -> SmokeResult:
        """Run the tests so that nothing they write is kept."""

    def _place_kind(self) -> SetupPlaceKind:
        """Return where set-up runs."""
        return "container"

    def _save_files(self, place: Place) -> None:
        """Prepare for `_restore_files`."""

    @abstractmethod
    def _restore_files(self, place: Place) -> None:
        """Put the repository's files back, and remove new ones that git does not ignore."""

    def _set_up(self, place: Place, env: Mapping[str, str]) -> None:
        commands = list(self.plan.setup)
        if place.run("command -v git", {}, 60).code:
            commands.insert(0, INSTALL_GIT)
        for number, command in enumerate(commands, 1):
            self._say(ActivityMessage(f"Set-up {number}/{len(commands)}: {command.text} ({command.why})"))
            try:
                self._run_until_success(place, command, env)
            except NetworkFailed:
                raise
            except WorkspaceError as error:
                if not command.optional:
                    raise
                self._say(f"{error.message} It is skipped.")

    def _add_browser(self, place: Place, env: Mapping[str, str]) -> None:
        """Run the plan's command for a browser. Its failure, also one of the network, is only reported."""
        if not self.plan.browser:
            return
        self._say(ActivityMessage("Set-up of a browser: Chromium, and Playwright to drive it"))
        browsers = installed_module(BROWSER_SETUP)
        place.write(*browsers.program_file(self.plan.browser))
        done = place.run(self.plan.browser, env, self._seconds_left() * OPTIONAL, self._progress())
        timeout = done.seconds if done.timed_out else None
        self.browser = browsers.describe_result(done.output, done.code, timeout)
        self._say(f"{self.browser[:1].upper()}{self.browser[1:]}.")

    def _run_until_success(self, place: Place, command: Command, env: Mapping[str, str]) -> None:
        """Run a command, and repair its failures until it succeeds. Raises WorkspaceError if one cannot be repaired."""
        repairs: list[str] = []
        end = time.monotonic() + self._seconds_left() * (OPTIONAL if command.optional else 1)
        first = done = self._run_command(place, command.text, env, end)
        while done.code:
            found = self._find_repair(done, repairs)
            if found is not None:
                repairs.append(found.what)
                failed = self._apply_repair(place, found, env, end)
                if failed is None:
                    done = self._run_command(place, found.again or done.command, env, end)
                    continue
                first = done = failed
            if command.optional or not self._run_proposals(place, done, env, end, repairs):
                raise _failed(first, repairs, done)
            break
        if repairs and not done.code:
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

    def _apply_repair(self, place: Place, found: Repair, env: Mapping[str, str], end: float) -> SetupResult | None:
        """Run the commands that come first in a repair, and return the result of one that fails."""
        self._say(ActivityMessage(f"Repairing: {found.what}."))
        return self._run_all(place, found.first, env, end)

    def _run_all(
        self, place: Place, commands: Sequence[str], env: Mapping[str, str], end: float, proposed: bool = False
    ) -> SetupResult | None:
        """Run commands in order until one fails, and return the result of that one."""
        results = (self._run_command(place, command, env, end, proposed) for command in commands)
        return next((done for done in results if done.code), None)

    def _run_proposals(
        self, place: Place, failed: SetupResult, env: Mapping[str, str], end: float, repairs: list[str]
    ) -> bool:
        """Ask the model for steps instead of the failed command until all steps of an answer succeed; return whether
        they did. No step keeps a change of the repository's files, which could be the patch or a test."""
        wrong: SetupResult | None = failed
        while wrong and (steps := self._propose(wrong)):
            if wrong is failed:
                self._save_files(place)
            self._say(ActivityMessage(f"Trying steps of the model: {'; '.join(steps)}"))
            wrong = self._run_all(place, steps, env, end, proposed=True)
            repairs.append(f"steps of the model: {'; '.join(steps)}")
        if wrong is not failed:
            self._restore_files(place)
        return wrong is None

    def _propose(self, failed: SetupResult) -> Sequence[str]:
        """Return the model's steps instead of a failed command; none if it may not be asked (again) or has none."""
        propose = self.settings.propose
        if propose is None or failed.timed_out or self.asked >= MAX_PROPOSALS:
            return ()
        self.asked += 1
        failures = [command for command in dict.fromkeys(self.ran) if command not in self.succeeded]
        recipe = tuple(self.succeeded), tuple(failures)
        kind = self._place_kind()
        image = self.plan.image if kind == "container" else ""
        return propose(FailedSetup(image, self.plan.language, *recipe, failed.command, failed.output, kind))

    def _test_and_repair(self, place: Place, env: Mapping[str, str]) -> SmokeResult:
        """Run the tests and install missing packages that they need. Failures that cannot be repaired are only
        reported."""
        own = QUIET_ENVIRONMENT | self._session_variables(place)
        repairs: list[str] = []
        end = time.monotonic() + self._seconds_left()
        self._say(ActivityMessage("Collecting and running the base's tests in the new environment"))
        found = self._run_tests(place, own)
        while found.lacking:
            failed = SetupResult(found.command, 1, found.lacking, 0.0)
            wanted = self._find_repair(failed, repairs)
            if wanted:
                repairs.append(wanted.what)
                if wrong := self._apply_repair(place, wanted, env, end):
                    self._say(_failed(wrong, [wanted.what]).message)
                    break
            elif found.passed > 0 or found.ran or not self._run_proposals(place, failed, env, end, repairs):
                break
            self._say(ActivityMessage("Collecting and running the base's tests again"))
            found = self._run_tests(place, own)
        self.repairs += repairs
        self._say(f"The base's tests: {found.summary}.")
        return found

    def _seconds_left(self) -> float:
        """Return the number of seconds left for the whole set-up, including other images and attempts; at least one."""
        return max(1.0, self.began + self.settings.seconds - time.monotonic())

    def _run_command(
        self, place: Place, command: str, env: Mapping[str, str], end: float, proposed: bool = False
    ) -> SetupResult:
        """Run a command with a time limit: it must finish by `end`.

        Raises NetworkFailed if it fails because of the network, unless a model `proposed` it: such a command may ask
        for a host that set-up cannot reach, which another run would not change.
        """
        began = time.monotonic()
        self.ran.append(command)
        dated_command = add_date_option(command, self.when) if self.when else command
        done = replace(place.run(dated_command, env, max(1.0, end - began), self._progress()), command=command)
        if done.code and not proposed:
            _check_network(done)
        elif not done.code:
            self.succeeded.append(command)
            self.proposed += [command] if proposed else []
        return done

    def _progress(self) -> Callable[[str], None]:
        """Return a function that shows a line of a slow command's output now and then."""
        began = last = time.monotonic()

        def on_line(line: str) -> None:
            nonlocal last
            if line.strip() and time.monotonic() - last > _PROGRESS_INTERVAL:
                last = time.monotonic()
                self._say(f"  {last - began:.0f} s: {line.strip()[:160]}")

        return on_line

    def _say(self, line: str) -> None:
        self.options.say(line)


def _check_network(done: SetupResult) -> None:
    if line := find_outage(done.output):
        raise NetworkFailed(
            f"The network failed while `{done.command[:200]}` ran: {line[:300]}",
            "Run it again when the network works; this set-up was discarded.",
        )


def _failed(done: SetupResult, repairs: Sequence[str], repaired: SetupResult | None = None) -> WorkspaceError:
    """Return the error for a failed command, also with what the `repaired` command said, if that failed too."""
    why = f"did not end within {done.seconds:.0f} s" if done.timed_out else f"failed with exit code {done.code}"
    also = f" Tried: {'; '.join(repairs)}." if repairs else ""
    then = ""
    if repaired and repaired.last not in ("", done.last):
        then = f"The last lines after the repair:\n{repaired.last}\n"
    cause = failure_cause(done.output)
    stated = f": {cause}" if cause and cause not in done.last else ""
    return WorkspaceError(
        f"The set-up command `{done.command[:200]}` {why}{stated}.{also} Its last lines:\n{done.last}\n{then}",
        "Name a prepared image with --image, or set-up commands of your own with `setup` in .swe-agent.toml.",
    )
