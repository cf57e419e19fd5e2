"""A user who has a model at an endpoint. Whatever they run: no traceback, and their key is nowhere."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.conftest import TEST_CORE, Machine
from tests.endpoint import Answer, Endpoint
from trajectories.journal import read
from trajectories.trajectory import Trajectory

MODEL = "openai/x"
CLAUDE = "anthropic/claude-sonnet-4-5"
RESPONSES = "openai/responses/gpt-5"
KEY, KEY_IN = "canary-4f1d9c27ab", "HAND"
"""A key without the shape of one, in a variable whose name does not say so."""

ADD_TEST = ("edit", {"path": "tests/test_core.py", "old": "", "new": TEST_CORE})
FIX = ("edit", {"path": "calc/core.py", "old": "return a - b", "new": "return a + b"})
LOOK = ("view", {"path": "calc/core.py"})
SUBMIT = ("submit", {})
SOLVE = Answer("A test, the fix.", actions=[ADD_TEST, FIX, SUBMIT])


@dataclass
class User:
    """`begin` is their `fix`, all but the model. Each command answers its one JSON object with `stderr` beside it."""

    machine: Machine
    begin: list[str]

    def has(self, endpoint: Endpoint, name: str = MODEL, **table: Any) -> None:
        """A table for the model `name` at the endpoint, added to the config; the key in its variable."""
        base = endpoint.url if name.startswith("anthropic/") else endpoint.openai
        usual = {"api_base": base, "key_env": KEY_IN, "price_in": 1.0, "price_out": 5.0, "max_output": 1000}
        fields = {name: value for name, value in (usual | table).items() if value is not None}
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
        with (self.machine.home / "config.toml").open("a") as config:
            config.write(f'[models."{name}"]\n{lines}')
        self.machine.extra.setdefault(KEY_IN, KEY)

    def fix(self, *flags: object, model: str = MODEL) -> dict[str, Any]:
        return self._checked(self.machine.json(*self.begin, "--model", model, *map(str, flags)))

    def run(self, *arguments: str) -> dict[str, Any]:
        return self._checked(self.machine.json(*arguments))

    def interrupted(self, endpoint: Endpoint, requests: int, model: str = MODEL) -> dict[str, Any]:
        """`fix`, with a Ctrl-C once so many requests came."""
        process = subprocess.Popen(
            self.machine.command(*self.begin, "--model", model, "--json"),
            env=self.machine.environment, cwd=self.machine.home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip  # a shell's background jobs, and so these tests in one, begin with SIGINT ignored
        end = time.monotonic() + 60
        while len(endpoint.requests) < requests and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return self._checked(json.loads(out) | {"returncode": process.returncode, "stderr": err})

    def record(self, told: dict[str, Any]) -> Trajectory:
        return read(Path(told["directory"]))

    def _checked(self, told: dict[str, Any]) -> dict[str, Any]:
        shown = json.dumps(told, ensure_ascii=False)
        assert "Traceback" not in shown
        assert KEY not in shown
        assert told["returncode"] == told.get("exit", told.get("error", {}).get("code"))
        state = self.machine.home / "state"
        kept = [file for file in state.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
        assert kept == []
        return told
