"""The interface to a model: messages and tool schemas go in, a Reply comes out.

A backend is a module `agent/models/<kind>.py` with `load(name, settings) -> Model`. `name` is the part after the colon
of `--model kind:name`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from agent.limits.run_budget import Price
from trajectories.errors import ModelError, Refused
from trajectories.records import Reply

if TYPE_CHECKING:
    from agent.config.settings import Settings

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The parameters of one request, besides its messages.

    `max_output` is in tokens. `delta` receives text as it streams. `temperature` is the strategy's choice; a
    temperature in the user's settings overrides it.
    """

    branch: str
    ask: int
    max_output: int
    cancel: Event = field(default_factory=Event)
    delta: Callable[[str], object] = str
    temperature: float | None = None


class PermissionDenied(Refused):
    """Raised for a 403 response that does not say whether it is about the key. For a 403 response about the request,
    raise `of_request` instead."""

    def __init__(self, message: str, fix: str, of_request: ModelError) -> None:
        super().__init__(message, fix, billed=False)
        self.of_request = of_request


class Model(Protocol):
    """A language model.

    `price` is null if unknown. `max_output` is the maximum number of tokens of one reply, `window` the maximum number
    of tokens of request and reply together (0: unknown). `images` is true if the model accepts images. `fallback` is
    the name of the model to use if this one fails, or "". `secrets` are keys that must not appear in anything that is
    shown or stored.
    """

    name: str
    price: Price | None
    max_output: int
    window: int
    images: bool
    fallback: str
    secrets: tuple[str, ...]

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        """Send the request and return the reply. The messages must not be changed: later requests contain them too.

        Raises ModelError. The error's `retryable` says whether to send the request again, its `billed` whether it was
        charged.
        """
        ...


def load_model(name: str, settings: Settings) -> Model:
    """Return the model that `--model` names: `kind:name` selects a backend in this package, any other name is a litellm
    name.

    Raises ConfigError if the model cannot be loaded, and UsageError for `replay:RUN` without its extension.
    """
    from trajectories.plugins import find, missing_extension, names

    kind, colon, rest = name.partition(":")
    known = names("agent.models")
    if colon and kind == "replay" and kind not in known:
        raise missing_extension("The model `replay:RUN`", "replay")
    if kind not in known or kind in ("base", "provider"):
        kind, rest = "provider", name
    model: Model = find("agent.models", kind, "load", "model")(rest, settings)
    return model


def messages_since_reply(messages: Sequence[Message]) -> str:
    """Return the text of all messages since the model's last reply."""
    texts: list[str] = []
    for message in reversed(messages):
        if message["role"] == "assistant":
            break
        texts.append(str(message["content"]))
    return "\n".join(reversed(texts))
