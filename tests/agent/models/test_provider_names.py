"""Which model a name means, what is known of it, and what is refused before a run exists."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from agent.config.api_keys import store
from agent.config.settings import ModelTable, Settings
from agent.limits.run_budget import Price
from agent.models._prices import ModelFacts, facts
from agent.models.base import load_model
from agent.models.provider import MAX_OUTPUT, NO_KEY, Provider
from tests.agent.models.conftest import KEY
from trajectories.errors import ConfigError


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


def made(name: str, **table: object) -> Provider:
    model = load_model(name, Settings(models={name: ModelTable(**table)} if table else {}))
    assert isinstance(model, Provider)
    return model


@pytest.mark.parametrize("name", ["anthropic/claude-sonnet-4-5", "claude-sonnet-4-5"])
def test_map_knows_claude(name: str) -> None:
    known = facts(name)
    assert known.price == Price(3.0, 15.0, 0.3, 3.75)
    assert (known.provider, known.window, known.images, known.tools, known.caching) == (
        "anthropic",
        200_000,
        True,
        True,
        True,
    )


def test_map_is_read_through_protocols_prefix() -> None:
    assert facts("openai/responses/gpt-5") == facts("openai/gpt-5") == facts("gpt-5")


def test_model_of_another_provider_is_not_meant() -> None:
    assert facts("openai/claude-sonnet-4-5") == ModelFacts()
    assert facts("openai/hand") == ModelFacts()


def test_request_stays_below_size_where_prices_rise() -> None:
    assert facts("gemini/gemini-2.5-pro").window == 200_000


def test_model_nobody_knows() -> None:
    model = made("openai/hand", api_base="http://127.0.0.1:9/v1")
    assert (model.price, model.window, model.max_output, model.images) == (None, 0, MAX_OUTPUT, False)
    assert model.secrets == ()


def test_users_table_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    table = {"price_in": 1, "price_out": 2, "max_output": 77, "context": 99, "images": False, "fallback": "openai/b"}
    model = made("anthropic/claude-sonnet-4-5", key_env="MY_KEY", **table)
    assert model.price == Price(1, 2, own=True)
    assert (model.max_output, model.window, model.images, model.fallback) == (77, 99, False, "openai/b")
    assert model.secrets == (KEY,)


def test_table_may_leave_provider_out() -> None:
    settings = Settings(models={"hand": ModelTable(api_base="http://127.0.0.1:9/v1", context=5)})
    assert load_model("openai/hand", settings).window == 5


@pytest.mark.parametrize(
    "name",
    ["nosuch/model", "no-such-model", "openai/", "/x", "a b/c", "openai/x\ny", "nosuch:thing", "provider", "base:x"],
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        made(name)
    assert raised.value.fix


@pytest.mark.parametrize("name", ["qwen3:8b", "meta-llama/Llama-3.1-8B", "gpt-oss:20b"])
def test_any_name_goes_to_server_of_ones_own(name: str) -> None:
    assert made(name, api_base="http://127.0.0.1:9/v1").name == name


@pytest.mark.parametrize(
    "name", ["ollama_chat/qwen3:8b", "ollama/llama3", "bedrock/anthropic.claude-v2", "vertex_ai/gemini-2.5-pro"]
)
def test_providers_that_need_no_key(name: str) -> None:
    assert made(name).name == name


def test_no_key_names_variable() -> None:
    with pytest.raises(ConfigError) as raised:
        made("anthropic/claude-sonnet-4-5")
    assert "$ANTHROPIC_API_KEY" in raised.value.fix
    assert "`swe-agent config key anthropic`" in raised.value.fix


def test_usual_address_of_provider_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    assert "127.0.0.1:9" in made("openai/hand")._asked.address


@pytest.mark.slow
def test_loading_does_not_import_litellm_at_once() -> None:
    code = (
        "import sys, agent.models.provider as p; from agent.config.settings import Settings;"
        "found = p.find('claude-sonnet-4-5', Settings()); print(found.key.where);"
        "print(p.Provider('c', found, Settings()).price); assert 'litellm' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "input=3.0, output=15.0" in done.stdout
    assert "missing" in done.stdout


@pytest.mark.slow
def test_dotenv_of_working_directory_is_not_read(tmp_path) -> None:
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=http://evil.invalid/v1\n")
    code = "import os; from agent.models._litellm import library; library(); print(os.environ.get('OPENAI_BASE_URL'))"
    env = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=env
    )
    assert (done.stdout.strip(), done.stderr) == ("None", "")


def test_reply_leaves_most_of_small_window_to_conversation() -> None:
    assert made("openai/hand", api_base="http://127.0.0.1:9/v1", context=8192).max_output == 2730
    assert made("openai/hand", api_base="http://127.0.0.1:9/v1", context=8192, max_output=4000).max_output == 4000


def test_half_price_is_merged_over_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert made("anthropic/claude-sonnet-4-5", price_in=1).price == Price(1, 15.0, 0.3, 3.75, own=True)
    assert made("anthropic/claude-sonnet-4-5", price_cached=0.1).price == Price(3.0, 15.0, 0.1, 3.75, own=True)


@pytest.mark.parametrize(
    ("given", "missing"),
    [("price_in", "price_out"), ("price_out", "price_in"), ("price_cached", "price_in and price_out")],
)
def test_half_price_of_model_nobody_knows(given: str, missing: str) -> None:
    with pytest.raises(ConfigError, match=f"without {missing},"):
        made("openai/hand", api_base="http://127.0.0.1:9/v1", **{given: 1})


@pytest.mark.parametrize("key", ["EMPTY", "ollama", "lm-studio", "none", "not-needed", "sk-no-key-required", "x1"])
def test_key_that_is_none_is_not_masked(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    model = made("openai/hand", api_base="http://127.0.0.1:9/v1", key_env="MY_KEY")
    assert model.secrets == ()
    assert model._fixed["api_key"] == key


def test_usual_key_does_not_go_to_address_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    own = made("mylocal", api_base="http://127.0.0.1:9/v1")
    assert own._fixed["api_key"] == NO_KEY
    assert own.secrets == ()
    assert "`swe-agent config key openai/mylocal`" in own._asked.fix
    store("openai", "sk-of-the-provider-1", in_clear=True)
    assert made("mylocal", api_base="http://127.0.0.1:9/v1")._fixed["api_key"] == NO_KEY
    store("mylocal", "sk-of-this-server-1", in_clear=True)
    assert made("mylocal", api_base="http://127.0.0.1:9/v1")._fixed["api_key"] == "sk-of-this-server-1"


def test_usual_key_goes_to_usual_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    assert made("openai/hand")._fixed["api_key"] == KEY
