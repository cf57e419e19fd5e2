"""Delivery of the patch to the user's repository. Each effect is recorded before and after it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aci.repository.commit_programs import describe_skipped_hooks
from agent.lifecycle.exploit_withholding import public_patch, public_title, warn_of_quotes
from agent.patch_checks.delivery_check import DeliveryFindings, check_delivery, describe_flagged, refuse
from agent.permissions.approvals import Approval
from agent.permissions.link_names import names_through_links
from agent.run_state.turn_state import follow_up_head
from trajectories.errors import UsageError
from trajectories.records import Note, Patch

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result

FLAGGED = "flagged"
"""Key in an effect's data: the delivered files that the user should check first, with the reasons."""
Publish = Callable[["Engine", "Result"], None]
"""Opens the pull request of a run that ends. The front end provides it, since the engine does not know GitHub."""


def deliver(engine: Engine, result: Result, publish: Publish | None) -> None:
    """Apply the patch, put it on a branch or open a pull request, depending on the settings.

    Each effect is idempotent. Files of the patch that run automatically are named in the record of the effect.

    Raises UsageError if the user refuses, the patch has changes that are not delivered (`check_delivery`) or the user's
    repository has conflicting changes, and any error that GitHub reports; the run remains resumable.
    """
    if not result.patch:
        return
    settings, patch = engine.settings, public_patch(engine, result.patch)
    for effect in _effects(engine, engine.run.base.tree, patch, settings.apply, settings.branch):
        if not is_delivered(engine, effect.name):
            _carry_out(engine, effect, warn_of_quotes(engine, result.patch.tree))
    if settings.pr and engine.run.issue.url and publish:
        publish(engine, result)


def check_request(engine: Engine, apply: bool, branch: str) -> None:
    """Raise UsageError if the patch of a run could not be applied, or committed to a branch, when the user requests it
    after the run was started."""
    engine.repository.check_delivery(apply, branch, staged_patch(engine))
    if is_in_clone(engine):
        raise UsageError(
            f"This run worked in a clone of the issue's repository: {engine.repository.root}.",
            f"Use --pr, or in your checkout: git apply {engine.journal.directory / 'patch.diff'}",
        )


def deliver_on_request(engine: Engine, result: Result, apply: bool, branch: str) -> None:
    """Apply the patch of a run that has ended, or put it on a branch, whether or not it is proven. Of a follow-up, only
    its own changes are applied if the user's HEAD contains the commit that it follows up.

    Raises UsageError for an empty patch, and what `deliver` raises.
    """
    if not result.patch:
        raise UsageError("The run has no patch.", f"`swe-agent show {engine.run.id}` shows what it did.")
    start, patch = _start_tree(engine, result.patch.tree), public_patch(engine, result.patch)
    if start != engine.run.base.tree:
        patch = Patch(engine.trees.diff(start, patch.tree), "", patch.tree)
    for effect in _effects(engine, start, patch, apply, branch):
        _carry_out(engine, effect, warn_of_quotes(engine, result.patch.tree))


def staged_patch(engine: Engine) -> Path:
    """Return the folder from which the user's files are written, and from which an interrupted apply is finished."""
    return engine.journal.directory / "apply"


def is_delivered(engine: Engine, effect: str) -> bool:
    """Return whether the run has carried out an effect, such as `apply`."""
    return any(note.kind == "done" and note.data.get("effect") == effect for note in engine.trajectory.notes)


def delivered_flags(done: Iterable[Note]) -> dict[str, str]:
    """Return the delivered files that the user should check first, with the reasons, from the records of effects."""
    recorded = (note.data.get(FLAGGED) for note in done)
    return {str(path): str(why) for flags in recorded if isinstance(flags, dict) for path, why in flags.items()}


def _start_tree(engine: Engine, tree: str) -> str:
    """Return the tree to which the changes up to `tree` are applied: the run's base, or the files that a follow-up
    started from."""
    head, base = follow_up_head(engine.trajectory), engine.run.base.tree
    if not head or not engine.repository.is_ancestor(head, engine.repository.commit()):
        return base
    from agent.run_state.merge_base import find_merge_base

    common = find_merge_base(engine.trees, engine.trajectory, base).tree
    return base if common == tree else common


def is_in_clone(engine: Engine) -> bool:
    """Return whether the run of an issue on GitHub works in a clone that swe-agent made, not in the user's checkout."""
    clones = (engine.settings.state / "clones").resolve()
    return bool(engine.run.issue.url) and engine.repository.root.resolve().is_relative_to(clones)


@dataclass(frozen=True, slots=True)
class _Effect:
    """A change of the user's repository: `carry_out` does it once `approval` is given, and returns a message and data
    for the record. `findings` are those about the patch; `is_done` says whether the repository has the change."""

    name: str
    approval: Approval
    carry_out: Callable[[], tuple[str, dict[str, str]]]
    findings: DeliveryFindings
    is_done: Callable[[], bool] = lambda: False


def _effects(engine: Engine, start: str, patch: Patch, apply: bool, branch: str) -> Iterator[_Effect]:
    """Yield the requested effects; the diff of `patch` starts at the tree `start`."""
    findings = (
        check_delivery(engine.trees, start, patch.tree, engine.repository) if apply or branch else DeliveryFindings()
    )
    detail = describe_flagged(findings)
    if apply:
        changed = engine.trees.changed(start, patch.tree)
        others = partial(names_through_links, engine.trees, start, patch.tree)
        paths = "\n".join(change.path for change in changed)
        approval = Approval("apply", "Apply the patch?", paths, detail, other_names=others)
        is_done = partial(engine.repository.applied, patch.diff)
        yield _Effect("apply", approval, lambda: _apply(engine, patch), findings, is_done)
    if branch:
        approval = Approval("branch", "Create the branch?", branch, detail)
        yield _Effect(f"branch {branch}", approval, lambda: _branch(engine, patch, branch), findings)


def _carry_out(engine: Engine, effect: _Effect, warning: str) -> None:
    findings, patch = effect.findings, engine.journal.directory / "patch.diff"
    if findings.refused and not effect.is_done():
        refuse(findings, patch)
    answer = engine.approve(effect.approval)
    if not answer.yes:
        raise UsageError(answer.reason, f"The patch is kept: {patch}")
    engine.journal.append(Note("main", "intent", effect.name, {"effect": effect.name}))
    text, data = effect.carry_out()
    message = " ".join(filter(None, [text, describe_flagged(findings), warning]))
    flagged = {FLAGGED: dict(findings.flagged)} if findings.flagged else {}
    engine.journal.append(Note("main", "done", message, {"effect": effect.name, **data, **flagged}))


def _apply(engine: Engine, patch: Patch) -> tuple[str, dict[str, str]]:
    repository, staged = engine.repository, staged_patch(engine)
    changed = repository.finish_apply(staged)
    if changed:
        files = ", ".join(changed)
        return f"An interrupted apply to {repository.root} is finished, except for files changed since: {files}.", {}
    if repository.applied(patch.diff):
        how = (
            "already contains the patch" if changed is None else "contains the patch: an interrupted apply is finished"
        )
        return f"{repository.root} {how}.", {}
    repository.apply(patch.diff, engine.run.base, engine.journal.directory / "patch.diff", staged)
    return f"The patch is applied to {repository.root}.", {}


def _branch(engine: Engine, patch: Patch, name: str) -> tuple[str, dict[str, str]]:
    title = public_title(engine, patch.tree, engine.run.issue.title[:72] or "Fix the issue")
    commit = engine.repository.branch(name, engine.run.base, patch.tree, engine.trees, title)
    text = f"Branch {name} is at {commit[:10]}. {describe_skipped_hooks(engine.repository)}"
    return text.strip(), {"branch": name, "commit": commit}
