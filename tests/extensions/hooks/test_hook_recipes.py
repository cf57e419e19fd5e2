"""The recipes in the documentation of hooks and events can be pasted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from agent.config.hook_table import HOOK_EVENTS, HookTable
from agent.config.settings import load_settings
from extensions.hooks.hook_process import hook_environment, run_hook

DOCS = Path(__file__).parents[3] / "docs"
TABLES = re.findall(r"```toml\n(.*?)```", (DOCS / "hooks.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", TABLES)
def test_recipe_is_a_valid_config(own_config: Path, text: str) -> None:
    own_config.write_text(text)
    assert len(load_settings().hooks.all) == 1


def test_each_hook_is_described() -> None:
    table = (DOCS / "hooks.md").read_text("utf-8").partition("| hook | when |")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == HOOK_EVENTS


@pytest.mark.parametrize(("files", "code"), [(20, 0), (21, 2)])
def test_recipe_counts_files(files: int, code: int) -> None:
    (hook,) = HookTable.model_validate(tomllib.loads(TABLES[-1])["hooks"]).patch
    diff = "".join(f"diff --git a/{number} b/{number}\n+x\n" for number in range(files))
    end = run_hook(hook.command, json.dumps({"patch": diff}).encode(), hook_environment(()), 10, lambda: False)
    assert (end.code, end.stderr) == (code, "21 files are too many: split the change.\n" if code else "")


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
@pytest.mark.parametrize(("path", "code"), [("app/migrations/1.py", 2), ("app/models.py", 0)])
def test_recipe_with_jq_rejects_migrations(tmp_path: Path, path: str, code: int) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", (DOCS / "hooks.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "hook").write_text(script)
    (tmp_path / "hook").chmod(0o755)
    given = json.dumps({"tool_name": "edit", "tool_input": {"path": path}}).encode()
    assert run_hook((str(tmp_path / "hook"),), given, hook_environment(()), 10, lambda: False).code == code


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_recipe_of_events_shows_progress() -> None:
    (program,) = re.findall(r"jq --unbuffered -r '(.*?)'", (DOCS / "events.md").read_text("utf-8"), re.DOTALL)
    lines = [
        {"type": "request", "status": "started", "role": "coder"},
        {"type": "tool", "status": "started", "text": "view a.py"},
        {"type": "tool", "status": "completed", "text": "view a.py"},
        {"type": "exit", "record": {"kind": "verified", "code": 0, "seconds": 9.5}},
    ]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    shown = subprocess.run(["jq", "-r", program], input=text, capture_output=True, text=True, check=True).stdout
    assert shown == "asks coder\n  view a.py\nverified (exit code 0), 9 s\n"
