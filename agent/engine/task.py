"""A task: one branch of a run with its conversation and workspace, as a strategy sees it.

A strategy obtains all its results from `ask`, `act`, `once`, `note` and `prove`, which return the recorded result if
there is one. A run is therefore resumed by running the strategy again: recorded results are returned immediately and in
order, before any new work is done. This follows Temporal's durable execution, applied to the run's own records.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Any

from aci.observation.output_text import mask_secrets
from agent.conversation.action_summary import describe
from agent.conversation.model_requests import RequestSpec, send
from agent.conversation.model_roles import CODER
from agent.conversation.request_builder import (
    build_request,
    is_superseded,
    model_for_role,
    system_prompt,
    unread_messages,
)
from agent.engine.branch_workspace import BranchWorkspace
from agent.engine.engine import Engine
from agent.engine.loop import is_submission, loop
from agent.engine.parallel_attempts import Attempt, run_all
from agent.engine.permission_checks import refusal
from agent.engine.proof_step import best_outcome, proof_step, verdict_of
from agent.engine.regression_guard import RegressionGuard
from agent.engine.write_scope import Scope, revert_out_of_scope, snapshot_within_scope
from agent.limits.cancellation import CancellationToken
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.rewind import REWIND, TOLD, visible_steps
from agent.run_state.turn_state import MAIN, turn_base_tree, turn_issue, turn_start_tree
from agent.run_state.turn_undo import abandoned_turn_start
from tools.base import Context
from trajectories.errors import RunBroken
from trajectories.records import Action, Base, Issue, Note, Observation, Once, Record, Reply, Step, Turn, Verdict

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.config.settings import Settings
    from trajectories.git_store.trees import Trees

INSERTED = frozenset({"user", "resume"})  # authors of steps that are inserted between a strategy's own steps
EFFECTS = {"message", "approval", "intent", "done", "life", "overflow", "fallback", "forked", "replay", "parted"}
"""Kinds of notes that strategies do not write."""
MOST_ACTIONS = 32
RESUMED = "[This run was interrupted and resumed in a new workspace: the repository is as you left it, "
RESUMED += "ignored files, running processes and side sessions are gone.]"
INTERRUPTED = "Not run: the user interrupted."
ABANDONED = "Work that was started and not finished is left out."
MOVED = "[The files differ from those of the last step: the previous turn ended with the files that are here now.]"


class Task:
    """One branch of a run. `tree` is the repository's tree after its last step."""

    def __init__(
        self,
        engine: Engine,
        branch: str = "main",
        tree: str = "",
        place: BranchWorkspace | None = None,
        cancel: CancellationToken | None = None,
        role: str = CODER,
    ) -> None:
        self.engine = engine
        self.branch = branch
        self.start = self.tree = tree or turn_start_tree(engine.trajectory, engine.run.base.tree)
        self.cancel = cancel or engine.cancel
        self.place = place or BranchWorkspace(engine, self.cancel, apart=False)
        self.last_verdict: Verdict | None = None
        self._recorded = engine.trajectory.steps[branch]
        self._at = self.asks = self._notes_written = self._phase = 0
        self._prefix = f"{len(engine.trajectory.turns)}." if branch == MAIN and self.is_later else ""
        self.heard_before = 0  # number of notes in earlier turns
        if branch == MAIN and self.is_later:
            self._skip_earlier_turns(engine.trajectory.before_turn)
        self.first = self._at  # number of steps of this conversation in earlier turns
        self._phases: dict[str, int] = {}  # number of steps at the first start of each phase
        self._wrote = False
        self._is_superseded_reply = False  # the user sent a message after the current reply
        self.scope = Scope(engine.settings.subtree)  # the files that steps may change; other changes are reverted
        self.by_hand = False  # whether the actions are the user's own
        self.role = role  # the role that answers in this branch; also the author of its steps
        self.temperature: float | None = None  # overridden by the user's model table; None: the provider's default
        self.net = RegressionGuard(self)
        self._needs_resume_notice = engine.resumed and any(step.actions for step in self._recorded)

    def _skip_earlier_turns(self, before: Sequence[Record]) -> None:
        """Skip the steps of earlier turns, with which this conversation begins."""
        mine = [record for record in before if getattr(record, "branch", "") == self.branch]
        self._at = sum(isinstance(record, Step) for record in mine)
        self.asks = max((record.ask for record in mine if isinstance(record, Reply)), default=0)
        self._notes_written = sum(isinstance(record, Note) and record.kind not in EFFECTS for record in mine)
        self.heard_before = sum(isinstance(record, Note) for record in before)

    def take_up(self, talks: bool) -> Generator[Step, None, None]:
        """Prepare the conversation of a later turn before its strategy starts.

        Messages that came too late for the previous turn are added as steps if the strategy `talks` to a model. If the
        tree differs from the one that the model knows, a step reports this.
        """
        if not self.is_later:
            return
        if (number := abandoned_turn_start(self.engine.trajectory)) is not None:
            yield self.rewind(number, self.start, ABANDONED, author="turn")
        if talks:
            self._insert_messages()
        known = self.conversation
        if self.start != (known[-1].tree if known else self.engine.run.base.tree):
            yield self.adopt(self.start, MOVED, author="turn")
        self.mark_start()

    def mark_start(self) -> None:
        """Mark the start of the turn's own work: earlier changes are not attributed to it and it cannot revert them."""
        self.start = self.tree
        self.first = self._phase = self._at

    @property
    def turn(self) -> Turn:
        return self.engine.trajectory.turns[-1]

    @property
    def issue(self) -> Issue:
        """The request of the current turn, as an issue."""
        return turn_issue(self.turn) if self.is_later else self.engine.run.issue

    @property
    def words(self) -> str:
        """The request as the user typed it."""
        return self.turn.request if self.is_later else self.engine.run.issue.text

    @property
    def is_later(self) -> bool:
        """Whether there were turns before the current one."""
        return len(self.engine.trajectory.turns) > 1

    @property
    def prompts(self) -> Mapping[str, str]:
        """The strategy's prompts by name."""
        return self.turn.prompts or self.engine.run.prompts

    @property
    def settings(self) -> Settings:
        return self.engine.settings

    @property
    def trees(self) -> Trees:
        return self.engine.trees

    @property
    def base(self) -> Base:
        """The base of the current turn, against which its changes are shown and proven."""
        base = self.engine.run.base
        return replace(base, tree=turn_base_tree(self.engine.trajectory, base.tree)) if self.is_later else base

    @property
    def steps(self) -> Sequence[Step]:
        """This branch's steps so far."""
        return self._recorded[: self._at]

    @property
    def conversation(self) -> Sequence[Step]:
        """The steps that the model can see: all but those that were undone."""
        return visible_steps(self.steps)

    @property
    def has_mail(self) -> bool:
        """Whether there are user messages that the model has not read. While recorded steps are replayed: whether the
        next step contains such messages."""
        for step in self._recorded[self._at :]:
            if step.author != "resume":
                return step.author == "user"
        return bool(unread_messages(self.engine.trajectory, self.branch, self.steps))

    @property
    def workspace(self) -> Workspace:
        return self.place.at(self.tree)

    # The three calls of the loop

    def ask(self, role: str = "", tools: bool = True) -> Reply:
        """Return the model's next reply in this branch; `role` defaults to the branch's role.

        If `tools` is false, the model is offered no tools and answers with text; this is meant for conversations
        without tool calls. Raises Stop (limits, budget, user) and ModelError.
        """
        role = role or self.role
        self._insert_messages()
        self.asks += 1
        if recorded := self.engine.trajectory.replies.get((self.branch, self.asks)):
            if not self._next():
                self.engine.ledger.check()
                self._is_superseded_reply = is_superseded(self.engine.trajectory, recorded)
            return recorded
        self.cancel.check()
        self.engine.take_step()
        self.engine.report("ask", self.branch, role)
        offered = self.scope.offered(self.engine.run.tools) if tools else ()
        trajectory, system = self.engine.trajectory, system_prompt(self.prompts, role)
        build = partial(build_request, trajectory, self.branch, system, self.steps)
        last, notes = trajectory.replies.get((self.branch, self.asks - 1)), trajectory.notes[self.heard_before :]
        model = model_for_role(self.engine.models, role, self.branch, last, notes)
        return send(
            self.engine,
            model,
            RequestSpec(self.branch, self.asks, build, offered, self.cancel, self.temperature),
        )

    def act(self, actions: Sequence[Action]) -> tuple[Observation, ...]:
        """Run the actions in order, in this branch's workspace. Mistakes of the model are reported in observations, not
        raised."""
        if step := self._next():
            return step.observations
        if self._is_superseded_reply:
            return tuple(Observation(INTERRUPTED, ok=False) for _ in actions)
        done: list[Observation] = []
        for number, action in enumerate(actions):
            self.cancel.check()
            if number >= MOST_ACTIONS:
                done.append(Observation(f"Not run: one reply may have {MOST_ACTIONS} actions.", ok=False))
            elif any(observation.data.get("submitted") for observation in done):
                done.append(Observation("Not run: the work was submitted before it.", ok=False))
            elif refusal := self._refusal(action):
                done.append(Observation(refusal, ok=False))
            else:
                self.engine.report("action", self.branch, describe(action))
                self._wrote |= self.engine.toolbox.writes(action)
                before = tuple(zip(actions, done, strict=False))
                done.append(self.engine.toolbox.run(action, self._context(before)))
        if self._needs_resume_notice and done:
            self._needs_resume_notice = False
            done[0] = Observation(f"{RESUMED}\n{done[0].text}", done[0].ok, done[0].out, done[0].data)
        return tuple(done)

    def step(
        self,
        reply: Reply | None,
        observations: Sequence[Observation],
        actions: Sequence[Action] = (),
        author: str = "",
        error: str = "",
    ) -> Step:
        """Record the step that consists of this reply and these observations, with the current tree.

        `actions` default to the reply's, `author` to the branch's role.
        """
        author = author or self.role
        if step := self._next():
            if step.author != author or step.reply != (reply.ask if reply else None):
                raise RunBroken(
                    f"Step {step.id} of the run is {step.author}'s, but the strategy now takes one of {author}'s.",
                    "Resume with the version and strategy that started the run.",
                )
            return self._advance()
        tree, seen = self.tree, tuple(observations)
        if self._wrote:
            tree, seen = revert_out_of_scope(self, *snapshot_within_scope(self.workspace, seen))
        return self._write(author, tree, reply, tuple(actions) or (reply.actions if reply else ()), seen, error)

    # Building blocks of strategies, recorded so that they can be resumed

    def say(self, text: str, author: str = "task") -> Step:
        """Write a message to the model as a step of its own."""
        return self.step(None, (Observation(text),), author=author)

    def once(self, name: str, compute: Callable[[], Any], late: bool = False) -> Any:
        """Return the result `name` recorded for this branch in this turn, or else call `compute` and record its result.

        The result must be JSON-serializable. With `late`, the result is recorded even if the run is being interrupted;
        use this for results that are already available.
        """
        key = (self.branch, f"{self._prefix}{name}")
        if key not in self.engine.trajectory.results:
            if not late:
                self.cancel.check()
            self.engine.journal.append(Once(*key, compute()))
        return self.engine.trajectory.results[key].value

    def known(self, beginning: str) -> dict[str, Any]:
        """Return the recorded results of this branch in this turn whose names have this prefix."""
        start = f"{self._prefix}{beginning}"
        return {
            name.removeprefix(self._prefix): once.value
            for (branch, name), once in self.engine.trajectory.results.items()
            if branch == self.branch and name.startswith(start)
        }

    def note(self, kind: str, text: str, aloud: bool = True, **data: Any) -> None:
        """Record a note on what the strategy is doing, of kind `phase`, `candidate`, `score`, `vote`, `prune` or
        `summary`.

        If `aloud`, the front end also shows the note.
        """
        if kind == "phase":
            self._phase = self._phases.setdefault(text, self._at)
        recorded = sum(note.branch == self.branch and note.kind not in EFFECTS for note in self.engine.trajectory.notes)
        self._notes_written += 1
        if self._notes_written > recorded:
            self.engine.journal.append(Note(self.branch, kind, text, data))
            if aloud:
                self.engine.report(kind, self.branch, text)

    def prompt(self, name: str, **values: str) -> str:
        """Return a prompt of the strategy, from the file `<strategy>.<name>.txt`, with `$names` filled in."""
        return Template(self.prompts[name]).safe_substitute(values)

    def phase(
        self, name: str, prompt: str = "", until: Callable[[Step], bool] = is_submission, fresh: bool = False
    ) -> Generator[Step, None, Step]:
        """Run the loop as a named phase until a step satisfies `until`. `fresh` starts a new conversation in the same
        workspace."""
        self.note("phase", name)
        task = self.beside(name) if fresh else self
        if prompt:
            yield task.say(prompt)
        last = yield from loop(task, until)
        self.tree = task.tree
        return last

    def beside(self, name: str, role: str = "") -> Task:
        """Return a task with a separate conversation in the same workspace, starting from the current files."""
        return Task(self.engine, self._child(name), self.tree, self.place, self.cancel, role or self.role)

    def attempt(self, name: str, strategy: Callable[[Task], Generator[Step, None, Outcome]]) -> Attempt:
        """Return an attempt: a strategy on its own branch, in a fork of the current workspace; run it with `map`."""
        cancel = CancellationToken(self.cancel)
        place = BranchWorkspace(self.engine, cancel, apart=True)
        return Attempt(Task(self.engine, self._child(name), self.tree, place, cancel), strategy)

    def map(self, attempts: Sequence[Attempt]) -> Generator[Step, None, list[Outcome]]:
        """Run attempts in parallel and yield their steps as they are completed. Returns their outcomes in the order of
        the arguments."""
        return (yield from run_all(self.engine, attempts))

    def adopt(self, tree: str, why: str, author: str = "adopt", data: Mapping[str, Any] | None = None) -> Step:
        """Record a step that continues from another tree, such as that of another branch or an earlier step."""
        if not self._next():
            if self.place.opened:
                self.workspace.restore(tree)
            return self._write(author, tree, None, (), (Observation(why, data=dict(data or {})),), "")
        return self._advance()

    def rewind(self, number: int, tree: str, why: str, author: str, told: bool = False, **data: Any) -> Step:
        """Record a step that rewinds the conversation to step `number` and the files to `tree`.

        The model no longer sees what came after that step, and sees the new step only if `told` is true.
        """
        return self.adopt(tree, why, author, {**data, REWIND: number} | ({TOLD: True} if told else {}))

    def prove(
        self,
        reproduction: Sequence[str] = (),
        places: Sequence[str] = (),
        reproduces: bool = True,
        whole: bool = False,
        doubt: str = "",
    ) -> Generator[Step, None, Verdict]:
        """Prove the current tree in a fresh fork, and record the result in a step of author `proof`.

        The proof covers the changes of this turn, or with `whole` those of the run. Without `reproduces` no test has to
        fail before the change. A `doubt` (a sentence) downgrades a verified verdict to unproven.
        """
        if not self._next():
            self.cancel.check()
            tree = self.workspace.snapshot(exact=True).tree if self.place.opened else self.tree
            self.tree = tree
            observation = proof_step(self, tree, reproduction, places, reproduces, whole, doubt)
            self._write("proof", tree, None, (), (observation,), "")
        else:
            self._advance()
        step = self.steps[-1]
        self.last_verdict = verdict_of(step)
        yield step
        return self.last_verdict

    def best(self) -> Outcome:
        """Return the best tree of this branch and its sub-branches, as ranked by `best_outcome`."""
        return best_outcome(self)

    def notify(self, text: str) -> None:
        """Report progress to the front end. The message is not recorded."""
        self.engine.report("say", self.branch, text)

    def _child(self, name: str) -> str:
        return f"{self.branch}/{self._prefix}{name}"

    def _next(self) -> Step | None:
        """Return the next recorded step of this branch, if there is one."""
        return self._recorded[self._at] if self._at < len(self._recorded) else None

    def _advance(self, recorded: bool = True) -> Step:
        step = self._recorded[self._at]
        if recorded and step.tree != self.tree:
            self.place.skip()
        self._at += 1
        self.tree = step.tree
        self._wrote = False
        return step

    def _write(
        self,
        author: str,
        tree: str,
        reply: Reply | None,
        actions: tuple[Action, ...],
        observations: tuple[Observation, ...],
        error: str,
    ) -> Step:
        parent = self._recorded[-1].id if self._recorded else ""
        ask = reply.ask if reply else None
        seen = tuple(replace(seen, text=mask_secrets(seen.text, self.engine.secrets)) for seen in observations)
        step = Step(self.branch, self._at + 1, parent, author, tree, ask, actions, seen, error)
        self.engine.journal.append(step)
        self._is_superseded_reply = False
        return self._advance(recorded=False)

    def _insert_messages(self) -> None:
        """Insert the user's messages and the notice of a resume as steps before the next request."""
        while (step := self._next()) and step.author in INSERTED:
            self._advance()
        if self._next() or (self.branch, self.asks + 1) in self.engine.trajectory.replies:
            return
        if self._needs_resume_notice:
            self._needs_resume_notice = False
            self._write("resume", self.tree, None, (), (Observation(RESUMED),), "")
        for note in unread_messages(self.engine.trajectory, self.branch, self.steps):
            self._write("user", self.tree, None, (), (Observation(note.text),), "")

    def _refusal(self, action: Action) -> str:
        """Return why an action is not run: it is outside the turn's scope, or the user refused it."""
        tool = None if action.error else self.engine.toolbox.get(action.tool)
        if tool is None:
            return ""
        why = self.scope.refusal(tool.name, action, self.workspace.root) if self.scope.is_limited else ""
        return why or ("" if self.by_hand else refusal(self, tool, action))

    def _context(self, before: Sequence[tuple[Action, Observation]]) -> Context:
        return Context(
            workspace=self.workspace,
            trees=self.trees,
            base=self.base,
            tree=self.tree,
            steps=self.steps,
            keep=self.engine.journal.keep,
            recall=self.engine.journal.recall,
            test_command=self.settings.test,
            notify=self.notify,
            start=self.start,
            secrets=self.engine.secrets,
            before=before,
            phase=self._phase,
            subtree="" if self.by_hand else self.settings.subtree,
        )
