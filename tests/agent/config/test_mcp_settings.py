"""MCP servers are set by the user and the administrator, and by no one else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agent.config import settings as settings_module
from agent.config.settings import Settings, load_settings
from agent.engine.engine import secrets_of_servers
from trajectories.errors import ConfigError

MINE = '[mcp.mine]\ncommand = ["/bin/mine"]\n'


def test_repository_cannot_name_servers() -> None:
    with pytest.raises(ConfigError, match="sets mcp; it may set only image, setup, test and serve"):
        load_settings(MINE.encode())


@pytest.mark.parametrize(
    ("policy", "names"),
    [("", ["mine"]), ("mcp = {}\n", []), ('[mcp.theirs]\nurl = "https://x.test/mcp"\n', ["theirs"])],
)
def test_policy_forbids_or_sets_servers(
    own_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str, names: list[str]
) -> None:
    own_config.write_text(MINE)
    (tmp_path / "policy.toml").write_text(policy)
    monkeypatch.setattr(settings_module, "POLICY", tmp_path / "policy.toml")
    assert list(load_settings().mcp) == names


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ("[mcp.a]\n", "give either a command or a url"),
        ('[mcp.a]\ncommand = ["x"]\nurl = "https://x.test"\n', "give either a command or a url"),
        ('[mcp.a]\ncommand = ["./x"]\n', "is a relative path"),
        ('[mcp.a]\ncommand = ["x"]\ntoken_env = "T"\n', "token_env is for a url"),
        ('[mcp.a]\nurl = "https://x.test"\nenv = ["T"]\n', "env is for a command"),
        ('[mcp.a]\nurl = "http://x.test"\n', "it is not encrypted"),
        ('[mcp.a]\nurl = "https://me:word@x.test"\n', "it contains a user or password"),
        ('[mcp.a]\nurl = "file:///etc/passwd"\n', "it is not an http address"),
        ('[mcp.a]\ncommand = ["x"]\nenv = ["A=b"]\n', "mcp.a.env"),
        ('[mcp.a]\ncommand = ["x"]\nheaders = ["A: b"]\n', "mcp.a.headers"),
        ('[mcp.a__b]\ncommand = ["x"]\n', "'a__b' cannot name a server"),
        ('[mcp."a.b"]\ncommand = ["x"]\n', "'a.b' cannot name a server"),
        ('[mcp.a-b]\ncommand = ["x"]\n[mcp.a_b]\ncommand = ["x"]\n', "a-b and a_b differ only"),
        ("mcp = 1\n", "mcp"),
    ],
)
def test_bad_table_is_a_configuration_error(own_config: Path, table: str, reason: str) -> None:
    own_config.write_text(table)
    with pytest.raises(ConfigError) as found:
        load_settings()
    assert "Invalid value for mcp" in found.value.message
    assert reason in found.value.message


def test_servers_are_not_recorded(own_config: Path) -> None:
    own_config.write_text(MINE)
    assert "mcp" not in load_settings().recorded()


def test_tokens_are_masked_and_plain_values_are_not() -> None:
    servers = {
        "a": {"url": "https://x.test/mcp", "token_env": "PAT"},
        "b": {"command": ["x"], "env": ["NODE_ENV", "DATABASE_URI", "B_TOKEN"]},
    }
    environment = {
        "PAT": "token-of-a-server",
        "NODE_ENV": "production",
        "DATABASE_URI": "postgres://me:word@host/db",
        "B_TOKEN": "token-of-another",
        "OTHER": "not given to any",
    }
    found = secrets_of_servers(Settings(mcp=servers), environment)
    assert found == ("token-of-a-server", "postgres://me:word@host/db", "token-of-another")


def test_named_variables_are_known(
    own_config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_config.write_text('[mcp.a]\nurl = "https://x.test/mcp"\ntoken_env = "SWE_AGENT_TOKEN_OF_A"\n')
    monkeypatch.setenv("SWE_AGENT_TOKEN_OF_A", "x")
    load_settings()
    assert capsys.readouterr().err == ""


def test_rule_cannot_allow_a_tool_without_its_pin(own_config: Path) -> None:
    own_config.write_text('[permissions]\nallow = ["mcp a__b"]\n')
    with pytest.raises(ConfigError, match=r"name the tool in `allow` of \[mcp.NAME\]"):
        load_settings()


def test_rule_cannot_allow_an_agent_without_its_pin(own_config: Path) -> None:
    own_config.write_text('[permissions]\nallow = ["agent reviewer"]\n')
    with pytest.raises(ConfigError, match="cannot allow anything; write `/agents use NAME` in a session"):
        load_settings()


def test_documented_recipe_is_a_valid_config(own_config: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "mcp.md").read_text()
    (recipe,) = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[mcp.github]" in block]
    own_config.write_text(recipe)
    servers = load_settings().mcp
    assert list(servers) == ["github", "shop-db"]
    assert servers["github"].allow == ("get_issue", "list_issues")


@pytest.mark.parametrize("name", ["mcp", "hooks"])
def test_environment_names_no_programs(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    tables = {"mcp": {"s": {"command": ["sh"]}}, "hooks": {"end": [{"command": ["sh"]}]}}
    monkeypatch.setenv(f"SWE_AGENT_{name.upper()}", json.dumps(tables[name]))
    assert getattr(load_settings(), name) == getattr(Settings.model_construct(), name)
