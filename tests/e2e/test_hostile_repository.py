"""Every subcommand, in a repository each of whose settings is a canary: none acts."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agent.cli.command_line import COMMANDS
from extensions.github.task.task_request import write
from extensions.sandbox.bubblewrap import unavailable_reason
from swe_agent import fix
from tests.aci.repository.hostile_repository import FEW_PLACES, Canaries, canary_server, hostile_repository
from tests.e2e.conftest import ISSUE, STRICT_TEST, Machine, answer, call
from tests.extensions.github.solve_runner import Job, set_up
from trajectories.plugins import names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
TEST = ("--test", "python3 -m unittest discover")
TEXT = ("--text", ISSUE)
SANDBOX = ("--workspace", "sandbox")
ROWS = {
    "fix": (*TEXT, *TEST, "--model", "MODEL", "--strategy", "react"),
    "doctor": (),
    "locate": TEXT,
    "graph": ("add",),
    "reproduce": (*TEXT, "--workspace", "local"),
    "prove": (*TEXT, *TEST, "--patch", "PATCH", *SANDBOX),
    "review": (*TEXT, *TEST, "--patch", "PATCH", *SANDBOX),
    "session": ("-p", "Look at @calc/core.py", "--model", "MODEL"),
    "runs": (),
    "show": ("RUN",),
    "report": ("RUN", "--out", "OUT.html"),
    "resume": ("RUN",),
    "fork": ("RUN@1", "--model", "MODEL"),
    "replay": ("RUN",),
    "diff": ("RUN@1", "RUN@2"),
    "export": ("RUN", "--format", "chat", "--out", "OUT.jsonl"),
    "optimize": ("--function", "calc/core.py:double", *TEST, "--max-time", "5"),
    "test": ("--function", "calc/core.py:double", *TEST),
    "synth": (".", "--out", "OUT.tasks.jsonl", *TEST),
    "batch": ("--instances", "INSTANCES", "--repos", "REPOS", "--out", "OUT", "--model", "MODEL", *TEST),
    "evaluate": ("--instances", "INSTANCES", "--predictions", "gold", "--repos", "REPOS", "--out", "OUT.graded", *TEST),
    "bench": ("--set", "INSTANCES", "--repos", "REPOS", "--out", "OUT.bench", "--model", "MODEL", *TEST),
    "env": ("why",),
    "experience": (),
    "memory": ("add", "The tests are in tests/"),
    "acp": ("--model", "MODEL"),
    "mcp": ("--root", "."),
    "github": (
        *("solve", "--task", "OUT.task", "--digest", "DIGEST", "--repo", ".", "--out", "OUT.action"),
        *("--model", "MODEL", *TEST, "--workspace", "local", "--strategy", "react"),
    ),
    "gitlab": ("comment", "RUN"),
    "gc": (),
    "config": (),
    "strategies": (),
    "completion": ("bash",),
    "count": ("--", "true"),
}
"""Arguments of each subcommand; words in capital letters are replaced."""
CODES = {"fix": 6, "resume": 6, "fork": 6, "session": 6, "optimize": 1, "test": 1, "synth": 1, "gitlab": 2}
CODES |= {"prove": 5, "review": 5} if unavailable_reason() else {"prove": 6}
"""Exit codes of subcommands that end otherwise than with 0: a fix without blind tests is plausible, the session may not
run tests, the proof has no test (or
there is no sandbox for it), the run has no issue on GitLab, and the others find nothing to change in so small a
repository. With any other code, a row
ends before the repository is used."""
NO_REPOSITORY = frozenset({"runs", "batch", "bench", "evaluate", "gc", "config", "strategies", "completion", "count"})
"""Subcommands that need no repository in the current folder. In an embedded git directory, where no run
can be made, all others end with 2."""


MESSAGES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "acp": [
        ("initialize", {"protocolVersion": 1, "clientCapabilities": {}}),
        ("session/new", {"cwd": "FOLDER", "mcpServers": []}),
        ("session/list", {}),
        ("session/prompt", {"sessionId": "SESSION", "prompt": [{"type": "text", "text": "Look at @calc/core.py"}]}),
    ],
    "mcp": [
        (
            "initialize",
            {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
        ),
        ("tools/list", {}),
        ("tools/call", {"name": "locate", "arguments": {"issue": ISSUE, "repository": "FOLDER"}}),
        ("resources/list", {}),
    ],
}
"""Requests to a server, in order."""


def serve(machine: Machine, folder: Path, command: list[str], folder_is_used: bool) -> None:
    """Start a server, and send it each request after the answer to the last one. The answers must be results if the
    server can use the folder."""
    messages = MESSAGES[command[0]]
    process = subprocess.Popen(
        machine.command(*command),
        env=machine.environment,
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    session = ""
    with process:
        for id, (method, params) in enumerate(messages, 1):
            text = json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
            answered = ask(process, id, text.replace("FOLDER", str(folder)).replace("SESSION", session))
            if folder_is_used:
                assert "result" in answered, answered
                assert not answered["result"].get("isError"), answered
            session = answered.get("result", {}).get("sessionId", session)
        assert process.stdin
        with suppress(BrokenPipeError):  # the server has ended
            process.stdin.close()
        process.wait(60)


def ask(process: subprocess.Popen[str], id: int, request: str) -> dict[str, Any]:
    """Send a request to a server and return the answer; refuse what the server asks meanwhile. An answer without a
    result is returned if the server has ended."""
    assert process.stdin
    assert process.stdout
    with suppress(BrokenPipeError):
        process.stdin.write(request + "\n")
        process.stdin.flush()
    for line in process.stdout:
        message: dict[str, Any] = json.loads(line)
        if "method" not in message and message.get("id") == id:
            return message
        if "method" in message and "id" in message:
            refusal = {"jsonrpc": "2.0", "id": message["id"], "result": {"outcome": {"outcome": "cancelled"}}}
            process.stdin.write(json.dumps(refusal) + "\n")
            process.stdin.flush()
    return {}


def test_every_subcommand_is_in_the_table() -> None:
    assert {name.replace("-", "_") for name in names(COMMANDS)} == set(ROWS)


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    with canary_server(Canaries(tmp_path / "canaries")) as canaries:
        yield canaries


@pytest.mark.parametrize("place", FEW_PLACES)
def test_no_subcommand_starts_or_reads_what_a_repository_names(
    machine: Machine, canaries: Canaries, tmp_path: Path, place: str
) -> None:
    (tmp_path / "repos").mkdir()
    root = tmp_path / "repos" / "people__calc"
    folder = hostile_repository(canaries, root, place)
    head = (root / ".git" / "refs" / "heads" / "main").read_text().strip()
    edits = call("edit", path="tests/test_core.py", old="", new=STRICT_TEST)
    model = machine.script(
        answer("Both.", edits, call("edit", path="calc/core.py", old="a - b", new="a + b"), call("submit"))
    )
    old = (root / "calc" / "core.py").read_text()
    (tmp_path / "core.py").write_text(old.replace("a - b", "a + b"))
    patch = subprocess.run(
        ["diff", "-u", "--label", "a/calc/core.py", "--label", "b/calc/core.py", root / "calc/core.py", "core.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    ).stdout
    (tmp_path / "fix.patch").write_text(f"diff --git a/calc/core.py b/calc/core.py\n{patch}")
    row = f'{{"instance_id": "people__calc-0", "repo": "people/calc", "base_commit": "{head}", "patch": "", '
    row += '"test_patch": "", "problem_statement": "add() subtracts", "FAIL_TO_PASS": "[]", "PASS_TO_PASS": "[]"}\n'
    (tmp_path / "instances.jsonl").write_text(row)
    words = {"MODEL": model, "PATCH": tmp_path / "fix.patch", "INSTANCES": tmp_path / "instances.jsonl"}
    digest = write(Job(tmp_path, root).task(), tmp_path / "out.task")
    words |= {"REPOS": tmp_path / "repos", "DIGEST": digest}
    machine.extra |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    acted = {}
    for name, arguments in ROWS.items():
        canaries.reset()
        run = machine.runs()[0].name if machine.runs() else "none"
        given = [
            str(words.get(each, each.replace("OUT", str(tmp_path / "out")).replace("RUN", run))) for each in arguments
        ]
        try:
            if name in MESSAGES:
                serve(machine, folder, [name, *given], folder == root)
            else:
                ended = machine.run(name, *given, cwd=folder, timeout=100)
                expected = CODES.get(name, 0) if folder == root or name in NO_REPOSITORY else 2
                assert ended.returncode == expected, ended.stdout[-300:] + ended.stderr[-300:]
            canaries.check(machine.home)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            acted[name] = str(error)
    assert acted == {}


def test_the_library_and_the_job_of_the_action(
    canaries: Canaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(tmp_path, monkeypatch)
    reply = answer("Fix.", call("edit", path="calc/core.py", old="a - b", new="a + b"), call("submit"))
    job = Job(tmp_path, hostile_repository(canaries, tmp_path / "repo", "include"))
    task = job.task()
    canaries.reset()
    fix("add() subtracts", job.repository, model=job.script(reply), workspace="local", strategy="react")
    assert job.run(task, reply) is not None
    canaries.check(tmp_path / "state")
