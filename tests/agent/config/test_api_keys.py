"""API keys: lookup order and storage."""

import sys
from pathlib import Path

import keyring.core
import pytest

from agent.config import api_keys
from agent.config.api_keys import Key, delete, find_key, key_for, store, usual_variable
from agent.config.model_table import ModelTable
from trajectories.errors import ConfigError, UsageError

MODEL = "acme/large"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's config folder, without a keyring and without a key in the environment."""
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("ACME_API_KEY", raising=False)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    return tmp_path


@pytest.fixture
def ring(home, monkeypatch):
    """A working keyring; the fixture is the file with its entries."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring_file.Keyring")
    monkeypatch.setenv("FILERING", str(home / "ring.json"))
    yield home / "ring.json"
    sys.modules.pop("keyring_file", None)


def test_more_specific_key_is_found_first(ring, monkeypatch):
    assert find_key(MODEL, ModelTable()).value == ""
    store("acme", "in-clear-1", in_clear=True)
    assert key_for(MODEL, ModelTable()) == "in-clear-1"
    store("acme", "of-provider")
    assert key_for(MODEL, ModelTable()) == "of-provider"
    store(MODEL, "of-model")
    assert key_for(MODEL, ModelTable()) == "of-model"
    assert key_for("acme/small", ModelTable()) == "of-provider"
    assert find_key(MODEL, ModelTable()).where == "in the system's keyring"
    monkeypatch.setenv("ACME_API_KEY", "of-environment\n")
    assert find_key(MODEL, ModelTable()) == Key("of-environment", "set in $ACME_API_KEY")
    monkeypatch.setenv("MINE", "named")
    assert key_for(MODEL, ModelTable(key_env="MINE")) == "named"


def test_unset_key_env_variable_is_error(ring, monkeypatch):
    store("acme", "other")
    monkeypatch.setenv("ACME_API_KEY", "another")
    with pytest.raises(ConfigError, match=r"\$MINE, which is not set"):
        key_for(MODEL, ModelTable(key_env="MINE"))
    assert find_key(MODEL, ModelTable(key_env="MINE")).where == "missing: $MINE is not set"


def test_repr_hides_key(ring):
    store("acme", "very-secret-1")
    assert "very-secret-1" not in repr(find_key(MODEL, ModelTable()))


def test_custom_api_base_gets_only_key_set_for_model(ring, monkeypatch):
    table = ModelTable(api_base="http://127.0.0.1:1")
    monkeypatch.setenv("ACME_API_KEY", "of-environment")
    store("acme", "of-provider")
    assert find_key(MODEL, table).value == ""
    assert "api_base" in find_key(MODEL, table).where
    assert f"`swe-agent config key {MODEL}`" in api_keys.advice(MODEL, table)
    store("large", "of-model")
    assert key_for(MODEL, table) == "of-model"
    assert key_for(MODEL, ModelTable(api_base="http://127.0.0.1:1", key_env="ACME_API_KEY")) == "of-environment"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        *[
            (value, False)
            for value in ("", "EMPTY", "ollama", "lm-studio", "none", "not-needed", "no_key_needed", "abc1234")
        ],
        *[(value, False) for value in ("sk-no-key-required", "token-abc123")],
        *[(value, True) for value in ("hunter22", "sk-4f9a8b7c6d5e", "abcdefghijklmnop", "p4ssw0rd!")],
    ],
)
def test_secrets_and_placeholders_are_distinguished(key, secret):
    assert api_keys.looks_secret(key) is secret


def test_missing_keyring_error_suggests_two_alternatives(home):
    with pytest.raises(ConfigError, match="keyring cannot be used") as raised:
        store(MODEL, "k")
    assert "ACME_API_KEY" in raised.value.fix
    assert "--in-clear" in raised.value.fix
    assert not api_keys.clear_file().exists()
    assert key_for(MODEL, ModelTable()) == ""


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("acme/large", "Set models.acme/large.key_env to the name of a variable with the key, or,"),
        ("large", "Set models.acme/large.key_env to the name of a variable with the key, or,"),
        ("openai/small", "Set models.small.key_env to the name of a variable with the key, or,"),
        ("acme/other", "Set $MINE: the table of acme/other names it, so only that is used."),
        ("acme", "Set ACME_API_KEY in your environment, or,"),
    ],
)
def test_missing_keyring_error_fits_models_table(home, name, fix):
    tables = """
        models."acme/large".api_base = "http://127.0.0.1:1/v1"
        models.small.api_base = "http://127.0.0.1:1/v1"
        models."acme/other".key_env = "MINE"
    """
    (home / "config.toml").write_text(tables)
    with pytest.raises(ConfigError) as raised:
        store(name, "k")
    assert raised.value.fix.startswith(fix)
    assert ("--in-clear" in raised.value.fix) is (name != "acme/other")


def test_missing_keyring_is_reported_with_invalid_settings_too(home):
    (home / "config.toml").write_text('budget = "much"')
    with pytest.raises(ConfigError, match="keyring cannot be used"):
        store("acme", "k")


@pytest.mark.parametrize("backend", ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring"])
def test_keyring_without_storage_is_rejected(home, monkeypatch, backend):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    with pytest.raises(ConfigError):
        store("acme", "k")


def test_locked_keyring_fails_on_store_and_is_skipped_on_lookup(ring):
    store("acme", "k-locked")
    ring.with_name("locked").touch()
    with pytest.raises(ConfigError, match="locked"):
        store("acme", "k-2")
    assert key_for(MODEL, ModelTable()) == ""


def test_plain_text_file_must_be_readable_by_owner_only(home):
    message = store("acme", "k-1", in_clear=True)
    assert "in plain text" in message
    assert api_keys.clear_file().stat().st_mode & 0o777 == 0o600
    store("other", "k-2", in_clear=True)
    assert key_for(MODEL, ModelTable()) == "k-1"
    api_keys.clear_file().chmod(0o640)
    with pytest.raises(ConfigError, match="other users can read"):
        key_for(MODEL, ModelTable())


def test_delete_removes_key_from_all_places(ring):
    store("acme", "k-1")
    store("acme", "k-1", in_clear=True)
    assert len(delete("acme")) == 2
    assert key_for(MODEL, ModelTable()) == ""
    with pytest.raises(UsageError, match="No key of acme"):
        delete("acme")


def test_invalid_plain_text_file_is_rejected(home):
    api_keys.clear_file().write_text("acme = [")
    api_keys.clear_file().chmod(0o600)
    with pytest.raises(ConfigError, match=r"keys\.toml cannot be read"):
        key_for(MODEL, ModelTable())


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("openai/gpt-4.1", "OPENAI_API_KEY"),
        ("gpt-4.1", "OPENAI_API_KEY"),
        ("claude-sonnet-4", "ANTHROPIC_API_KEY"),
        ("anthropic/claude-sonnet-4", "ANTHROPIC_API_KEY"),
        ("together_ai/x/y", "TOGETHERAI_API_KEY"),
        ("some-one/x", "SOME_ONE_API_KEY"),
    ],
)
def test_usual_variable_is_named_after_provider(model, variable):
    assert usual_variable(model) == variable
