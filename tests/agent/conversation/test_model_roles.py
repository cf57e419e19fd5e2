"""Assignment of models to roles, from the config to the request."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.api_keys import variables
from agent.config.model_table import ModelTable
from agent.config.settings import Settings, load_settings
from agent.conversation.model_roles import assign_roles, check_models, needs_model, roles_of, used_models
from agent.lifecycle.run_lifecycle import begin
from tests.agent.conftest import Bench, line
from trajectories.errors import ConfigError, UsageError
from trajectories.records import Issue


def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))


def test_coder_role_sets_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(tmp_path, monkeypatch, '[roles]\ncoder = "small"\nselector = "large"\n')
    assert (load_settings().model, load_settings().roles) == ("small", {"selector": "large"})
    flagged = load_settings(model="other")
    assert (flagged.model, flagged.roles) == ("other", {"selector": "large"})
    monkeypatch.setenv("SWE_AGENT_MODEL", "from the environment")
    assert load_settings().model == "from the environment"


def test_invalid_roles_table_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_config(tmp_path, monkeypatch, 'roles = "large"\n')
    with pytest.raises(ConfigError, match=r"Invalid value for roles in .*config\.toml"):
        load_settings()


def test_unknown_strategy_is_reported_with_those_for_users() -> None:
    with pytest.raises(UsageError, match="no strategy named 'magic'") as raised:
        needs_model("magic")
    listed = raised.value.fix.partition(": ")[2].rstrip(".").split(", ")
    assert {"react", "best-of"} <= set(listed)
    assert not {"by-hand", "undo", "choose", "compact", "prove", "build", "plan"} & set(listed)
    assert needs_model("test_then_patch")


def test_only_roles_of_strategy_are_assigned() -> None:
    settings = Settings(model="scripted:a", roles={"selector": "scripted:b", "judge": "scripted:c"})
    assert assign_roles(settings, "best-of") == {"coder": "scripted:a", "selector": "scripted:b"}
    assert roles_of("best-of")[0] == "coder"


def test_each_role_uses_its_own_model(bench: Bench) -> None:
    other = bench.folder / "other.jsonl"
    other.write_text(json.dumps(line("as selector")) + "\n")
    bench.begin(line("as coder"), roles={"selector": f"scripted:{other}"}, strategy="best-of")

    def strategy(task):
        yield task.say("Hello")
        first = task.ask()
        yield task.step(first, ())
        yield task.say("And you?")
        yield task.step(task.ask("selector"), (), author="selector")
        return task.best()

    bench.drive(strategy)
    engine = bench.engine()
    try:
        assert [reply.text for reply in engine.trajectory.replies.values()] == ["as coder", "as selector"]
        assert engine.trajectory.turns[0].models["selector"].endswith("other.jsonl")
        assert len(used_models(engine.settings, "best-of")) == 2
    finally:
        engine.close()


def test_unavailable_role_model_is_reported_before_run(bench: Bench) -> None:
    settings = Settings(
        model=f"scripted:{_empty(bench)}",
        roles={"selector": "scripted:/nowhere.jsonl"},
        strategy="best-of",
        workspace="local",
        state=bench.folder / "state",
    )
    with pytest.raises(ConfigError, match="nowhere"):
        begin(Issue("add() subtracts"), Repository.open(bench.repository), settings)
    assert not list((bench.folder / "state" / "runs").glob("*"))


def _empty(bench: Bench) -> Path:
    file = bench.folder / "empty.jsonl"
    file.write_text("")
    return file


def test_api_keys_of_all_roles_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-one-two-three-four")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-five-six-seven")
    settings = Settings(model="openai/gpt-x", roles={"judge": "anthropic/claude-x"})
    assert variables(settings).keys() == {"ANTHROPIC_API_KEY", "OPENAI_API_KEY"}


def test_model_without_price_needs_own_server_or_token_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-needed")
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="No price is known for openai/mine"):
        check_models(Settings(model="openai/mine"))
    assert check_models(Settings(model="openai/mine", max_tokens=1000)).price is None
    table = ModelTable(api_base="http://127.0.0.1:9/v1")
    assert check_models(Settings(model="openai/mine", models={"openai/mine": table})).price is None
