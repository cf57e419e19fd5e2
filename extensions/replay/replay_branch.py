"""A branch of a replay, which repeats the recorded actions regardless of their recorded results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from agent.engine.branch import STOPPED, Branch
from agent.engine.permission_checks import REFUSED, Scope, refusal
from agent.engine.proof_step import proof_step
from agent.prompts.opening_prompt import likely_sources
from extensions.replay.run_comparison import PROOF
from tools.base import Context
from tools.submit import UNTESTED
from trajectories.records import Action, Observation, Reply, Step

NOT_RUN = ("Not run:", "Not run to its end:", "Not changed:", "The user refused this")
"""Prefixes of observations of actions that were not run."""
ASKED = {"reproduction": list, "places": list, "reproduces": bool, "whole": bool, "doubt": str, "fitted": bool}
"""The recorded arguments of a proof and their types; `doubt` and `fitted` are optional."""
RESTORED = re.compile(r"\n\[(?:Restored|Put back), since ")
RESTORED_IN_PLAN_MODE = re.compile(r"\n\[(?:Restored, since plan mode|Put back, since in plan mode) ")
"""Notes on reverted changes at the end of an observation; earlier versions wrote "Put back"."""
MARK = "/swe-agent-local-"
WORKSPACE = re.compile(rf"/[^\s'\"`:;|&()<>]{{0,200}}?{MARK}\w+/[0-9a-f]{{8}}/(repo|scratch|harness)\b")
"""A path in a local workspace, on any machine."""


class ReplayBranch(Branch):
    """A branch that repeats recorded steps. `past` are the branch's recorded steps, which tools can read."""

    past: Sequence[Step] = ()

    def take_over(self, step: Step) -> Step:
        """Record a step again, with its recorded files, without running its actions."""
        return self._write(step.author, step.tree, self._reply(step), step.actions, step.observations, step.error)

    def act_step(self, step: Step) -> Step:
        """Run the actions of a recorded step again and record the new step.

        An action that the user cut off cannot be repeated up to the same point, and one that was delegated to a helper
        is not repeated, so the recorded files of such a step are taken over.
        """
        if any(RESTORED_IN_PLAN_MODE.search(seen.text) for seen in step.observations):
            self.scope = Scope(nothing=True)
        reply, seen = self._reply(step), self.act_again(step)
        is_cut_off = any(each.text.startswith(STOPPED) and not self.is_run(each) for each in step.observations)
        if is_cut_off or any(self._needs_someone(action) for action in step.actions):
            self.workspace.restore(step.tree)
            return self._write(step.author, step.tree, reply, step.actions, seen, step.error)
        return self.step(reply, seen, step.actions, step.author, step.error)

    def prove_again(self, step: Step) -> Step:
        """Run the proof of a recorded step again.

        Older records contain only some of its arguments, and untrusted records may contain anything.
        """
        asked = step.observations[0].data.get("asked")
        if not _is_proof_arguments(asked):
            given = self.turn.settings.reproduce
            asked = {
                "reproduction": [given] if given and not given.startswith("/") else [],
                "places": likely_sources(self) if self.known("localize") else [],
                "reproduces": step.observations[0].text.startswith("Proof: "),
                "whole": self.turn.strategy == "prove",
            }
        return self.examine(PROOF, lambda tree: proof_step(self, tree, **asked))

    def _context(self, before: Sequence[tuple[Action, Observation]]) -> Context:
        return replace(super()._context(before), steps=self.past[: self._at])

    def act_again(self, step: Step) -> tuple[Observation, ...]:
        """Run the recorded actions, except those that were not run originally and those that a rule denies.

        Tools of other packages and of MCP servers are not run either: they act outside the workspace, with arguments
        that the record chooses. Nor is a tool that is unknown now.
        """
        done: list[Observation] = []
        for action, seen in zip(step.actions, step.observations, strict=False):
            self.cancel.check()
            tool = self.engine.toolbox.get(action.tool)
            is_ours = tool is not None and self.engine.toolbox.is_built_in(tool)
            if tool is None or not is_ours or not self.is_run(seen) or self._needs_someone(action):
                done.append(replace(seen, text=RESTORED.split(seen.text, maxsplit=1)[0]))
                continue
            if refused := refusal(self, tool, action):
                done.append(Observation(refused, ok=False))
                continue
            before = tuple(zip(step.actions, done, strict=False))
            self.needs_test = UNTESTED in seen.data  # earlier versions accepted submissions without a test
            done.append(self._run(self._with_current_paths(action), action, before))
        return tuple(done)

    def _needs_someone(self, action: Action) -> bool:
        """Return whether an action needs the user or a helper, so that its recorded result is taken over."""
        tool = self.engine.toolbox.get(action.tool)
        return tool is not None and tool.metadata.needs in ("user", "helpers")

    @staticmethod
    def is_run(seen: Observation) -> bool:
        """Return whether an action was run, not skipped or refused."""
        return seen.ok or bool(seen.data) or not seen.text.startswith(NOT_RUN)

    def said(self, name: str) -> str:
        """Return a recorded text result with this name, from any turn; "" if there is none."""
        results = self.engine.trajectory.results
        found = (once.value for (_, known), once in results.items() if known.rpartition(".")[2] == name)
        return next((value for value in found if isinstance(value, str)), "")

    def _reply(self, step: Step) -> Reply | None:
        if step.reply is None:
            return None
        return self.engine.trajectory.replies.get((self.name, step.reply)) or Reply(branch=self.name, ask=step.reply)

    def _with_current_paths(self, action: Action) -> Action:
        """Return an action with the paths of the recorded workspace replaced by those of the current one."""
        space = self.workspace
        here = {"repo": space.root, "scratch": space.scratch, "harness": space.harness}
        then = {str(self.said(name)): path for name, path in (("root", space.root), ("scratch", space.scratch))}

        def replace_paths(value: Any) -> Any:
            if isinstance(value, str):
                value = WORKSPACE.sub(lambda found: here[found[1]], value) if MARK in value else value
                for old, new in then.items():
                    value = value.replace(old, new) if len(old) > 1 else value
            elif isinstance(value, list):
                value = [replace_paths(each) for each in value]
            return value

        return replace(action, arguments={name: replace_paths(value) for name, value in action.arguments.items()})


def _is_proof_arguments(asked: Any) -> TypeGuard[dict[str, Any]]:
    """Return whether these are valid arguments of `prove`."""
    return (
        isinstance(asked, dict)
        and {name: type(value) for name, value in ({"doubt": "", "fitted": False} | asked).items()} == ASKED
        and all(isinstance(each, str) for each in (*asked["reproduction"], *asked["places"]))
    )


def is_proof(step: Step) -> bool:
    """Return whether a step is a proof that can be repeated."""
    seen = step.observations[0] if step.observations else None
    return step.author == PROOF and seen is not None and "verdict" in seen.data and seen.text != REFUSED
