"""A worker on another machine: a workspace there that holds the source repository, in which candidates are validated.

A node gets the repository, the results of the base and the settings of a workspace. It gets no key and asks no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import Settings, load_settings, under_policy
from agent.engine.base_workspace import open_base, open_in_environment
from agent.version import __version__
from extensions.lab.batch.repository_bundles import local_clone
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import BaseResults, Validation, Validator, prepare
from trajectories.errors import Cancelled, ConfigError, SweAgentError, WorkspaceError

RUNS = 2
"""Number of runs of the base's tests in which each test must pass once."""


@dataclass(frozen=True, slots=True)
class NodeInput:
    """What a node makes a worker from.

    `repository` is the path on the driver's machine and `state` identifies its content. The files are those of
    `commit`.
    """

    repository: Path
    state: str
    commit: str
    base: BaseResults
    settings: Mapping[str, Any]
    version: str = __version__


@dataclass(frozen=True, slots=True)
class StartReply:
    """The answer of a worker to its start.

    It is ready, needs a bundle of the repository, or, if `message` is not empty, cannot be used on this machine.
    """

    needs_bundle: bool = False
    message: str = ""
    fix: str = ""


class _BundleNeeded(Exception):
    pass


class NodeWorker:
    """Validates one candidate at a time; `stop` may be called meanwhile."""

    def __init__(self) -> None:
        self._cancel = Event()
        self._opened = ExitStack()

    def start(self, given: NodeInput, bundle: bytes | None = None) -> StartReply:
        """Open the workspace and check the tests of the base. Raises Cancelled after `stop`."""
        try:
            self._validator = self._open(given, bundle)
            self._check()
        except _BundleNeeded:
            return StartReply(needs_bundle=True)
        except Cancelled:
            raise
        except (SweAgentError, OSError) as error:
            self.close()
            if isinstance(error, SweAgentError):
                return StartReply(message=error.message, fix=error.fix)
            return StartReply(message=f"{error.strerror or error}.", fix="Fix that machine.")
        return StartReply()

    def validate(self, candidate: Candidate, nearest: frozenset[str] | None) -> Validation:
        """See `Validator.validate`."""
        return self._validator.validate(candidate, nearest)

    def is_repaired(self, candidate: Candidate, validation: Validation, text: str) -> bool:
        """See `Validator.is_repaired`."""
        return self._validator.is_repaired(candidate, validation, text, self._cancel)

    def stop(self) -> None:
        """Interrupt what runs in the worker."""
        self._cancel.set()

    def close(self) -> None:
        """End the processes of the workspace and remove its files."""
        self._opened.close()

    def _open(self, given: NodeInput, bundle: bytes | None) -> Validator:
        def take_bundle() -> bytes:
            if bundle is None:
                raise _BundleNeeded
            return bundle

        if given.version != __version__:
            what = f"The driver is swe-agent {given.version}, the node has {__version__}."
            raise ConfigError(what, "Install the same version on all nodes.")
        repository = Repository.open(local_clone(given.repository, given.state, given.commit, take_bundle))
        settings = under_policy(Settings(**given.settings), load_settings())
        place, environment = self._opened.enter_context(open_base(repository, given.commit, settings, _say_nothing))
        place = replace(place, cancel=self._cancel)
        workspace = self._opened.enter_context(closing(open_in_environment(settings.workspace, place, environment)))
        prepare(workspace)
        return Validator(workspace, place.trees, place.base.tree, given.base)

    def _check(self) -> None:
        """Raise WorkspaceError if tests of the base do not pass on this machine."""
        missing = set(self._validator.find_missing())
        for _ in range(RUNS - 1):
            missing &= set(self._validator.find_missing()) if missing else missing
        if missing:
            what = f"{len(missing)} tests that pass on the driver do not pass there, such as {min(missing)}."
            raise WorkspaceError(what, "Install there what the tests need; `swe-agent doctor` helps to find it.")


def _say_nothing(line: object) -> None:
    pass
