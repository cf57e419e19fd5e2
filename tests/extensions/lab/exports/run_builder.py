"""Runs built record by record, with the requests that were sent to the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trajectories.records import Action, Base, Exit, Issue, Observation, Record, Reply, Run, Spent, Step, Turn, Usage
from trajectories.trajectory import Message, RunView, Trajectory
from trajectories.verdict import Verdict

BASE, PATCHED = "b" * 40, "d" * 40
SYSTEM, OPENING = {"role": "system", "content": "You fix bugs."}, {"role": "user", "content": "Add is wrong."}
SHELL = {"name": "shell", "description": "Run a command.", "parameters": {"type": "object", "properties": {}}}
TOOLS = ({"type": "function", "function": SHELL},)


class RunBuilder:
    """Builds a run step by step, with the requests of each branch."""

    def __init__(self, name: str, issue: str = "Add is wrong.", **run_fields: Any) -> None:
        prompts = {"coder": run_fields.pop("prompt", "You fix bugs.")}
        run = Run(
            name,
            Issue(issue),
            "r",
            Base("c", BASE),
            prompts=prompts,
            tools=run_fields.pop("tools", TOOLS),
            **run_fields,
        )
        self.records: list[Record] = [run, Turn(issue, "test-then-patch")]
        self.name = name
        self.system = {"role": "system", "content": prompts["coder"]}
        self.conversations: dict[str, list[Message]] = {}
        self.requests: dict[str, list[list[Message]]] = {}
        self.steps = 0

    def reply(
        self, text: str, *commands: str, tokens: int | None = 100, branch: str = "main", error: str = ""
    ) -> RunBuilder:
        """Add a reply, its calls and their outputs; `tokens` is None if the provider does not report usage."""
        conversation = self.conversations.setdefault(branch, [self.system, OPENING])
        requests = self.requests.setdefault(branch, [])
        requests.append(list(conversation))
        ask = len(requests)
        actions = tuple(Action("shell", {"command": command}, f"{ask}.{command}", error) for command in commands)
        calls = [
            {"id": a.id, "type": "function", "function": {"name": a.tool, "arguments": json.dumps(a.arguments)}}
            for a in actions
        ]
        conversation.append({"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {}))
        conversation += [
            {"role": "tool", "tool_call_id": a.id, "content": f"did {a.arguments['command']}"} for a in actions
        ]
        observations = tuple(Observation(f"did {command}") for command in commands)
        self.steps += 1
        usage = None if tokens is None else Usage(tokens, 0)
        self.records += [
            Reply(text, actions, usage=usage, branch=branch, ask=ask),
            Step(branch, ask, "", "coder", PATCHED, ask, actions, observations),
        ]
        return self

    def start_with(self, prompt: str) -> RunBuilder:
        """Set the prompt of the first request."""
        self.conversations["main"] = [self.system, {"role": "user", "content": prompt}]
        return self

    def fold_output(self, branch: str = "main") -> RunBuilder:
        """Shorten the first output in all later requests."""
        conversation = self.conversations[branch]
        position = next(position for position, message in enumerate(conversation) if message["role"] == "tool")
        conversation[position] = {**conversation[position], "content": "[folded]"}
        return self

    def add(self, *records: Record) -> RunBuilder:
        self.records += records
        return self

    def end(self, kind: str = "verified", tree: str = PATCHED, generality: str = "") -> RunView:
        is_proven = kind in ("verified", "plausible", "faster")
        verdict = Verdict(kind, generality=generality) if is_proven else Verdict()  # type: ignore[arg-type]
        return self.add(Exit(kind, 0 if is_proven else 1, tree, verdict)).build()

    def build(self) -> RunView:
        def requests(branch: str) -> Iterator[Sequence[Message]]:
            return iter(self.requests.get(branch, ()))

        return RunView(self.name, Trajectory(self.records), Spent(None, 0, 0, 0, 0), requests=requests)
