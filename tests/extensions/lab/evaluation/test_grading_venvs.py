"""Virtual environments for grading: created once by a set-up and activated in a session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from extensions.lab.evaluation.grading_venvs import venv
from tests.conftest import MakeRepo
from trajectories.errors import WorkspaceError
from trajectories.git_store.trees import Trees

SETUP = """\
set -e
cp tool "$VIRTUAL_ENV/bin/tool"
chmod +x "$VIRTUAL_ENV/bin/tool"
echo built > version.py
echo "$SECRET_TOKEN-$PYTHONPATH" >> "$VIRTUAL_ENV/variables"
"""


@pytest.fixture
def options(make_repo: MakeRepo, tmp_path: Path) -> WorkspaceOptions:
    repository = Repository.open(make_repo({"tool": "#!/bin/sh\necho works\n", "setup.py": "raise SystemExit(1)\n"}))
    trees = Trees(tmp_path / "trees.git")
    return WorkspaceOptions(repository, repository.base(trees), trees)


def run_in_environment(folder: Path, lines: tuple[str, ...], command: str) -> str:
    script = "\n".join([*lines, command])
    return subprocess.run(["sh", "-c", script], cwd=folder, check=False, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_environment_is_created_once_and_activated_by_session(
    options: WorkspaceOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    first = venv("", SETUP, options)
    assert venv("", SETUP, options) == first
    (tmp_path / "clone").mkdir()
    assert run_in_environment(tmp_path / "clone", first, "tool") == "works"
    assert run_in_environment(tmp_path / "clone", first, 'cat "$VIRTUAL_ENV/variables"') == "-"
    assert (tmp_path / "clone/version.py").read_text() == "built\n"
    assert not (tmp_path / "clone/tool").exists()


@pytest.mark.slow
def test_failed_set_up_reports_its_output_and_is_retried(options: WorkspaceOptions) -> None:
    with pytest.raises(WorkspaceError, match=r"exit code 3.*\n.*no such thing"):
        venv("", "echo no such thing; exit 3", options)
    with pytest.raises(WorkspaceError, match="exit code 3"):
        venv("", "echo no such thing; exit 3", options)


def test_missing_python_version_is_reported(options: WorkspaceOptions) -> None:
    with pytest.raises(WorkspaceError, match=r"no python3\.77 on the PATH"):
        venv("3.77", "true", options)
