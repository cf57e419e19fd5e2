"""A user with a model at an endpoint. Every command is checked: no traceback, and the key is in no file."""

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
"""A key without a typical form, in a variable whose name does not suggest a key."""

ADD_TEST = ("edit", {"path": "tests/test_core.py", "old": "", "new": TEST_CORE})
FIX = ("edit", {"path": "calc/core.py", "old": "return a - b", "new": "return a + b"})
LOOK = ("view", {"path": "calc/core.py"})
SUBMIT = ("submit", {})
SOLVE = Answer("A test, the fix.", actions=[ADD_TEST, FIX, SUBMIT])


@dataclass
class User:
    """`fix_command` is a `fix` without its model. Commands return their JSON object, with `stderr` added."""

    machine: Machine
    fix_command: list[str]

    def add_model(self, endpoint: Endpoint, name: str = MODEL, **table: Any) -> None:
        """Add a table for the model `name` at the endpoint to the configuration, and the key to the environment."""
        base = endpoint.url if name.startswith("anthropic/") else endpoint.openai
        defaults = {"api_base": base, "key_env": KEY_IN, "price_in": 1.0, "price_out": 5.0, "max_output": 1000}
        fields = {name: value for name, value in (defaults | table).items() if value is not None}
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
        with (self.machine.home / "config.toml").open("a") as config:
            config.write(f'[models."{name}"]\n{lines}')
        self.machine.extra.setdefault(KEY_IN, KEY)

    def fix(self, *flags: object, model: str = MODEL) -> dict[str, Any]:
        return self._checked(self.machine.json(*self.fix_command, "--model", model, *map(str, flags)))

    def run(self, *arguments: str) -> dict[str, Any]:
        return self._checked(self.machine.json(*arguments))

    def fix_interrupted(self, endpoint: Endpoint, requests: int, model: str = MODEL) -> dict[str, Any]:
        """`fix`, with Ctrl-C after so many requests."""
        process = subprocess.Popen(
            self.machine.command(*self.fix_command, "--model", model, "--json"),
            env=self.machine.environment, cwd=self.machine.home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip  # background jobs of a shell, and so these tests, start with SIGINT ignored
        end = time.monotonic() + 60
        while len(endpoint.requests) < requests and process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        return self._checked(json.loads(out) | {"returncode": process.returncode, "stderr": err})

    def trajectory(self, result: dict[str, Any]) -> Trajectory:
        return read(Path(result["directory"]))

    def _checked(self, result: dict[str, Any]) -> dict[str, Any]:
        output = json.dumps(result, ensure_ascii=False)
        assert "Traceback" not in output
        assert KEY not in output
        assert result["returncode"] == result.get("exit", result.get("error", {}).get("code"))
        state = self.machine.home / "state"
        files_with_key = [file for file in state.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
        assert files_with_key == []
        return result
