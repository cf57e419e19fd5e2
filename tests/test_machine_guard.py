"""The guard around the machine that runs the tests, tried on small test files of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import machine_guard

ROOT = Path(__file__).resolve().parents[1]
INSTALLS = 'import subprocess\n\ndef test_it():\n    subprocess.run(["sh", "-c", "npm install left-pad || true"])\n'
WRITES_HOME = (
    "import os, pwd\n\ndef test_it():\n"
    '    open(os.path.join(os.environ["REAL_HOME_OF_TEST"], ".cache", "new"), "w").close()\n'
)
READS_SETTINGS = (
    "import os, subprocess\n\ndef test_it():\n"
    '    assert not subprocess.run(["git", "config", "user.name"], capture_output=True).stdout\n'
    '    assert "OPENAI_API_KEY" not in os.environ\n'
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user with an identity for git."""
    (tmp_path / "home/.cache").mkdir(parents=True)
    (tmp_path / "home/.gitconfig").write_text("[user]\n\tname = Ada\n")
    return tmp_path / "home"


def run_test(tmp_path: Path, home: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a test file under the conftest.py of the project, as the user with this home."""
    folder = tmp_path / "project"
    (folder / "tests").mkdir(parents=True)
    shutil.copy(ROOT / "conftest.py", folder)
    for name in ("__init__.py", "machine_guard.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    (folder / "tests/test_it.py").write_text(text.replace('os.environ["REAL_HOME_OF_TEST"]', repr(str(home))))
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "npm").write_text(f"#!/bin/sh\ntouch {home}/.cache/installed\n")
    (programs / "npm").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "OPENAI_API_KEY": "secret"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests"]
    options = ["-o", "pythonpath=.", "-o", "markers=installers: x"]
    return subprocess.run([*command, *options], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (INSTALLS, "the test started a package manager:  npm install left-pad"),
        (WRITES_HOME, "~/.cache/new"),
    ],
    ids=["installs", "writes into the home"],
)
def test_test_that_changes_the_machine_fails(tmp_path: Path, home: Path, text: str, reason: str) -> None:
    ran = run_test(tmp_path, home, text)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert reason in ran.stdout
    assert not (home / ".cache/installed").exists()


@pytest.mark.slow
def test_marked_test_starts_installers(tmp_path: Path, home: Path) -> None:
    ran = run_test(tmp_path, home, f"import pytest\n\npytestmark = pytest.mark.installers\n{INSTALLS}")
    assert (home / ".cache/installed").exists(), ran.stdout + ran.stderr


@pytest.mark.slow
def test_settings_of_the_user_are_not_read(tmp_path: Path, home: Path) -> None:
    ran = run_test(tmp_path, home, READS_SETTINGS)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_worker_gets_the_environment_of_its_controller() -> None:
    with machine_guard.isolated_environment({"PATH": os.defpath, "HOME": "/home/ada"}) as first:
        with machine_guard.isolated_environment(first) as second:
            assert first == second
        assert Path(first["HOME"]).is_dir()
    assert not Path(first["HOME"]).exists()
