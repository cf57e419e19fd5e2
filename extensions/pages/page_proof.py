"""Pages in the proof: a verified patch must not change pages where the issue does not ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

from aci.observation.activity_message import ActivityMessage
from aci.proof.fact_words import compared_pages
from aci.proof.proof_run import PageEvidence
from agent.engine.page_proof import not_compared
from extensions.pages.browser.workspace_browser import browser_of
from trajectories.errors import UsageError, WorkspaceError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.branch import Branch
    from extensions.pages.page_checks.page_comparison import PageChange, PageComparison, PageServer
    from extensions.pages.page_checks.page_view import Variant
    from trajectories.verdict import Verdict

MOST_PLACES, MOST_KEPT, LONGEST = 4, 12, 300


def has_browser(workspace: Workspace) -> bool:
    """Return whether the workspace has a browser."""
    return browser_of(workspace).programs is not None


def compare(
    branch: Branch, base: str, tree: str, verdict: Verdict, issue: str
) -> tuple[PageEvidence, list[dict[str, Any]]]:
    """Compare the pages that the branch visited, and those that they link to, without and with the patch.

    Return the evidence and the changed pages, with the numbers of the stored outputs that hold their pictures.
    """
    branch.engine.report("say", "proof", ActivityMessage("Comparing the pages without and with the patch"))
    try:
        compared = _compare(branch, base, tree, verdict, issue)
    except _ServerBroken as error:
        return PageEvidence(doubt=f"With the patch, the pages cannot be opened: {error}"), []
    except (UsageError, WorkspaceError) as error:
        return not_compared(error.message), []
    if compared is None:
        return not_compared("how the project serves them is unknown."), []
    if not compared.views:
        return not_compared("without the patch, none could be opened, or they differ each time."), []
    kept = _keep(branch, compared.changes)
    pages = f"{compared.pages} page{'s' * (compared.pages != 1)}"
    if compared.unasked:
        return PageEvidence(doubt=_describe_unasked(compared.unasked)), kept
    asked = "as the issue asks" if compared.is_judged else "and it is unknown whether the issue asks for all of it"
    count = len(compared.changes)
    differing = f"{count} view{' differs' if count == 1 else 's differ'}, {asked}." if count else ""
    views = f"{compared.views} views of {pages}"
    return PageEvidence(fact=compared_pages(views, differing), compared=views), kept


class _ServerBroken(Exception):
    """The project's server starts without the patch, but not with it."""


def _describe_unasked(changes: Sequence[PageChange]) -> str:
    first: dict[str, PageChange] = {}
    for one in changes:
        for text in one.unasked:
            first.setdefault(text, one)
    places = [f"{text} ({one.path}, {one.variant})" for text, one in first.items()]
    more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
    what = " | ".join(text[:LONGEST] for text in places[:MOST_PLACES])
    return f"The patch changes pages where the issue does not ask for it: {what}{more}."


def visited_pages(branch: Branch) -> list[tuple[str, Variant]]:
    """Return the pages that the branch's steps opened in this turn, and how."""
    from extensions.pages.page_checks.page_view import Variant

    found: dict[tuple[str, Variant], None] = {}
    for step in branch.steps:
        for seen in step.observations:
            page = seen.data.get("page")
            if isinstance(page, dict):
                variant = Variant(int(page.get("width") or 1280), bool(page.get("dark")))
                found[str(page.get("path", "")), variant] = None
    return list(found)


def _compare(branch: Branch, base: str, tree: str, verdict: Verdict, issue: str) -> PageComparison | None:
    from aci.proof.proof_run import split_patch
    from aci.testing.suite_run import all_pass
    from extensions.pages.page_checks.needed_parts import needed_tree
    from extensions.pages.page_checks.page_comparison import compare_pages

    engine = branch.engine
    trees = engine.trees
    parts = split_patch(trees, base, tree, engine.settings.test)
    with ExitStack() as stack:
        before = stack.enter_context(closing(branch.place.fork(base)))
        after = stack.enter_context(closing(branch.place.fork(trees.overlay(base, tree, parts.source))))
        old = _serve(before, base)
        if old is None:
            return None
        try:
            new = _serve(after, tree)
        except UsageError as error:
            raise _ServerBroken(error.message) from None
        if new is None:
            raise _ServerBroken("no server is found any more.")

        def passes(some: str) -> bool:
            before.restore(some)
            return all_pass(before, engine.settings.test, verdict.tests, engine.settings.test_timeout)

        def needed() -> PageServer | None:
            some = needed_tree(trees, base, tree, parts.source, passes) if verdict.tests else None
            if some is None:
                return None
            before.restore(some)
            try:
                return _serve(before, some)
            except UsageError:
                return None  # the server needs the rest of the patch

        tests = "\n".join(_test_text(branch, tree, path) for path in (*parts.tests, *parts.extended))
        return compare_pages(old, new, issue, tests, visited_pages(branch), needed)


def _serve(workspace: Workspace, tree: str) -> PageServer | None:
    """Return the running server of a workspace and its browser; None if the project serves no pages. Raises UsageError
    with the reason if the server fails."""
    from extensions.pages.browser.server_process import ServerFailed, server_of
    from extensions.pages.page_checks.page_comparison import PageServer

    server = server_of(workspace)
    if server is None:
        return None
    try:
        address = server.address(workspace, tree, cancel=workspace.cancel)
    except ServerFailed as error:
        raise UsageError(f"the project's server (`{server.plan.command}`) failed: {error}") from None
    return PageServer(workspace, browser_of(workspace), address)


def _test_text(branch: Branch, tree: str, path: str) -> str:
    return branch.engine.trees.read(tree, path)[:20_000].decode("utf-8", "replace")


def _keep(branch: Branch, changes: Sequence[PageChange]) -> list[dict[str, Any]]:
    """Store the pictures of the changed pages, those with unasked changes first, and return what records need."""
    keep = branch.engine.journal.keep
    kept = []
    for one in sorted(changes, key=lambda change: not change.unasked)[:MOST_KEPT]:
        pictures = {"before": one.before, "after": one.after, "difference": one.difference}
        kept.append(
            {
                "path": one.path[:LONGEST],
                "width": one.variant.width,
                "dark": one.variant.dark,
                "asked": [text[:LONGEST] for text in one.asked[:20]],
                "unasked": [text[:LONGEST] for text in one.unasked[:20]],
                **{name: keep(data) for name, data in pictures.items() if data},
            }
        )
    return kept
