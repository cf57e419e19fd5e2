"""`swe-agent doctor` in a repository with problems: each is a finding, and the other checks go on."""

from __future__ import annotations

import json
import os
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from aci.docker.docker_daemon import connect
from extensions.housekeeping.commands.doctor import command
from extensions.housekeeping.workspace_checks import registry_error
from tests.conftest import MakeRepo, git

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a test that passes, whose tests run without isolation."""
    root = make_repo({"tests/test_a.py": "def test_a():\n    pass\n"})
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SWE_AGENT_WORKSPACE", "local")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWE_AGENT_TEST", "python -m pytest")
    monkeypatch.chdir(root)
    return root


def checks(capsys: pytest.CaptureFixture[str], collect: bool = True) -> tuple[int, dict[str, dict[str, Any]]]:
    code = command(json=True, collect=collect)
    return code, {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}


def test_file_that_cannot_be_collected_is_a_warning_if_others_can(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tests/test_b.py").write_text("import nothing_such\n")
    code, results = checks(capsys)
    tests = results["tests"]
    assert (code, tests["ok"], tests["warning"]) == (0, True, True)
    assert tests["found"].startswith("1 collected, 1 file cannot be: ModuleNotFoundError: No module named 'nothing_s")
    assert tests["fix"]
    assert command(collect=True) == 0
    shown = capsys.readouterr().out
    assert f"warn tests: {tests['found']}\n     {tests['fix']}\n" in shown
    (repository / "tests/test_a.py").unlink()
    code, results = checks(capsys)
    assert (code, results["tests"]["ok"], results["tests"]["warning"]) == (5, False, False)


def test_missing_pytest_is_a_warning(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "tests/test_a.py").write_text("import pytest\n\n\ndef test_a():\n    pass\n")
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.delenv("SWE_AGENT_TEST")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bare/bin'}{os.pathsep}{os.environ['PATH']}")
    code, results = checks(capsys)
    assert (code, results["tests"]["warning"]) == (0, True)
    assert "seem to need pytest" in results["tests"]["found"]


def test_options_choose_what_is_checked(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command(json=True, workspace="docker", image="no-such-image:1")
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert "python" not in found
    assert not found["docker"]["ok"] or found["image"]["found"].startswith("no-such-image:1 is not present")
    command(json=True, workspace="local")
    assert "python" in [check["name"] for check in json.loads(capsys.readouterr().out)["checks"]]


def test_invalid_config_of_the_repository_is_a_finding(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / ".swe-agent.toml").write_text("test = \n")
    code, results = checks(capsys)
    assert code == 3
    assert results["settings"]["found"].startswith("The repository's .swe-agent.toml cannot be read: ")
    assert results["settings"]["fix"] == "Fix the file."
    assert [name for name, check in results.items() if not check["ok"]] == ["settings"]
    assert results["tests"]["found"] == "1 collected (`python -m pytest`, from $SWE_AGENT_TEST)"
    assert {"repository", "git", "workspace", "model"} <= results.keys()


def test_documented_test_command_is_not_used_without_isolation(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SWE_AGENT_TEST")
    (repository / "AGENTS.md").write_text("# X\n\nTest with `make test`.\n")
    (repository / "Makefile").write_text("test:\n\t./own-runner\n")
    (repository / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert checks(capsys)[1]["tests"]["found"] == "1 collected (`python3 -m pytest`)"


def test_python_is_the_one_that_runs_use(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    venv.create(repository / ".venv", with_pip=False, symlinks=True)
    _, results = checks(capsys, collect=False)
    assert f" of {repository / '.venv'}: " in results["python"]["found"]
    git(repository, "add", "-f", ".venv")
    _, results = checks(capsys, collect=False)
    assert f"{repository / '.venv'}" not in results["python"]["found"], "an environment that git tracks is not trusted"


@pytest.mark.docker
def test_registry_that_does_not_answer_is_reported() -> None:
    daemon = connect()
    try:
        assert "localhost:1" in registry_error(daemon, "localhost:1/python:3.14")
    finally:
        daemon.rest()
