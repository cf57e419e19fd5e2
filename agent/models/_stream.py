"""Collection of a reply from litellm: chunk by chunk from a stream, or whole from a server that does not stream."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from agent.models._reply_limits import ReplyLimits
from agent.models._usage import larger_usage, usage

CALL = 16
"""Number of characters that each call adds to the size, besides its name and arguments: a call takes at least one
token."""


@dataclass
class Call:
    """A tool call that is being received."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Answer:
    """Everything received for one request.

    `finish` is "" if the stream ended without a finish reason. `usage` is null if the provider gave none. `blocks` are
    the provider's own fields; `at` is the position in the text, in characters, where a block arrived.
    """

    text: str = ""
    reasoning: str = ""
    calls: dict[int, Call] = field(default_factory=dict)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: Any = None
    visible: int = 0
    """Number of characters of text, reasoning and arguments received so far."""
    size: int = 0
    """Number of characters of all output so far: `visible`, names of tools, and CALL for each call."""

    def take(self, delta: dict[str, Any]) -> str:
        """Add a piece of a message, or a whole one, and return the new text."""
        own = delta.get("provider_specific_fields") or {}
        text = delta.get("content") or delta.get("refusal") or own.get("refusal")
        text = text if isinstance(text, str) else ""
        reasoning = delta.get("reasoning_content") or ""
        self.text += text
        self.reasoning += reasoning
        self._count(len(text) + len(reasoning))
        for at, call in enumerate(delta.get("tool_calls") or []):
            self._call(at, call)
        for block in delta.get("thinking_blocks") or []:
            self._think(block)
        self.blocks += [{"reasoning_items": item} for item in delta.get("reasoning_items") or []]
        return text

    def note(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """Collect the fields of a raw chunk that litellm drops, and return the chunk in a form that litellm can
        parse."""
        for choice in (chunk.get("choices") or [])[:1]:
            for detail in (choice.get("delta") or {}).get("reasoning_details") or []:
                self._detail(detail)
        if "choices" in chunk and chunk.get("usage") is not None:
            self.usage = larger_usage(self.usage, chunk["usage"])
            if usage(chunk["usage"]) is None:
                return {**chunk, "usage": None}
        return chunk

    def _call(self, at: int, piece: dict[str, Any]) -> None:
        index = piece.get("index")
        key = at if index is None else index
        self.size += CALL * (key not in self.calls)
        call = self.calls.setdefault(key, Call())
        function = piece.get("function") or {}
        call.id = call.id or piece.get("id") or ""
        name = function.get("name") or ""
        call.name += name
        self.size += len(name)
        arguments = function.get("arguments")
        written = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        call.arguments += written
        self._count(len(written))

    def _count(self, characters: int) -> None:
        self.visible += characters
        self.size += characters

    def _think(self, piece: dict[str, Any]) -> None:
        """Add a piece of thinking. Pieces belong to one block until its signature arrives."""
        last = self.blocks[-1].get("thinking_blocks") if self.blocks else None
        if last and piece.get("type") == last.get("type") == "thinking" and not last.get("signature"):
            thinking = piece.get("thinking") or ""
            if piece.get("signature"):
                # Some versions of litellm repeat the whole thinking text with its signature.
                last.update(signature=piece["signature"], thinking=thinking or last.get("thinking", ""))
            else:
                last["thinking"] = last.get("thinking", "") + thinking
        else:
            self.blocks.append({"thinking_blocks": dict(piece), "at": len(self.text)})

    def _detail(self, piece: dict[str, Any]) -> None:
        """Add a piece of reasoning. Pieces of one text arrive in order; each encrypted piece arrives whole."""
        last = self.blocks[-1].get("reasoning_details") if self.blocks else None
        same = last and all(last.get(name) == piece.get(name) for name in ("type", "index"))
        for name in ("text", "summary"):
            if last and same and isinstance(piece.get(name), str):
                given = {key: value for key, value in piece.items() if value is not None}
                last.update({**given, name: (last.get(name) or "") + piece[name]})
                return
        self.blocks.append({"reasoning_details": dict(piece)})


def collect(stream: Any, answer: Answer, limits: ReplyLimits, most: int) -> Generator[str, None, None]:
    """Read a stream into `answer` and yield its text as it arrives. A reply of more than `most` characters is
    truncated.

    Raises LimitReached if a limit is reached or the request is cancelled. The connection is closed in any case.
    """
    _tap(stream, answer)
    try:
        for chunk in stream:
            limits.check()
            before = answer.visible
            yield from (answer.take(piece) for piece in _deltas(chunk))
            if answer.visible > before:
                limits.progressed()
            if answer.size > most:
                answer.finish = "length"
                return
    finally:
        close(stream)
    if not (answer.text or answer.calls) and (text := _refusal(stream)):
        answer.text = text
        yield text
    answer.finish = getattr(stream, "received_finish_reason", None) or ""
    answer.usage = larger_usage(answer.usage, _usage(stream))


def _tap(stream: Any, answer: Answer) -> None:
    """Intercept the chunks of a stream before litellm parses them."""
    inner = stream.completion_stream
    if raw_response(stream) is not None:
        stream.completion_stream = _Tapped(inner, answer)
    elif callable(parse := getattr(inner, "chunk_parser", None)):
        inner.chunk_parser = lambda chunk: parse(answer.note(chunk))


class _Tapped:
    """A wrapper around a stream of the OpenAI client; without it, litellm would drop refusals and fail on invalid
    usage."""

    def __init__(self, stream: Any, answer: Answer) -> None:
        self.response = stream.response
        self._stream, self._answer = stream, answer

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        chunk = next(self._stream)
        if (stated := getattr(chunk, "usage", None)) is not None:
            figures = stated.model_dump(warnings=False)
            self._answer.usage = larger_usage(self._answer.usage, figures)
            if usage(figures) is None:
                chunk.usage = None
        for choice in (chunk.choices or [])[:1]:
            if refusal := getattr(choice.delta, "refusal", None):
                choice.delta.content = refusal
        return chunk

    def close(self) -> None:
        self._stream.close()


def read_completion(message: dict[str, Any], answer: Answer) -> Generator[str, None, None]:
    """Read the body of a chat completion, from a server that does not stream, into `answer` and yield its text."""
    answer.usage = message.get("usage")
    for choice in (message.get("choices") or [])[:1]:
        yield answer.take(choice.get("message") or {})
        answer.finish = choice.get("finish_reason") or "stop"


def raw_response(stream: Any) -> Any:
    """Return the unread HTTP response of a stream of the OpenAI client, or None for other streams."""
    return getattr(getattr(stream, "completion_stream", None), "response", None)


def close(stream: Any) -> None:
    """Close the connection of a stream, in whichever layer litellm holds it.

    The garbage collector must not close the connection, since it could block forever: httpcore closes connections under
    a lock that is not reentrant.
    """
    inner = getattr(stream, "completion_stream", None)
    lines = getattr(inner, "streaming_response", None)
    for layer in (raw_response(stream), inner, lines, getattr(lines, "response", None)):
        if callable(closing := getattr(layer, "close", None)):
            closing()


def _deltas(chunk: Any) -> Iterable[dict[str, Any]]:
    for choice in chunk.choices[:1]:
        yield choice.delta.model_dump(exclude_none=True, warnings=False)


def _refusal(stream: Any) -> str:
    """Return a refusal in the responses protocol, which litellm's bridge drops."""
    events = getattr(getattr(stream, "completion_stream", None), "streaming_response", None)
    response = getattr(getattr(events, "completed_response", None), "response", None)
    parts = [part for item in getattr(response, "output", []) for part in getattr(item, "content", None) or []]
    return "".join(getattr(part, "refusal", "") for part in parts)


def _usage(stream: Any) -> Any:
    """Return the usage that the provider stated. litellm's own count, used if the provider stated none, is not what is
    billed."""
    usages = [chunk.usage for chunk in getattr(stream, "chunks", []) if getattr(chunk, "usage", None) is not None]
    return reduce(larger_usage, (each.model_dump(warnings=False) for each in usages), None)
