"""A search tree of steps: the most promising step is expanded, with feedback on earlier attempts from it. With a model
for the role `forecaster`, several moves are proposed with their expected results, and only the best is carried out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import quote_text
from agent.engine.loop import is_submission, loop
from agent.engine.proof_step import expect_proof
from agent.engine.run_memory import run_memory
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening
from agent.run_state.rewind import summarise_attempts
from extensions.papers.step_critique import GREEN, KEPT, critic_score, proof_score
from extensions.papers.step_forecast import forecast_moves
from extensions.papers.step_rewind import rewind_to
from extensions.papers.uct_node import UctNode

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step
    from trajectories.verdict import Verdict

ROLES = ("coder",)
MAY_ASK = ("critic", "forecaster")
PROMPTS = ("test_then_patch", "tree")
SOURCE = "SWE-Search (arXiv 2410.20285), WebDreamer (arXiv 2411.06559); lessons: SWE-Exp (arXiv 2507.23361)"
WHEN = "the patch needs many steps, and one early mistake spoils the rest"
EXPLORE = 0.7
"""UCT's exploration weight."""
STRIDE = 3
"""Maximum number of replies in one step of the tree; a step also ends when files change."""
WIDEST = 3
"""Maximum number of children of a step."""
PER_ATTEMPT = 4
"""Number of steps in the tree for each attempt that the settings allow."""


@dataclass(eq=False, slots=True)
class Node(UctNode):
    """A node of the tree: the conversation up to step `n`, and the files in `tree`.

    A proposal that is not carried out yet is a node with a `move`; its step and files are those of its parent, and its
    value is the `forecast`.
    """

    n: int
    tree: str
    done: str = ""
    """A summary of the actions since the parent node, with a critic's comment."""
    verdict: Verdict | None = None
    """The verdict of the proof that was run if the model submitted at this node. Such a node is not expanded."""
    first: int = 0
    """Number of steps of the conversation before the node was expanded."""
    move: str = ""
    forecast: float = 0.0

    @property
    def value(self) -> float:
        return self.total / self.visits if self.visits else self.forecast

    @property
    def is_proposal(self) -> bool:
        return self.move != "" and not self.visits

    @property
    def origin(self) -> Node:
        """The node at which the conversation continues: for a proposal, its parent."""
        return self.parent if self.parent and self.is_proposal else self

    @property
    def tried(self) -> list[Node]:
        """The children that were carried out."""
        return [child for child in self.children if not child.is_proposal]

    def bound(self) -> float:
        return self.uct(EXPLORE, KEPT, len(self.children))


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Choose a node, expand it and score the new node; repeat until a node is proven or all steps are used."""
    given = yield from given_tests(task)
    expect_proof(task.branch, given, likely_sources(task.branch))
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    root = Node(task.branch.steps[-1].n, task.tree)
    node = root
    for number in range(PER_ATTEMPT * task.turn.settings.attempts):
        best = _best_open_node(root) if number else root
        if best is None:
            break
        best = yield from _look_ahead(task, root, best, number)
        start, words = best.origin, _message(task, best, number)
        if start is not node:
            yield rewind_to(task, start.n, start.tree, words, "search")
        elif words:
            yield task.say(words, author="search")
        node = yield from _expand(task, best, given, number)
        task.note(
            "score", f"step {node.n} from {start.n}: {node.value:.2f} {node.done}"[:400], value=round(node.value, 3)
        )
        if node.verdict and node.verdict.complete:
            break
    if not any(one.verdict for one in root.below()):
        yield from _prove_best(task, root, given)
    return task.best()


def _look_ahead(task: Task, root: Node, node: Node, number: int) -> Generator[Step, None, Node]:
    """Add proposals for the next move to a node that has no children, and return the best proposal of the whole tree;
    the node itself if nothing is proposed."""
    if node.children or node.is_proposal:
        return node
    path = [one for one in _path(node) if one.done]
    seen = [
        observation.text
        for step in task.branch.steps[node.first :]
        if node.parent and step.n <= node.n and step.reply is not None
        for observation in step.observations
    ]
    done = "; ".join(one.done for one in path)
    proposals = yield from forecast_moves(task, f"forecast-{number + 1}", node.tree, done, "\n".join(seen), WIDEST)
    for one in proposals:
        task.note("score", f"forecast {one.value:.2f}: {one.move}; expected: {one.result}"[:400], value=one.value)
        node.children.append(Node(node.n, node.tree, parent=node, move=one.move, forecast=one.value * GREEN))
    return max((one for one in root.below() if one.is_proposal), key=Node.bound) if proposals else node


def _path(node: Node) -> list[Node]:
    """Return the nodes from the root to a node."""
    return [*(_path(node.parent) if node.parent else ()), node]


def _prove_best(task: Task, root: Node, given: tuple[str, ...]) -> Generator[Step, None, None]:
    """Prove the node with the highest value, because nothing was submitted."""
    changed = [one for one in root.below() if one.tree != root.tree and not one.is_proposal]
    if changed:
        best = max(changed, key=lambda one: one.value)
        yield task.adopt(best.tree, f"Nothing was submitted; step {best.n} has the highest score.", "search")
        yield from task.prove(given, likely_sources(task.branch))


def _best_open_node(root: Node) -> Node | None:
    """Return the open node with the highest bound; a node is open if it has not ended and can have more children."""
    open_ones = [one for one in root.below() if one.verdict is None and len(one.children) < WIDEST]
    return max(open_ones, key=Node.bound, default=None)


def _expand(task: Task, best: Node, given: tuple[str, ...], number: int) -> Generator[Step, None, Node]:
    """Carry out a proposal, or add a child to a node; return the new node with its score."""
    parent, first, before = best.origin, len(task.branch.steps), task.tree
    task.branch.temperature = 0.8 if parent.tried else None

    def ends(step: Step) -> bool:
        replies = sum(one.reply is not None for one in task.branch.steps[first:])
        return is_submission(step) or step.tree != before or replies >= STRIDE

    step = yield from loop(task.branch, until=ends)
    done = summarise_attempts(task.branch.steps[first:])
    node = best if best.is_proposal else Node(0, "", parent=parent)
    node.n, node.tree, node.done, node.first = task.branch.steps[-1].n, task.tree, done, first
    if node not in parent.children:
        parent.children.append(node)
    if is_submission(step):
        verdict = yield from task.prove(given, likely_sources(task.branch))
        value, node.verdict = proof_score(verdict), verdict
        node.done = f"{done}; proof: {verdict.kind}"
    else:
        advice = run_memory().lessons(
            task.branch, f"critic-{number + 1}", task.trees.diff(task.turn.base.tree, task.tree)
        )
        said, why = yield from critic_score(task, f"critic-{number + 1}", done, advice)
        value = KEPT if said is None else said * GREEN
        node.done = f"{done}; {why}" if why else done
    node.take(value)
    return node


def _message(task: Task, best: Node, number: int) -> str:
    """Return the message before a node is expanded: earlier attempts from there with their scores, lessons of earlier
    runs that made such changes, and the proposed move."""
    head: list[str] = []
    if tried := best.origin.tried:
        change = task.trees.diff(task.turn.base.tree, tried[-1].tree)
        results = [f"- {quote_text(child.done[:400])} (score {child.value:.1f})" for child in tried]
        lessons = run_memory().lessons(task.branch, f"expand-{number}", change)
        head = ["Earlier attempts from this step, all reverted:", *results, *filter(None, [lessons])]
    if best.is_proposal:
        return "\n".join([*head, f"Do this next: {quote_text(best.move)}"])
    return "\n".join([*head, "Take a different approach, and say why it is better."]) if head else ""
