"""OpenAI chat completions, as OpenAI and the many local servers speak it (with DeepSeek's `reasoning_content`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.endpoint.answer import Answer, Request, Tokens, arguments_text, data_frame, pieces

PATH = "/v1/chat/completions"
CREATED = 1_700_000_000

_ERRORS = {
    400: ("invalid_request_error", None, "The request is not valid."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    403: ("invalid_request_error", "forbidden", "Your project may not use this model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or you do not have access to it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
}


def error(status: int, message: str = "") -> dict[str, Any]:
    """Return the body of an error; an unknown status counts as a server error."""
    kind, code, default = _ERRORS.get(status, _ERRORS[500])
    return {"error": {"message": message or default, "type": kind, "param": None, "code": code}}


def error_frame(body: Mapping[str, Any]) -> bytes:
    return data_frame(body)


def whole(answer: Answer, request: Request) -> dict[str, Any]:
    """Return the answer as one body."""
    refused = answer.finish == "refusal"
    message: dict[str, Any] = {"role": "assistant", "content": None if refused else answer.text or None}
    message["refusal"] = answer.text if refused else None
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.blocks:
        message["reasoning_details"] = list(answer.blocks)
    if answer.actions:
        message["tool_calls"] = [call for call, _ in _calls(answer, request)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    body = _envelope(request, "chat.completion") | {"choices": [choice]}
    return body if answer.usage is None else body | {"usage": usage(answer.usage)}


def frames(answer: Answer, request: Request) -> Iterator[bytes]:
    """Yield the answer as server-sent events; usage only if requested by `stream_options.include_usage`."""
    envelope = _envelope(request, "chat.completion.chunk")

    def frame(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return data_frame(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield frame({"role": "assistant", "content": ""})
    for block in answer.blocks:
        yield frame({"reasoning_details": [block]})
    for piece in pieces(answer.reasoning):
        yield frame({"reasoning_content": piece})
    for piece in pieces(answer.text):
        yield frame({"refusal" if answer.finish == "refusal" else "content": piece})
    for at, (call, arguments) in enumerate(_calls(answer, request)):
        initial = {**call, "index": at, "function": {**call["function"], "arguments": ""}}
        yield frame({"tool_calls": [initial]})
        for piece in pieces(arguments):
            yield frame({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield frame({}, _finish(answer))
    options = request.body.get("stream_options") or {}
    if options.get("include_usage") and answer.usage is not None:
        yield data_frame(envelope | {"choices": [], "usage": usage(answer.usage)})
    yield data_frame("[DONE]")


def usage(tokens: Tokens | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(tokens, Tokens):
        return dict(tokens)
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def _envelope(request: Request, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{request.turns}", "object": kind, "created": CREATED, "model": request.model}


def _finish(answer: Answer) -> str:
    return "stop" if answer.finish == "refusal" else answer.ending


def _calls(answer: Answer, request: Request) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield each call and its arguments as text; ids are unique within a conversation."""
    for at, (tool, raw_arguments) in enumerate(answer.actions):
        arguments = arguments_text(raw_arguments)
        function = {"name": tool, "arguments": arguments}
        yield {"id": f"call_{request.turns}_{at}", "type": "function", "function": function}, arguments
