"""The same issue gives the same journal in every front end."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, ISSUE, TEST_CORE

REPOSITORY = Path(__file__).parents[4]
TIMES = {"at", "seconds"}
SIZES = {"tokens", "dollars", "usage"}
"""Fields of holds and settlements that depend on the offered tools: `ask_user` and `delegate` need a front end."""
MODEL = [
    {"n": 1, "reply": {"text": "Look.", "actions": [{"tool": "view", "arguments": {"path": "calc/core.py"}}]}},
    {
        "n": 2,
        "reply": {
            "text": "A test and the fix.",
            "actions": [
                {"tool": "edit", "arguments": {"path": "tests/test_core.py", "old": "", "new": TEST_CORE}},
                {"tool": "edit", "arguments": {"path": "calc/core.py", "old": "return a - b", "new": "return a + b"}},
            ],
        },
    },
    {"n": 3, "reply": {"text": "Done.", "actions": [{"tool": "submit", "arguments": {}}]}},
    {"reply": {"text": "Still done.", "actions": [{"tool": "submit", "arguments": {}}]}},
]
LIBRARY = """
import sys
from swe_agent import Issue, Repository, begin, load_settings, reopen, solve
title, _, body = sys.stdin.read().partition("\\n")
settings = load_settings()
issue = Issue(title.strip().lstrip("# "), body.strip())
engine = reopen(begin(issue, Repository.open("."), settings), settings.state)
for step in solve(engine):
    pass
engine.close()
"""
COMMAND_LINE = "from swe_agent import main; main()"
INTERFACE = """
import asyncio, sys
from agent.config.session_preferences import Preferences
from extensions.interactive.session.session_start import start
from extensions.interactive.tui.app import SessionApp

async def until(pilot, seen):
    while not seen():
        await pilot.pause(0.05)

async def work():
    app = SessionApp(lambda: start(".", None, "", "build", {}, None, False), Preferences())
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.session is not None and not app._preparing)
        for words in sys.stdin.read().splitlines():
            await pilot.press(*words, "space", "enter")
            await until(pilot, lambda: not app.prompt.entry.text)
        await until(pilot, lambda: app.session.engine is not None and app.session.state == "idle")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: not app.session.alive)
    app.let_go()

asyncio.run(work())
"""
"""The full-screen interface, driven by key presses."""

EDITOR = """
import asyncio, os, sys
from acp import spawn_agent_process
from acp.helpers import text_block
from acp.schema import AllowedOutcome, RequestPermissionResponse

class Client:
    async def session_update(self, session_id, update, **_):
        pass

    async def request_permission(self, session_id, tool_call, options, **_):
        return RequestPermissionResponse(outcome=AllowedOutcome(outcome="selected", option_id="allow"))

async def work():
    agent = "from swe_agent import main; main()"
    async with spawn_agent_process(Client(), sys.executable, "-c", agent, "acp", env=os.environ) as (agent, process):
        await agent.initialize(protocol_version=1)
        session = (await agent.new_session(cwd=os.getcwd(), mcp_servers=[])).session_id
        for words in sys.stdin.read().splitlines():
            await agent.prompt(session_id=session, prompt=[text_block(words)])
        process.stdin.close()
        await process.wait()

asyncio.run(work())
"""
"""An editor over ACP, with the SDK's client."""


@pytest.fixture
def solve_issue(make_repo, tmp_path):
    """`solve_issue(name, code, input, *arguments)` solves the issue in a process and returns the journal's records."""
    root = make_repo(CALCULATOR)
    script = tmp_path / "script.jsonl"
    script.write_text("\n".join(map(json.dumps, MODEL)))
    (tmp_path / "config.toml").write_text('[permissions]\nallow = ["command python -m unittest"]\n')
    (root / "ISSUE.md").write_text(ISSUE)
    (root / ".git" / "info" / "exclude").write_text("ISSUE.md\n")

    def solve(name: str, code: str, stdin: str, *arguments: str, strategy: str = "test-then-patch") -> list[Any]:
        state = tmp_path / name
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SWE_AGENT_")} | {
            "SWE_AGENT_STATE": str(state),
            "SWE_AGENT_CONFIG": str(tmp_path / "config.toml"),
            "SWE_AGENT_CACHE": str(tmp_path / f"{name}-cache"),
            "SWE_AGENT_WORKSPACE": "local",
            "SWE_AGENT_MODEL": f"scripted:{script}",
            "SWE_AGENT_STRATEGY": strategy,
            "SWE_AGENT_INDEPENDENT": "false",
            "SWE_AGENT_UPDATE_TESTS": "1",
            "SWE_AGENT_TEST": "python -m unittest",
            "PYTHONPATH": str(REPOSITORY),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        process = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=root, env=environment, input=stdin, capture_output=True, text=True, timeout=400, check=False,
        )  # fmt: skip
        assert "Traceback" not in process.stderr, process.stderr
        (run,) = (state / "runs").iterdir()
        records = map(json.loads, (run / "journal.jsonl").read_text().splitlines())
        approval = {"type": "note", "kind": "approval"}  # only in a session, whose rule lets tests run on this machine
        return [normalise(record, run.name) for record in records if not approval.items() <= record.items()]

    yield solve
    assert git(root, "status", "--porcelain") == ""


def normalise(record: Any, run: str) -> Any:
    """Remove times, names of runs and paths of temporary folders from a record."""
    if isinstance(record, dict):
        left_out = TIMES | (SIZES if record.get("type") in ("hold", "settle") else set())
        return {key: normalise(value, run) for key, value in record.items() if key not in left_out}
    if isinstance(record, list):
        return [normalise(value, run) for value in record]
    if isinstance(record, str):
        text = record.replace(run, "RUN")
        text = re.sub(r"/tmp/(?!pytest)[\w.-]+(?:/[\w.-]+)*", "FOLDER", text)
        return re.sub(r"\b\d+\.\d+ ?s(?:econds)?\b", "TIME", text)
    return record


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("strategy", ["test-then-patch", "build"])
def test_journal_is_the_same_in_every_front_end(solve_issue, strategy):
    stdin = f"/strategy {strategy}\n@ISSUE.md\n"
    with ThreadPoolExecutor() as pool:
        solving = [
            pool.submit(
                solve_issue,
                "command",
                COMMAND_LINE,
                "",
                "fix",
                "--plain",
                "--issue-file",
                "ISSUE.md",
                strategy=strategy,
            ),
            pool.submit(solve_issue, "library", LIBRARY, ISSUE, strategy=strategy),
            pool.submit(solve_issue, "lines", COMMAND_LINE, stdin, "--plain", strategy=strategy),
            pool.submit(solve_issue, "interface", INTERFACE, stdin, strategy=strategy),
            pool.submit(solve_issue, "editor", EDITOR, stdin, strategy=strategy),
        ]
    command, library, lines, interface, editor = (result.result() for result in solving)
    assert [record["type"] for record in command].count("step") >= 3
    assert command[-1]["type"] == "exit"
    assert library == command
    assert lines == command
    assert interface == command
    assert editor == command
