"""Strategies of extensions: they are listed, and have their roles, prompts and costs."""

from __future__ import annotations

import json

import pytest

import swe_agent
from agent.cli.command_line import run
from agent.config.settings import Settings
from agent.conversation.model_roles import assign_roles
from agent.engine.strategy_prompts import load_prompts


def test_strategies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["strategies", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["strategies"]}
    assert {"tree", "evolve", "debate", "converse", "pipeline", "templates"} <= listed.keys()
    assert listed["templates"]["cost"] == 0


def test_roles_of_strategy_are_assigned() -> None:
    settings = Settings(model="scripted:a", roles={"selector": "scripted:b", "judge": "scripted:c"})
    assert assign_roles(settings, "templates") == {"coder": "scripted:a", "judge": "scripted:c"}
    assert assign_roles(settings, "debate") == {"coder": "scripted:a", "judge": "scripted:c"}
    assert assign_roles(Settings(), "templates") == {}


def test_prompts_of_strategy_are_loaded() -> None:
    assert set(load_prompts("templates")) == {"cloze", "filler", "judge"}


def test_environment_for_training_is_public() -> None:
    assert swe_agent.gym.__doc__
