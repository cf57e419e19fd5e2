"""Applies the session's changes to the user's working tree, and reverts them, by three-way merge and with the user's
consent.

The session's files are merged with the user's, with their common tree as the base (`agent/run_state/merge_base.py`).
Only the session's changes are written, hunk by hunk. The user's own edits are kept; conflicting parts keep the user's
version and are listed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, NamedTuple

from aci.repository.tree_merge import Conflict, MergeResult, merge_trees
from agent.lifecycle.exploit_withholding import public_tree, warn_of_quotes
from agent.lifecycle.user_change_detection import compare_user_tree
from agent.patch_checks.delivery_check import check_delivery, describe_flagged, refuse
from agent.permissions.approvals import Approval
from agent.permissions.link_names import names_through_links
from agent.run_state.merge_base import EFFECT, MOVED, find_merge_base, present_tree
from agent.run_state.merge_base import effects as done_effects
from extensions.interactive.session import recorded_effects
from extensions.interactive.session.diff_hunks import Part, apply_parts, is_within, split_diff
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event
    from typing import Any

    from agent.engine.engine import Engine
    from extensions.interactive.session.session_protocols import DeliverySession

REVERTS, REVERTS_PARTLY = "back", "partly"
"""Keys in an effect's data that hold the name of the effect that it reverts, in full or in part."""
OVERLOOKED = "git ignores your edits of it; git update-index {option} {path} ends that"
STUCK = (
    "Applied changes stay in {paths}, because your own edits are in the same lines. /apply does not change these "
    "files; /apply --undo reverts what was applied last."
)
SOLVE = "Ask the session to merge them: it gets your edits with your next request. Then use /apply again."


HEAD = "head"
"""Key in the data of an applied change: the branch, or else the commit, that was checked out."""


class WrittenChanges(NamedTuple):
    """Changes that were written to the user's files: the common tree since then, their paths, and what was kept back
    because of the user's own edits."""

    tree: str
    written: Sequence[str]
    conflicts: Sequence[Conflict]


def engine_of(session: DeliverySession) -> Engine:
    """Return the session's engine. Raises UsageError if no run was started yet."""
    if session.engine is None:
        raise UsageError("The session has not changed anything yet.", "Say what to do first.")
    return session.engine


def common_tree(engine: Engine) -> str:
    """Return the merge base of the session's and the user's files."""
    return find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree).tree


def session_tree(engine: Engine) -> str:
    """Return the tree of the session's current files."""
    return present_tree(engine.trajectory, engine.run.base.tree)


def deliverable_tree(engine: Engine) -> str:
    """Return the tree to apply or commit: the session's, without the exploit of a run on a vulnerability."""
    return public_tree(engine, session_tree(engine), common_tree(engine))


def report_exploit(session: DeliverySession, engine: Engine) -> None:
    """Show the files that are neither applied nor committed because of the exploit in them, and comments that quote
    it."""
    tree = session_tree(engine)
    withheld = ", ".join(change.path for change in engine.trees.changed(deliverable_tree(engine), tree))
    text = (
        f"These files show how to exploit a vulnerability and stay in the run's folder: {withheld}." if withheld else ""
    )
    for notice in filter(None, (text, warn_of_quotes(engine, tree, common_tree(engine)))):
        session.show(notice, "notice")


def pending_user_changes(engine: Engine | None) -> tuple[str, ...]:
    """Return the files that the user changed and the session has not merged yet, or none if this cannot be determined.

    Runs two git commands, so do not call it often. Thread-safe.
    """
    try:
        return tuple(change.path for change in compare_user_tree(engine)[2]) if engine else ()
    except (SweAgentError, OSError):
        return ()


def finish_interrupted_apply(session: DeliverySession) -> None:
    """Complete an apply that was interrupted because its process died, and report it."""
    for text in recorded_effects.finish_interrupted_effects(engine_of(session)):
        session.show(text)


def tree_paths(engine: Engine, words: Sequence[str]) -> tuple[str, ...]:
    """Convert paths that the user wrote to paths in a tree."""
    root = engine.repository.root
    found = []
    for word in words:
        path = Path(word).expanduser()
        inside = path.relative_to(root) if path.is_absolute() and path.is_relative_to(root) else path
        found.append(inside.as_posix().rstrip("/"))
    return tuple(found)


def apply_changes(session: DeliverySession, words: Sequence[str] = ()) -> bool:
    """Ask the user which changes to apply, and apply them; return whether anything was applied. `words` are the paths
    to apply; if there are none, all changes are offered."""
    engine = engine_of(session)
    if engine.repository.bare:
        raise UsageError(f"{engine.repository.root} is a bare repository without files.", "Use /commit --branch NAME.")
    finish_interrupted_apply(session)
    base, mine = common_tree(engine), deliverable_tree(engine)
    report_exploit(session, engine)
    _check_paths(engine, mine, words)
    all_parts = split_diff(engine.trees, base, mine, tree_paths(engine, words))
    if not all_parts:
        where = f" in {' '.join(words)}" if words else ""
        session.show(f"There is nothing to apply: your files have all changes of the session{where}.")
        return False
    chosen = _ask_for_parts(session, engine, base, mine, all_parts)
    if not chosen:
        return False
    written = write_changes(engine, base, apply_parts(engine.trees, base, mine, chosen, all_parts))
    if not written.written:
        session.show(_with_conflicts(written.conflicts, "Nothing was applied.", SOLVE), "error")
        return False
    text = f"Applied to {describe_paths(written.written)}. /apply --undo reverts this."
    findings = check_delivery(engine.trees, base, written.tree, engine.repository)
    flagged = describe_flagged(findings)  # a rule may have allowed it without asking
    session.show(" ".join(filter(None, [_with_conflicts(written.conflicts, text, SOLVE), flagged])))
    return True


def write_changes(engine: Engine, base: str, wanted: str) -> WrittenChanges:
    """Merge the changes from the common tree `base` to `wanted` into the user's files, and record it. Files that the
    user changed too keep the user's version. Raises UsageError, with nothing changed, if they cannot be written."""
    host = engine.working_tree.tree()  # read again, because the user may have edited files meanwhile
    merged = _merge_into(engine, base, host, wanted)
    if merged.conflicts:
        wanted = engine.trees.overlay(wanted, base, merged.paths)
    if host == merged.tree and base == wanted:
        return WrittenChanges(base, (), merged.conflicts)
    data = {
        EFFECT: recorded_effects.effect_name(engine, "apply"),
        "host": host,
        "after": merged.tree,
        MOVED: [base, wanted],
        HEAD: describe_head(engine),
    }
    paths = tuple(change.path for change in engine.trees.changed(base, wanted))
    _write(engine, data, f"{describe_paths(paths)} applied to {engine.repository.root}.")
    return WrittenChanges(wanted, paths, merged.conflicts)


def describe_head(engine: Engine) -> str:
    """Return the branch that is checked out, or else the commit."""
    return engine.repository.checked_out_branch() or engine.repository.commit()


def find_conflicts(engine: Engine, base: str, wanted: str) -> Sequence[Conflict]:
    """Return the files whose changes from the common tree `base` cannot be merged into the user's files now."""
    return _merge_into(engine, base, engine.working_tree.tree(), wanted).conflicts


def _check_paths(engine: Engine, mine: str, words: Sequence[str]) -> None:
    """Raise UsageError for a path that the session did not change."""
    changed = [change.path for change in engine.trees.changed(engine.run.base.tree, mine)] if words else []
    paths = tree_paths(engine, words)
    unknown = [
        word for word, path in zip(words, paths, strict=True) if not any(is_within(each, (path,)) for each in changed)
    ]
    if unknown:
        raise UsageError(
            f"There is no {' or '.join(unknown)} among the session's changes.", "/diff shows what is not applied yet."
        )


def _ask_for_parts(session: DeliverySession, engine: Engine, base: str, mine: str, every: Sequence[Part]) -> list[Part]:
    """Ask the user which parts to apply; return an empty list if the user declines."""
    paths = list(dict.fromkeys(part.path for part in every))
    all_of_it = apply_parts(engine.trees, base, mine, every, every)
    merged = _merge_into(engine, base, engine.working_tree.tree(), all_of_it)
    if len(set(merged.paths)) == len(every):  # one part per file, and all of them conflict
        session.show(_with_conflicts(merged.conflicts, "Nothing was applied.", SOLVE), "error")
        return []
    findings = check_delivery(engine.trees, base, all_of_it, engine.repository)
    refuse(findings, engine.journal.directory / "patch.diff", "/apply PATH… applies other files.")
    count = f"{len(every)} changes" if len(every) > 1 else "1 change"
    question = f"Apply {count} in {describe_paths(paths)} to {engine.repository.root}?"
    title = " ".join(filter(None, [question, describe_flagged(findings)]))
    answer = session.ask(
        Approval(
            "apply",
            _with_conflicts(merged.conflicts, title),
            subject="\n".join(paths),
            detail="".join(part.text for part in every) if len(every) == 1 else engine.trees.diff(base, all_of_it),
            parts=tuple(part.text for part in every),
            other_names=partial(names_through_links, engine.trees, base, all_of_it),
            cancel=uncancelled_event(),
        )
    )
    if not answer.yes:
        session.show(f"Nothing was applied. {answer.reason}".strip())
        return []
    numbers = range(len(every)) if answer.chosen is None else answer.chosen
    chosen = [part for number, part in enumerate(every) if number in numbers]
    if not chosen:
        session.show("Nothing was applied: no hunk was chosen.")
    return chosen


def undo_apply(session: DeliverySession) -> None:
    """Revert the last apply in the user's files after asking; the user's later edits are kept."""
    engine = engine_of(session)
    finish_interrupted_apply(session)
    if not applied_changes(engine):
        session.show("There is nothing to revert: no applied change is left.")
        return
    before = engine.working_tree.tree()
    for last in reversed(applied_changes(engine)):
        merged = _merge_into(engine, last["after"], before, last["host"])
        if merged.tree != before or not merged.conflicts:
            break
        text = f"The changes applied to {_files(engine, last['host'], last['after'])} cannot be reverted."
        fix = "Remove your own changes of these lines, then use /apply --undo again."
        session.show(_with_conflicts(merged.conflicts, text, fix))
    else:
        return
    if merged.tree != before:
        paths = [change.path for change in engine.trees.changed(before, merged.tree)]
        title = f"Revert what was applied to {describe_paths(paths)} in {engine.repository.root}?"
        detail = engine.trees.diff(before, merged.tree)
        asked = Approval(
            "apply",
            _with_conflicts(merged.conflicts, title),
            subject="\n".join(paths),
            detail=detail,
            cancel=uncancelled_event(),
            other_names=partial(names_through_links, engine.trees, before, merged.tree),
        )
        answer = session.ask(asked)
        if not answer.yes:
            session.show(f"Nothing was reverted. {answer.reason}".strip())
            return
        before = engine.working_tree.tree()
        merged = _merge_into(engine, last["after"], before, last["host"])
    now = common_tree(engine)
    old, new = last[MOVED]
    since = merge_trees(engine.trees, new, now, old).tree
    if merged.conflicts:
        since = engine.trees.overlay(since, now, merged.paths)
    data = {
        EFFECT: recorded_effects.effect_name(engine, "apply"),
        "host": before,
        "after": merged.tree,
        MOVED: [now, since],
        REVERTS_PARTLY if merged.conflicts else REVERTS: last[EFFECT],
    }
    _write(engine, data, f"The changes applied to {_files(engine, before, merged.tree)} were reverted.")
    text = f"Reverted in {_files(engine, before, merged.tree)}. The session still has the changes; /apply applies them."
    if merged.tree == before and not merged.conflicts:
        text = "Your files no longer contain what was applied last."
    session.show(_with_conflicts(merged.conflicts, text, "They were not changed."))


def applied_changes(engine: Engine) -> list[Mapping[str, Any]]:
    """Return the effects that were applied and not reverted, oldest first."""
    found = list(done_effects(engine.trajectory, "apply"))
    back = {data[REVERTS] for data in found if REVERTS in data}
    return [data for data in found if not {REVERTS, REVERTS_PARTLY} & data.keys() and data[EFFECT] not in back]


def report_applied_changes(session: DeliverySession) -> None:
    """After an undo, report that the user's files still have applied changes, and how to update them."""
    engine = session.engine
    stuck = find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree).stuck if engine else ()
    if stuck:
        session.show(STUCK.format(paths=", ".join(dict.fromkeys(stuck))))
    if session.settings.in_place:
        return  # written already, or shown as kept back
    if engine and applied_changes(engine) and common_tree(engine) != session_tree(engine):
        session.show("Your own files still have the applied changes: /apply updates them, /apply --undo reverts them.")


def _merge_into(engine: Engine, base: str, host: str, theirs: str) -> MergeResult:
    """Merge changes since `base` into the user's files. Files that git ignores are not part of any tree and are
    kept."""
    merged, root = merge_trees(engine.trees, base, host, theirs), engine.repository.root
    changes = engine.trees.changed(host, merged.tree)
    deleted = {change.path for change in changes if change.status == "D"}
    found = {change.path: _in_the_way(root, change.path, deleted) for change in changes if change.status == "A"}
    kept = tuple(Conflict(path, f"you have {what} that git ignores") for path, what in found.items() if what)
    overlooked = engine.working_tree.overlooked(host, {change.path for change in changes})
    kept += tuple(
        Conflict(path, OVERLOOKED.format(option=option, path=quote(path))) for path, option in overlooked.items()
    )
    if not kept:
        return merged
    tree = engine.trees.overlay(merged.tree, host, [conflict.path for conflict in kept])
    return MergeResult(tree, (*merged.conflicts, *kept))


def _in_the_way(root: Path, path: str, gone: Collection[str]) -> str:
    """Return what prevents creating a file at `path`: "one" if it exists, or the file or link in place of a parent
    folder; "" if nothing does.

    Paths in `gone` are deleted in the same step, so they do not count.
    """
    for above in reversed(Path(path).parents[:-1]):
        if str(above) in gone:
            return ""
        if (root / above).is_symlink():
            return f"the link {above}"
        if (root / above).exists() and not (root / above).is_dir():
            return f"the file {above}"
    return "one" if os.path.lexists(root / path) else ""


def _write(engine: Engine, data: Mapping[str, Any], text: str) -> None:
    def do() -> Mapping[str, Any]:
        recorded_effects.write(engine, data["host"], data["after"])
        return {}

    recorded_effects.run_recorded(engine, data, do, text)


def _with_conflicts(conflicts: Sequence[Conflict], text: str, fix: str = "") -> str:
    """Return the text, followed by a list of the files that were skipped because of conflicts."""
    if not conflicts:
        return text
    return f"{text} Skipped, because you changed them too: {', '.join(map(str, conflicts))}. {fix}".strip()


def _files(engine: Engine, old: str, new: str) -> str:
    return describe_paths([change.path for change in engine.trees.changed(old, new)])


def describe_paths(paths: Sequence[str]) -> str:
    """Return the path if there is only one, otherwise the number of files (`3 files`)."""
    return paths[0] if len(paths) == 1 else f"{len(paths)} files"


def uncancelled_event() -> Event:
    """Return an event that is never set, so that interrupting an earlier turn does not cancel a command's question."""
    from threading import Event

    return Event()
