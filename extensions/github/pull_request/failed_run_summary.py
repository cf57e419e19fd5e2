"""Summary of a run that proved nothing: its attempts, and the test that shows the issue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from aci.proof.failure_reason import failure_message, wrong_reason
from aci.proof.proof_run import format_names
from aci.repository.test_files import is_test, is_test_config
from agent.engine.proof_step import BACKGROUND, verdict_of
from agent.limits.loop_detection import empty_submission
from agent.run_state.merge_base import merge_data
from agent.run_state.strategy_traits import is_by_hand, is_conversational
from agent.run_state.turn_state import MAIN, tree_at
from extensions.github.task.task_text import REQUEST_ROLE
from trajectories.records import Step

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.git_store.trees import Trees
    from trajectories.records import Issue
    from trajectories.verdict import Verdict

MOST_FILES = 4


@dataclass(frozen=True, slots=True)
class Work:
    """The steps since the start of the last turn in which the agent worked, including its proof; turns for the user's
    own changes are ignored.

    `began` is the tree that the turn started from, and `asked` is the turn's request.
    """

    trees: Trees
    steps: Sequence[Step]
    began: str
    asked: str


def last_work(engine: Engine) -> Work:
    trajectory, base = engine.trajectory, engine.run.base.tree
    turn = max((at for at, turn in enumerate(trajectory.turns) if not is_by_hand(turn.strategy)), default=0)
    start = trajectory.turns_at[turn] if turn else 0
    steps = [record for record in trajectory.records[start:] if isinstance(record, Step)]
    host = next((step.tree for step in steps if merge_data(step)), "")
    began = host or (tree_at(trajectory, start, base) if turn else base)
    asked = trajectory.turns[turn].request if turn else _first_asked(engine.run.issue, trajectory.turns[0].strategy)
    return Work(engine.trees, steps, began, asked)


def _first_asked(issue: Issue, strategy: str) -> str:
    """Return the request of a run's first turn: the requester's message in a conversation about a pull request, else
    the issue's title."""
    words = [comment.body for comment in issue.comments if comment.about == REQUEST_ROLE]
    return words[-1] if words and is_conversational(strategy) else issue.title


def attempt_lines(work: Work) -> list[str]:
    """Return a line for each change that a proof checked or that was not submitted, with the reason why it is not
    proven; oldest first."""
    proofs = {step.tree: verdict_of(step) for step in work.steps if step.author == "proof"}
    lines = [f"{_changes(work.trees, work.began, tree)}: {_why(verdict)}" for tree, verdict in proofs.items()]
    last = work.steps[-1].tree if work.steps else work.began
    if last not in proofs and any(not is_test(change.path) for change in work.trees.changed(work.began, last)):
        lines.append(f"{_changes(work.trees, work.began, last)}: it was not submitted")
    return list(dict.fromkeys(f"{line}." for line in lines))


def _changes(trees: Trees, old: str, new: str) -> str:
    """Return a phrase such as `Changed a.py, b.py` that names the source files, or the tests if nothing else
    changed."""
    paths = [change.path for change in trees.changed(old, new)]
    shown = [path for path in paths if not is_test(path)] or paths
    if not shown:
        return "Changed nothing"
    more = f" and {len(shown) - MOST_FILES} more files" if len(shown) > MOST_FILES else ""
    return f"Changed {', '.join(shown[:MOST_FILES])}{more}"


def _why(verdict: Verdict) -> str:
    """Return which part of the proof failed first."""
    if verdict.red is False:
        return "no test failed before the change, so none shows the issue"
    if verdict.green is False:
        return "the test that shows the issue still fails with it"
    if verdict.red_again is False:
        return "its test also passes without the change to the source"
    if verdict.no_loss is False:
        return (
            f"it breaks tests that passed before ({format_names(verdict.lost)})"
            if verdict.lost
            else "it breaks the tests"
        )
    reason = next((fact.text for fact in verdict.facts if fact.kind not in BACKGROUND), "")
    return (reason or "it could not be judged").rstrip(".")


def red_test(work: Work, issue: str) -> str:
    """Return a diff that adds tests that failed without source changes; "" if there are none."""
    trees, base = work.trees, work.began
    for tree, red in _failing_test_trees(work, issue):
        new = [change.path for change in trees.changed(base, tree) if change.status == "A" and is_test(change.path)]
        if new if red is None else {each["path"] for each in red} & set(new):
            return trees.diff(base, trees.overlay(base, tree, new))
    return ""


def failure_line(work: Work, issue: str) -> str:
    """Return a line on how a test failed before any source was changed; "" if none did."""
    for _, red in _failing_test_trees(work, issue):
        if red:
            return f"{red[0]['id']} fails: {failure_message(red[0])}".rstrip(": ")
    return ""


def only_tests(work: Work, tree: str) -> bool:
    """Whether `tree` changes only tests."""
    return all(_tests_only(change.path) for change in work.trees.changed(work.began, tree))


def final_talk(engine: Engine, work: Work) -> str:
    """Return the longest of the model's final replies without an action, and of its reasons why it submitted no change;
    "" if it acted until the end."""
    replied = [step for step in reversed(work.steps) if step.branch == MAIN and step.reply is not None]
    talk = takewhile(lambda step: not step.actions or empty_submission(step) is not None, replied)
    said = (empty_submission(step) or engine.trajectory.replies[MAIN, step.reply or 0].text for step in talk)
    return max(said, key=len, default="")


def _failing_test_trees(work: Work, issue: str) -> Iterator[tuple[str, Sequence[Mapping[str, Any]] | None]]:
    """Yield trees with tests that failed for the issue's reason: first those that a proof ran, then those of other test
    runs, each latest first.

    Trees of other test runs count only if they change no source, and come with their failures.
    """
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
