"""Commits that contain exactly the session's changes, on the user's branch or a new one, after the user has confirmed
them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.repository import commit_programs
from aci.repository.first_commit import first_commit_advice
from aci.repository.tree_merge import Conflict, merge_trees
from agent.patch_checks.autorun_files import is_hook
from agent.patch_checks.delivery_check import check_delivery, describe_flagged, refuse
from agent.permissions.approvals import Answer, Approval
from agent.permissions.link_names import names_through_links
from agent.run_state.merge_base import EFFECT
from agent.run_state.merge_base import effects as done_effects
from extensions.interactive.session import applied_changes
from extensions.interactive.session import recorded_effects as effects
from extensions.interactive.session import user_commit as committing
from extensions.interactive.session.applied_changes import REVERTS, describe_paths
from extensions.interactive.session.commit_message import build_message
from trajectories.errors import Cancelled, TryLater, UsageError
from trajectories.records import Base

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from extensions.interactive.session.session_protocols import CommitSession, DeliverySession

OF, TURNS, BRANCH, MESSAGE = "of", "turns", "branch", "message"
"""Keys in a commit's data: its effects, the number of turns, its branch and its message."""


@dataclass(frozen=True, slots=True)
class OwnChanges:
    """The session's own changes; `tree` is the tree of `head` with these changes.

    `conflicts` are changes that could not be separated from the user's. `effects` are the names of the effects that
    `tree` contains in full.
    """

    head: Base
    tree: str
    conflicts: tuple[Conflict, ...]
    effects: tuple[str, ...]


def commit(session: CommitSession, words: str) -> None:
    """Apply the changes that are not applied yet, and commit the session's changes on the current branch."""
    engine = applied_changes.engine_of(session)
    _require_git(engine)
    branch = committing.branch_to_commit_to(engine.repository)
    check_interrupted_commit(session)
    if engine.trees.changed(
        applied_changes.common_tree(engine), applied_changes.deliverable_tree(engine)
    ) and not applied_changes.apply_changes(session):
        return
    own = _own_changes(engine, _uncommitted(engine))
    paths = _paths(engine, own)
    if not paths:
        session.show(_with_conflicts(own, "There is nothing to commit: your last commit has all applied changes."))
        return
    who = committing.commit_identity(engine.repository)
    detail = engine.trees.diff(own.head.tree, own.tree)
    text = build_message(session, engine, words, detail, paths, _turns(engine))
    title = _with_findings(engine, own, f"Commit {describe_paths(paths)} on {branch} as {who}?")
    asked = Approval(
        "commit",
        title,
        subject="\n".join(paths),
        message=text,
        detail=detail,
        cancel=applied_changes.uncancelled_event(),
        other_names=partial(names_through_links, engine.trees, own.head.tree, own.tree),
    )
    text = _ask_for_message(session, asked, "Nothing was committed.")
    if not text:
        return
    with_hooks = _hooks(session, engine)
    done: list[str] = []

    def do() -> Mapping[str, Any]:
        made = committing.commit(
            engine.repository, engine.trees, own.head, own.tree, text, with_hooks, branch, session.stopped.is_set
        )
        done.append(made)
        return {"commit": done[-1]}

    summary = f"{describe_paths(paths)} committed on {branch}."
    try:
        effects.run_recorded(engine, _data(engine, own, "commit", branch, text), do, summary)
    except Cancelled as error:
        session.show(f"{error.message} {error.fix}", "notice")
        return
    session.show(_with_conflicts(own, f"Commit {done[0][:10]} on {branch}: “{text.partition(chr(10))[0]}”."))


def commit_to_branch(session: CommitSession, name: str, words: str) -> None:
    """Commit the session's changes, applied or not, on a new branch; files, index and current branch do not change."""
    engine = applied_changes.engine_of(session)
    _require_git(engine)
    engine.repository.check_delivery(False, name)
    check_interrupted_commit(session)
    own = _own_changes(engine, _uncommitted(engine), every=True)
    paths = _paths(engine, own)
    if not paths:
        session.show(
            _with_conflicts(own, "There is nothing to commit: your last commit has all changes of the session.")
        )
        return
    applied_changes.report_exploit(session, engine)
    detail = engine.trees.diff(own.head.tree, own.tree)
    text = build_message(session, engine, words, detail, paths)
    question = f"Create branch {name} with a commit of {describe_paths(paths)} on top of {own.head.commit[:10]}?"
    title = _with_findings(engine, own, question)
    asked = Approval(
        "branch", title, subject=name, message=text, detail=detail, cancel=applied_changes.uncancelled_event()
    )
    text = _ask_for_message(session, asked, "No branch was created.")
    if not text:
        return
    done: list[str] = []

    def do() -> Mapping[str, Any]:
        done.append(engine.repository.branch(name, own.head, own.tree, engine.trees, text))
        return {"commit": done[-1]}

    effects.run_recorded(engine, _data(engine, own, "branch", name, text), do, f"The branch {name} was created.")
    skipped = commit_programs.describe_skipped_hooks(engine.repository)
    session.show(_with_conflicts(own, f"Branch {name} is at {done[0][:10]}. {skipped}".strip()))


def _ask_for_message(session: CommitSession, approval: Approval, refused: str) -> str:
    """Return the message with which the user allows the commit, or "" if not, after showing `refused`."""
    answer = Answer(False) if session.stopped.is_set() else session.ask(approval)
    if answer.yes:
        return answer.message or approval.message
    session.show(f"{refused} {answer.reason}".strip())
    return ""


def check_interrupted_commit(session: DeliverySession) -> None:
    """Check whether an interrupted commit was completed, and report it; if git is still running, report that
    instead."""
    engine = applied_changes.engine_of(session)
    repository, trees = engine.repository, engine.trees
    for data in [*effects.unfinished_effects(engine, "commit"), *effects.unfinished_effects(engine, "branch")]:
        own = str(data[EFFECT]).startswith("commit ")
        try:
            committing.recover_commit(repository)
        except TryLater as error:
            session.show(f"{error.message} {error.fix}", "notice")
            return
        made = committing.find_commit(repository, data["head"], data["tree"], data[MESSAGE], data[BRANCH])
        if made and own:
            committing.update_index_for(repository, trees, repository.base(trees, data["head"]), made)
        text = f"The session ended during a commit on {data[BRANCH]}; the commit was {'made' if made else 'not made'}."
        effects.record_outcome(engine, {**data, "commit": made}, bool(made), text)
        session.show(text)


def _require_git(engine: Engine) -> None:
    if engine.repository.plain:
        root = engine.repository.root
        has_git = any(os.path.lexists(folder / ".git") for folder in (root, *root.parents))
        fix = first_commit_advice(root, has_git)
        raise UsageError(f"{root} is not a git repository with a commit.", fix)


def _uncommitted(engine: Engine) -> list[Mapping[str, Any]]:
    """Return the effects (applies and reverts) since the last commit, without pairs that cancel each other out."""
    committed = {name for data in done_effects(engine.trajectory, "commit") for name in data[OF]}
    found = [data for data in done_effects(engine.trajectory, "apply") if data[EFFECT] not in committed]
    names = {data[EFFECT] for data in found}
    reverted = {data[REVERTS] for data in found if data.get(REVERTS) in names}
    return [data for data in found if data[EFFECT] not in reverted and data.get(REVERTS) not in reverted]


def pending_changes(engine: Engine, head: Base | None = None) -> tuple[str, str]:
    """Return the trees without and with the session's changes that are not in a commit, applied or not. `head` is the
    commit that is checked out, if it is known. Files that cannot be separated from the user's edits are the session's
    as they are."""
    applied = _uncommitted(engine)
    if not applied:
        return applied_changes.common_tree(engine), applied_changes.session_tree(engine)
    own = _own_changes(engine, applied, every=True, head=head)
    mixed = list(dict.fromkeys(conflict.path for conflict in own.conflicts))
    return own.head.tree, engine.trees.overlay(own.tree, applied_changes.session_tree(engine), mixed)


def _own_changes(
    engine: Engine, applied: list[Mapping[str, Any]], every: bool = False, head: Base | None = None
) -> OwnChanges:
    """Return HEAD with the applied changes; if `every` is set, changes that are not applied yet are included too.

    Without git, the files at the start of the run take HEAD's place. A file is left out if its lines contradict those
    of the user's file (of the session's, if `every` is set): the user wrote over what the session had applied.
    """
    trees = engine.trees
    if head is None:
        head = engine.run.base if engine.repository.plain else engine.repository.base(trees, "HEAD")
    changes = [(data[EFFECT], data["host"], data["after"]) for data in applied]
    if every:
        changes.append(("", applied_changes.common_tree(engine), applied_changes.deliverable_tree(engine)))
    tree, conflicts, whole = head.tree, list[Conflict](), list[str]()
    for name, old, new in changes:
        merged = merge_trees(trees, old, tree, new)
        tree = merged.tree
        conflicts += merged.conflicts
        whole += [] if merged.conflicts or not name else [name]
    present = applied_changes.deliverable_tree(engine) if every else engine.working_tree.tree()
    if written_over := merge_trees(trees, head.tree, tree, present).conflicts:
        tree = trees.overlay(tree, head.tree, [conflict.path for conflict in written_over])
        conflicts += written_over
    return OwnChanges(head, tree, tuple(conflicts), tuple(whole))


def _hooks(session: DeliverySession, engine: Engine) -> bool:
    """Ask whether to run the repository's hooks."""
    found = commit_programs.active_hooks(engine.repository)
    if not found:
        return False
    title = f"Run the repository's hooks too ({', '.join(found)})?"
    programs = "\n".join(f"{name}: {program}" for name, program in found.items())
    detail = f"These programs run on your machine, outside any workspace. No skips them.\n{programs}"
    if changed := _changed_hooks(engine, found):
        title = f"Run the repository's hooks too ({', '.join(found)}), of which this session changed {changed}?"
    why = "hooks run whatever the repository contains by then"
    asked = Approval("hooks", title, "\n".join(found), detail, cancel=applied_changes.uncancelled_event(), why=why)
    return session.ask(asked).yes


def _changed_hooks(engine: Engine, hooks: Mapping[str, str]) -> str:
    """Return a list of the files changed by the session that are hooks, are in a hook's folder, or are run by a hook
    tool; "" if there are none."""
    paths = commit_programs.hooks_in_tree(engine.repository, hooks)
    prefixes = tuple(prefix.casefold() for prefix in map(_prefix, paths))
    changed = {
        change.path
        for data in done_effects(engine.trajectory, "apply")
        for change in engine.trees.changed(data["host"], data["after"])
    }
    return ", ".join(sorted(path for path in changed if is_hook(path) or f"{path}/".casefold().startswith(prefixes)))


def _prefix(hook: str) -> str:
    """Return the path prefix of files that a hook may run: all files in its folder.

    husky's `.husky/_/pre-commit` runs `.husky/pre-commit`. For a hook in the repository's root, the prefix is the hook
    itself.
    """
    folder = posixpath.dirname(hook)
    if posixpath.basename(folder) == "_":
        return posixpath.join(posixpath.dirname(folder), "")
    return f"{folder or hook}/"


def _data(engine: Engine, own: OwnChanges, kind: str, branch: str, message: str) -> dict[str, Any]:
    turns = len(engine.trajectory.turns)
    return {
        EFFECT: effects.effect_name(engine, kind),
        "head": own.head.commit,
        "tree": own.tree,
        BRANCH: branch,
        MESSAGE: message,
        OF: list(own.effects),
        TURNS: turns,
    }


def _turns(engine: Engine) -> int:
    """Return the number of turns that the last commit's message covers."""
    return max((data[TURNS] for data in done_effects(engine.trajectory, "commit")), default=0)


def _paths(engine: Engine, own: OwnChanges) -> list[str]:
    return [change.path for change in engine.trees.changed(own.head.tree, own.tree)]


def _with_findings(engine: Engine, own: OwnChanges, question: str) -> str:
    """Return the question with the files that the user should check first. Raises UsageError for refused changes."""
    findings = check_delivery(engine.trees, own.head.tree, own.tree, engine.repository)
    refuse(findings, engine.journal.directory / "patch.diff")
    return " ".join(filter(None, [_with_conflicts(own, question), describe_flagged(findings)]))


def _with_conflicts(own: OwnChanges, text: str) -> str:
    if not own.conflicts:
        return text
    names = ", ".join(dict.fromkeys(conflict.path for conflict in own.conflicts))
    return f"{text} Left out: {names}, because your own uncommitted edits are in the same lines."
