"""The choice of a model in a session that has none, and the question whether a server of one's own is free.

A choice is written to the user's config; that no model, or no price, is wanted is remembered in the state folder.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aci.observation.secret_masking import mask_secrets
from agent.config.api_keys import find_key, usual_variable
from agent.config.model_table import ModelTable
from agent.config.remembered_answers import is_remembered, remember
from agent.config.user_config import change
from agent.conversation.model_roles import CODER, needs_model
from agent.limits.run_budget import UNPRICED_TOKENS
from agent.models.provider import own_server
from agent.run_state.turn_state import MAIN
from extensions.interactive.session.session_events import FrontEndRequested
from trajectories.errors import SweAgentError, UsageError
from trajectories.plugins import names
from trajectories.records import Note

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.models.base import Model
    from extensions.interactive.session.session_protocols import ModelSession

LOCAL_SERVERS = {"Ollama": 11434, "llama.cpp": 8080, "vLLM": 8000, "LM Studio": 1234}
"""Programs that serve models by OpenAI's protocol, with their usual port on loopback."""
LOOPBACK = "127.0.0.1"
PATIENCE = 1.0
"""Maximum number of seconds for one step of an answer of a local server."""
TEST_PATIENCE = 5.0
"""Maximum number of seconds for one step of the answer to a test request."""
LATER_OR_WITH_KEY = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Answers to a test request without a key that do not show that the model is missing."""
LARGEST = 1_000_000
MOST_MODELS = 10
"""Maximum number of models of one server that are offered."""
MODEL_NAME = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)
PROVIDER_MODELS = ("anthropic/claude-sonnet-4-5", "openai/gpt-5", "gemini/gemini-2.5-pro")
SERVED_USAGE = "An address is such as http://127.0.0.1:8000."
NO_MODEL = (
    "No model is configured. `swe-agent config set model NAME` sets one, `swe-agent config key PROVIDER` stores its "
    "key; then `/model`. Until then /locate, /test, !command and repair without a model work."
)
UNPRICED = (
    "No price is known for {name} at {server}. A run may use {most:,} tokens (--max-tokens changes that), and its "
    "summary says “price unknown”. If it costs nothing: `swe-agent config set models.{name}.price_in 0`, the same for "
    "price_out."
)


@dataclass(frozen=True, slots=True)
class ModelOffer:
    """A model that the user can choose. `where` says where it runs, or where its key is; `address` is the address of a
    local server."""

    name: str
    where: str
    address: str = ""


def find_offers() -> list[ModelOffer]:
    """Return the models of local servers that answer, then one of each usual provider."""
    with ThreadPoolExecutor(len(LOCAL_SERVERS) or 1) as pool:
        local = [offer for found in pool.map(_local_models, LOCAL_SERVERS.items()) for offer in found]
    return [*local, *map(_provider_offer, PROVIDER_MODELS)]


def _local_models(server: tuple[str, int]) -> list[ModelOffer]:
    program, port = server
    return served_models(f"http://{LOOPBACK}:{port}/v1", f"on {LOOPBACK}:{port} (usually {program})")


def served_models(address: str, where: str = "") -> list[ModelOffer]:
    """Return the models that the server at an address such as `http://gpu:8000/v1` lists; empty if nothing answers, or
    not by OpenAI's protocol."""
    url = urlsplit(address)
    try:
        connection = _connection(address, PATIENCE)
    except (ValueError, HTTPException):  # a port that is no number
        return []
    try:
        connection.request("GET", f"{url.path}/models")
        response = connection.getresponse()
        listed = json.loads(response.read(LARGEST))["data"] if response.status == 200 else []
        served = [str(one["id"]) for one in listed]
    except (OSError, HTTPException, ValueError, LookupError, TypeError, RecursionError):
        return []
    finally:
        connection.close()
    usable = [name for name in served if MODEL_NAME.fullmatch(name)][:MOST_MODELS]
    return [ModelOffer(f"openai/{name}", where or f"on {url.netloc}", address) for name in usable]


def _connection(address: str, patience: float) -> HTTPConnection:
    url = urlsplit(address)
    kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
    return kind(url.hostname or "", url.port, timeout=patience)


def _failure(offer: ModelOffer) -> str:
    """Return why a test request to a model of a server failed; "" if the model answers, or may answer later or to a
    request with a key."""
    message = {"role": "user", "content": "Say yes."}
    body = {"model": offer.name.removeprefix("openai/"), "messages": [message], "max_tokens": 1}
    connection = _connection(offer.address, TEST_PATIENCE)
    try:
        path = f"{urlsplit(offer.address).path}/chat/completions"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        status = connection.getresponse().status
    except TimeoutError:  # the server may be loading the model
        return ""
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if status in (HTTPStatus.OK, *LATER_OR_WITH_KEY) else f"status {status}"


def choose_served_model(session: ModelSession, address: str, name: str = "") -> None:
    """Use a model of the server at an address, which may lack `/v1`: the named one, or the only one.

    A short test request is sent first. Raises UsageError if the server lists no such model, or several and none is
    named, or if the model does not answer; nothing is saved then.
    """
    url = urlsplit(address)
    if url.username or url.password or url.query or url.fragment:
        raise UsageError("Give the server's address without a user, a password or parameters.", SERVED_USAGE)
    plain = address.rstrip("/")
    offers = [*served_models(plain), *served_models(f"{plain}/v1")]
    if not offers:
        raise UsageError(
            f"{plain} lists no models by OpenAI's protocol.", "Check that the server runs. " + SERVED_USAGE
        )
    listed = list(dict.fromkeys(offer.name.removeprefix("openai/") for offer in offers))
    name = name if name or len(listed) > 1 else listed[0]
    if name not in listed:
        raise UsageError(f"{plain} lists these models: {', '.join(listed)}.", f"Choose one: /model {plain} NAME")
    failures = []
    for offer in offers:
        if offer.name == f"openai/{name}":
            if not (failure := _failure(offer)):
                accept_offer(session, offer)
                return
            failures.append(f"{failure} at {offer.address}/chat/completions")
    what = f"{plain} lists {name}, but a test request failed ({', '.join(failures)}), so the model was not saved."
    raise UsageError(what, "Check the address and that the server answers chat requests. " + SERVED_USAGE)


def record_switch(engine: Engine, reason: str) -> str:
    """Record that the turn that begins uses another model than the last turn that used one, and the user's reason.
    Return the reason if it is still to be recorded, by the next turn that uses a model."""
    *earlier, turn = engine.trajectory.turns
    known = names("agent.strategies")
    used = [
        each.models[CODER]
        for each in earlier
        if CODER in each.models and each.strategy.replace("_", "-") in known and needs_model(each.strategy)
    ]
    new = turn.models.get(CODER, "")
    if not needs_model(turn.strategy):
        return reason
    if not used or used[-1] == new:
        return ""
    why = mask_secrets(reason, engine.secrets)
    text = f"from {used[-1]} to {new}{f': {why}' if why else ''}"
    engine.journal.append(Note(MAIN, "model", text, {"from": used[-1], "to": new, "why": why}))
    return ""


def _provider_offer(name: str) -> ModelOffer:
    try:
        key = find_key(name, ModelTable())
    except SweAgentError:  # a key file that cannot be used
        return ModelOffer(name, f"needs ${usual_variable(name)}")
    return ModelOffer(name, f"key {key.where}" if key.value else f"needs ${usual_variable(name)}")


def accept_offer(session: ModelSession, offer: ModelOffer | None) -> None:
    """Write the chosen model to the user's config and use it; without one, remember that none is wanted."""
    try:
        if offer is None:
            remember(session.settings.state, "offered-models")
            session.show(NO_MODEL, "notice")
            return
        if offer.address:
            change(f"models.{offer.name}.api_base", offer.address)
        change("model", offer.name)
    except SweAgentError as error:
        session.show(f"{error.message} {error.fix}", "error")
        return
    session.say(f"/model {offer.name}")


def request_model(settings: Settings) -> FrontEndRequested | None:
    """Return the request to offer models, or None if the user once wanted none."""
    return None if is_remembered(settings.state, "offered-models") else FrontEndRequested("models", NO_MODEL)


# The price of a server of one's own


def request_price(settings: Settings, model: Model) -> FrontEndRequested | None:
    """Return the request to ask whether a model costs anything, or None if that is known or was asked."""
    if model.price is not None or settings.max_tokens is not None:
        return None
    server = own_server(model.name, settings)
    if not server or is_remembered(settings.state, "model-price", model.name, server):
        return None
    text = UNPRICED.format(name=model.name, server=server, most=UNPRICED_TOKENS)
    return FrontEndRequested("price", text, model.name)


def accept_price(session: ModelSession, name: str, is_free: bool) -> None:
    """Write to the user's config that a model on a server of the user costs nothing, or remember that its price is
    unknown."""
    try:
        if not (server := own_server(name, session.settings)):
            session.show(f"{name} is not on a server of yours, so nothing was changed.", "error")
            return
        if is_free:
            change(f"models.{name}.price_in", "0")
            change(f"models.{name}.price_out", "0")
            session.say(f"/model {name}")
        else:
            remember(session.settings.state, "model-price", name, server)
            session.show(f"The limit is {UNPRICED_TOKENS:,} tokens; `/cost N tokens` sets another.", "notice")
    except SweAgentError as error:
        session.show(f"{error.message} {error.fix}", "error")
