"""A real session with a scripted model in a workspace of this machine, and somebody who listens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Condition
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.permissions.approvals import Answer
from agent.session import session_events
from agent.session.session import Session, Start

PATIENCE = 30.0
"""Seconds that a test waits for what must come; only a failing one waits so long."""


def says(text: str, *actions: dict[str, Any], n: int | None = None, contains: str = "") -> dict[str, Any]:
    """A line of a script: what the model answers to ask `n`, or where it last read `contains`."""
    line: dict[str, Any] = {"reply": {"text": text, "actions": list(actions)}}
    return line | ({"n": n} if n else {}) | ({"contains": contains} if contains else {})


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


class Talk:
    """`heard` is every event so far, in order."""

    def __init__(self, root: Path, state: Path, script: list[dict[str, Any]], **start: Any) -> None:
        file = state.parent / "script.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(map(json.dumps, script)), "utf-8")
        settings = {"model": f"scripted:{file}" if script else "", "workspace": "local", "state": state}
        self.settings = Settings(**(settings | {"update_tests": True, "max_time": 100} | start.pop("settings", {})))
        self.heard: list[session_events.Event] = []
        self.answers: Answer | None = Answer(True)
        """What the user says to every question; None: nothing."""
        self._news = Condition()
        self.hooks: list[Callable[[session_events.Event], object]] = []
        self.session = Session(Start(Repository.open(root), self.settings, **start), self._hear)

    def _hear(self, event: session_events.Event) -> None:
        with self._news:
            self.heard.append(event)
            self._news.notify_all()
        if isinstance(event, session_events.QuestionAsked) and self.answers is not None:
            self.session.answer(event.approval.id, self.answers)
        for hook in self.hooks:
            hook(event)

    def until(self, kind: type, count: int = 1) -> Any:
        """Wait for the `count`-th event of a kind, and return it."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.all(kind)) >= count, PATIENCE), self.heard[-5:]
            return self.all(kind)[count - 1]

    def all(self, kind: type) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kind)]

    def say(self, words: str) -> Talk:
        """Say it, and wait until it is done with all that was said before."""
        self.session.say(words)
        return self.settled()

    def settled(self) -> Talk:
        done = len(self.all(Mark)) + 1
        self.session.later("", lambda: self._hear(Mark()))  # type: ignore[arg-type]
        self.until(Mark, done)
        return self

    @property
    def told(self) -> list[str]:
        return [event.text for event in self.all(session_events.MessageEvent)]

    @property
    def words(self) -> list[str]:
        """What each turn answered at its end."""
        return [event.result.word for event in self.all(session_events.TurnEnded)]

    def steps(self) -> list[str]:
        engine = self.session.engine
        assert engine
        return [step.author for step in engine.trajectory.steps["main"]]


class Mark:
    """Stands among the events where a test wanted to know that all before is done."""
