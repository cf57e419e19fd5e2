"""Findings about a patch by experiments: whether it only works in a test run, whether its tests run what it
changes, and whether it does more than they ask.

The extension `experiment` makes them. Without it, each patch has a doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aci.proof.proof_run import ProofRun
from aci.runtime.guest_programs import parse_object
from aci.runtime.workspace import Workspace
from aci.testing.runner_hooks import PROCESS_FILE
from aci.testing.suite_run import SuiteReport
from trajectories.errors import UsageError
from trajectories.facts import Fact, missing_part
from trajectories.plugins import installed_module

Generality = Literal["shown", "examples only", "undecided"]
KIND = "aci.proof.experiments"
NOT_INSTALLED = missing_part(
    "The patch was not examined by experiments: the extension experiment is not installed. Install swe-agent again."
)
MOST_BYTES = 4_000_000
"""Maximum size of the description of a process."""


@dataclass(frozen=True, slots=True)
class TestProcess:
    """How a process that ran tests was started, and the fixtures of each test."""

    executable: str
    folder: str
    path: tuple[str, ...]
    environment: Mapping[str, str]
    fixtures: Mapping[str, Sequence[object]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a patch is general, why, and a reason not to verify it, or None."""

    generality: Generality
    reason: Fact
    doubt: Fact | None = None


def refuted(reason: str | Fact) -> Finding:
    """Return the finding for a reason not to verify a patch, which leaves open whether it is general."""
    doubt = Fact("doubt", reason) if isinstance(reason, str) else reason
    return Finding("undecided", doubt, doubt)


def recorded_process(workspace: Workspace) -> TestProcess | None:
    """Return the description of the last process that ran single tests, or None if it is missing or malformed."""
    try:
        about = parse_object(workspace.read(f"{workspace.harness}/{PROCESS_FILE}", MOST_BYTES)) or {}
    except (OSError, UsageError):
        return None
    path, environment, tests = (about.get(name) for name in ("path", "environment", "tests"))
    executable, folder = about.get("executable"), about.get("folder")
    if not isinstance(path, list) or not isinstance(environment, dict) or not isinstance(tests, dict):
        return None
    if not isinstance(executable, str) or not isinstance(folder, str):
        return None
    if not all(isinstance(text, str) for text in (*path, *environment.values())):
        return None
    fixtures = {id: names for id, names in tests.items() if isinstance(names, list)}
    return TestProcess(executable, folder, tuple(path), environment, fixtures)


def find_source_doubts(trial: ProofRun) -> tuple[str | Fact, ...]:
    """Return reasons not to trust any result of a patch, since its files recognise or change the test runner.

    Without the extension this is a reason as well.
    """
    module = installed_module(KIND)
    return tuple(module.find_source_doubts(trial)) if module else (NOT_INSTALLED,)


def try_patch(trial: ProofRun, after: Workspace, tests: tuple[str, ...], suite: SuiteReport | None = None) -> Finding:
    """Return what the experiment finds about a patch, with the reproducing `tests` and some of the `suite`.

    Without the extension, this is a doubt: a patch without effect can have all other parts of a proof.
    """
    module = installed_module(KIND)
    found: Finding = module.try_patch(trial, after, tests, suite) if module else refuted(NOT_INSTALLED)
    return found
