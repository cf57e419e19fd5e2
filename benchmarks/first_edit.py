"""Time from a prompt to its edit on the screen, and on to the tests' result, beside aider and opencode.

    python -m benchmarks.first_edit [--runs 3] [--workspace W] [--aider PATH] [--opencode PATH]

Each program runs in tmux on a copy of the same small repository. The endpoint on loopback answers each request at once
with the same edit, in the form that the program asks for. After two prompts, the benchmark prints the median seconds of
each program, and the ratio to swe-agent's. aider runs the tests after its edit (`--auto-test`), the endpoint lets
opencode run them by a tool call, and swe-agent runs them without and with the edit to compare both. The programs are
started in turn, each with a folder of its own as home.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.e2e.tmux import Terminal, terminal

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, ROWS = 110, 55
SETTLING = 3.0
"""Seconds between the first prompt on the screen and the first key, in which a person types."""
TEST_COMMAND = "python3 -m unittest discover -s tests -t ."
ORDINALS = ("first", "second")
CHANGES = {
    "first": ("    return a + b\n", "    first_result = a + b\n    return first_result\n"),
    "second": ("    return a - b\n", "    second_result = a - b\n    return second_result\n"),
}
FILES = {
    "calc.py": "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a - b\n",
    "tests/__init__.py": "",
    "tests/test_calc.py": "import unittest\n\nimport calc\n\n\nclass TestCalc(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(calc.add(2, 3), 5)\n\n"
    "    def test_subtract(self):\n        self.assertEqual(calc.subtract(3, 2), 1)\n",
}


@dataclass(frozen=True)
class Program:
    """A coding agent: how it starts, what its screen shows when it waits for a prompt, and after its tests."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: str
    tested: str


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message for a request: the edit, the tests or the end, by what was done since the prompt."""
    properties = {
        tool["function"]["name"]: tool["function"].get("parameters", {}).get("properties", {})
        for tool in request.get("tools") or ()
    }
    messages = request["messages"]
    asked = [number for number, message in enumerate(messages) if message["role"] == "user" and _ordinal(message)]
    if not asked:
        return {"content": "Done."}
    old, new = CHANGES[_ordinal(messages[asked[-1]])]
    done = sum(message["role"] == "tool" for message in messages[asked[-1] :])
    if "edit" not in properties:
        is_aider = "SEARCH/REPLACE" in json.dumps(messages[0])
        block = f"calc.py\n```python\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n```\n"
        return {"content": block if is_aider else "Done."}
    if done == 0:
        is_opencode = "filePath" in properties["edit"]
        names = ("filePath", "oldString", "newString") if is_opencode else ("path", "old", "new")
        return _call("edit", dict(zip(names, ("calc.py", old, new), strict=True)))
    if done == 1 and "bash" in properties:
        return _call("bash", {"command": TEST_COMMAND, "description": "Runs the tests"})
    return {"content": "Done."}


def _ordinal(message: Mapping[str, Any]) -> str:
    """Return which change the message asks for; "" if it asks for none."""
    found = re.findall(r"Make the (first|second) change", json.dumps(message["content"]))
    return found[-1] if found else ""


def _call(name: str, arguments: Mapping[str, str]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"index": 0, "id": "call", "type": "function", "function": function}]}


@contextmanager
def endpoint() -> Iterator[str]:
    """Serve `answer` on loopback, streamed if the client asks for that; yield the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            message = {"role": "assistant", **answer(request)}
            finish = "tool_calls" if message.get("tool_calls") else "stop"
            usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
            common = {"id": "1", "created": 1, "model": "x", "usage": usage}
            if request.get("stream"):
                choice = {"index": 0, "delta": message, "finish_reason": None}
                end = {"index": 0, "delta": {}, "finish_reason": finish}
                chunks = [{**common, "object": "chat.completion.chunk", "choices": [each]} for each in (choice, end)]
                body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
            else:
                choice = {"index": 0, "message": message, "finish_reason": finish}
                body = json.dumps({**common, "object": "chat.completion", "choices": [choice]})
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream" if request.get("stream") else "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Suppress the log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


def programs(home: Path, base: str, options: argparse.Namespace) -> list[Program]:
    """Return swe-agent and the other programs whose paths were given, configured for the endpoint."""
    plain = {"HOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "OPENAI_API_KEY": "x"}
    config = home / "config.toml"
    config.write_text(
        f'[models."openai/x"]\napi_base = "{base}"\nprice_in = 1.0\nprice_out = 5.0\n'
        '[permissions]\nallow = ["command python3 -m unittest"]\n',
        "utf-8",
    )
    ours = plain | {"SWE_AGENT_CONFIG": str(config), "SWE_AGENT_STATE": str(home / "state"), "PYTHONPATH": str(ROOT)}
    command = [str(Path(options.swe_agent)), "session", "--in-place", "--model", "openai/x"]
    command += ["--workspace", options.workspace, "--test", TEST_COMMAND]
    found = [Program("swe-agent", command, ours, "ready", r"still pass|No longer passing")]
    if options.aider:
        flags = [
            "--yes-always",
            "--no-check-update",
            "--no-show-model-warnings",
            "--analytics-disable",
            "--no-gitignore",
        ]
        flags += [
            "--no-gitignore",
            "--edit-format",
            "diff",
            "--auto-test",
            "--test-cmd",
            TEST_COMMAND,
            "--openai-api-base",
            base,
        ]
        aider = [options.aider, "--model", "openai/x", *flags, "calc.py"]
        found.append(Program("aider", aider, plain, r"(?m)^.*> *$", r"Ran \d+ test"))
    if options.opencode:
        folder = home / ".config" / "opencode"
        folder.mkdir(parents=True, exist_ok=True)
        provider = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": base, "apiKey": "x"},
            "models": {"x": {"name": "x", "tool_call": True}},
        }
        settings = {"provider": {"bench": provider}, "model": "bench/x", "small_model": "bench/x", "autoupdate": False}
        (folder / "opencode.json").write_text(json.dumps(settings), "utf-8")
        found.append(Program("opencode", [options.opencode], plain, "Ask anything", r"Ran \d+ test"))
    return found


def measure(program: Program, folder: Path) -> list[float]:
    """Return the seconds from each prompt to its edit on the screen, and from there to the tests' result."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "Calc"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    taken: list[float] = []
    with terminal(program.command, program.environment, folder, COLUMNS, ROWS) as window:
        window.wait(program.ready)
        time.sleep(SETTLING)
        for ordinal in ORDINALS:
            window.type(f"Make the {ordinal} change")
            time.sleep(0.5)
            window.keys("Enter")
            began = time.monotonic()
            edited = _wait(window, f"{ordinal}_result", "")
            taken += [edited - began, _wait(window, program.tested, f"{ordinal}_result") - edited]
            time.sleep(SETTLING)
    return taken


def _wait(window: Terminal, pattern: str, after: str, seconds: float = 120.0) -> float:
    """Wait until the pattern matches the scrollback behind the last `after`; return the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = window.scrollback
        if re.search(pattern, text[text.rfind(after) if after else 0 :]):
            return time.monotonic()
        time.sleep(0.02)
    raise SystemExit(f"{pattern!r} was not shown within {seconds:g} s:\n{window.screen}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workspace", default="local")
    parser.add_argument("--swe-agent", default=shutil.which("swe-agent") or ".venv/bin/swe-agent")
    parser.add_argument("--aider", default="")
    parser.add_argument("--opencode", default="")
    options = parser.parse_args()
    taken: dict[str, list[list[float]]] = {}
    with endpoint() as base:
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
                for program in programs(Path(name), base, options):
                    folder = Path(name, program.name)
                    folder.mkdir()
                    taken.setdefault(program.name, []).append(measure(program, folder))
    titles = [f"{ordinal} {what}" for ordinal in ORDINALS for what in ("edit", "tests")]
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in taken.items()}
    print(" | ".join(["program", *titles]))
    for name, row in medians.items():
        ratios = (f"{one:.2f} s ({one / ours:.2f}x)" for one, ours in zip(row, medians["swe-agent"], strict=True))
        print(" | ".join([name, *ratios]))


if __name__ == "__main__":
    main()
