"""Each extension can be removed: the core imports, its help works, and a run ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli.command_line import EXTENSIONS
from tests.e2e.conftest import STRICT_TEST, answer, calculator, call, issue_file, machine
from trajectories.plugins import extension_names, required_extensions

__all__ = ["calculator", "issue_file", "machine"]

ROOT = Path(__file__).resolve().parents[2]
CORE = ("swe_agent", "agent", "aci", "tools", "trajectories")
OF_EXTENSIONS = {"swe_agent.gym"}
"""Public names of what the extension lab defines."""


def copy_without(target: Path, *removed: str) -> Path:
    for package in CORE:
        shutil.copytree(ROOT / package, target / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "extensions", target / "extensions", ignore=shutil.ignore_patterns("__pycache__", *removed))
    return target


@pytest.mark.slow
@pytest.mark.parametrize("removed", [(), *((name,) for name in extension_names())], ids=" ".join)
def test_core_works_without_extension(removed, tmp_path, machine, calculator, issue_file) -> None:
    removed = removed or extension_names()
    machine.plugins = copy_without(tmp_path / "copy", *removed)
    helped = machine.run("--help")
    assert helped.returncode == 0, helped.stderr
    for command, extension in EXTENSIONS.items():
        if extension not in removed and not required_extensions(extension).intersection(removed):
            continue
        assert f"│ {command} " not in helped.stdout
        refused = machine.run(command)
        assert refused.returncode == 2
        lacks = f"is in the extension {extension}" if extension in removed else "requires the extension"
        assert f"`swe-agent {command}` {lacks}" in " ".join(refused.stderr.split())
    fixed = answer(
        "Fixed.",
        call("edit", path="tests/test_core.py", old="", new=STRICT_TEST),
        call("edit", path="calc/core.py", old="a - b", new="a + b"),
        call("submit", summary="add() adds"),
    )
    ended = machine.json(
        *("fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", machine.script(fixed)),
        *("--test", "python3 -m unittest discover -s tests -t ."),
    )
    assert ended["verdict"]["kind"] == ("unproven" if "experiment" in removed else "plausible"), ended


@pytest.mark.slow
@pytest.mark.parametrize("removed", extension_names())
def test_core_imports_without_extension(removed: str, tmp_path: Path) -> None:
    copy = copy_without(tmp_path / "copy", removed)
    files = (path for package in CORE for path in (copy / package).rglob("*.py") if "guest" not in path.parts)
    names = {".".join(path.relative_to(copy).with_suffix("").parts).removesuffix(".__init__") for path in files}
    code = f"import importlib\nfor name in {sorted(names - OF_EXTENSIONS)}: importlib.import_module(name)"
    if removed == "optimize":
        code += (
            "\nfrom extensions.mcp_server.tool_table import TOOLS\nassert 'optimize' not in TOOLS and 'fix' in TOOLS"
        )
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
