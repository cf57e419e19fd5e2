"""Part 5 of a proof: the repository's own checks (linters, types, formats), which the extension `repository_checks`
runs. Their findings are reported and do not change a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.proof.proof_run import ProofRun
    from aci.runtime.workspace import Workspace

NOT_INSTALLED = "the repository's own checks: not run (the extension repository_checks is not installed)"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of the repository says about the changed files, such as `ruff: nothing new`.

    `found` are the first messages that it does not report on the base, each with the name of the check.
    """

    line: str
    found: tuple[str, ...] = ()


def run_checks(trial: ProofRun, before: Workspace, after: Workspace) -> tuple[CheckResult, ...]:
    """Return the result of each check that the base configures on the files of the patch; also of checks that could not
    be run. The workspaces `before` and `after` may be restored to the base and to the patched tree."""
    module = installed_module("aci.proof.repository_checks")
    if module is None:
        return (CheckResult(NOT_INSTALLED),)
    paths = (*trial.parts.source, *trial.parts.test_files)
    return tuple(module.run_checks(trial.trees, trial.base, trial.proved, before, after, paths, trial.say))
