"""A bench for tools: a real workspace, and a step after each call as in the agent loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from aci.instructions.instruction_files import Instructions
from aci.runtime.workspace import Workspace
from tools.base import Context, Toolbox
from trajectories.git_store.trees import Trees
from trajectories.records import Action, Base, Observation, Step


class Bench:
    def __init__(self, workspace: Workspace, trees: Trees, base: Base) -> None:
        self.workspace, self.trees, self.base = workspace, trees, base
        self.toolbox = Toolbox()
        self.tree = base.tree
        self.steps: list[Step] = []
        self.outputs: list[bytes] = []
        self.test_command = ""
        self.phase = 0
        self.subtree = ""
        self.needs_test = False
        self.may_run = True
        self.sees_images = False
        self.instructions = Instructions()

    def keep(self, data: bytes) -> int:
        self.outputs.append(data)
        return len(self.outputs)

    def recall(self, number: int) -> bytes:
        if not 0 < number <= len(self.outputs):
            raise FileNotFoundError(number)
        return self.outputs[number - 1]

    def context(self, before: Sequence[tuple[Action, Observation]] = ()) -> Context:
        return Context(
            workspace=self.workspace,
            trees=self.trees,
            base=self.base,
            tree=self.tree,
            steps=self.steps,
            keep=self.keep,
            recall=self.recall,
            test_command=self.test_command,
            secrets=("hunter2hunter2",),
            before=before,
            phase=self.phase,
            subtree=self.subtree,
            needs_test=self.needs_test,
            may_run=self.may_run,
            sees_images=lambda: self.sees_images,
            instructions=self.instructions,
        )

    def __call__(self, tool: str, **arguments: Any) -> Observation:
        """Run a step with one action."""
        return self.run_step(Action(tool, arguments))[0]

    def run_step(self, *actions: Action) -> list[Observation]:
        """Run a step with several actions."""
        observations: list[Observation] = []
        for action in actions:
            before = tuple(zip(actions, observations, strict=False))
            observations.append(self.toolbox.run(action, self.context(before)))
        if any(self.toolbox.writes(action) for action in actions):
            self.tree = self.workspace.snapshot().tree
        self.steps.append(Step("main", len(self.steps) + 1, "", "coder", self.tree, None, actions, tuple(observations)))
        return observations

    def read(self, path: str) -> bytes:
        return self.workspace.read(path)


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(make_repo: Any, open_ws: Any) -> MakeBench:
    """`make_bench({"a.py": "x = 1\\n"})`: a bench on a repository of these files."""

    def make(files: Mapping[str, str | bytes], kind: str = "local") -> Bench:
        workspace = open_ws(kind, make_repo(files))
        return Bench(workspace, workspace.options.trees, workspace.options.base)

    return make
