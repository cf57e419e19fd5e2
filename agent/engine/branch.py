"""A branch of a run: one conversation with its files, its workspace and its recorded results.

A branch returns a recorded reply, step or result if there is one, and does the work otherwise. A run is therefore
resumed by running its strategy again: recorded results are returned immediately and in order, before any new work is
done. This follows Temporal's durable execution, applied to the run's own records.

Calls of tools outside the workspace (MCP servers) are recorded so that none is made twice. Before such a call leaves,
and again when its result is here, a `once` record is written. A resumed run takes the
recorded result. If there is only the first record, the outcome is unknown, and the call is not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from aci.observation.output_text import last_lines
from aci.observation.secret_masking import mask_secrets
from agent.conversation.messages import BranchConversation, describe
from agent.conversation.model_requests import (
    RequestSpec,
    build_request,
    is_superseded,
    model_for_role,
    send,
    system_prompt,
    unread_messages,
)
from agent.conversation.model_roles import CODER
from agent.engine.branch_workspace import BranchWorkspace
from agent.engine.permission_checks import Scope, refusal, revert_out_of_scope, snapshot_within_scope
from agent.engine.regression_guard import RegressionGuard
from agent.engine.tool_context import Helpers, offered_tools, tool_context
from agent.engine.user_choices import stop_for_answer
from agent.limits.cancellation import CancellationToken
from agent.run_state.rewind import REWIND, TOLD, abandoned_turn_start, visible_steps
from agent.run_state.turn_state import MAIN, current_turn_input, turn_start_tree
from trajectories.errors import Cancelled, RunBroken
from trajectories.facts import ENVIRONMENT
from trajectories.outside_calls import MCP_NOTE
from trajectories.records import Action, Note, Observation, Once, Record, Reply, Step

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.engine import Engine
    from tools.base import Context

UNKNOWN = "Not known: the run was interrupted during this call, which may have taken effect. It was not repeated; find "
UNKNOWN += "out what happened before you call the tool again."


class RecordedCall:
    """A call in a step of a branch, if its tool is outside the workspace."""

    def __init__(self, engine: Engine, branch: str, step: int, number: int, action: Action) -> None:
        digest = sha256(json.dumps([action.tool, action.arguments]).encode()).hexdigest()[:16]
        self._engine, self._branch, self._action = engine, branch, action
        self._name = f"outside call, step {step}, action {number}, call {digest}"

    def known(self) -> Observation | None:
        """Return the recorded result of the call; None if it has not been made. Raises Cancelled."""
        results = self._engine.trajectory.results
        if found := results.get((self._branch, self._name)):
            return _observation(found.value)
        if (self._branch, f"{self._name}, begun") in results:
            return Observation(UNKNOWN, ok=False)
        self._engine.servers.prepare(self._action.tool)
        return None

    def run(self, call: Callable[[], Observation]) -> Observation:
        """Run the call, and record it if its tool is outside the workspace."""
        tool = self._engine.toolbox.get(self._action.tool)
        if tool is None or not self._engine.toolbox.is_outside(tool) or self._action.error:
            return call()
        self._engine.journal.append(Once(self._branch, f"{self._name}, begun", True))
        seen = call()
        value = {"text": seen.text, "ok": seen.ok, "out": seen.out, "data": seen.data}
        self._engine.journal.append(Once(self._branch, self._name, value))
        return seen


def _observation(value: Any) -> Observation:
    """Return a recorded observation; the record of another's run may contain anything."""
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        return Observation(UNKNOWN, ok=False)
    out, data = value.get("out"), value.get("data")
    return Observation(
        value["text"],
        ok=value.get("ok") is True,
        out=out if type(out) is int else None,
        data=data if isinstance(data, dict) else {},
    )


INSERTED = frozenset({"user", "resume"})  # authors of steps that are inserted between a strategy's own steps
EFFECTS = {
    ENVIRONMENT,
    "message",
    "approval",
    "intent",
    "done",
    "life",
    "overflow",
    "fallback",
    "model",
    "forked",
    "replay",
    "parted",
    "proposal",
    MCP_NOTE,
}
"""Kinds of notes that strategies do not write."""
MOST_ACTIONS = 32
OUTPUT_LINES = 5
"""Maximum number of lines of a running command's output that front ends get."""
RESUMED = "[This run was interrupted and resumed in a new workspace: the repository is as you left it, "
RESUMED += "ignored files, running processes and side sessions are gone.]"
INTERRUPTED = "Not run: the user interrupted."
STOPPED = "Not run to its end: the user interrupted. Its changes up to that point are kept."
ABANDONED = "Work that was started and not finished is left out."
MOVED = "[The files differ from those of the last step: the previous turn ended with the files that are here now.]"


class Branch:
    """One branch of a run. `tree` is the repository's tree after its last step, `turn` the input of the turn."""

    def __init__(
        self,
        engine: Engine,
        name: str = MAIN,
        tree: str = "",
        place: BranchWorkspace | None = None,
        cancel: CancellationToken | None = None,
        role: str = CODER,
    ) -> None:
        self.engine = engine
        self.name = name
        self.turn = current_turn_input(engine.run, engine.trajectory, engine.settings)
        self.start = self.tree = tree or turn_start_tree(engine.trajectory, engine.run.base.tree)
        self.cancel = cancel or engine.cancel
        self.place = place or BranchWorkspace(engine.workspaces, engine.run.base.tree, self.cancel, apart=False)
        self.scope = Scope(engine.settings.subtree)  # the files that steps may change; other changes are reverted
        self.delegation: Helpers | None = None  # the helpers to which this branch may delegate tasks
        self.by_hand = False  # whether the actions are the user's own
        self.needs_test = False  # whether a submission without a test for the proof is sent back once
        self.role = role  # the role that answers in this branch; also the author of its steps
        self.temperature: float | None = None  # overridden by the user's model table; None: the provider's default
        self._recorded = engine.trajectory.steps[name]
        self._at = self._asks = self._notes_written = self.phase_start = 0
        self._prefix = ""
        self._earlier_notes = 0  # number of notes of all branches in earlier turns
        if name == MAIN and self.turn.is_later:
            self._prefix = f"{len(engine.trajectory.turns)}."
            self._skip_earlier_turns(engine.trajectory.before_turn)
        self.first = self._at  # number of steps of this conversation in earlier turns
        self._conversation = BranchConversation(engine.journal.recall)
        self._phases: dict[str, int] = {}  # number of steps at the first start of each phase
        self._wrote = False
        self._is_superseded_reply = False  # the user sent a message after the current reply
        self._is_running = self._is_interrupted = False  # the current action; the actions of the current reply
        self._shown_output = ""  # the last lines that front ends got of the current action's output
        self._needs_resume_notice = engine.resumed and any(step.actions for step in self._recorded)
        self.guard = RegressionGuard(self, engine.trees, engine.journal.recall)

    def _skip_earlier_turns(self, before: Sequence[Record]) -> None:
        """Skip the steps of earlier turns, with which this conversation begins."""
        mine = [record for record in before if getattr(record, "branch", "") == self.name]
        self._at = sum(isinstance(record, Step) for record in mine)
        self._asks = max((record.ask for record in mine if isinstance(record, Reply)), default=0)
        self._notes_written = sum(isinstance(record, Note) and record.kind not in EFFECTS for record in mine)
        self._earlier_notes = sum(isinstance(record, Note) for record in before)

    def take_up(self, talks: bool) -> Generator[Step, None, None]:
        """Prepare the conversation of a later turn before its strategy starts.

        Messages that came too late for the previous turn are added as steps if the strategy `talks` to a model. If the
        tree differs from the one that the model knows, a step reports this.
        """
        if not self.turn.is_later:
            return
        if (number := abandoned_turn_start(self.engine.trajectory)) is not None:
            yield self.rewind(number, self.start, ABANDONED, author="turn")
        if talks:
            self._insert_messages()
        known = visible_steps(self.steps)
        if self.start != (known[-1].tree if known else self.engine.run.base.tree):
            yield self.adopt(self.start, MOVED, author="turn")
        self.mark_start()

    def mark_start(self) -> None:
        """Mark the start of the turn's own work: earlier changes are not attributed to it and it cannot revert them."""
        self.start = self.tree
        self.first = self.phase_start = self._at
        self.turn = current_turn_input(self.engine.run, self.engine.trajectory, self.engine.settings)

    def beside(self, name: str, role: str = "") -> Branch:
        """Return a branch with a separate conversation in the same workspace, starting from the current files."""
        return self._start(name, self.place, self.cancel, role or self.role)

    def fork(self, name: str, role: str = CODER) -> Branch:
        """Return a branch with a separate conversation in a fork of the workspace. It can be cancelled by itself."""
        cancel = CancellationToken(self.cancel)
        place = BranchWorkspace(self.engine.workspaces, self.engine.run.base.tree, cancel, apart=True)
        return self._start(name, place, cancel, role)

    def _start(self, name: str, place: BranchWorkspace, cancel: CancellationToken, role: str = CODER) -> Branch:
        branch = Branch(self.engine, self._child(name), self.tree, place, cancel, role)
        branch.needs_test = self.needs_test
        return branch

    def _child(self, name: str) -> str:
        return f"{self.name}/{self._prefix}{name}"

    @property
    def steps(self) -> Sequence[Step]:
        """This branch's steps so far."""
        return self._recorded[: self._at]

    @property
    def has_mail(self) -> bool:
        """Whether there are user messages that the model has not read. While recorded steps are replayed: whether the
        next step contains such messages."""
        for step in self._recorded[self._at :]:
            if step.author != "resume":
                return step.author == "user"
        return bool(self._unread_messages())

    @property
    def workspace(self) -> Workspace:
        return self.place.at(self.tree)

    # The three calls of the loop

    def ask(self, role: str = "", tools: bool = True) -> Reply:
        """Return the model's next reply in this branch; `role` defaults to the branch's role.

        If `tools` is false, the model is offered no tools. Raises Stop (limits, budget, user) and ModelError.
        """
        role = role or self.role
        trajectory = self.engine.trajectory
        self._insert_messages()
        self._asks += 1
        if recorded := trajectory.replies.get((self.name, self._asks)):
            if not self._next():
                self.engine.ledger.check()
                self._is_superseded_reply = is_superseded(trajectory, recorded)
            return recorded
        stop_for_answer(self.steps)
        self.cancel.check()
        self.engine.take_step()
        self.engine.report("ask", self.name, role)
        last, notes = trajectory.replies.get((self.name, self._asks - 1)), trajectory.notes[self._earlier_notes :]
        model = model_for_role(self.engine.models, role, self.name, last, notes)
        system = system_prompt(self.turn.prompts, role)
        build = partial(build_request, self._conversation, trajectory, self.name, self._asks, system, self.steps)
        offered = self.scope.offered(offered_tools(self)) if tools else ()
        ask = RequestSpec(self.name, self._asks, build, offered, self.cancel, self.temperature)
        reply = send(self.engine, model, ask)
        self.engine.report("replied", self.name, "")
        return reply

    def act(self, actions: Sequence[Action]) -> tuple[Observation, ...]:
        """Run the actions in order, in this branch's workspace. Mistakes of the model are reported in observations, not
        raised.

        If the user interrupts after the first action, the finished ones count: the others are marked, and the next
        request raises Cancelled. The user's own actions count from the first one.
        """
        if step := self._next():
            return step.observations
        if self._is_superseded_reply:
            return tuple(Observation(INTERRUPTED, ok=False) for _ in actions)
        done: list[Observation] = []
        for number in range(len(actions)):
            self._is_running = False
            try:
                done.append(self._act(actions, number, done))
            except Cancelled:
                if not self.cancel.stopped or not (done or (self.by_hand and self._is_running)):
                    raise
                self._is_interrupted = True
                stopped = f"{STOPPED}\n{self._shown_output}".rstrip() if self.by_hand else STOPPED
                done.append(Observation(stopped if self._is_running else INTERRUPTED, ok=False))
                done += [Observation(INTERRUPTED, ok=False) for _ in actions[len(done) :]]
                break
        if self._needs_resume_notice and done:
            self._needs_resume_notice = False
            done[0] = Observation(f"{RESUMED}\n{done[0].text}", done[0].ok, done[0].out, done[0].data)
        return tuple(done)

    def _act(self, actions: Sequence[Action], number: int, done: Sequence[Observation]) -> Observation:
        """Run an action of a reply after the previous ones, whose observations are `done`."""
        self.cancel.check()
        if number >= MOST_ACTIONS:
            return Observation(f"Not run: one reply may have {MOST_ACTIONS} actions.", ok=False)
        if any(observation.data.get("submitted") for observation in done):
            return Observation("Not run: the work was submitted before it.", ok=False)
        action = actions[number]
        call = RecordedCall(self.engine, self.name, self._at + 1, number, action)
        known = call.known()
        if known is None and (refusal := self._refusal(action, number)):
            return Observation(refusal, ok=False)
        seen = known or call.run(lambda: self._run(action, action, tuple(zip(actions, done, strict=False))))
        self._is_running = False
        tool = None if self.by_hand or action.error else self.engine.toolbox.get(action.tool)
        if tool is None:
            return seen
        try:
            return self.engine.hooks.after_tool(self, tool, action, seen)
        except Cancelled:
            if not self.cancel.stopped:
                raise
            self._is_interrupted = True
            return seen

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
            with self.cancel.shield() if self._is_interrupted else nullcontext():
                tree, seen = snapshot_within_scope(self.workspace, seen)
                tree, seen = revert_out_of_scope(self.scope, self.engine.trees, self.workspace, self.tree, tree, seen)
        step = self._write(author, tree, reply, tuple(actions) or (reply.actions if reply else ()), seen, error)
        if self.name == MAIN:
            self.engine.proof_ahead.follow(step)
        return step

    # Other steps

    def say(self, text: str, author: str = "task") -> Step:
        """Write a message to the model as a step of its own."""
        return self.step(None, (Observation(text),), author=author)

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

    def examine(self, author: str, compute: Callable[[str], Observation]) -> Step:
        """Record a step with the observation that `compute` returns for the tree of the current files."""
        if self._next():
            return self._advance()
        self.cancel.check()
        self.tree = self.workspace.snapshot(exact=True).tree if self.place.opened else self.tree
        return self._write(author, self.tree, None, (), (compute(self.tree),), "")

    # Recorded results and notes

    def once(self, name: str, compute: Callable[[], Any], late: bool = False) -> Any:
        """Return the result `name` recorded for this branch in this turn, or else call `compute` and record its result.

        The result must be JSON-serializable. With `late`, it is recorded even if the run is being interrupted.
        """
        key = (self.name, f"{self._prefix}{name}")
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
            if branch == self.name and name.startswith(start)
        }

    def known_on_main(self, name: str) -> Any:
        """Return the result `name` that the main branch recorded in this turn, or None."""
        found = self.engine.trajectory.results.get((MAIN, f"{self._prefix}{name}"))
        return found.value if found else None

    def note(self, kind: str, text: str, aloud: bool = True, **data: Any) -> None:
        """Record a note on what the strategy is doing; if `aloud`, the front end also shows it."""
        if kind == "phase":
            self.phase_start = self._phases.setdefault(text, self._at)
        recorded = sum(note.branch == self.name and note.kind not in EFFECTS for note in self.engine.trajectory.notes)
        self._notes_written += 1
        if self._notes_written > recorded:
            self.engine.journal.append(Note(self.name, kind, text, data))
            if aloud:
                self.engine.report(kind, self.name, text)

    def notify(self, text: str) -> None:
        """Report progress to the front end. The message is not recorded."""
        self.engine.report("say", self.name, text)

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
        step = Step(self.name, self._at + 1, parent, author, tree, ask, actions, seen, error)
        self.engine.journal.append(step)
        self._is_superseded_reply = self._is_interrupted = False
        return self._advance(recorded=False)

    def _insert_messages(self) -> None:
        """Insert the user's messages and the notice of a resume as steps before the next request."""
        while (step := self._next()) and step.author in INSERTED:
            self._advance()
        if self._next() or (self.name, self._asks + 1) in self.engine.trajectory.replies:
            return
        if self._needs_resume_notice:
            self._needs_resume_notice = False
            self._write("resume", self.tree, None, (), (Observation(RESUMED),), "")
        for note in self._unread_messages():
            self._write("user", self.tree, None, (), (Observation(note.text),), "")

    def _unread_messages(self) -> list[Note]:
        return unread_messages(self.engine.trajectory, self.name, self.steps)

    def _refusal(self, action: Action, number: int) -> str:
        """Return why action `number` of a reply is not run: it is outside the turn's scope, or a hook or the user
        refused it."""
        tool = None if action.error else self.engine.toolbox.get(action.tool)
        if tool is None:
            return ""
        why = self.scope.refusal(tool, action, self.workspace.root) if self.scope.is_limited else ""
        if why or self.by_hand:
            return why
        rejected = self.engine.hooks.before_tool(self, tool, action, self._at + 1, number)
        return rejected or refusal(self, tool, action)

    def _run(self, action: Action, shown: Action, before: Sequence[tuple[Action, Observation]]) -> Observation:
        """Run an action, reported to the front end as `shown`, after the actions `before` of the same reply."""
        self.engine.report("action", self.name, describe(shown))
        self._is_running, self._shown_output = True, ""
        self._wrote |= self.engine.toolbox.writes(shown)
        seen = self.engine.toolbox.run(action, self._context(before))
        self.engine.report("done" if seen.ok else "failed", self.name, describe(shown))
        return seen

    def _context(self, before: Sequence[tuple[Action, Observation]]) -> Context:
        return tool_context(self, before)

    def show_output(self, output: bytes) -> None:
        self._shown_output = "\n".join(last_lines(output, OUTPUT_LINES, self.engine.secrets))
        self.engine.report("output", self.name, self._shown_output)
