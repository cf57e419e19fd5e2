"""Pages in the proof: whether they are to be compared without and with the patch, and why they are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aci.proof.proof_run import PageEvidence
from agent.engine.tool_context import has_browser, has_front_end
from trajectories.facts import Fact, missing_part
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from trajectories.verdict import Verdict


NOT_INSTALLED = missing_part("Pages were not compared: the extension pages is not installed.")


class PageCheck:
    """The comparison of pages for one proof of a branch. `pages` are the changed pages, with the numbers of the stored
    outputs that hold their pictures."""

    def __init__(self, branch: Branch, base: str, tree: str, issue: str) -> None:
        self.branch, self._base, self._tree, self._issue = branch, base, tree, issue
        self.pages: list[dict[str, Any]] = []

    def __call__(self, verdict: Verdict) -> PageEvidence:
        """Compare the pages that the branch visited, and those that they link to, without and with the patch."""
        branch = self.branch
        if not has_front_end(branch):
            return PageEvidence()
        comparison = installed_module("agent.engine.page_proof")
        if comparison is None:  # a missing extension must not improve a verdict
            return PageEvidence(doubt=NOT_INSTALLED)
        if not has_browser(branch):
            return not_compared("the workspace has no browser.")
        found: PageEvidence
        found, self.pages = comparison.compare(branch, self._base, self._tree, verdict, self._issue)
        return found

    def environment(self, verdict: Verdict) -> dict[str, str | list[str]]:
        """Return what the verdict's tests need besides the image to open pages, for a script that repeats the proof.
        The tests of a local workspace run without the project's server."""
        module = installed_module("extensions.bundles.proof_server")
        is_local = self.branch.turn.settings.workspace == "local"
        if module is None or is_local or not verdict.tests or not verdict.commands:
            return {}
        engine, command = self.branch.engine, verdict.commands[1]
        recorded: dict[str, str | list[str]] = module.record_server(
            engine.trees, self._tree, verdict.tests, command, engine.settings.serve
        )
        return recorded


def not_compared(why: str) -> PageEvidence:
    """Return the evidence of a proof that compares no pages."""
    return PageEvidence(fact=Fact("limit", f"Pages were not compared: {why}"))
