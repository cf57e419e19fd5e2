"""Records of runs for tests of exports, added one event at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from agent.conversation.messages import Reader
from agent.limits.run_budget import Ledger
from extensions.lab.request_replay import replay_requests
from trajectories.records import (
    Action,
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Patch,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
)
from trajectories.trajectory import RunView, Trajectory
from trajectories.verdict import Verdict

TOOL = {"type": "function", "function": {"name": "shell", "description": "Run.", "parameters": {"type": "object"}}}
SOURCE = "diff --git a/calc.py b/calc.py\n--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-a - b\n+a + b\n"
TESTS = SOURCE.replace("calc.py", "tests/test_calc.py")


class Made:
    """Builds a run: each method adds its records, and `material()` is the run as exports get it."""

    def __init__(
        self, name: str = "20260101-120000-abcdef", issue: Issue | None = None, system: str = "You fix bugs."
    ) -> None:
        issue = issue or Issue("add() subtracts", "add(2, 3) gives -1.")
        base, versions = Base("c" * 40, "t" * 40), {"swe-agent": "0.1.0"}
        prompts = {"coder": system}
        run = Run(name, issue, "/home/me/calc", base, {}, versions, prompts, (TOOL,), at=1000.0)
        self.records: list[Record] = [run, Turn(issue.text, "react", {"coder": "some/model"}, at=1000.0)]
        self.asks: dict[str, int] = {}
        self.steps: dict[str, int] = {}
        self._clock = count(1001)
        self.patch = Patch(SOURCE, TESTS, "u" * 40)

    def say(self, text: str = "Continue.", branch: str = "main", author: str = "task", **data: object) -> None:
        self._step(branch, author, None, (), (Observation(text, data=data),))

    def ask(
        self,
        text: str = "I look.",
        actions: Sequence[Action] = (Action("shell", {"command": "ls"}, "call_1"),),
        outputs: Sequence[str] | None = None,
        branch: str = "main",
        model: str = "some/model",
        dollars: float | None = 0.01,
        reasoning: str = "",
    ) -> None:
        number = self.asks[branch] = self.asks.get(branch, 0) + 1
        hold = Hold(branch, number, 1, model, dollars, 100, at=self._now())
        usage = Usage(10 * number, 5, 2)
        reply = Reply(text, tuple(actions), reasoning, ("opaque",), model, usage, branch, number, at=self._now())
        self.records += [hold, reply, Settle(hold.id, usage, dollars, "usage", at=self._now())]
        outputs = [f"answer {n}" for n, _ in enumerate(actions)] if outputs is None else outputs
        self._step(branch, "coder", number, tuple(actions), tuple(map(Observation, outputs)))

    def by_hand(self, command: str, answer: str) -> None:
        self._step("main", "hand", None, (Action("shell", {"command": command}),), (Observation(answer),))

    def note(self, kind: str, text: str, branch: str = "main", **data: object) -> None:
        self.records.append(Note(branch, kind, text, dict(data), at=self._now()))

    def turn(self, request: str, strategy: str = "build", system: str = "") -> None:
        self.end("answered", 0)
        prompts = {"coder": system} if system else {}
        self.records.append(Turn(request, strategy, {"coder": "some/model"}, prompts, at=self._now()))

    def end(self, kind: str = "verified", code: int = 0, verdict: Verdict | None = None) -> None:
        self.records.append(Exit(kind, code, "u" * 40, verdict or Verdict(), at=self._now()))

    def material(self) -> RunView:
        trajectory = Trajectory(self.records)
        ledger = Ledger(None)
        ledger.replay(trajectory.holds.values(), trajectory.settles)
        run = trajectory.run
        assert run is not None
        return RunView(
            run.id,
            trajectory,
            ledger.spent,
            requests=lambda branch: replay_requests(trajectory, branch, lambda name, turn: Reader(name)),
            patch=lambda: self.patch,
        )

    def _now(self) -> float:
        return float(next(self._clock))

    def _step(
        self,
        branch: str,
        author: str,
        ask: int | None,
        actions: tuple[Action, ...],
        observations: tuple[Observation, ...],
    ) -> None:
        number = self.steps[branch] = self.steps.get(branch, 0) + 1
        parent = f"{branch}#{number - 1}" if number > 1 else ""
        tree = f"{number:040x}"
        self.records.append(Step(branch, number, parent, author, tree, ask, actions, observations, at=self._now()))
