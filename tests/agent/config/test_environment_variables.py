"""Unknown environment variables: a misspelt name is an error, any other a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent.config import environment_variables
from agent.config.environment_variables import PREFIX, edits
from agent.config.settings import Settings, load_settings
from trajectories.errors import ConfigError

ROOT = Path(environment_variables.__file__).parents[2]


@pytest.fixture(autouse=True)
def isolated_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(environment_variables, "_warned", set())


@pytest.mark.parametrize(
    ("given", "suggestion"),
    [
        ("SWE_AGENT_BUDGTE", "SWE_AGENT_BUDGET"),
        ("swe_agent_bugdets", "SWE_AGENT_BUDGET"),
        ("SWE_AGENT_MAXSTEPS", "SWE_AGENT_MAX_STEPS"),
        ("SWE_AGENT_TEST_TIMEOTU", "SWE_AGENT_TEST_TIMEOUT"),
        ("SWE_AGENT_CONFG", "SWE_AGENT_CONFIG"),
        ("SWE_AGENT_GITHUB_BUDGET_PER_DYA", "SWE_AGENT_GITHUB_BUDGET_PER_DAY"),
    ],
)
def test_misspelt_name_is_error(monkeypatch: pytest.MonkeyPatch, given: str, suggestion: str) -> None:
    monkeypatch.setenv(given, "0.1")
    with pytest.raises(ConfigError, match=f"{given} is not a variable of swe-agent; {suggestion} is") as raised:
        load_settings()
    assert raised.value.code == 3


def test_other_unknown_name_is_one_line_of_warning(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("SWE_AGENT_LOG_STREAM_LEVEL", "SWE_AGENT_X\x1b[2J", "SWE_AGENT_ID"):
        monkeypatch.setenv(name, "1")
    assert load_settings() == load_settings()
    captured = capfd.readouterr()
    assert captured.err.splitlines() == [
        f"swe-agent: warning: {name} is not a variable of swe-agent."
        for name in ("SWE_AGENT_ID", "SWE_AGENT_LOG_STREAM_LEVEL", "SWE_AGENT_X")
    ]
    assert not captured.out


@pytest.mark.parametrize("name", ["HOST", "DIR", "TEAM", "STATUS", "PRS"])
def test_short_similar_name_is_only_warning(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(f"SWE_AGENT_{name}", "1")
    load_settings()
    assert f"SWE_AGENT_{name} is not a variable of swe-agent." in capfd.readouterr().err


def test_known_names_are_accepted_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Names used by the settings, the Action, the tests, commands in a workspace, and Princeton's SWE-agent."""
    (tmp_path / "config.toml").write_text('[models.x]\nkey_env = "SWE_AGENT_MODEL_"\n')
    names = {"SWE_AGENT_MODEL_", "SWE_AGENT_CONFIG_DIR", "SWE_AGENT_TOOLS_DIR", "SWE_AGENT_TRAJECTORY_DIR"}
    sources = [*ROOT.glob("a[cg]*/**/*.py"), *ROOT.glob("*.py"), *ROOT.glob("*.yml"), *ROOT.glob(".github/*/*.yml")]
    sources += [*ROOT.glob("extensions/**/*.py"), *ROOT.glob("tests/extensions/**/*.py")]
    sources += [*ROOT.glob("tests/aci/**/*.py"), *ROOT.glob("scripts/*"), ROOT / "Makefile"]
    named = re.compile(r"\bSWE_AGENT_[A-Z][A-Z_]*[A-Z]\b")
    names |= {name for file in sources if file.is_file() for name in named.findall(file.read_text("utf-8", "replace"))}
    assert {"SWE_AGENT_JOB", "SWE_AGENT_GITHUB_LABEL"} <= names
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in names - known - {"SWE_AGENT_CONFIG"}:
        if not name.startswith("SWE_AGENT_GITHUB_"):
            monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SWE_AGENT_GITHUB_LABEL", "x")
    monkeypatch.setenv("Swe_Agent_Max_Steps", "7")
    assert load_settings().max_steps == 7
    assert not capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["fix", "--text", "x"], ["config", "show"]])
def test_misspelt_variable_ends_command_with_code_3(tmp_path: Path, arguments: list[str]) -> None:
    assert_misspelt_variable_is_refused(tmp_path, arguments)


def assert_misspelt_variable_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    environment = os.environ | {"SWE_AGENT_BUDGTE": "0.1", "SWE_AGENT_STATE": str(tmp_path)}
    completed = subprocess.run(
        [sys.executable, ROOT / "swe_agent", *arguments],
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout) == (3, "")
    assert "SWE_AGENT_BUDGTE is not a variable of swe-agent; SWE_AGENT_BUDGET is." in completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "ab", 2), ("abc", "acb", 1), ("abc", "xyz", 3), ("state", "sate", 1), ("a", "a", 0)],
)
def test_edit_distance_is_symmetric(one: str, other: str, distance: int) -> None:
    assert edits(one, other) == edits(other, one) == distance
