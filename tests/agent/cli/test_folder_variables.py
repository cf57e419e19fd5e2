"""Environment variables that name a folder: a command works with any value, or says in one sentence what is wrong."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.command_line import run
from tests.conftest import MakeRepo

VARIABLES = (
    *("PYENV_ROOT", "CONDA_PREFIX", "VIRTUAL_ENV", "HOME", "TMPDIR", "DOCKER_HOST", "DOCKER_CONFIG"),
    *("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    *("SWE_AGENT_STATE", "SWE_AGENT_CACHE", "SWE_AGENT_CONFIG"),
)
COMMANDS = (["runs"], ["config"], ["doctor"], ["env"], ["locate", "--text", "f() returns 1"])


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Values for the variables by what they name."""
    unreadable = tmp_path / "unreadable"
    (unreadable / "versions").mkdir(parents=True)
    file = tmp_path / "file"
    file.touch()
    unreadable.chmod(0)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield {
        "empty": "",
        "missing": str(tmp_path / "missing/folder"),
        "unreadable": str(unreadable),
        "file": str(file),
        "relative": "folder",
    }
    unreadable.chmod(0o700)


@pytest.mark.parametrize("kind", ["empty", "missing", "unreadable", "file", "relative"])
@pytest.mark.parametrize("variable", VARIABLES)
def test_any_value_works_or_is_one_sentence(
    make_repo: MakeRepo,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folders: dict[str, str],
    variable: str,
    kind: str,
) -> None:
    if kind == "unreadable" and os.geteuid() == 0:
        pytest.skip("root can read every folder")
    monkeypatch.chdir(make_repo({"a.py": "def f():\n    return 1\n"}))
    monkeypatch.setenv(variable, folders[kind])
    for command in COMMANDS:
        code = run(command)
        captured = capsys.readouterr()
        assert code in (0, 2, 3, 5), captured.err
        if code and command[0] != "doctor":  # which lists what is wrong on stdout
            assert captured.err.startswith("swe-agent: "), captured.err
        assert "Errno" not in captured.err + captured.out
