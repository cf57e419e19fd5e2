"""The models that a session offers, and what the user's choice and answer change."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import Settings, load_settings
from agent.conversation.model_roles import check_models
from agent.models._prices import facts
from extensions.interactive.session import model_choice
from extensions.interactive.session.model_choice import (
    NO_MODEL,
    PROVIDER_MODELS,
    ModelOffer,
    accept_offer,
    accept_price,
    find_offers,
    request_price,
)
from extensions.interactive.session.session_events import FrontEndRequested
from extensions.interactive.session.session_start import session_settings

ADDRESS = "http://127.0.0.1:9/v1"


class Handler(BaseHTTPRequestHandler):
    status, body = 200, b""
    lists, answers = ("/v1/models",), {"/v1/chat/completions": 200}

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body if self.path in self.lists else b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.answers.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr(model_choice, "LOCAL_SERVERS", {})
    return tmp_path / "config.toml"


@pytest.fixture
def server(monkeypatch) -> Iterator[type[Handler]]:
    """A local server on the port of one program; another program does not answer."""
    kind = type("Answering", (Handler,), {})
    served = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setattr(model_choice, "LOCAL_SERVERS", {"Ollama": served.server_port, "vLLM": 9})
    yield kind
    served.shutdown()
    thread.join()
    served.server_close()


def local_names() -> list[str]:
    return [offer.name for offer in find_offers() if offer.address]


def test_models_of_local_server_come_first(server):
    server.body = json.dumps({"data": [{"id": "qwen3:8b"}, {"id": "org/model-1.5"}]}).encode()
    first, second, *others = find_offers()
    port = model_choice.LOCAL_SERVERS["Ollama"]
    where = f"on 127.0.0.1:{port} (usually Ollama)"
    assert first == ModelOffer("openai/qwen3:8b", where, f"http://127.0.0.1:{port}/v1")
    assert second.name == "openai/org/model-1.5"
    assert [offer.name for offer in others] == list(PROVIDER_MODELS)


def test_names_that_could_damage_screen_or_config_are_left_out(server):
    names = ["a\x1b[2J", "two words", "", "x" * 101, 'q"uote', "fine"]
    server.body = json.dumps({"data": [{"id": name} for name in names]}).encode()
    assert local_names() == ["openai/fine"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"data": [1]}', b'{"data": null}', b'{"data": [{"name": "a"}]}'])
def test_server_of_another_kind_offers_nothing(server, body):
    server.body = body
    assert local_names() == []


def test_server_that_refuses_offers_nothing(server):
    server.status, server.body = 401, json.dumps({"data": [{"id": "a"}]}).encode()
    assert local_names() == []


def test_provider_says_where_its_key_is_without_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "canary-4f1d9c27ab")
    places = {offer.name: offer.where for offer in find_offers()}
    assert places["openai/gpt-5"] == "key set in $OPENAI_API_KEY"
    assert places["anthropic/claude-sonnet-4-5"] == "needs $ANTHROPIC_API_KEY"


def test_offered_provider_models_have_prices():
    assert all(facts(name).price for name in PROVIDER_MODELS)


def open_talk(talk, tmp_path):
    """A session without a model, whose `/model` reads the config."""
    return talk([], reload=lambda: session_settings(load_settings()), settings={"state": tmp_path / "state"})


def test_first_session_without_model_offers_one_until_none_is_wanted(talk, tmp_path):
    opened = open_talk(talk, tmp_path)
    assert opened.wait_for_event(FrontEndRequested) == FrontEndRequested("models", NO_MODEL, at_start=True)
    accept_offer(opened.session, None)
    assert opened.messages[-1] == NO_MODEL
    again = open_talk(talk, tmp_path)
    again.session.greeted(30)
    assert not again.all(FrontEndRequested)
    assert NO_MODEL in again.messages
    assert again.say("/model").all(FrontEndRequested) == [FrontEndRequested("models", NO_MODEL)]


def test_no_model_is_offered_to_resumed_run(talk, tmp_path):
    opened = talk([], settings={"state": tmp_path / "state"}, choose=True)
    opened.session.greeted(30)
    assert opened.all(FrontEndRequested) == [FrontEndRequested("runs")]


def test_chosen_local_model_is_configured_and_used(talk, tmp_path, config):
    opened = open_talk(talk, tmp_path)
    accept_offer(opened.session, ModelOffer("openai/qwen3:8b", "here", ADDRESS))
    opened.wait_until_idle()
    assert load_settings().model == "openai/qwen3:8b"
    assert load_settings().models["openai/qwen3:8b"].api_base == ADDRESS
    assert opened.session.settings.model == "openai/qwen3:8b"
    assert "The next turns use openai/qwen3:8b (price unknown)." in opened.messages
    assert opened.all(FrontEndRequested)[-1].what == "price"
    assert config.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["", "/", "/v1"])
def test_only_model_of_an_address_is_configured_and_used(talk, tmp_path, server, path):
    server.body = b'{"data": [{"id": "qwen3:8b"}]}'
    address = f"http://127.0.0.1:{model_choice.LOCAL_SERVERS['Ollama']}"
    opened = open_talk(talk, tmp_path).say(f"/model {address}{path}")
    opened.wait_until_idle()
    assert load_settings().models["openai/qwen3:8b"].api_base == f"{address}/v1"
    assert opened.session.settings.model == "openai/qwen3:8b"


def test_one_of_several_models_of_an_address_is_named(talk, tmp_path, server):
    server.body = b'{"data": [{"id": "a"}, {"id": "b"}]}'
    address = f"http://127.0.0.1:{model_choice.LOCAL_SERVERS['Ollama']}"
    opened = open_talk(talk, tmp_path).say(f"/model {address}")
    assert opened.messages[-1] == f"{address} lists these models: a, b. Choose one: /model {address} NAME"
    opened.say(f"/model {address} b").wait_until_idle()
    assert opened.session.settings.model == "openai/b"


@pytest.mark.parametrize("status", [404, 500])
def test_model_that_does_not_answer_a_test_request_is_not_saved(talk, tmp_path, server, status):
    server.body, server.answers = b'{"data": [{"id": "a"}]}', {"/v1/chat/completions": status}
    address = f"http://127.0.0.1:{model_choice.LOCAL_SERVERS['Ollama']}"
    opened = open_talk(talk, tmp_path).say(f"/model {address}")
    opened.wait_until_idle()
    assert opened.messages[-1].startswith(
        f"{address} lists a, but a test request failed (status {status} at {address}/v1/chat/completions), so the model"
        " was not saved. "
    )
    assert not load_settings().model
    assert not load_settings().models


@pytest.mark.parametrize("status", [401, 503])
def test_model_that_needs_a_key_or_is_loading_is_saved(talk, tmp_path, server, status):
    server.body, server.answers = b'{"data": [{"id": "a"}]}', {"/v1/chat/completions": status}
    address = f"http://127.0.0.1:{model_choice.LOCAL_SERVERS['Ollama']}"
    open_talk(talk, tmp_path).say(f"/model {address}").wait_until_idle()
    assert load_settings().model == "openai/a"


def test_address_that_answers_is_saved_if_two_list_the_model(talk, tmp_path, server):
    server.body, server.lists = b'{"data": [{"id": "a"}]}', ("/models", "/v1/models")
    address = f"http://127.0.0.1:{model_choice.LOCAL_SERVERS['Ollama']}"
    open_talk(talk, tmp_path).say(f"/model {address}").wait_until_idle()
    assert load_settings().models["openai/a"].api_base == f"{address}/v1"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://127.0.0.1:9", "http://127.0.0.1:9 lists no models by OpenAI's protocol."),
        ("http://127.0.0.1:x", "http://127.0.0.1:x lists no models by OpenAI's protocol."),
        ("http://", "http: lists no models by OpenAI's protocol."),
        ("http://me:secret@127.0.0.1:9", "Give the server's address without a user, a password or parameters."),
    ],
)
def test_address_without_models_is_refused(talk, tmp_path, address, message):
    opened = open_talk(talk, tmp_path).say(f"/model {address}")
    assert opened.messages[-1].startswith(message)
    assert not load_settings().model


def test_chosen_provider_without_key_says_which_variable_to_set(talk, tmp_path):
    opened = open_talk(talk, tmp_path)
    accept_offer(opened.session, ModelOffer("anthropic/claude-sonnet-4-5", "needs $ANTHROPIC_API_KEY"))
    opened.wait_until_idle()
    assert "Set $ANTHROPIC_API_KEY, or store one: `swe-agent config key anthropic`." in opened.messages[-1]
    assert load_settings().model == "anthropic/claude-sonnet-4-5"


def test_config_that_cannot_be_written_is_reported(talk, tmp_path, config):
    config.write_text("not toml")
    opened = talk([], settings={"state": tmp_path / "state"})
    accept_offer(opened.session, ModelOffer("openai/gpt-5", "key"))
    assert "cannot be read" in opened.messages[-1]
    assert config.read_text() == "not toml"


# The price


def own_server_settings(tmp_path, **settings) -> Settings:
    table = settings.pop("table", {})
    models = {"openai/mine": ModelTable(api_base=ADDRESS, **table)}
    return Settings(model="openai/mine", models=models, state=tmp_path / "state", **settings)


def test_price_of_own_server_is_asked(tmp_path):
    settings = own_server_settings(tmp_path)
    question = request_price(settings, check_models(settings))
    assert question.what == "price"
    assert question.words.startswith(f"No price is known for openai/mine at {ADDRESS}. A run may use 1,000,000 tokens")


@pytest.mark.parametrize("settings", [{"max_tokens": 5000}, {"table": {"price_in": 0.0, "price_out": 0.0}}])
def test_price_is_not_asked_if_limit_or_price_is_set(tmp_path, settings):
    settings = own_server_settings(tmp_path, **settings)
    assert request_price(settings, check_models(settings)) is None


def test_unknown_price_is_asked_once_for_each_address(talk, tmp_path):
    settings = own_server_settings(tmp_path)
    opened = talk([], settings={"model": settings.model, "models": settings.models, "state": settings.state})
    accept_price(opened.session, "openai/mine", is_free=False)
    assert request_price(settings, check_models(settings)) is None
    moved = settings.model_copy(update={"models": {"openai/mine": ModelTable(api_base="http://127.0.0.1:10/v1")}})
    assert request_price(moved, check_models(moved)) is not None
    assert (settings.state / "answers.txt").stat().st_mode & 0o777 == 0o600


def test_free_server_is_configured_as_free(talk, tmp_path, config):
    config.write_text(f'model = "openai/mine"\n[models."openai/mine"]\napi_base = "{ADDRESS}"\n')
    opened = talk(
        [],
        reload=lambda: session_settings(load_settings()),
        settings={"model": "openai/mine", "models": load_settings().models, "state": tmp_path / "state"},
    )
    accept_price(opened.session, "openai/mine", is_free=True)
    opened.wait_until_idle()
    assert opened.messages[-1] == "The next turns use openai/mine ($0 in, $0 out per million tokens)."
    table = load_settings().models["openai/mine"]
    assert (table.price_in, table.price_out) == (0.0, 0.0)


def test_front_end_without_screen_shows_what_it_cannot_ask(make_repo, tmp_path, capsys):
    from aci.repository.user_repository import Repository
    from extensions.interactive.session.line_interface import Lines
    from extensions.interactive.session.session_start import Start

    settings = own_server_settings(tmp_path, workspace="local")
    assert Lines(Start(Repository.open(make_repo({"a.py": b"a = 1\n"})), settings), is_single=False).run([]) == 0
    assert "No price is known for openai/mine" in capsys.readouterr().err
