"""The proof as a step, and which of a run's trees is the best."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.outcome import Outcome, load_verdict
from trajectories.records import Observation, Step, Verdict

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


def proof_step(
    task: Task, tree: str, reproduction: Sequence[str], places: Sequence[str], reproduces: bool = True
) -> Observation:
    """Prove `tree` against the run's base, as an observation that carries the verdict."""
    from aci.proof import prove

    engine = task.engine
    if tree == engine.run.base.tree:
        verdict = Verdict(notes=("Nothing was changed.",))
    else:
        verdict = prove(
            lambda at: engine.fork(at, task.cancel),
            engine.trees,
            engine.run.base.tree,
            tree,
            issue=engine.run.issue,
            command=engine.settings.test,
            reproduction=reproduction,
            places=places,
            timeout=engine.settings.test_timeout,
            spare=engine.settings.suite_time,
            say=lambda line: engine.tell("say", "proof", line),
            known=engine.baselines,
            reproduces=reproduces,
        )
    return Observation(in_words(verdict), verdict.verified, data={"verdict": asdict(verdict)})


def verdict_of(step: Step) -> Verdict:
    """What a step of author `proof` found."""
    return load_verdict(step.observations[0].data["verdict"])


def in_words(verdict: Verdict) -> str:
    """The verdict as a model reads it, that is to mend what it names."""
    lines = [f"Proof: {verdict.kind}."]
    lines += [f"- {meaning}: {TOLD[getattr(verdict, part)]}" for part, meaning in PARTS.items()]
    if verdict.lost:
        lines.append(f"- lost: {', '.join(verdict.lost[:20])}{' …' if len(verdict.lost) > 20 else ''}")
    return "\n".join([*lines, *(f"- {note}" for note in verdict.notes if not UNTOLD.match(note)), *verdict.failures])


def best(task: Task) -> Outcome:
    """The best tree of a branch and those under it: verified > green > no loss > parses; the later of equals."""
    under = [step for step in task.engine.trajectory.all_steps() if f"{step.branch}/".startswith(f"{task.branch}/")]
    proven = [(verdict_of(step), step.tree) for step in under if step.author == "proof"]
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


def _parses(task: Task, tree: str) -> bool:
    """Whether every Python file that `tree` changes can be parsed."""
    for change in task.trees.changed(task.base.tree, tree):
        if change.path.endswith(".py") and change.status != "D":
            try:
                ast.parse(task.trees.read(tree, change.path))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return False
    return True
