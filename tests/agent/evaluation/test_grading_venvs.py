"""Environments of this machine's Python, made by a set-up once and entered by a session."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from agent.evaluation.grading_venvs import venv
from tests.conftest import MakeRepo
from trajectories.errors import WorkspaceError
from trajectories.trees import Trees

SETUP = """\
set -e
cp tool "$VIRTUAL_ENV/bin/tool"
chmod +x "$VIRTUAL_ENV/bin/tool"
echo made > version.py
echo "$SECRET_TOKEN-$PYTHONPATH" >> "$VIRTUAL_ENV/said"
"""


@pytest.fixture
def place(make_repo: MakeRepo, tmp_path: Path) -> WorkspaceOptions:
    repository = Repository.open(make_repo({"tool": "#!/bin/sh\necho works\n", "setup.py": "raise SystemExit(1)\n"}))
    trees = Trees(tmp_path / "trees.git")
    return WorkspaceOptions(repository, repository.base(trees), trees)


def told(folder: Path, lines: tuple[str, ...], command: str) -> str:
    script = "\n".join([*lines, command])
    return subprocess.run(["sh", "-c", script], cwd=folder, check=False, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_it_is_made_once_and_entered_by_what_session_is_told(
    place: WorkspaceOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    first = venv("", SETUP, place)
    assert venv("", SETUP, place) == first
    (tmp_path / "clone").mkdir()
    assert told(tmp_path / "clone", first, "tool") == "works"
    assert told(tmp_path / "clone", first, 'cat "$VIRTUAL_ENV/said"') == "-"
    assert (tmp_path / "clone/version.py").read_text() == "made\n"
    assert not (tmp_path / "clone/tool").exists()


@pytest.mark.slow
def test_set_up_that_fails_is_said_with_its_last_words_and_tried_again(place: WorkspaceOptions) -> None:
    with pytest.raises(WorkspaceError, match=r"exit code 3.*\n.*no such thing"):
        venv("", "echo no such thing; exit 3", place)
    with pytest.raises(WorkspaceError, match="exit code 3"):
        venv("", "echo no such thing; exit 3", place)


def test_python_that_is_not_here_is_named(place: WorkspaceOptions) -> None:
    with pytest.raises(WorkspaceError, match=r"no python3\.77 on the PATH"):
        venv("3.77", "true", place)
