"""The Action's inputs, as the environment sets them."""

from __future__ import annotations

import pytest

from agent.config.environment_variables import GITHUB
from agent.inputs.github_urls import Address
from extensions.github.action_inputs import Rules, load_rules, own_repository
from trajectories.errors import ConfigError, UsageError


def test_action_variables_match_rule_fields() -> None:
    assert {name.lower() for name in GITHUB} == set(Rules.model_fields)


def test_rules_are_read_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_LABEL", "x")
    assert load_rules().label == "x"


def test_misspelt_input_is_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_BUDGET_PER_DYA", "0.1")
    with pytest.raises(ConfigError, match="is not a variable of swe-agent; SWE_AGENT_GITHUB_BUDGET_PER_DAY is"):
        load_rules()


def test_actions_repository_is_read_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    assert own_repository() == Address("https://github.com", "octo/calc")
    for name in ("", "octo", "octo/..", "octo/calc/x", "octo/c alc"):
        monkeypatch.setenv("GITHUB_REPOSITORY", name)
        with pytest.raises(UsageError):
            own_repository()
