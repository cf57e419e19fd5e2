"""Modules of the user's repository that are named like installed ones are not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.aci.workspaces.breakout.conftest import marker
from tests.e2e.conftest import calculator, issue_file, machine, write

__all__ = ["calculator", "issue_file", "machine", "marker"]


@pytest.mark.slow
def test_modules_of_repository_do_not_shadow_installed_ones(machine, calculator, issue_file, marker):
    """A user may start the command from within such a repository."""
    evil = f"open({str(marker)!r}, 'w')\n"
    names = (
        "json",
        "docker",
        "git",
        "litellm",
        "typer",
        "rich",
        "sitecustomize",
        "usercustomize",
        "agent",
        "aci",
        "re",
    )
    write(calculator, {f"{name}.py": evil for name in names} | {"aci/__init__.py": evil, "pyvenv.cfg": "home = /"})
    command = Path(sys.executable).with_name("swe-agent")
    if not command.exists():
        pytest.skip("swe-agent is not installed next to this Python")
    process = subprocess.run([command, "locate", "--issue-file", issue_file], cwd=calculator, env=machine.environment,
                          capture_output=True, text=True, timeout=100)  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert not marker.exists()
