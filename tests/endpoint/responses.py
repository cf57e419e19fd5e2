"""OpenAI responses: a list of items, including encrypted reasoning."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from tests.endpoint.answer import Answer, Request, Tokens, arguments_text, data_frame, pieces
from tests.endpoint.chat import CREATED, error

__all__ = ["PATH", "encrypted", "error", "error_frame", "frames", "usage", "whole"]

PATH = "/v1/responses"

_INITIAL_FIELDS: dict[str, dict[str, Any]] = {
    "reasoning": {"summary": []},
    "message": {"content": [], "status": "in_progress"},
    "function_call": {"arguments": "", "status": "in_progress"},
}
"""The fields of an item when it is added, before its deltas."""


def encrypted(reasoning: str) -> str:
    """Return the encrypted form of visible reasoning."""
    return "gAAAA" + b64encode(reasoning.encode()).decode()


def error_frame(body: Mapping[str, Any]) -> bytes:
    return data_frame({"type": "error", "sequence_number": 99, **body.get("error", body)}, "error")


def whole(answer: Answer, request: Request) -> dict[str, Any]:
    """Return the answer as one body."""
    ending = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
    status_fields = {
        "status": "incomplete" if ending else "completed",
        "incomplete_details": {"reason": ending} if ending else None,
        "output": _output(answer, request),
    }
    body = _envelope(request) | status_fields
    return body if answer.usage is None else body | {"usage": usage(answer.usage)}


def frames(answer: Answer, request: Request) -> Iterator[bytes]:
    """Yield the answer as numbered server-sent events."""
    number = count()

    def frame(event: str, **fields: Any) -> bytes:
        return data_frame({"type": event, "sequence_number": next(number), **fields}, event)

    initial = _envelope(request) | {"status": "in_progress", "output": []}
    yield frame("response.created", response=initial)
    yield frame("response.in_progress", response=initial)
    for at, item in enumerate(_output(answer, request)):
        yield frame("response.output_item.added", output_index=at, item=item | _INITIAL_FIELDS[item["type"]])
        for event, fields in _inside(item):
            yield frame(event, output_index=at, item_id=item["id"], **fields)
        yield frame("response.output_item.done", output_index=at, item=item)
    final = whole(answer, request)
    yield frame(f"response.{final['status']}", response=final)


def usage(tokens: Tokens | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(tokens, Tokens):
        return dict(tokens)
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }


def _inside(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events between the addition and the completion of an item."""
    if item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {"delta": piece}
        yield "response.function_call_arguments.done", {"arguments": item["arguments"]}
        return
    for at, part in enumerate(item.get("summary") or item.get("content") or []):
        yield from _part(at, part)


def _part(at: int, part: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    field = "refusal" if part["type"] == "refusal" else "text"
    name, index, outer = {
        "summary_text": ("reasoning_summary_text", "summary_index", "reasoning_summary_part"),
        "output_text": ("output_text", "content_index", "content_part"),
        "refusal": ("refusal", "content_index", "content_part"),
    }[part["type"]]
    yield f"response.{outer}.added", {index: at, "part": {**part, field: ""}}
    for piece in pieces(part[field]):
        yield f"response.{name}.delta", {index: at, "delta": piece} | ({"logprobs": []} if field == "text" else {})
    yield f"response.{name}.done", {index: at, field: part[field]}
    yield f"response.{outer}.done", {index: at, "part": part}


def _output(answer: Answer, request: Request) -> list[dict[str, Any]]:
    """Return the items. Encrypted content is given only to clients that include it, as those without storage must."""
    turn = request.turns
    output: list[dict[str, Any]] = []
    if answer.reasoning:
        summary = [{"type": "summary_text", "text": answer.reasoning}]
        item = {"type": "reasoning", "id": f"rs_{turn}", "summary": summary}
        output.append(item | {"encrypted_content": encrypted(answer.reasoning)})
    output += [dict(block) for block in answer.blocks]
    if "reasoning.encrypted_content" not in (request.body.get("include") or []):
        output = [{name: value for name, value in item.items() if name != "encrypted_content"} for item in output]
    if answer.text:
        refused = answer.finish == "refusal"
        text_part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        part = {"type": "refusal", "refusal": answer.text} if refused else text_part
        item = {"type": "message", "id": f"msg_{turn}", "role": "assistant", "status": "completed", "content": [part]}
        output.append(item)
    for at, (tool, arguments) in enumerate(answer.actions):
        call = {"type": "function_call", "id": f"fc_{turn}_{at}", "call_id": f"call_{turn}_{at}", "name": tool}
        output.append(call | {"arguments": arguments_text(arguments), "status": "completed"})
    return output


def _envelope(request: Request) -> dict[str, Any]:
    body = request.body
    return {
        "id": f"resp_{request.turns}",
        "object": "response",
        "created_at": CREATED,
        "model": request.model,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
    }
