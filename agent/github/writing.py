"""What a terminal's pull request is made of: the tree to publish, its commit's message, its title and text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.github import changelog, template
from agent.github.body import body
from agent.github.checking import judge
from agent.github.rules import Rules
from agent.github.style import message, title
from agent.github.telling import outcome_of
from trajectories.plumbing import encode

if TYPE_CHECKING:
    from aci.outbox import Outbox
    from agent.engine import Engine
    from agent.github.destination import Destination
    from agent.solve import Result


@dataclass(frozen=True, slots=True)
class Written:
    """`refused` says why there is nothing to publish; then all else is ""."""

    tree: str = ""
    message: str = ""
    title: str = ""
    body: str = ""
    refused: str = ""


def written(engine: Engine, result: Result, box: Outbox, place: Destination) -> Written:
    """The same for one run whenever it is asked. Raises UsageError where the patch cannot be applied to its base."""
    base, diff = engine.run.base.commit, encode(result.patch.diff)
    outcome, number = outcome_of(engine, result), place.home.number
    tree = box.tree(base, diff)
    findings = judge(box, base, tree, len(diff), Rules().max_patch, engine.secrets)
    if findings.refused:
        where = engine.journal.directory / "patch.diff"
        return Written(refused=f"No pull request was opened: {' '.join(findings.refused)} The patch is in {where}.")
    files, changed = box.paths(base), [change.path for change in box.changes(base, tree)]
    entry = changelog.entry(files, lambda path: box.read(base, path), outcome.title, number, changed)
    if entry:
        tree = box.write(tree, dict([entry]))
        outcome = replace(outcome, changelog=entry[0])
    named = title(outcome.title, box.subjects(base), number, box.subjects(base, changed, 50))
    text = body(
        outcome,
        number,
        box.diff(base, tree),
        findings.flagged,
        template.found(files, lambda path: box.read(base, path)),
    )
    return Written(tree, message(named, outcome.cause, outcome.change, outcome.model), named, text)
