"""A run's patch as a draft pull request: intent, do, result on the record, so that it is opened once.

A process may die between any two of these. Who goes on looks first: is the branch there, at our commit? Is there a pull
request from it?
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.github.address import address_of
from agent.github.pull import Opened, branches, open_pull
from trajectories.errors import UsageError
from trajectories.plumbing import encode
from trajectories.records import Note

if TYPE_CHECKING:
    from aci.outbox import Outbox
    from agent.engine import Engine
    from agent.github.destination import Destination
    from agent.solve import Result

EFFECT = "request"
TRIES = 20
"""Branches of an issue that may be taken."""


def deliver_request(engine: Engine, result: Result) -> None:
    """Open the pull request of a run that ends, if its patch is proven and it has none yet."""
    if any(note.kind == "done" and note.data.get("effect") == EFFECT for note in engine.trajectory.notes):
        return
    if not result.exit.verdict.verified:
        not_proven(engine)
    elif why := request(engine, result):
        _kept_back(engine, f"No pull request was opened: {why}")


def check(engine: Engine) -> None:
    """Raises UsageError, and what `destination` raises, where no pull request could be opened for this run."""
    if not engine.run.issue.url:
        raise UsageError("This run's issue is not one on GitHub.", f"Its patch is in {_patch(engine)}: `git apply` it.")
    _destination(engine)


def asked_for(engine: Engine, result: Result) -> None:
    """Open the pull request that a user asks for after the run's end, proven or not; nothing where one is open, or
    nothing was changed. Raises UsageError for a patch that may not be published, and as `request`."""
    if result.patch and not result.pull and (why := request(engine, result)):
        raise UsageError(f"No pull request can be opened: {why}", f"The patch is in {_patch(engine)}.")


def request(engine: Engine, result: Result) -> str:
    """Open a draft pull request with what the run came to, or the one that was begun; return why its patch may not be
    published, if so. Raises as `check`, `push` and `open_pull`; the run stays resumable."""
    from aci.outbox import outbox
    from agent.github.checking import judge
    from agent.github.rules import load_rules
    from agent.github.telling import outcome_of
    from agent.github.writing import drafted

    place = _destination(engine)
    with outbox(engine.repository, engine.trees.path / "objects") as box:
        base, diff = engine.run.base.commit, encode(result.patch.diff)
        tree = box.tree(base, diff)
        findings = judge(box, base, tree, len(diff), load_rules().max_patch, engine.secrets)
        if findings.refused:
            return " ".join(findings.refused)
        draft = drafted(box, base, tree, outcome_of(engine, result), place.home.number)
        text = draft.text(findings.flagged, place.notes)
        branch = _push(engine, box, place, draft.tree, draft.message)
    opened = open_pull(place.hosted, f"{place.owner}:{branch}", place.target, draft.title, text)
    engine.journal.append(Note("main", "done", _words(opened), {"effect": EFFECT, "url": opened.url}))
    return ""


def _destination(engine: Engine) -> Destination:
    """Raises UsageError where the run's proof is of more than a patch on top of its commit would publish."""
    from agent.github.destination import destination

    if engine.run.base.changes:
        raise UsageError(
            "This run began with changes that are not committed.",
            f"Commit and push them, then `swe-agent fix --issue {engine.run.issue.url} --pr`.",
        )
    return destination(engine.repository, address_of(engine.run.issue.url), engine.run.base.commit)


def not_proven(engine: Engine) -> None:
    """Say that a patch which is not proven was kept back, and how to have it all the same."""
    again = f"To open one all the same: swe-agent resume {engine.run.id} --pr."
    _kept_back(engine, f"No pull request was opened, since the patch is not proven. {again}")


def _kept_back(engine: Engine, why: str) -> None:
    engine.journal.append(Note("main", "done", f"{why} The patch is in {_patch(engine)}.", {"effect": EFFECT}))


def _patch(engine: Engine) -> Path:
    return engine.journal.directory / "patch.diff"


def _push(engine: Engine, box: Outbox, place: Destination, tree: str, message: str) -> str:
    """The branch that holds the commit, on the server."""
    from aci.pushing import Moved, push, tip

    begun = _begun(engine)
    at = int(begun.get("at", time.time()))
    commit = box.commit(tree, engine.run.base.commit, message, at)
    for branch in _names(place.home.number, str(begun.get("branch", ""))):
        there = tip(box, branch, place.url, place.token)
        if there and there == (begun.get("commit") if branch == begun.get("branch") else ""):
            return branch
        if there:
            continue
        data = {"effect": EFFECT, "branch": branch, "commit": commit, "at": at}
        engine.journal.append(Note("main", "intent", EFFECT, data))
        try:
            push(box, commit, branch, place.url, place.token)
        except Moved:
            if tip(box, branch, place.url, place.token) != commit:  # else a git that outlived its process was first
                continue
        return branch
    raise UsageError(f"{TRIES} branches of issue {place.home.number} are there already.", "Delete some.")


def _begun(engine: Engine) -> dict[str, Any]:
    """What the last intent says, if there is one."""
    notes = [note for note in engine.trajectory.notes if note.kind == "intent" and note.data.get("effect") == EFFECT]
    return dict(notes[-1].data) if notes else {}


def _names(number: int, begun: str) -> Iterator[str]:
    names = [name for name, _ in zip(branches(number), range(TRIES), strict=False)]
    return dropwhile(lambda name: begun in names and name != begun, names)


def _words(opened: Opened) -> str:
    kind = "A draft pull request" if opened.draft else "A pull request"
    return " ".join(filter(None, [f"{kind} is open: {opened.url}", opened.said]))
