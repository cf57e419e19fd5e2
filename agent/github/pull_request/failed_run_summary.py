"""What is worth telling of a run that proved nothing: what it tried, and the test that shows the issue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from aci.patch import is_test, is_test_config
from aci.trial import some
from agent.best import UNTOLD, verdict_of
from agent.github.wishes import ASKED
from agent.moves.gate import reason, wrong_reason
from agent.standing import MAIN, tree_at
from agent.synced import host_of
from agent.traits import is_by_hand, stays
from trajectories.records import Step

if TYPE_CHECKING:
    from agent.engine import Engine
    from trajectories.records import Issue, Verdict
    from trajectories.trees import Trees

MOST_FILES = 4


@dataclass(frozen=True, slots=True)
class Work:
    """The steps of the last turn that was not by hand and of what came after it, as its proof; `began` is its tree,
    `asked` what it was to do."""

    trees: Trees
    steps: Sequence[Step]
    began: str
    asked: str


def work_of(engine: Engine) -> Work:
    trajectory, base = engine.trajectory, engine.run.base.tree
    turn = max((at for at, turn in enumerate(trajectory.turns) if not is_by_hand(turn.strategy)), default=0)
    start = trajectory.turns_at[turn] if turn else 0
    steps = [record for record in trajectory.records[start:] if isinstance(record, Step)]
    host = next((step.tree for step in steps if host_of(step)), "")
    began = host or (tree_at(trajectory, start, base) if turn else base)
    asked = trajectory.turns[turn].request if turn else _first_asked(engine.run.issue, trajectory.turns[0].strategy)
    return Work(engine.trees, steps, began, asked)


def _first_asked(issue: Issue, strategy: str) -> str:
    """What a run's first turn is to do: in a conversation about a pull request, the words of who asked."""
    words = [comment.body for comment in issue.comments if comment.about == ASKED]
    return words[-1] if words and stays(strategy) else issue.title


def tried(work: Work) -> list[str]:
    """A line for each change that was put to the proof, or was left lying, and why it is not proven; oldest first."""
    proofs = {step.tree: verdict_of(step) for step in work.steps if step.author == "proof"}
    lines = [f"{_changes(work.trees, work.began, tree)}: {_why(verdict)}" for tree, verdict in proofs.items()]
    last = work.steps[-1].tree if work.steps else work.began
    if last not in proofs and any(not is_test(change.path) for change in work.trees.changed(work.began, last)):
        lines.append(f"{_changes(work.trees, work.began, last)}: it was not handed in")
    return list(dict.fromkeys(f"{line}." for line in lines))


def _changes(trees: Trees, old: str, new: str) -> str:
    """`Changed a.py and b.py`: source first, tests where there is nothing else."""
    paths = [change.path for change in trees.changed(old, new)]
    shown = [path for path in paths if not is_test(path)] or paths
    if not shown:
        return "Changed nothing"
    more = f" and {len(shown) - MOST_FILES} more files" if len(shown) > MOST_FILES else ""
    return f"Changed {', '.join(shown[:MOST_FILES])}{more}"


def _why(verdict: Verdict) -> str:
    """The first of the proof's parts that is missing."""
    if verdict.red is False:
        return "no test failed before the change, so none shows the issue"
    if verdict.green is False:
        return "the test that shows the issue still fails with it"
    if verdict.red_again is False:
        return "its test passes without the change to the source, too"
    if verdict.no_loss is False:
        return f"what passed before fails with it ({some(verdict.lost)})" if verdict.lost else "it breaks the tests"
    note = next((note for note in verdict.notes if not UNTOLD.match(note)), "")
    return (note or "it could not be judged").rstrip(".")


def red_test(work: Work, issue: str) -> str:
    """The diff that adds the test that was seen red on the base's source; "" without one."""
    trees, base = work.trees, work.began
    for tree, red in _seen_red(work, issue):
        new = [change.path for change in trees.changed(base, tree) if change.status == "A" and is_test(change.path)]
        if new if red is None else {each["path"] for each in red} & set(new):
            return trees.diff(base, trees.overlay(base, tree, new))
    return ""


def how_red(work: Work, issue: str) -> str:
    """How the test fails that was seen red before any source was changed: a line, "" without one."""
    for _, red in _seen_red(work, issue):
        if red:
            return f"{red[0]['id']} fails: {reason(red[0])}".rstrip(": ")
    return ""


def only_tests(work: Work, tree: str) -> bool:
    """Whether all that `tree` changes are tests."""
    return all(_tests_only(change.path) for change in work.trees.changed(work.began, tree))


def gave_up(engine: Engine, work: Work) -> str:
    """What a model said that did nothing any more: the longest of its last replies without an action; "" of one that
    was at work to the end."""
    replied = [step for step in reversed(work.steps) if step.branch == MAIN and step.reply is not None]
    talk = takewhile(lambda step: not step.actions, replied)
    return max((engine.trajectory.replies[MAIN, step.reply or 0].text for step in talk), key=len, default="")


def _seen_red(work: Work, issue: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]] | None]]:
    """Trees with new tests that failed for the issue's reason, latest first: as a proof found, or else a run of the
    tests before any source was changed, with its failures."""
    for step in reversed(work.steps):
        if step.author == "proof" and verdict_of(step).red:
            yield step.tree, None
    for step in reversed(work.steps):
        for seen in step.observations:
            tree, failures = seen.data.get("tree", step.tree), seen.data.get("failures") or ()
            red = [each for each in failures if not wrong_reason(each, issue)]
            if red and only_tests(work, tree):
                yield tree, red


def _tests_only(path: str) -> bool:
    return is_test(path) or is_test_config(path)
