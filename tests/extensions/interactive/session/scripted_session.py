"""A real session with a scripted model in a local workspace, whose events are recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Condition
from typing import Any

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.permissions.approvals import Answer
from extensions.interactive.session import session_events
from extensions.interactive.session.session import Session
from extensions.interactive.session.session_start import Start

PATIENCE = 30.0
"""Seconds that a test waits for an event; only a failing test waits this long."""


def says(text: str, *actions: dict[str, Any], n: int | None = None, contains: str = "") -> dict[str, Any]:
    """A line of a script: the reply to request `n`, or to a request whose last message contains `contains`."""
    line: dict[str, Any] = {"reply": {"text": text, "actions": list(actions)}}
    return line | ({"n": n} if n else {}) | ({"contains": contains} if contains else {})


def calls(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool": tool, "arguments": arguments}


class RecordedSession:
    """A session whose events are recorded in `events`, in order."""

    def __init__(self, root: Path, state: Path, script: list[dict[str, Any]], **start: Any) -> None:
        file = state.parent / "script.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(map(json.dumps, script)), "utf-8")
        settings = {"model": f"scripted:{file}" if script else "", "workspace": "local", "state": state}
        self.settings = Settings(**(settings | {"update_tests": True, "max_time": 100} | start.pop("settings", {})))
        self.events: list[session_events.Event] = []
        self.answers: Answer | None = Answer(True)
        """The user's answer to every question; None: the user does not answer."""
        self._changed = Condition()
        self.hooks: list[Callable[[session_events.Event], object]] = []
        can_ask = start.pop("can_ask", False)
        self.session = Session(Start(Repository.open(root), self.settings, **start), self._receive, can_ask=can_ask)

    def _receive(self, event: session_events.Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        if isinstance(event, session_events.QuestionAsked) and self.answers is not None:
            self.session.answer(event.approval.id, self.answers)
        for hook in self.hooks:
            hook(event)

    def wait_for_event(self, kind: type, count: int = 1) -> Any:
        """Wait for the `count`-th event of a kind, and return it."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all(kind)) >= count, PATIENCE), self.events[-5:]
            return self.all(kind)[count - 1]

    def all(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def say(self, words: str) -> RecordedSession:
        """Send a prompt, and wait until it and all earlier prompts are done."""
        self.session.say(words)
        return self.wait_until_idle()

    def wait_until_idle(self) -> RecordedSession:
        done = len(self.all(Marker)) + 1
        self.session.later("", lambda: self._receive(Marker()))  # type: ignore[arg-type]
        self.wait_for_event(Marker, done)
        return self

    @property
    def messages(self) -> list[str]:
        return [event.text for event in self.all(session_events.MessageEvent)]

    @property
    def replies(self) -> list[str]:
        """The last reply of each turn."""
        return [event.result.word for event in self.all(session_events.TurnEnded)]

    def steps(self) -> list[str]:
        engine = self.session.engine
        assert engine
        return [step.author for step in engine.trajectory.steps["main"]]


class Marker:
    """Event that shows that everything before it is done."""
