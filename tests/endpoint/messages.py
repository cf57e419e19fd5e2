"""Anthropic messages: content blocks, signed thinking, cache reads and writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from tests.endpoint.answer import Answer, Request, Tokens, arguments_text, data_frame, pieces

PATH = "/v1/messages"

_ENDINGS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_ERRORS = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: no-such-model"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def signature(thinking: str) -> str:
    """Return the signature of visible reasoning."""
    return "Eq+/" + sha256(thinking.encode()).hexdigest() + "=="


def error(status: int, message: str = "") -> dict[str, Any]:
    """Return the body of an error; an unknown status counts as a server error."""
    kind, default = _ERRORS.get(status, _ERRORS[500])
    return {"type": "error", "error": {"type": kind, "message": message or default}, "request_id": "req_1"}


def error_frame(body: Mapping[str, Any]) -> bytes:
    return data_frame(body, "error")


def whole(answer: Answer, request: Request) -> dict[str, Any]:
    """Return the answer as one body."""
    body = _envelope(request) | {"content": _content(answer, request), "stop_reason": _ending(answer)}
    return body if answer.usage is None else body | {"usage": usage(answer.usage)}


def frames(answer: Answer, request: Request) -> Iterator[bytes]:
    """Yield the answer as server-sent events: usage of the input at the start, of the output at the end."""
    usage_fields = {} if answer.usage is None else {"usage": usage(answer.usage)}
    start_usage = {"usage": {**usage_fields["usage"], "output_tokens": 1}} if usage_fields else {}
    message = _envelope(request) | {"content": [], "stop_reason": None} | start_usage
    yield _frame("message_start", message=message)
    yield _frame("ping")
    for at, block in enumerate(_content(answer, request)):
        yield from _block(at, block)
    yield _frame("message_delta", delta={"stop_reason": _ending(answer), "stop_sequence": None}, **usage_fields)
    yield _frame("message_stop")


def usage(tokens: Tokens | Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage; Anthropic counts cached and written tokens separately from the input."""
    if not isinstance(tokens, Tokens):
        return dict(tokens)
    return {
        "input_tokens": tokens.input - tokens.cached - tokens.written,
        "cache_creation_input_tokens": tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
    }


def _frame(event: str, **fields: Any) -> bytes:
    return data_frame({"type": event, **fields}, event)


def _block(at: int, block: dict[str, Any]) -> Iterator[bytes]:
    """Open a block empty and fill it with deltas; kinds without deltas are sent whole."""
    initial, deltas = block, []
    if block["type"] == "thinking":
        initial = {**block, "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif block["type"] == "text":
        initial = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    elif block["type"] == "tool_use":
        initial = {**block, "input": {}}
        arguments = arguments_text(block["input"])
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(arguments)]]
    yield _frame("content_block_start", index=at, content_block=initial)
    for delta in deltas:
        yield _frame("content_block_delta", index=at, delta=delta)
    yield _frame("content_block_stop", index=at)


def _content(answer: Answer, request: Request) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if answer.reasoning:
        content.append({"type": "thinking", "thinking": answer.reasoning, "signature": signature(answer.reasoning)})
    content += [dict(block) for block in answer.blocks]
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for at, (tool, arguments) in enumerate(answer.actions):
        content.append({"type": "tool_use", "id": f"toolu_{request.turns}_{at}", "name": tool, "input": arguments})
    return content


def _ending(answer: Answer) -> str:
    return _ENDINGS.get(answer.ending, answer.ending)


def _envelope(request: Request) -> dict[str, Any]:
    identity = {"id": f"msg_{request.turns}", "type": "message", "role": "assistant", "model": request.model}
    return identity | {"stop_sequence": None}
