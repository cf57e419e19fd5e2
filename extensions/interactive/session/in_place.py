"""Work in place: each change of the session is written to the user's files as soon as it is made.

Changes are merged and recorded as by `/apply`. Commands still run in the session's copy of the files.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.lifecycle.user_change_detection import PINNED
from agent.patch_checks.delivery_check import check_delivery, describe_flagged
from agent.permissions.approvals import Approval
from agent.permissions.link_names import names_through_links
from agent.run_state.merge_base import effects, merge_data
from agent.run_state.turn_state import MAIN
from extensions.interactive.session.applied_changes import (
    HEAD,
    common_tree,
    deliverable_tree,
    describe_head,
    describe_paths,
    find_conflicts,
    uncancelled_event,
    write_changes,
)
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.engine.engine import Engine
    from agent.patch_checks.delivery_check import DeliveryFindings
    from extensions.interactive.session.session_protocols import TurnSession

MOVED_HEAD = (
    "You left {old} for {new}, so changes are kept back. /in-place on writes them here; /apply lets you choose."
)
KEPT_BACK = "Kept back, since you have changes of your own there: {paths}."
REFUSED = "Not written to your files: {paths}. /apply says why."
DECLINED = "Not written: {paths}. {why} /apply asks again."
AS_YOU_SAID = "You said no."
FOR_MODEL = "[Not written to the user's files, because {why}: {paths}]"
HOOKED = "Your files are not changed in place, because a hook checks each patch before it is delivered. Use /apply."
PINNED_BASE = "Your files are not changed in place, because the session does not start from HEAD. Use /apply."
CONTESTED = "you changed the same lines"


class InPlace:
    """Writes the session's changes to the user's files, if the setting `in_place` is on.

    Changes to files that start programs, and to files in which the user's own edits conflicted with the session's, are
    written only after the user's yes. Files that the user declines or that conflict are kept back and shown once a
    turn.
    """

    def __init__(self, session: TurnSession, tell_model: Callable[[str], object]) -> None:
        self._session, self._tell_model = session, tell_model
        self._run, self._head = "", ""
        self._written: dict[str, None] = {}
        self.kept: tuple[str, ...] = ()
        """The changed files that were not written the last time."""
        self._is_for_model = False
        self._answers: dict[tuple[str, object], bool] = {}
        """Whether a version of a file may be written, by path and tree entry: the user's answers, and the versions that
        an allowed one replaced."""
        self._shown: set[str] = set()

    def begin(self, here: bool = False) -> None:
        """Start a turn. Changes go to the branch on which the run's changes were written last; with `here`, to the
        branch that is checked out now."""
        engine = self._session.engine
        self._written, self._shown = {}, set()
        if not self._session.settings.in_place or engine is None or engine.repository.bare:
            return
        if here or self._run != engine.run.id:
            last = [data[HEAD] for data in effects(engine.trajectory, "apply") if HEAD in data]
            self._run, self._answers = engine.run.id, {}
            self._head = last[-1] if last and not here else describe_head(engine)

    def end(self) -> None:
        """Show what the turn wrote."""
        if self._written:
            paths = describe_paths(list(self._written))
            kept = f" Kept back: {describe_paths(list(self.kept))}." if self.kept else ""
            self._session.show(f"Written to {paths}.{kept}", "notice")
            self._written = {}

    def write(self, is_for_model: bool = False) -> None:
        """Write what the session changed since the last time. A reason not to do so is shown, and the next step tries
        again; the model reads it if it `is_for_model`."""
        engine, self._is_for_model = self._session.engine, is_for_model
        if not self._session.settings.in_place or engine is None or engine.repository.bare:
            return
        try:
            self._write(engine)
        except (SweAgentError, OSError) as error:
            why = f"{error.message} {error.fix}" if isinstance(error, SweAgentError) else str(error)
            self._show_once(f"Your files were not changed: {why}")

    def _write(self, engine: Engine) -> None:
        base, mine = common_tree(engine), deliverable_tree(engine)
        self.kept = tuple(change.path for change in engine.trees.changed(base, mine))
        if not self.kept:
            return
        if obstacle := self._obstacle(engine):
            text, why = obstacle
            if self._show_once(text):
                self._tell(why, self.kept)
            return
        findings = check_delivery(engine.trees, base, mine, engine.repository)
        if findings.refused:
            self._show_left_out(REFUSED, findings.refused, "such changes are never written")
        wanted = engine.trees.overlay(mine, base, list(findings.refused))
        if conflicts := find_conflicts(engine, base, wanted):
            self._show_left_out(KEPT_BACK, map(str, conflicts), "the user has own changes there")
            wanted = engine.trees.overlay(wanted, base, [conflict.path for conflict in conflicts])
        wanted = self._without_declined(engine, base, wanted, findings)
        self._written |= dict.fromkeys(write_changes(engine, base, wanted).written)
        self.kept = tuple(change.path for change in engine.trees.changed(wanted, mine))

    def _obstacle(self, engine: Engine) -> tuple[str, str] | None:
        """Return why nothing is written in place now, for the user and for the model; None if nothing prevents it."""
        if self._session.settings.hooks.patch:
            return HOOKED, "a hook checks each patch before it is delivered"
        if any(PINNED in note.data for note in engine.trajectory.notes):
            return PINNED_BASE, "the session does not start from the user's files"
        if (head := describe_head(engine)) != self._head:
            return MOVED_HEAD.format(old=self._head, new=head), f"the user left {self._head} for {head}"
        return None

    def _without_declined(self, engine: Engine, base: str, wanted: str, findings: DeliveryFindings) -> str:
        """Return the tree to write: without files that need the user's yes and have none. The user is asked once about
        each version of a file."""
        changed = [change.path for change in engine.trees.changed(base, wanted)]
        contested = {
            path for step in engine.trajectory.steps[MAIN] for path in (merge_data(step) or {}).get("conflicts", ())
        }
        reasons = dict.fromkeys(contested, CONTESTED) | dict(findings.flagged)
        entries = {path: engine.trees.entry(wanted, path) for path in changed if path in reasons}
        asked = [path for path, entry in entries.items() if (path, entry) not in self._answers]
        if asked:
            only = engine.trees.overlay(wanted, base, [path for path in changed if path not in asked])
            flagged = replace(findings, flagged={path: reasons[path] for path in asked})
            answer = self._session.ask(
                Approval(
                    "apply",
                    f"Write {describe_paths(asked)} to {engine.repository.root}? {describe_flagged(flagged)}",
                    subject="\n".join(asked),
                    detail=engine.trees.diff(base, only),
                    other_names=partial(names_through_links, engine.trees, base, only),
                    cancel=uncancelled_event(),
                )
            )
            if not answer.yes and self._session.stopped.is_set():
                return engine.trees.overlay(wanted, base, asked)
            if not answer.yes:
                why = answer.reason.rstrip(".") or "the user declined"
                self._show_left_out(DECLINED, asked, why, answer.reason or AS_YOU_SAID)
            self._answers |= {(path, entries[path]): answer.yes for path in asked}
            if answer.yes:
                self._answers |= {(path, engine.trees.entry(base, path)): True for path in asked}
        kept = [path for path, entry in entries.items() if not self._answers[path, entry]]
        return engine.trees.overlay(wanted, base, kept)

    def _show_left_out(self, text: str, paths: Iterable[str], why: str, shown: str = "") -> None:
        """Show which files are not written, for the reason `shown`; the model reads `why` at its next step."""
        names = ", ".join(paths)
        if self._show_once(text.format(paths=names, why=shown)):
            self._tell(why, [names])

    def _tell(self, why: str, paths: Iterable[str]) -> None:
        if self._is_for_model:
            self._tell_model(FOR_MODEL.format(why=why, paths=", ".join(paths)))

    def _show_once(self, text: str) -> bool:
        """Show a sentence and return True, unless it was shown in this turn."""
        if text in self._shown:
            return False
        self._shown.add(text)
        self._session.show(text, "notice")
        return True
