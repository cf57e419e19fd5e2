"""Part 5 of a proof: the repository's own checks (linters, types, formats), which the extension `repository_checks`
runs. Their findings are reported and do not change a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Trees

NOT_INSTALLED = "the repository's own checks: not run (the extension repository_checks is not installed)"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of the repository says about the changed files, such as `ruff: nothing new`.

    `has_new` is whether it reports something that it does not report on the base.
    """

    line: str
    has_new: bool = False


def run_checks(
    trees: Trees,
    base: str,
    tree: str,
    before: Workspace,
    after: Workspace,
    paths: Sequence[str],
    say: Callable[[str], None] = lambda _: None,
) -> tuple[CheckResult, ...]:
    """Return the result of each check that the base configures on `paths` of `tree`; also of checks that could not be
    run. The workspaces `before` and `after` may be restored to `base` and `tree`."""
    module = installed_module("aci.proof.repository_checks")
    if module is None:
        return (CheckResult(NOT_INSTALLED),)
    results: tuple[CheckResult, ...] = module.run_checks(trees, base, tree, before, after, paths, say)
    return results
