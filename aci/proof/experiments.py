"""The experiment on a proven patch: whether its tests run what it changes, and whether it does more than they ask.

The extension `experiment` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from aci.proof.proof_run import ProofRun
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import SuiteReport
from trajectories.facts import Fact
from trajectories.plugins import installed_module

Generality = Literal["shown", "examples only", "undecided"]
NOT_INSTALLED = (
    "Whether the tests need what the patch does was not tried: the extension experiment is not installed."
    " Install swe-agent again."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a patch is general, why, and a reason not to verify it, or None."""

    generality: Generality
    reason: Fact
    doubt: Fact | None = None


def refuted(reason: str) -> Finding:
    """Return the finding for a reason not to verify a patch, which leaves open whether it is general."""
    doubt = Fact("doubt", reason)
    return Finding("undecided", doubt, doubt)


def try_patch(trial: ProofRun, after: Workspace, tests: tuple[str, ...], suite: SuiteReport | None = None) -> Finding:
    """Return what the experiment finds about a patch, with the reproducing `tests` and some of the `suite`.

    Without the extension, this is a doubt: a patch without effect can have all other parts of a proof.
    """
    module = installed_module("aci.proof.experiments")
    found: Finding = module.try_patch(trial, after, tests, suite) if module else refuted(NOT_INSTALLED)
    return found
