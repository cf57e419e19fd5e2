"""The setting `instructions` of runs that are resumed or replayed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import settings as settings_module
from agent.config.settings import load_settings
from agent.run_state.run_settings import settings_of_own_run
from agent.runs.run_lookup import open_own_run
from agent.runs.run_replay import replay_settings
from tests.agent.conftest import Bench, line
from trajectories.journal import read
from trajectories.records import Run


def without_instructions(run: Run | None) -> Run:
    """Return the run as an earlier version recorded it."""
    assert run is not None
    return replace(run, settings={name: value for name, value in run.settings.items() if name != "instructions"})


@pytest.mark.parametrize(
    ("is_recorded", "today", "policy", "expected"),
    [
        (True, "true", "", True),
        (True, "false", "", False),
        (True, "true", "instructions = false", False),
        (False, "true", "", False),
        (False, "true", "instructions = true", False),
    ],
)
def test_resumed_run_reads_instructions_only_if_recorded_and_configured(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_recorded: bool, today: str, policy: str, expected: bool
) -> None:
    trajectory = read(bench.begin(line("x")))
    monkeypatch.setenv("SWE_AGENT_INSTRUCTIONS", today)
    _policy(bench.folder, monkeypatch, policy)
    if not is_recorded:
        trajectory.run = without_instructions(trajectory.run)
    assert settings_of_own_run(trajectory, bench.settings.state).instructions == expected


@pytest.mark.parametrize("policy", ["", "instructions = true"])
def test_replay_of_run_of_an_earlier_version_reads_no_instructions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    _policy(bench.folder, monkeypatch, policy)
    material = open_own_run(bench.begin(line("x")))
    assert replay_settings(material, bench.settings, None).instructions
    material.trajectory.run = without_instructions(material.trajectory.run)
    settings = replay_settings(material, load_settings(state=bench.settings.state), None)
    assert not settings.instructions


def _policy(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "policy.toml").write_text(text)
    monkeypatch.setattr(settings_module, "POLICY", folder / "policy.toml")
