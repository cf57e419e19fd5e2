"""The proof as a step, and which of a run's trees is the best."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from aci.source import parse
from aci.trial import some
from agent.consent import REFUSED, may_test
from agent.outcome import Outcome, load_verdict
from agent.standing import stands_at
from agent.traits import is_by_hand, stays
from trajectories.records import Issue, Note, Observation, Step, Verdict

if TYPE_CHECKING:
    from agent.task import Task

TOLD = {True: "yes", False: "NO", None: "not judged"}
UNTOLD = re.compile(r"The suite with|Run first, |The test command did not end|The code under test runs")
"""Notes that say how much stands behind a verdict, not what is to be mended."""
PARTS = {
    "red": "a test fails without the patch",
    "green": "it passes with the patch",
    "red_again": "it fails again with the source hunks taken out",
    "no_loss": "what passed before passes now",
}
KEPT = "What passed before passes now. It is not verified: /prove runs the whole proof."
UNSEEN = "Whether what passed before passes now could not be judged. /prove runs the whole proof."
NO_TESTS = "No test ran before the change, so nothing shows what it may break."


def proof_step(
    task: Task,
    tree: str,
    reproduction: Sequence[str],
    places: Sequence[str],
    reproduces: bool = True,
    whole: bool = False,
    doubt: str = "",
) -> Observation:
    """Prove `tree` against what the turn began with, or the whole run, as an observation that carries the verdict, and
    what was asked, so that it can be asked again. With a `doubt` the verdict is at most unproven, and says why."""
    from aci.proof import prove

    engine = task.engine
    base = engine.run.base if whole else task.base
    asked = {"reproduction": list(reproduction), "places": list(places), "reproduces": reproduces, "whole": whole}
    asked |= {"doubt": doubt} if doubt else {}
    if tree == base.tree:
        verdict = Verdict(notes=("Nothing was changed.",))
    elif not may_test(task):
        return Observation(
            REFUSED, ok=False, data={"verdict": asdict(Verdict("unproven", notes=(REFUSED,))), "asked": asked}
        )
    else:
        verdict = prove(
            lambda at: engine.fork(at, task.cancel),
            engine.trees,
            base.tree,
            tree,
            issue=wishes(task) if whole else task.issue,
            command=engine.settings.test,
            reproduction=reproduction,
            places=places,
            timeout=engine.settings.test_timeout,
            spare=engine.settings.suite_time,
            say=lambda line: engine.tell("say", "proof", line),
            known=engine.baselines,
            reproduces=reproduces,
            changed_tests=engine.settings.update_tests and not reproduces,
        )
    verdict = doubted(verdict, doubt)
    if base.tree != engine.run.base.tree:
        verdict = replace(verdict, commands=())  # they begin with a checkout of the run's base
    verdict = replace(verdict, notes=tuple(dict.fromkeys(verdict.notes)))  # a run on either side may say the same
    words = in_words(verdict) if reproduces else of_loss(verdict)
    return Observation(words, verdict.verified, data={"verdict": asdict(verdict), "asked": asked})


def wishes(task: Task) -> Issue:
    """All that the user asked for so far, as one issue."""
    run, turns = task.engine.run, task.engine.trajectory.turns[1:]
    asked = [turn.request for turn in turns if not is_by_hand(turn.strategy)]
    return replace(run.issue, body="\n\n".join(filter(None, [run.issue.body, *asked])))


def of_loss(verdict: Verdict) -> str:
    """What a verdict without a reproduction says, for the user and the model."""
    if verdict.no_loss is False:
        return "\n".join([f"Passed before, and no longer: {some(verdict.lost)}.", *_told(verdict)])
    untested = any(note.startswith("No test ran") for note in verdict.notes)
    head = NO_TESTS if untested else KEPT if verdict.no_loss else UNSEEN
    return "\n".join([head, *([] if untested else _told(verdict))])


def verdict_of(step: Step) -> Verdict:
    """What a step of author `proof` found."""
    return load_verdict(step.observations[0].data["verdict"])


def in_words(verdict: Verdict, whole: bool = False) -> str:
    """The verdict as a model reads it, that is to mend what it names; with the `whole` of it also how much was run."""
    lines = [f"Proof: {verdict.kind}."]
    lines += [f"- {meaning}: {TOLD[getattr(verdict, part)]}" for part, meaning in PARTS.items()]
    if verdict.lost:
        lines.append(f"- lost: {', '.join(verdict.lost[:20])}{' …' if len(verdict.lost) > 20 else ''}")
    return "\n".join([*lines, *_told(verdict, whole)])


def _told(verdict: Verdict, whole: bool = False) -> list[str]:
    return [*(f"- {note}" for note in verdict.notes if whole or not UNTOLD.match(note)), *verdict.failures]


def best(task: Task) -> Outcome:
    """The best tree of a branch and those under it, in this turn: verified > green > no loss > parses; the later of
    equals. What the last note on a tree is `against` is not verified. A turn that is a part of a conversation ends with
    the tree that the conversation has come to."""
    trajectory = task.engine.trajectory
    if stays(trajectory.turns[-1].strategy) and task.branch == "main":
        tree = stands_at(trajectory, task.base.tree)
        return Outcome(tree, Verdict("none" if tree == task.base.tree else "unproven"))
    steps = (record for record in trajectory.of_turn if isinstance(record, Step))
    under = [step for step in steps if f"{step.branch}/".startswith(f"{task.branch}/")]
    notes = [note.data for note in trajectory.of_turn if isinstance(note, Note) and "against" in note.data]
    doubts = {str(data.get("tree", "")): str(data["against"]) for data in notes}
    proven = [
        (doubted(verdict_of(step), doubts.get(step.tree, "")), step.tree) for step in under if step.author == "proof"
    ]
    if proven:
        verdict, tree = max(enumerate(proven), key=lambda item: (item[1][0].rank, item[0]))[1]
        if verdict.rank:
            return Outcome(tree, verdict)
    base = task.base.tree
    changed = list(dict.fromkeys(step.tree for step in reversed(under) if step.tree != base))
    if not changed:
        return Outcome(base, Verdict())
    tree = next((tree for tree in changed if _parses(task, tree)), changed[0])
    verdict = next((verdict for verdict, proven_tree in reversed(proven) if proven_tree == tree), Verdict("unproven"))
    return Outcome(tree, verdict)


def doubted(verdict: Verdict, why: str) -> Verdict:
    """A verdict with what speaks against it, if anything does: it is not verified then."""
    if not why or not verdict.verified:
        return verdict
    return replace(verdict, kind="unproven", notes=(why, *verdict.notes))


def _parses(task: Task, tree: str) -> bool:
    """Whether every Python file that `tree` changes can be parsed."""
    for change in task.trees.changed(task.base.tree, tree):
        is_python = change.path.endswith(".py") and change.status != "D"
        if is_python and parse(task.trees.read(tree, change.path)) is None:
            return False
    return True
