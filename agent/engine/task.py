"""The task of a strategy: what a strategy needs to ask, act, record, prove and try in parallel."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Any

from agent.engine.loop import is_submission, loop
from agent.engine.parallel_attempts import Attempt, run_all
from agent.engine.proof_step import best_outcome, proof_step, verdict_of

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.branch import Branch
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Action, Observation, Reply, Step
    from trajectories.verdict import Verdict


class Task:
    """A strategy's view of one branch of a run.

    `turn` is what the user asked for and what the turn starts from, `trees` are the run's git trees. `branch` has the
    rest of the branch's state; helpers that strategies call take it, or a part of it.
    """

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.turn = branch.turn
        self.trees = branch.engine.trees

    @property
    def tree(self) -> str:
        """The repository's tree after the last step."""
        return self.branch.tree

    @property
    def workspace(self) -> Workspace:
        """The workspace of the branch, opened on first use."""
        return self.branch.workspace

    # The three calls of the loop

    def ask(self, role: str = "", tools: bool = True) -> Reply:
        """Return the model's next reply in this branch; `role` defaults to the branch's role.

        If `tools` is false, the model is offered no tools and answers with text; this is meant for conversations
        without tool calls. Raises Stop (limits, budget, user) and ModelError.
        """
        return self.branch.ask(role, tools)

    def act(self, actions: Sequence[Action]) -> tuple[Observation, ...]:
        """Run the actions in order, in this branch's workspace. Mistakes of the model are reported in observations, not
        raised."""
        return self.branch.act(actions)

    def step(
        self, reply: Reply | None, observations: Sequence[Observation], actions: Sequence[Action] = (), author: str = ""
    ) -> Step:
        """Record the step that consists of this reply and these observations, with the current tree.

        `actions` default to the reply's, `author` to the branch's role.
        """
        return self.branch.step(reply, observations, actions, author)

    # Building blocks of strategies, recorded so that they can be resumed

    def say(self, text: str, author: str = "task") -> Step:
        """Write a message to the model as a step of its own."""
        return self.branch.say(text, author)

    def adopt(self, tree: str, why: str, author: str = "adopt", data: Mapping[str, Any] | None = None) -> Step:
        """Record a step that continues from another tree, such as that of another branch or an earlier step."""
        return self.branch.adopt(tree, why, author, data)

    def once(self, name: str, compute: Callable[[], Any], late: bool = False) -> Any:
        """Return the result `name` recorded for this branch in this turn, or else call `compute` and record its result.

        The result must be JSON-serializable. With `late`, the result is recorded even if the run is being interrupted;
        use this for results that are already available.
        """
        return self.branch.once(name, compute, late)

    def note(self, kind: str, text: str, aloud: bool = True, **data: Any) -> None:
        """Record a note on what the strategy is doing, of kind `phase`, `candidate`, `score`, `vote`, `prune` or
        `summary`.

        If `aloud`, the front end also shows the note.
        """
        self.branch.note(kind, text, aloud, **data)

    def prompt(self, name: str, **values: str) -> str:
        """Return a prompt of the strategy, from the file `<strategy>.<name>.txt`, with `$names` filled in."""
        return Template(self.turn.prompts[name]).safe_substitute(values)

    def phase(
        self, name: str, prompt: str = "", until: Callable[[Step], bool] = is_submission, fresh: bool = False
    ) -> Generator[Step, None, Step]:
        """Run the loop as a named phase until a step satisfies `until`. `fresh` starts a new conversation in the same
        workspace."""
        self.note("phase", name)
        branch = self.branch.beside(name) if fresh else self.branch
        if prompt:
            yield branch.say(prompt)
        last = yield from loop(branch, until)
        self.branch.tree = branch.tree
        return last

    def attempt(self, name: str, strategy: Callable[[Task], Generator[Step, None, Outcome]]) -> Attempt:
        """Return an attempt: a strategy on its own branch, in a fork of the current workspace; run it with `map`."""
        branch = self.branch.fork(name)
        return Attempt(branch, partial(strategy, Task(branch)))

    def map(self, attempts: Sequence[Attempt]) -> Generator[Step, None, list[Outcome]]:
        """Run attempts in parallel and yield their steps as they are completed. Returns their outcomes in the order of
        the arguments."""
        return (yield from run_all(attempts))

    def prove(
        self,
        reproduction: Sequence[str] = (),
        places: Sequence[str] = (),
        reproduces: bool = True,
        whole: bool = False,
        doubt: str = "",
        fitted: bool = False,
    ) -> Generator[Step, None, Verdict]:
        """Prove the current tree in a fresh fork, and record the result in a step of author `proof`.

        The proof covers the changes of this turn, or with `whole` those of the run. Without `reproduces` no test has to
        fail before the change. A `doubt` (a sentence) downgrades a complete proof to unproven. `fitted` is whether a
        search fitted the patch to the tests, which are then no independent evidence.
        """
        step = self.branch.examine(
            "proof", lambda tree: proof_step(self.branch, tree, reproduction, places, reproduces, whole, doubt, fitted)
        )
        yield step
        return verdict_of(step)

    def best(self) -> Outcome:
        """Return the best tree of this branch and its sub-branches, as ranked by `best_outcome`."""
        return best_outcome(self.branch.engine.trajectory, self.trees, self.turn.base.tree, self.branch.name)
