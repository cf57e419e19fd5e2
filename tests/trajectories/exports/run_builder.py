"""Runs made up record by record, with what a model would have been sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trajectories.records import (
    Action,
    Base,
    Exit,
    Issue,
    Observation,
    Record,
    Reply,
    Run,
    Spent,
    Step,
    Turn,
    Usage,
    Verdict,
)
from trajectories.run_data import Message, RunView
from trajectories.trajectory import Trajectory

BASE, PATCHED = "b" * 40, "d" * 40
SYSTEM, OPENING = {"role": "system", "content": "You mend."}, {"role": "user", "content": "Add is wrong."}
SHELL = {"name": "shell", "description": "Run a command.", "parameters": {"type": "object", "properties": {}}}
TOOLS = ({"type": "function", "function": SHELL},)


class Making:
    """A run in the making, with what was sent beside it."""

    def __init__(self, name: str, issue: str = "Add is wrong.", **of: Any) -> None:
        prompts = {"coder": of.pop("prompt", "You mend.")}
        run = Run(name, Issue(issue), "r", Base("c", BASE), prompts=prompts, tools=of.pop("tools", TOOLS), **of)
        self.records: list[Record] = [run, Turn(issue, "test-then-patch")]
        self.name = name
        self.system = {"role": "system", "content": prompts["coder"]}
        self.talks: dict[str, list[Message]] = {}
        self.requests: dict[str, list[list[Message]]] = {}
        self.steps = 0

    def asks(
        self, said: str, *commands: str, tokens: int | None = 100, branch: str = "main", error: str = ""
    ) -> Making:
        """One reply, its calls and what they answered; `tokens` is None where its provider does not tell."""
        talk = self.talks.setdefault(branch, [self.system, OPENING])
        sent = self.requests.setdefault(branch, [])
        sent.append(list(talk))
        ask = len(sent)
        actions = tuple(Action("shell", {"command": command}, f"{ask}.{command}", error) for command in commands)
        calls = [
            {"id": a.id, "type": "function", "function": {"name": a.tool, "arguments": json.dumps(a.arguments)}}
            for a in actions
        ]
        talk.append({"role": "assistant", "content": said} | ({"tool_calls": calls} if calls else {}))
        talk += [{"role": "tool", "tool_call_id": a.id, "content": f"did {a.arguments['command']}"} for a in actions]
        seen = tuple(Observation(f"did {command}") for command in commands)
        self.steps += 1
        usage = None if tokens is None else Usage(tokens, 0)
        self.records += [
            Reply(said, actions, usage=usage, branch=branch, ask=ask),
            Step(branch, ask, "", "coder", PATCHED, ask, actions, seen),
        ]
        return self

    def opens(self, words: str) -> Making:
        """What its first reply is asked with."""
        self.talks["main"] = [self.system, {"role": "user", "content": words}]
        return self

    def folds(self, branch: str = "main") -> Making:
        """From here on the first output is told in short."""
        talk = self.talks[branch]
        at = next(at for at, message in enumerate(talk) if message["role"] == "tool")
        talk[at] = {**talk[at], "content": "[folded]"}
        return self

    def adds(self, *records: Record) -> Making:
        self.records += records
        return self

    def ends(self, kind: str = "verified", tree: str = PATCHED) -> RunView:
        proven = kind in ("verified", "faster")
        verdict = Verdict("verified" if kind == "verified" else "faster") if proven else Verdict()
        return self.adds(Exit(kind, 0 if proven else 1, tree, verdict)).open()

    def open(self) -> RunView:
        def requests(branch: str) -> Iterator[Sequence[Message]]:
            return iter(self.requests.get(branch, ()))

        return RunView(self.name, Trajectory(self.records), Spent(None, 0, 0, 0, 0), requests=requests)
