"""Building a planned environment: set-up runs, its failures are repaired, tests are tried, and an image is saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from aci.docker.docker_daemon import Daemon, docker_errors
from aci.environments.environment_plan import HOME, VENV
from aci.observation.activity_message import ActivityMessage
from extensions.environments.image_commit import commit_instructions, language_version, remove_base_files
from extensions.environments.network.registry_access import install_certificates, open_registries
from extensions.environments.package_dates import chooses_versions, code_date, index_as_of
from extensions.environments.setup_container import SetupContainer, SetupResult, container_programs
from extensions.environments.setup_run import QUIET_ENVIRONMENT, NetworkFailed, OtherImage, SetupRun
from extensions.environments.smoke_check import SmokeResult, run_smoke_check
from trajectories.errors import WorkspaceError

_SAVED = "/tmp/swe-agent-steps"
_GIT = f"git --git-dir={_SAVED} --work-tree=. -c core.bare=false -c core.hooksPath=/dev/null"
"""Saves the repository's files before a model's steps, and removes what these add to them."""


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

    proposed: tuple[str, ...] = ()
    """The commands of a model that are part of the set-up."""

    browser: str = ""
    """The versions of the browser, or why there is none; empty if the plan has none."""


@dataclass(kw_only=True)
class Build(SetupRun[SetupContainer]):
    """A set-up in a container of `image`, which is saved as an image."""

    image: str
    daemon: Daemon

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
            version = language_version(container, self.plan.language, own)
            built = BuildResult(
                tuple(build.repairs), found, seconds, version, day, tuple(build.proposed), build.browser
            )
            self._say(ActivityMessage("Saving the environment"))
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
            if failed:
                self._say(failed.message.rstrip())
            self._say(
                ActivityMessage(f"Trying again with packages no newer than the base's code: {older.when:%Y-%m-%d}.")
            )
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
        return replace(self, when=when, repairs=[], ran=[], succeeded=[], proposed=[], browser="") if when else None

    def _set_up_and_test(self, stack: ExitStack) -> tuple[SetupContainer, SmokeResult]:
        """Set up a container; return it and the result of the base's tests in it."""
        container = stack.enter_context(SetupContainer(self.daemon, self.image, self.options))
        if not container.run("test -e /testbed/.git", {}, 60, where="/").code:
            raise HoldsRepository
        container.put(self.options.trees, self.options.base.tree)
        container.run(f"mkdir -p {HOME}", {}, 60)
        with ExitStack() as network:
            today = self._network(container, network)
            env = dict(today)
            if self.when:
                env |= index_as_of(container, self.when, self.plan.language, env)
            self._set_up(container, env)
            self._add_browser(container, today)
            return container, self._test_and_repair(container, env)

    def _network(self, container: SetupContainer, until: ExitStack) -> dict[str, str]:
        """Return the environment of set-up, with access to the package registries. None of it is saved in the image."""
        id, env = str(container.container.id), self.daemon.environment()
        found = dict(QUIET_ENVIRONMENT)
        if self.settings.hosts:
            programs = container_programs(self.daemon, id)
            found |= until.enter_context(open_registries(programs, self.settings.hosts, self._say))
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

    def _propose(self, failed: SetupResult) -> Sequence[str]:
        """Return the model's steps. It is asked in the last try only, since another plan and older packages cost no
        request."""
        is_last = self.plan.instead is None and (self.when is not None or self._older_build() is None)
        return super()._propose(failed) if is_last else ()

    def _save_files(self, container: SetupContainer) -> None:
        container.run(f"rm -rf {_SAVED}; git init -q --bare {_SAVED} && {_GIT} add -A", {}, 600)

    def _restore_files(self, container: SetupContainer) -> None:
        container.run(f"{_GIT} checkout -q -f -- .; {_GIT} clean -ffdq; rm -rf {_SAVED}", {}, 600)
        container.put(self.options.trees, self.options.base.tree)

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
