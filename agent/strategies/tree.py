"""A search tree of steps: the most promising step is expanded, with feedback on earlier attempts from it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.localization.uct_node import UctNode
from aci.observation.prompt_tags import quote_text
from agent.candidates.step_critique import GREEN, KEPT, critic_score, proof_score
from agent.engine.loop import is_submission, loop
from agent.phases.step_rewind import rewind_to
from agent.phases.user_reproduction import given_tests
from agent.prompts.opening_prompt import likely_sources, opening
from agent.run_state.rewind import summarise_attempts

if TYPE_CHECKING:
    from agent.engine.task import Task
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step, Verdict

ROLES = ("coder",)
MAY_ASK = ("critic",)
PROMPTS = ("test_then_patch", "tree")
SOURCE = "SWE-Search (arXiv 2410.20285)"
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
    """A node of the tree: the conversation up to step `n`, and the files in `tree`."""

    n: int
    tree: str
    done: str = ""
    """A summary of the actions since the parent node, with a critic's comment."""
    verdict: Verdict | None = None
    """The verdict of the proof that was run if the model submitted at this node. Such a node is not expanded."""


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """Choose a node, expand it and score the new node; repeat until a node is proven or all steps are used."""
    given = yield from given_tests(task)
    yield task.say(task.once("opening", lambda: opening(task.branch)))
    root = Node(task.branch.steps[-1].n, task.tree)
    node = root
    for number in range(PER_ATTEMPT * task.turn.settings.attempts):
        best = _best_open_node(root) if number else root
        if best is None:
            break
        if number and best is not node:
            yield rewind_to(task, best.n, best.tree, _feedback(best) if best.children else "", "search")
        elif best.children:
            yield task.say(_feedback(best), author="search")
        node = yield from _expand(task, best, given, number)
        task.note(
            "score", f"step {node.n} from {best.n}: {node.value:.2f} {node.done}"[:400], value=round(node.value, 3)
        )
        if node.verdict and node.verdict.verified:
            break
    if not any(one.verdict for one in root.below()):
        yield from _prove_best(task, root, given)
    return task.best()


def _prove_best(task: Task, root: Node, given: tuple[str, ...]) -> Generator[Step, None, None]:
    """Prove the node with the highest value, because nothing was submitted."""
    changed = [one for one in root.below() if one.tree != root.tree]
    if changed:
        best = max(changed, key=lambda one: one.value)
        yield task.adopt(best.tree, f"Nothing was submitted; step {best.n} has the highest score.", "search")
        yield from task.prove(given, likely_sources(task.branch))


def _best_open_node(root: Node) -> Node | None:
    """Return the open node with the highest bound; a node is open if it has not ended and can have more children."""
    open_ones = [one for one in root.below() if one.verdict is None and len(one.children) < WIDEST]
    return max(open_ones, key=lambda one: one.uct(EXPLORE, KEPT, len(one.children)), default=None)


def _expand(task: Task, parent: Node, given: tuple[str, ...], number: int) -> Generator[Step, None, Node]:
    """Add a child to a node, and score it."""
    first, before = len(task.branch.steps), task.tree
    task.branch.temperature = None if not parent.children else 0.8

    def ends(step: Step) -> bool:
        replies = sum(one.reply is not None for one in task.branch.steps[first:])
        return is_submission(step) or step.tree != before or replies >= STRIDE

    step = yield from loop(task.branch, until=ends)
    done = summarise_attempts(task.branch.steps[first:])
    node = Node(task.branch.steps[-1].n, task.tree, done, parent=parent)
    parent.children.append(node)
    if is_submission(step):
        verdict = yield from task.prove(given, likely_sources(task.branch))
        value, node.verdict = proof_score(verdict), verdict
        node.done = f"{done}; proof: {verdict.kind}"
    else:
        said, why = yield from critic_score(task, f"critic-{number + 1}", done)
        value = KEPT if said is None else said * GREEN
        node.done = f"{done}; {why}" if why else done
    node.take(value)
    return node


def _feedback(node: Node) -> str:
    """Return feedback for the model: the earlier attempts from a node, with their scores."""
    tried = [f"- {quote_text(child.done[:400])} (score {child.value:.1f})" for child in node.children]
    return "\n".join(
        [
            "Earlier attempts from this step, all reverted:",
            *tried,
            "Take a different approach, and say why it is better.",
        ]
    )
