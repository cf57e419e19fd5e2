"""Model names: the models they mean, the facts about them, and the errors before a run exists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from agent.config.api_keys import store
from agent.config.model_table import ModelTable
from agent.config.settings import Settings
from agent.limits.run_budget import Price
from agent.models._prices import ModelFacts, facts
from agent.models.base import load_model
from agent.models.provider import MAX_OUTPUT, NO_KEY, Provider, own_server
from tests.agent.models.conftest import KEY
from trajectories.errors import ConfigError


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


def load(name: str, **table: object) -> Provider:
    model = load_model(name, Settings(models={name: ModelTable(**table)} if table else {}))
    assert isinstance(model, Provider)
    return model


@pytest.mark.parametrize("name", ["anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"])
def test_price_map_has_claude(name: str) -> None:
    known = facts(name)
    assert known.price == Price(3.0, 15.0, 0.3, 3.75)
    assert (known.provider, known.window, known.images, known.tools, known.caching) == (
        "anthropic",
        200_000,
        True,
        True,
        True,
    )


def test_price_map_ignores_protocol_prefix() -> None:
    assert facts("openai/responses/gpt-5") == facts("openai/gpt-5") == facts("gpt-5")


def test_same_model_name_of_another_provider_is_unknown() -> None:
    assert facts("openai/claude-sonnet-4-5") == ModelFacts()
    assert facts("openai/hand") == ModelFacts()


def test_window_ends_where_prices_rise() -> None:
    assert facts("gemini/gemini-2.5-pro").window == 200_000


def test_unknown_model_has_defaults() -> None:
    model = load("openai/hand", api_base="http://127.0.0.1:9/v1")
    assert (model.price, model.window, model.max_output, model.images) == (None, 0, MAX_OUTPUT, False)
    assert model.secrets == ()


def test_model_table_overrides_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    table = {"price_in": 1, "price_out": 2, "max_output": 77, "context": 99, "images": False, "fallback": "openai/b"}
    model = load("anthropic/claude-sonnet-4-5", key_env="MY_KEY", **table)
    assert model.price == Price(1, 2, own=True)
    assert (model.max_output, model.window, model.images, model.fallback) == (77, 99, False, "openai/b")
    assert model.secrets == (KEY,)


def test_model_table_may_omit_provider() -> None:
    settings = Settings(models={"hand": ModelTable(api_base="http://127.0.0.1:9/v1", context=5)})
    assert load_model("openai/hand", settings).window == 5


@pytest.mark.parametrize(
    "name",
    ["nosuch/model", "no-such-model", "openai/", "/x", "a b/c", "openai/x\ny", "nosuch:thing", "provider", "base:x"],
)
def test_invalid_names_are_rejected(name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(name)
    assert raised.value.fix


@pytest.mark.parametrize("name", ["qwen3:8b", "meta-llama/Llama-3.1-8B", "gpt-oss:20b"])
def test_custom_server_accepts_any_name(name: str) -> None:
    assert load(name, api_base="http://127.0.0.1:9/v1").name == name


@pytest.mark.parametrize(
    "name", ["ollama_chat/qwen3:8b", "ollama/llama3", "bedrock/anthropic.claude-v2", "vertex_ai/gemini-2.5-pro"]
)
def test_some_providers_need_no_key(name: str) -> None:
    assert load(name).name == name


def test_missing_key_names_variable() -> None:
    with pytest.raises(ConfigError) as raised:
        load("anthropic/claude-sonnet-4-5")
    assert "$ANTHROPIC_API_KEY" in raised.value.fix
    assert "`swe-agent config key anthropic`" in raised.value.fix


def test_base_url_variable_of_provider_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "127.0.0.1:9" in load("openai/hand")._asked.address


@pytest.mark.slow
def test_loading_does_not_import_litellm() -> None:
    code = (
        "import sys, agent.models.provider as p; from agent.config.settings import Settings;"
        "found = p.find('claude-sonnet-4-5', Settings()); print(found.key.where);"
        "print(p.Provider('c', found, Settings()).price); assert 'litellm' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "input=3.0, output=15.0" in result.stdout
    assert "missing" in result.stdout


@pytest.mark.slow
def test_dotenv_of_working_directory_is_not_read(tmp_path) -> None:
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=http://evil.invalid/v1\n")
    code = "import os; from agent.models.provider import library; library(); print(os.environ.get('OPENAI_BASE_URL'))"
    env = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=env
    )
    assert (result.stdout.strip(), result.stderr) == ("None", "")


def test_default_max_output_is_third_of_small_window() -> None:
    assert load("openai/hand", api_base="http://127.0.0.1:9/v1", context=8192).max_output == 2730
    assert load("openai/hand", api_base="http://127.0.0.1:9/v1", context=8192, max_output=4000).max_output == 4000


def test_partial_price_is_merged_with_price_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert load("anthropic/claude-sonnet-4-5", price_in=1).price == Price(1, 15.0, 0.3, 3.75, own=True)
    assert load("anthropic/claude-sonnet-4-5", price_cached=0.1).price == Price(3.0, 15.0, 0.1, 3.75, own=True)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("price_in", "price_out"), ("price_out", "price_in"), ("price_cached", "price_in and price_out")],
)
def test_partial_price_of_unknown_model_is_rejected(given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"without {missing},"):
        load("openai/hand", api_base="http://127.0.0.1:9/v1", **{given: 1})


@pytest.mark.parametrize("key", ["EMPTY", "ollama", "lm-studio", "none", "not-needed", "sk-no-key-required", "x1"])
def test_placeholder_key_is_not_masked(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    model = load("openai/hand", api_base="http://127.0.0.1:9/v1", key_env="MY_KEY")
    assert model.secrets == ()
    assert model._fixed["api_key"] == key


def test_provider_key_is_not_sent_to_custom_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    own = load("mylocal", api_base="http://127.0.0.1:9/v1")
    assert own._fixed["api_key"] == NO_KEY
    assert own.secrets == ()
    assert "`swe-agent config key openai/mylocal`" in own._asked.fix
    store("openai", "sk-of-the-provider-1", in_clear=True)
    assert load("mylocal", api_base="http://127.0.0.1:9/v1")._fixed["api_key"] == NO_KEY
    store("mylocal", "sk-of-this-server-1", in_clear=True)
    assert load("mylocal", api_base="http://127.0.0.1:9/v1")._fixed["api_key"] == "sk-of-this-server-1"


def test_provider_key_is_sent_to_base_url_of_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    assert load("openai/hand")._fixed["api_key"] == KEY


@pytest.mark.parametrize(
    ("name", "table", "server"),
    [
        ("openai/mine", {"api_base": "http://me:secret@127.0.0.1:9/v1"}, "http://127.0.0.1:9/v1"),
        ("ollama_chat/qwen3:8b", {}, "ollama_chat"),
        ("anthropic/claude-sonnet-4-5", {}, ""),
    ],
)
def test_own_server_is_one_with_address_or_local_program(name: str, table: dict[str, str], server: str) -> None:
    assert own_server(name, Settings(models={name: ModelTable(**table)})) == server


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("http://localhost:8000/v1", True),
        ("http://[::1]:8000", True),
        ("http://192.168.1.7:8000/v1", True),
        ("http://gpu.local/v1", True),
        ("http://vllm:8000", True),
        ("https://api.openai.com/v1", False),
        ("https://api.deepseek.com", False),
        ("http://8.8.8.8/v1", False),
        ("https://localhost.example.com/v1", False),
    ],
)
def test_own_server_is_on_this_machine_or_in_a_private_network(address: str, is_own: bool) -> None:
    settings = Settings(models={"openai/mine": ModelTable(api_base=address)})
    assert bool(own_server("openai/mine", settings)) is is_own


def test_address_in_environment_is_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert own_server("openai/mine", Settings()) == "http://127.0.0.1:9/v1"


def test_listed_price_of_zero_is_unknown_for_own_server() -> None:
    assert facts("ollama/llama3").price == Price(0.0, 0.0)
    assert load("ollama/llama3").price is None
    assert load("ollama/llama3", price_in=0.0, price_out=0.0).price == Price(0.0, 0.0, own=True)
