"""Calls of tools outside the workspace (MCP servers): recorded so that no call is made twice.

Before such a call leaves, and again when its result is here, a `once` record is written. A resumed run takes the
recorded result. If there is only the first record, the outcome is unknown, and the call is not repeated.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from trajectories.records import Action, Observation, Once

if TYPE_CHECKING:
    from agent.engine.engine import Engine

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
