"""Requests to the endpoint, its answers, and rules that choose an answer by the request alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

PIECES = 3
"""The number of pieces that a stream splits a text, a call's arguments or an unstreamed body into."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Usage in any protocol. `input` counts all tokens sent, including `cached` (read) and `written` ones."""

    input: int = 100
    output: int = 10
    cached: int = 0
    written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, in any protocol.

    `actions` are (tool, arguments). Arguments given as a string are sent unchanged, even if they are not valid JSON.
    `reasoning` is visible reasoning: `reasoning_content`, a signed thinking block, or a reasoning item.
    `blocks` are sent unchanged, before text and actions: thinking, redacted_thinking or reasoning items with
    encrypted content (in chat as `reasoning_details`).
    `usage` is Tokens, None (absent) or a mapping that is sent unchanged, however absurd.
    `finish` is stop, length, tool_calls, content_filter or refusal, translated to each protocol; others are sent as is.

    With a `status` of 400 or more, `error` is a message or a whole body; the default is the protocol's for that status.

    Faults: `hang` sends nothing until the endpoint closes; `drop` closes the connection without an answer; `reset` does
    so with a TCP reset; `raw` is the whole body; `slow` waits this many seconds before each piece (a stream event,
    a third of a body); `keepalive` puts a comment before each event. `cut` ends the answer after this many pieces, or
    after the first that contains the given text; `then` says how: close the socket (close), send nothing more (hang),
    end the body as if it were complete (end), or send an error event, as an overloaded provider does (error; without a
    stream, the socket is closed).
    """

    text: str = ""
    reasoning: str = ""
    actions: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    blocks: Sequence[Mapping[str, Any]] = ()
    usage: Tokens | Mapping[str, Any] | None = Tokens()
    finish: str = ""
    status: int = 200
    error: str | Mapping[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    hang: bool = False
    drop: bool = False
    reset: bool = False
    slow: float = 0.0
    cut: int | str | None = None
    then: Literal["close", "hang", "end", "error"] = "close"
    raw: bytes | None = None
    keepalive: bool = False

    @property
    def ending(self) -> str:
        return self.finish or ("tool_calls" if self.actions else "stop")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Answer:
        """Return the answer in a script's JSON: `usage` with the fields of `Tokens` becomes one, `raw` is text."""
        values = dict(fields)
        usage = values.get("usage")
        if isinstance(usage, dict) and usage.keys() <= set(Tokens.__slots__):
            values["usage"] = Tokens(**usage)
        if "raw" in values:
            values["raw"] = values["raw"].encode()
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Request:
    """A request, received at the time `at`. `body` is parsed JSON of `data`; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    data: bytes = b""
    body: dict[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def turns(self) -> int:
        """The number of model replies in the conversation: runs of messages or items by the model."""
        from_model = [_from_model(item) for item in self._items]
        return sum(
            current and not previous for previous, current in zip([False, *from_model], from_model, strict=False)
        )

    @property
    def news(self) -> str:
        """The messages after the model's last reply, as JSON text: tool results and user messages."""
        items = self._items
        last = max((at for at, item in enumerate(items) if _from_model(item)), default=-1)
        return json.dumps(items[last + 1 :], ensure_ascii=False)

    @property
    def _items(self) -> list[dict[str, Any]]:
        items = self.body.get("messages", self.body.get("input", []))
        return items if isinstance(items, list) else [{"role": "user", "content": items}]


def _from_model(item: Mapping[str, Any]) -> bool:
    return item.get("role") == "assistant" or item.get("type") in ("reasoning", "function_call")


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives `answer` when the conversation has `turns` replies so far and its news contains `contains`.

    A rule with `times` is used that often and then skipped. A rule without `times` is stateless.
    """

    answer: Answer
    turns: int | None = None
    contains: str = ""
    times: int | None = None

    def matches(self, request: Request) -> bool:
        return self.turns in (None, request.turns) and self.contains in request.news

    @classmethod
    def from_json(cls, line: str) -> Rule:
        """Parse one line of a script: `{"turns"?, "contains"?, "times"?, "answer": {fields of Answer}}`."""
        fields = json.loads(line)
        return cls(**{**fields, "answer": Answer.from_json(fields["answer"])})


def rules(given: Iterable[Rule]) -> Callable[[Request], Answer]:
    """Answer with the first rule that matches. Raises LookupError if none does."""
    rule_list = list(given)
    uses_left = [rule.times for rule in rule_list]
    lock = threading.Lock()

    def answer(request: Request) -> Answer:
        with lock:
            for at, rule in enumerate(rule_list):
                remaining = uses_left[at]
                if remaining != 0 and rule.matches(request):
                    uses_left[at] = None if remaining is None else remaining - 1
                    return rule.answer
        raise LookupError(f"no rule matches a conversation of {request.turns} turns whose news is {request.news[:500]}")

    return answer


def pieces(text: str, count: int = PIECES) -> list[str]:
    """Split `text` into up to `count` pieces, none of them empty."""
    size = max(1, -(-len(text) // count))
    return [text[at : at + size] for at in range(0, len(text), size)]


def arguments_text(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def data_frame(data: Mapping[str, Any] | str, event: str = "") -> bytes:
    """Encode one server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()
