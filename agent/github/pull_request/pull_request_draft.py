"""A patch that is to be published as it goes out: with an entry in the changelog, a title, a message and a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.github import changelog, style, template
from agent.github.body import body
from agent.github.neutral import named

if TYPE_CHECKING:
    from aci.outbox import Outbox
    from agent.github.handover import Outcome

NEAR = 50
"""Commits to the same files that are looked at."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The tree to publish on top of the commit `base`, its commit's message, and the pull request's title. `outcome`
    knows the entry in the changelog."""

    box: Outbox
    base: str
    tree: str
    outcome: Outcome
    number: int
    title: str
    message: str

    def text(self, flagged: Mapping[str, str], notes: Sequence[str] = ()) -> str:
        """What the pull request says; arguments as those of `body`."""
        box, base = self.box, self.base
        form = template.found(box.paths(base), lambda path: box.read(base, path))
        if self.number and (entry := self.outcome.changelog):
            notes = [*notes, f"The entry in {named(entry)} is no part of what was proven."]
        if self.number and not self.outcome.changelog:
            kept = changelog.untouched(box.paths(base), [change.path for change in box.changes(base, self.tree)])
            flagged = dict(flagged) | ({kept: "has no entry for this change"} if kept else {})
        return body(self.outcome, self.number, box.diff(base, self.tree), flagged, form, notes)


def drafted(box: Outbox, base: str, tree: str, outcome: Outcome, number: int = 0) -> Draft:
    """`tree`, made of the commit `base` by a patch of this outcome for issue `number`; without one (0) it goes on with
    a pull request, whose entry in the changelog is there. The same for the same, whenever it is asked."""
    changed = [change.path for change in box.changes(base, tree)]
    if number and not outcome.changelog:
        entry = changelog.entry(box.paths(base), lambda path: box.read(base, path), outcome.title, number, changed)
        if entry:
            tree, outcome = box.write(tree, dict([entry])), replace(outcome, changelog=entry[0])
    title = style.title(outcome.title, box.subjects(base), number, box.subjects(base, changed, NEAR))
    message = style.message(title, outcome.cause, outcome.change, outcome.model)
    return Draft(box, base, tree, outcome, number, title, message)
