"""A model whose replies come from the program that uses `swe_agent.gym`: the caller of an environment.

A reply is an assistant message in OpenAI's chat format, or a text. In a text, calls have the form that models without
tool calling write. A call that cannot be read becomes an action with an error, so that the caller sees what was wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from agent.limits.run_budget import Price
from agent.models import _text_tool_calls
from agent.models._reply_decoder import LONGEST_NAME, decode_call
from agent.models._stream import Call
from agent.models.base import Message, RequestOptions
from trajectories.errors import Cancelled, ModelError, UsageError
from trajectories.records import Action, Reply, Usage

if TYPE_CHECKING:
    from agent.config.settings import Settings

MAX_OUTPUT = 100_000
TICK = 0.1
"""Number of seconds between checks for cancellation while waiting for the caller."""
FORM = 'Give a text, or {"role": "assistant", "content": "...", "tool_calls": [...]}.'


@dataclass(frozen=True, slots=True)
class CallerRequest:
    """A request: the whole conversation, which the caller may change, and the schemas of the tools."""

    messages: list[Message]
    tools: list[dict[str, Any]]


class Caller:
    """The caller of an environment. Its replies cost nothing, since it pays for its model itself.

    A run that is resumed without its caller has no more replies.
    """

    price: Price | None = Price(0.0, 0.0)
    max_output = MAX_OUTPUT
    images = False
    fallback = ""
    secrets: tuple[str, ...] = ()

    def __init__(self, name: str, window: int) -> None:
        self.name = f"caller:{name}"
        self.window = window
        self._requests: SimpleQueue[CallerRequest | None] | None = None
        self._replies: SimpleQueue[Reply] = SimpleQueue()

    def connect(self, requests: SimpleQueue[CallerRequest | None]) -> None:
        """Put each request into this queue from now on; `answer` gives its reply."""
        self._requests = requests

    def answer(self, reply: Reply) -> None:
        self._replies.put(reply)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        if self._requests is None:
            raise ModelError(
                "The replies of this run come from a program that uses swe_agent.gym.",
                "Reset the environment in that program.",
                billed=False,
            )
        self._requests.put(CallerRequest(deepcopy(list(messages)), list(tools)))
        while True:
            try:
                return self._replies.get(timeout=TICK)
            except Empty:
                if asking.cancel.is_set():
                    raise Cancelled("The environment was closed.") from None


def load(name: str, settings: Settings) -> Caller:
    table = settings.model_table(f"caller:{name}", "caller")
    return Caller(name, table.context or 0)


def decode_action(action: str | Mapping[str, Any], tools: Sequence[dict[str, Any]], model: str) -> Reply:
    """Convert an action of the caller to a reply.

    Raises UsageError for a value that is neither a text nor a message; everything else that is wrong is reported to
    the caller when the reply's actions run.
    """
    if isinstance(action, str):
        text, calls = _text_tool_calls.parse(action, tools)
        return Reply(text, tuple(calls), model=model, usage=Usage())
    if not isinstance(action, Mapping) or action.get("role", "assistant") != "assistant":
        raise UsageError(f"An action is an assistant message or a text, not {_brief(action)}.", FORM)
    text = action.get("content") or ""
    given = action.get("tool_calls") or ()
    if not isinstance(text, str) or not isinstance(given, list | tuple):
        raise UsageError("An action's content must be a text, and its tool_calls a list.", FORM)
    return Reply(text, tuple(map(_decode_call, given)), model=model, usage=Usage())


def _decode_call(call: Any) -> Action:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        return Action("unknown", {}, "", "the call names no function")
    arguments = function.get("arguments") or {}
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, default=str)
    return decode_call(Call(str(call.get("id") or "")[:LONGEST_NAME], function["name"], arguments))


def _brief(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:80]!r}"
