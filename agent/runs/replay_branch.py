"""A branch of a run that is acted again: what is recorded is done anew, whatever came of it the first time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeGuard

from agent.consent import REFUSED, refusal
from agent.describing import describe
from agent.moves.opening import likely_sources
from agent.scope import Scope
from agent.task import Task
from tools.base import Context
from trajectories.parting import PROOF
from trajectories.records import Action, Observation, Reply, Step

NOT_RUN = ("Not run:", "Not changed:", "The user refused this")
"""How what a task answers begins where it runs nothing."""
ASKED = {"reproduction": list, "places": list, "reproduces": bool, "whole": bool, "doubt": str}
"""Of a proof, on its record; a doubt only where there was one."""
PUT_BACK = "\n[Put back, since "
MARK = "/swe-agent-local-"
WORKSPACE = re.compile(rf"/[^\s'\"`:;|&()<>]{{0,200}}?{MARK}\w+/[0-9a-f]{{8}}/(repo|scratch|harness)\b")
"""Where a workspace on somebody's machine lay."""


class Again(Task):
    """`past` are the branch's recorded steps: what tools know of."""

    past: Sequence[Step] = ()

    def take_over(self, step: Step) -> Step:
        """A step of which nothing is to be done but to have its files."""
        return self._write(step.author, step.tree, self._reply(step), step.actions, step.observations, step.error)

    def act_step(self, step: Step) -> Step:
        if any(f"{PUT_BACK}{Scope(nothing=True).why}" in seen.text for seen in step.observations):
            self.scope = Scope(nothing=True)
        return self.step(self._reply(step), self.act_again(step), step.actions, step.author, step.error)

    def prove_again(self, step: Step) -> Iterator[Step]:
        """The proof of such a step; of what it was asked, older records say only a part, and a stranger's anything."""
        asked = step.observations[0].data.get("asked")
        if not _is_asked(asked):
            given = self.settings.reproduce
            asked = {
                "reproduction": [given] if given and not given.startswith("/") else [],
                "places": likely_sources(self) if self.known("localize") else [],
                "reproduces": step.observations[0].text.startswith("Proof: "),
                "whole": self.turn.strategy == "prove",
            }
        yield from self.prove(**asked)

    def _context(self, before: Sequence[tuple[Action, Observation]]) -> Context:
        return replace(super()._context(before), steps=self.past[: self._at])

    def act_again(self, step: Step) -> tuple[Observation, ...]:
        """Run the recorded actions, except those that were not run then, those that a rule denies, and tools of other
        packages: those act outside of the workspace, and whoever wrote the record chose their arguments."""
        done: list[Observation] = []
        for action, seen in zip(step.actions, step.observations, strict=False):
            self.cancel.check()
            tool = self.engine.toolbox.get(action.tool)
            if not self.is_run(seen) or (tool is not None and not self.engine.toolbox.is_built_in(tool)):
                done.append(replace(seen, text=seen.text.partition(PUT_BACK)[0]))
                continue
            if tool is not None and (refused := refusal(self, tool, action)):
                done.append(Observation(refused, ok=False))
                continue
            self.engine.tell("action", self.branch, describe(action))
            self._wrote |= self.engine.toolbox.writes(action)
            before = tuple(zip(step.actions, done, strict=False))
            done.append(self.engine.toolbox.run(self._moved(action), self._context(before)))
        return tuple(done)

    @staticmethod
    def is_run(seen: Observation) -> bool:
        """Whether it was seen, and not refused."""
        return seen.ok or bool(seen.data) or not seen.text.startswith(NOT_RUN)

    def said(self, name: str) -> str:
        """A result that is a text, of whatever turn."""
        results = self.engine.trajectory.results
        found = (once.value for (_, known), once in results.items() if known.rpartition(".")[2] == name)
        return next((value for value in found if isinstance(value, str)), "")

    def _reply(self, step: Step) -> Reply | None:
        if step.reply is None:
            return None
        return self.engine.trajectory.replies.get((self.branch, step.reply)) or Reply(
            branch=self.branch, ask=step.reply
        )

    def _moved(self, action: Action) -> Action:
        """With the paths of this workspace for those of the recorded one."""
        space = self.workspace
        here = {"repo": space.root, "scratch": space.scratch, "harness": space.harness}
        then = {str(self.said(name)): path for name, path in (("root", space.root), ("scratch", space.scratch))}

        def moved(value: Any) -> Any:
            if isinstance(value, str):
                value = WORKSPACE.sub(lambda found: here[found[1]], value) if MARK in value else value
                for old, new in then.items():
                    value = value.replace(old, new) if len(old) > 1 else value
            elif isinstance(value, list):
                value = [moved(each) for each in value]
            return value

        return replace(action, arguments={name: moved(value) for name, value in action.arguments.items()})


def _is_asked(asked: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is what `prove` is asked."""
    return (
        isinstance(asked, dict)
        and {name: type(value) for name, value in ({"doubt": ""} | asked).items()} == ASKED
        and all(isinstance(each, str) for each in (*asked["reproduction"], *asked["places"]))
    )


def is_proof(step: Step) -> bool:
    """Whether a step holds a verdict that can be found again."""
    seen = step.observations[0] if step.observations else None
    return step.author == PROOF and seen is not None and "verdict" in seen.data and seen.text != REFUSED
