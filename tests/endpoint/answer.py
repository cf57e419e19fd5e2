"""What the endpoint is asked, what it answers, and rules that choose an answer by the request alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

PIECES = 3
"""In how many pieces a stream gives a text, a tool call's arguments, or a body that is not streamed."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Usage in words of no protocol. `input` counts everything sent: the `cached` (read) and the `written` too."""

    input: int = 100
    output: int = 10
    cached: int = 0
    written: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, in any protocol.

    `actions` are (tool, arguments); arguments given as a string go out as they are, also where they are no JSON.
    `reasoning` is thought in the open: `reasoning_content`, a signed thinking block, or a reasoning item.
    `blocks` go out as they are, ahead of text and actions: thinking, redacted_thinking or reasoning items with
    encrypted content (in chat as `reasoning_details`).
    `usage` is Tokens, None (absent) or a mapping that goes out as it is, however absurd.
    `finish` is stop, length, tool_calls, content_filter or refusal in each protocol's word; others go out as they are.

    A `status` of 400 and more gives `error`: a message, a whole body, or what the protocol says at that status.

    Faults: `hang` sends nothing until the endpoint closes; `drop` closes instead of answering; `reset` does so with
    a TCP reset; `raw` is the whole body; `slow` waits so many seconds before each piece (a stream's event, a third
    of a body); `keepalive` puts a comment ahead of each event. `cut` ends the answer after so many pieces, or after
    the first that holds the given text; `then` is how: the socket is closed, nothing more comes (hang), the body
    ends as if it were whole (end), or an event says `error`, as from an overloaded provider (error; what is not
    streamed is closed).
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
        """An answer of a script: `usage` in the words of `Tokens` is that, `raw` is text."""
        known = dict(fields)
        usage = known.get("usage")
        if isinstance(usage, dict) and usage.keys() <= set(Tokens.__slots__):
            known["usage"] = Tokens(**usage)
        if "raw" in known:
            known["raw"] = known["raw"].encode()
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came at the time `at`. `body` is parsed JSON of `data`; header names are lower case."""

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
        """How many replies of a model the conversation holds: runs of messages or items that a model made."""
        made = [_from_model(item) for item in self._items]
        return sum(mine and not before for before, mine in zip([False, *made], made, strict=False))

    @property
    def news(self) -> str:
        """What came after the model's last reply, as JSON text: tool results and messages of the user."""
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

    `times` is how often it may; then the rules after it are asked. A rule without `times` knows no history at all.
    """

    answer: Answer
    turns: int | None = None
    contains: str = ""
    times: int | None = None

    def fits(self, request: Request) -> bool:
        return self.turns in (None, request.turns) and self.contains in request.news

    @classmethod
    def from_json(cls, line: str) -> Rule:
        """One line of a script: `{"turns"?, "contains"?, "times"?, "answer": {fields of Answer}}`."""
        fields = json.loads(line)
        return cls(**{**fields, "answer": Answer.from_json(fields["answer"])})


def rules(given: Iterable[Rule]) -> Callable[[Request], Answer]:
    """Answers with the first rule that fits; raises LookupError where none does."""
    listed = list(given)
    left = [rule.times for rule in listed]
    lock = threading.Lock()

    def answer(request: Request) -> Answer:
        with lock:
            for at, rule in enumerate(listed):
                remaining = left[at]
                if remaining != 0 and rule.fits(request):
                    left[at] = None if remaining is None else remaining - 1
                    return rule.answer
        raise LookupError(f"no rule fits a conversation of {request.turns} turns whose news is {request.news[:500]}")

    return answer


def pieces(text: str, count: int = PIECES) -> list[str]:
    """`text` in up to `count` pieces, none of them empty."""
    size = max(1, -(-len(text) // count))
    return [text[at : at + size] for at in range(0, len(text), size)]


def arguments_text(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def data_frame(data: Mapping[str, Any] | str, event: str = "") -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()
