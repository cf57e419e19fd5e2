"""Work in place: each change of the session is written to the user's files as soon as it is made.

It takes the way of `/apply`: a merge with the user's own edits, an intent and its completion in the journal, and a
write that is complete or not done. Commands still run in the session's copy of the files.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.patch_checks.delivery_check import check_delivery, describe_flagged
from agent.permissions.approvals import Approval
from agent.permissions.link_names import names_through_links
from extensions.interactive.session.applied_changes import (
    common_tree,
    deliverable_tree,
    describe_paths,
    uncancelled_event,
    write_changes,
)
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.engine.engine import Engine
    from agent.patch_checks.delivery_check import DeliveryFindings
    from extensions.interactive.session.session_protocols import TurnSession

MOVED_HEAD = "{old} was left for {new}: the changes of this turn are kept back. /apply applies them here."
KEPT_BACK = "Kept back, since you changed the same lines: {conflicts}. Your next request gets your version to merge."
REFUSED = "Not written to your files: {paths}. /apply says why."
DETACHED = "the present commit"


class InPlace:
    """Writes the session's changes to the user's files, if the setting `in_place` is on.

    Changes to files that start programs are written only after the user's yes. What the user refuses, and what
    conflicts with the user's own edits, is kept back and shown once.
    """

    def __init__(self, session: TurnSession) -> None:
        self._session = session
        self._head = ""
        self._written: dict[str, None] = {}
        self._refused: dict[str, object] = {}
        """The entries of files that the user refused to write, by path."""
        self._shown: set[str] = set()

    def begin(self) -> None:
        """Start a turn on the branch that is checked out now."""
        self._head = _head(self._session.engine)
        self._written, self._shown = {}, set()

    def end(self) -> None:
        """Show what the turn wrote."""
        if self._written:
            paths = describe_paths(list(self._written))
            self._session.show(f"Written to {paths}. /undo reverts the turn there too.", "notice")
            self._written = {}

    def write(self) -> None:
        """Write what the session changed since the last time. What prevents it is shown, and the next step tries
        again."""
        engine = self._session.engine
        if not self._session.settings.in_place or engine is None or engine.repository.bare:
            return
        try:
            self._write(engine)
        except (SweAgentError, OSError) as error:
            why = f"{error.message} {error.fix}" if isinstance(error, SweAgentError) else str(error)
            self._show_once(f"Your files were not changed: {why}")

    def _write(self, engine: Engine) -> None:
        base, mine = common_tree(engine), deliverable_tree(engine)
        if base == mine:
            return
        if (head := _head(engine)) != self._head:
            self._show_once(MOVED_HEAD.format(old=self._head or DETACHED, new=head or DETACHED))
            return
        findings = check_delivery(engine.trees, base, mine, engine.repository)
        if findings.refused:
            self._show_once(REFUSED.format(paths=", ".join(findings.refused)))
        kept = [*findings.refused, *self._refuse_flagged(engine, base, mine, findings)]
        merged = write_changes(engine, base, engine.trees.overlay(mine, base, kept))
        self._written |= dict.fromkeys(merged.written)
        if merged.conflicts:
            conflicts = ", ".join(map(str, merged.conflicts))
            self._show_once(KEPT_BACK.format(conflicts=conflicts))

    def _refuse_flagged(self, engine: Engine, base: str, mine: str, findings: DeliveryFindings) -> Iterable[str]:
        """Return the flagged files that are not written: the user is asked once about each version of a file."""
        entries = {path: engine.trees.entry(mine, path) for path in findings.flagged}
        asked = [path for path, entry in entries.items() if self._refused.get(path, "") != entry]
        if asked:
            every = [path for path in (one.path for one in engine.trees.changed(base, mine)) if path not in asked]
            only = engine.trees.overlay(mine, base, every)
            title = f"Write {describe_paths(asked)} to {engine.repository.root}? {describe_flagged(findings)}"
            answer = self._session.ask(
                Approval(
                    "apply",
                    title,
                    subject="\n".join(asked),
                    detail=engine.trees.diff(base, only),
                    other_names=partial(names_through_links, engine.trees, base, only),
                    cancel=uncancelled_event(),
                )
            )
            for path in asked:
                self._refused.pop(path, None)
                if not answer.yes:
                    self._refused[path] = entries[path]
        return [path for path in entries if path in self._refused]

    def _show_once(self, text: str) -> None:
        if text not in self._shown:
            self._shown.add(text)
            self._session.show(text, "notice")


def _head(engine: Engine | None) -> str:
    """Return the user's branch; "" if a commit is checked out, or there is no run."""
    if engine is None or engine.repository.bare:
        return ""
    return engine.repository.checked_out_branch()
