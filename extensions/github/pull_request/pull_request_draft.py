"""A patch ready for publication: with changelog entry, title, commit message and pull request text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from extensions.github.pull_request import changelog_entry, commit_style, pull_request_template
from extensions.github.pull_request.pull_request_body import body
from extensions.github.text_escaping import format_name

if TYPE_CHECKING:
    from extensions.github.pull_request.publish_store import PublishStore
    from extensions.github.task.result_file import Outcome

NEAR = 50
"""Maximum number of commits to the same files from which the title's style is derived."""


@dataclass(frozen=True, slots=True)
class PullRequestDraft:
    """The tree to publish on top of the commit `base`, with its commit message and the pull request's title.

    `outcome` names the changelog entry.
    """

    box: PublishStore
    base: str
    tree: str
    outcome: Outcome
    number: int
    title: str
    message: str

    def text(
        self,
        flagged: Mapping[str, str],
        notes: Sequence[str] = (),
        templates: Sequence[str] = pull_request_template.TEMPLATES,
    ) -> str:
        """Return the pull request's text; `flagged` and `notes` are those of `body`, `templates` that of
        `find_template`."""
        box, base = self.box, self.base
        form = pull_request_template.find_template(box.paths(base), lambda path: box.read(base, path), templates)
        if self.number and (entry := self.outcome.changelog):
            notes = [*notes, f"The entry in {format_name(entry)} was not part of the proof."]
        if self.number and not self.outcome.changelog:
            changed = [change.path for change in box.changes(base, self.tree)]
            changelog = changelog_entry.untouched_changelog(box.paths(base), changed)
            flagged = dict(flagged) | ({changelog: "has no entry for this change"} if changelog else {})
        return body(self.outcome, self.number, box.diff(base, self.tree), flagged, form, notes)


def build_draft(box: PublishStore, base: str, tree: str, outcome: Outcome, number: int = 0) -> PullRequestDraft:
    """Return the draft that publishes `tree`, the commit `base` with the patch of this outcome, for issue `number`.

    If `number` is 0, the draft continues a pull request, which already has its changelog entry. The result is
    deterministic.
    """
    changed = [change.path for change in box.changes(base, tree)]
    if number and not outcome.changelog:
        entry = changelog_entry.build_entry(
            box.paths(base), lambda path: box.read(base, path), outcome.title, number, changed
        )
        if entry:
            tree, outcome = box.write(tree, dict([entry])), replace(outcome, changelog=entry[0])
    title = commit_style.title(outcome.title, box.subjects(base), number, box.subjects(base, changed, NEAR))
    message = commit_style.message(title, outcome.cause, outcome.change, outcome.model)
    return PullRequestDraft(box, base, tree, outcome, number, title, message)
