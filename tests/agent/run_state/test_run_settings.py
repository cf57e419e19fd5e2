"""The settings `instructions`, limits and delivery of runs that are resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config import settings as settings_module
from agent.run_state.run_settings import settings_of_own_run
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
    set_policy(bench.folder, monkeypatch, policy)
    if not is_recorded:
        trajectory.run = without_instructions(trajectory.run)
    assert settings_of_own_run(trajectory, bench.settings.state).instructions == expected


@pytest.mark.parametrize(
    ("policy", "own", "expected"),
    [
        ("budget = 5.0\nmax_tokens = 900", (0.25, 70), (0.25, 70)),
        ("budget = 0.1\nmax_tokens = 9", (0.25, 70), (0.1, 9)),
        ("budget = 5.0\nmax_tokens = 900", (None, None), (5.0, 900)),
        ("", (0.25, None), (0.25, None)),
    ],
)
def test_lower_limit_of_run_and_policy_holds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, policy: str, own: tuple[Any, Any], expected: tuple[Any, Any]
) -> None:
    """A run may be given what is left of a budget that several runs share."""
    trajectory = read(bench.begin(line("x"), budget=own[0], max_tokens=own[1]))
    set_policy(bench.folder, monkeypatch, policy)
    settings = settings_of_own_run(trajectory, bench.settings.state)
    assert (settings.budget, settings.max_tokens) == expected


@pytest.mark.parametrize("is_own", [False, True])
def test_policy_does_not_deliver_for_a_run_without_delivery(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, is_own: bool
) -> None:
    trajectory = read(bench.begin(line("x"), apply=is_own, branch="own" if is_own else ""))
    set_policy(bench.folder, monkeypatch, 'apply = true\nbranch = "policy"\npr = true')
    settings = settings_of_own_run(trajectory, bench.settings.state)
    assert (settings.apply, settings.branch, settings.pr) == (is_own, "policy" if is_own else "", False)


def set_policy(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (folder / "policy.toml").write_text(text)
    monkeypatch.setattr(settings_module, "POLICY", folder / "policy.toml")
