"""Precedence of settings: policy > flag > environment > user's config > repository's file > default."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent.config import settings
from agent.config.settings import Settings, load_settings, origins, under_policy
from agent.conversation.model_roles import assign_roles
from agent.limits.run_budget import Price
from trajectories.errors import ConfigError, UsageError


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Return a function that writes a value for `image` to each named source and loads it."""
    monkeypatch.setattr(settings, "POLICY", tmp_path / "policy.toml")
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("SWE_AGENT_IMAGE", raising=False)

    def write(*names):
        if "policy" in names:
            (tmp_path / "policy.toml").write_text('image = "of-policy"')
        if "environment" in names:
            monkeypatch.setenv("SWE_AGENT_IMAGE", "of-environment")
        if "user" in names:
            (tmp_path / "config.toml").write_text('image = "of-user"')
        repository = b'image = "of-repository"' if "repository" in names else b""
        return load_settings(repository, image="of-flag" if "flag" in names else None).image

    return write


ORDER = ["policy", "flag", "environment", "user", "repository"]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_higher_source_wins(sources, first):
    assert sources(*ORDER[first:]) == f"of-{ORDER[first]}"


def test_image_is_empty_by_default(sources):
    assert sources() == ""


@pytest.mark.parametrize(
    "value", ['PYPI_TOKEN = "abc"', 'password = "abc"', 'PIP_INDEX_URL = "https://me:pw@host/simple"']
)
def test_setup_environment_rejects_secrets(sources, tmp_path, value):
    (tmp_path / "config.toml").write_text(f"[setup_env]\n{value}\n")
    with pytest.raises(ConfigError, match=r"setup_env.*looks like a secret"):
        load_settings()


@pytest.mark.parametrize(
    "text", ["budget = 99\n", 'workspace = "local"\n', "[models.x]\nprice_in = 1\n", 'memory = "1t"\n']
)
def test_repository_cannot_raise_its_own_limits(sources, text):
    with pytest.raises(ConfigError, match="may set only image, setup, test and serve"):
        load_settings(text.encode())


def test_repository_names_its_server_below_the_user(sources, monkeypatch):
    theirs = b'serve = "npm run dev"\n'
    assert load_settings(theirs).serve == "npm run dev"
    monkeypatch.setenv("SWE_AGENT_SERVE", "make serve")
    assert load_settings(theirs).serve == "make serve"


def test_bad_flag_is_usage_error_and_bad_variable_config_error(tmp_path, sources, monkeypatch):
    with pytest.raises(UsageError, match="max-steps"):
        load_settings(max_steps=0)
    monkeypatch.setenv("SWE_AGENT_MAX_STEPS", "many")
    with pytest.raises(ConfigError, match="max_steps"):
        load_settings()


def test_prices_come_from_users_model_table(tmp_path, sources):
    (tmp_path / "config.toml").write_text("[models.scripted]\nprice_in = 1\nprice_out = 5\nprice_cached = 0.1\n")
    loaded = load_settings()
    assert loaded.model_table("scripted:x", "scripted").price("scripted") == Price(1, 5, 0.1, own=True)
    assert loaded.model_table("other").price("other") is None


def test_run_is_found_by_unique_prefix_of_its_name(tmp_path, sources):
    loaded = load_settings(state=tmp_path / "state")
    for name in ("20260101-a", "20260102-b", "20260102-bb"):
        (loaded.runs / name).mkdir(parents=True)
    assert loaded.run_directory("20260101").name == "20260101-a"
    assert loaded.run_directory("20260102-b").name == "20260102-b"
    for wrong in ("20260102", "nothing", "", ".."):
        with pytest.raises(UsageError):
            loaded.run_directory(wrong)


def test_run_is_found_by_last_part_of_its_name(tmp_path, sources):
    loaded = load_settings(state=tmp_path / "state")
    for name in ("20260101-120000-cbf5a0", "20260101-130000-abcdef", "20260102-130000-abcdef"):
        (loaded.runs / name).mkdir(parents=True)
    assert loaded.run_directory("cbf5a0").name == "20260101-120000-cbf5a0"
    assert loaded.run_directory("120000-cbf5a0").name == "20260101-120000-cbf5a0"
    with pytest.raises(UsageError, match="2 runs start or end with 'abcdef'"):
        loaded.run_directory("abcdef")
    for wrong in ("f5a0", "-cbf5a0"):
        with pytest.raises(UsageError, match="no run"):
            loaded.run_directory(wrong)


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "much"])
def test_invalid_budget_is_rejected(sources, value):
    with pytest.raises(UsageError, match="--budget"):
        load_settings(budget=value)


def test_invalid_environment_variable_is_rejected(sources, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_MODELS", "not json")
    with pytest.raises(ConfigError, match="environment"):
        load_settings()


@pytest.mark.parametrize("first", range(4))
def test_origin_of_value_is_reported(sources, tmp_path, first):
    expected = {
        "policy": f"the administrator's {tmp_path / 'policy.toml'}",
        "environment": "$SWE_AGENT_IMAGE",
        "user": str(tmp_path / "config.toml"),
        "repository": "the repository's .swe-agent.toml",
    }
    order = list(expected)[first:]
    sources(*order)
    repository = b'image = "of-repository"'
    assert origins(repository)["image"] == expected[order[0]]
    assert "budget" not in origins(repository)


def test_environment_variable_name_ignores_case(sources, monkeypatch):
    monkeypatch.setenv("swe_agent_image", "of-environment")
    assert sources("user") == "of-environment"


def test_bad_policy_value_names_administrator(sources, tmp_path):
    (tmp_path / "policy.toml").write_text("budget = -1\n")
    with pytest.raises(ConfigError, match="administrator"):
        load_settings()


TABLES = {
    "services": ("{}", '{"db": {"image": "evil"}}'),
    "images": ('{python = "p"}', '{"node": "evil"}'),
    "setup_env": ('{A = "b"}', '{"PIP_INDEX_URL": "https://evil.example"}'),
    "models": ("{}", '{"m": {"api_base": "https://evil.example"}}'),
    "roles": ('{judge = "j"}', '{"judge": "evil", "selector": "evil", "coder": "evil"}'),
}


@pytest.mark.parametrize("name", TABLES)
def test_environment_cannot_extend_table_of_policy(sources, tmp_path, monkeypatch, name):
    policy_value, environment_value = TABLES[name]
    monkeypatch.setenv(f"SWE_AGENT_{name}", environment_value)
    assert "evil" in str(getattr(load_settings(), name)) + load_settings().model
    (tmp_path / "policy.toml").write_text(f"{name} = {policy_value}\n")
    loaded = load_settings()
    assert getattr(loaded, name) == tomllib.loads(f"a = {policy_value}")["a"]
    assert loaded.model == ""


def test_environment_cannot_extend_table_of_flag(sources, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_IMAGES", '{"node": "of-environment"}')
    assert load_settings(images={"python": "of-flag"}).images == {"python": "of-flag"}


@pytest.mark.parametrize("flag", [None, "of-flag"])
def test_model_of_policy_overrides_coder_role(sources, tmp_path, monkeypatch, flag):
    (tmp_path / "policy.toml").write_text('model = "of-policy"\n')
    (tmp_path / "config.toml").write_text('[roles]\ncoder = "of-user"\n')
    for roles in (None, '{"coder": "of-environment", "selector": "j"}'):
        if roles:
            monkeypatch.setenv("SWE_AGENT_ROLES", roles)
        loaded = load_settings(model=flag)
        assert assign_roles(loaded, "best-of") == {"coder": "of-policy"} | ({"selector": "j"} if roles else {})
        assert "coder" not in loaded.roles


def test_coder_role_in_environment_ranks_between_flag_and_config(sources, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text('model = "of-user"\n')
    monkeypatch.setenv("SWE_AGENT_ROLES", '{"coder": "of-environment"}')
    assert (load_settings().model, load_settings().roles) == ("of-environment", {})
    assert assign_roles(load_settings(model="of-flag"), "best-of") == {"coder": "of-flag"}
    (tmp_path / "policy.toml").write_text('[roles]\ncoder = "of-policy"\n')
    assert load_settings(model="of-flag").model == "of-policy"
    assert under_policy(load_settings().model_copy(update={"model": "of-record"})).model == "of-policy"


def test_setting_name_in_wrong_case_is_rejected(own_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """pydantic-settings ignores case, so the setting would exist twice."""
    policy = tmp_path / "policy.toml"
    monkeypatch.setattr("agent.config.settings.POLICY", policy)
    policy.write_text('workspace = "docker"\n')
    own_config.write_text('Workspace = "local"\n')
    with pytest.raises(ConfigError, match=r"Workspace in .* cannot be used"):
        load_settings()
    own_config.write_text("")
    policy.write_text('Workspace = "docker"\n')
    with pytest.raises(ConfigError, match=r"Workspace in .* cannot be used"):
        load_settings()


def test_only_the_users_own_file_names_files_to_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "own.toml"
    config.write_text('copy_files = ["./app//local_settings.py"]\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    settings = load_settings()
    assert settings.limits["copy_files"] == ("app/local_settings.py",)
    assert "copy_files" not in settings.recorded()
    with pytest.raises(ConfigError, match="may set only"):
        load_settings(b'copy_files = ["id_rsa"]')
    monkeypatch.setenv("SWE_AGENT_COPY_FILES", '["id_rsa"]')
    assert load_settings().copy_files == ()
    monkeypatch.delenv("SWE_AGENT_COPY_FILES")
    config.write_text('copy_files = ["../id_rsa"]\n')
    with pytest.raises(ConfigError, match="inside the repository"):
        load_settings()


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, None),
        ({"serve": "python3 app.py"}, True),
        ({"serve": "x", "browser": False}, False),
        ({"browser": True}, True),
    ],
)
def test_command_of_a_server_means_that_there_are_pages(values: dict[str, Any], needed: bool | None) -> None:
    assert Settings(**values).needs_browser is needed
