"""Faults of the endpoint reach litellm as those of a provider would."""

from __future__ import annotations

from typing import Any

import pytest

from tests.endpoint import Answer
from tests.endpoint.conftest import (
    IGNORED,
    LOOK,
    PROTOCOLS,
    each_protocol,
    streamed_or_not,
)

pytestmark = IGNORED


REFUSED = [  # the status, and litellm's class and status for it, by protocol
    (400, dict.fromkeys(PROTOCOLS, ("BadRequestError", 400))),
    (401, dict.fromkeys(PROTOCOLS, ("AuthenticationError", 401))),
    (403, dict.fromkeys(PROTOCOLS, ("BadRequestError", 403)) | {"messages": ("PermissionDeniedError", 403)}),
    (404, dict.fromkeys(PROTOCOLS, ("NotFoundError", 404))),
    (429, dict.fromkeys(PROTOCOLS, ("RateLimitError", 429))),
    (500, dict.fromkeys(PROTOCOLS, ("InternalServerError", 500))),
    (529, dict.fromkeys(PROTOCOLS, ("APIError", 529)) | {"messages": ("InternalServerError", 500)}),
]


@each_protocol
@streamed_or_not
@pytest.mark.parametrize(("status", "expected"), REFUSED, ids=[str(status) for status, _ in REFUSED])
def test_error_status_raises_matching_exception(
    make_client: Any, protocol: str, stream: bool, status: int, expected: dict[str, tuple[str, int]]
) -> None:
    client = make_client(protocol, [Answer(status=status, headers={"Retry-After": "7"})], stream)
    error = client.error()
    assert (type(error).__name__, error.status_code) == expected[protocol]
    assert error.litellm_response_headers["retry-after"] == "7"
    assert len(client.endpoint.requests) == 1


@each_protocol
def test_exception_has_no_retry_after_without_header(make_client: Any, protocol: str) -> None:
    headers = make_client(protocol, [Answer(status=429)]).error().litellm_response_headers
    assert "retry-after" not in (headers or {})


@each_protocol
@streamed_or_not
def test_too_long_conversation_raises_context_window_error(make_client: Any, protocol: str, stream: bool) -> None:
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    if protocol != "messages":
        message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    error = make_client(protocol, [Answer(status=400, error=message)], stream).error()
    assert type(error).__name__ == "ContextWindowExceededError"


@each_protocol
@streamed_or_not
def test_silence_raises_timeout(make_client: Any, protocol: str, stream: bool) -> None:
    assert type(make_client(protocol, [Answer(hang=True)], stream).error(timeout=0.3)).__name__ == "Timeout"


WHOLE_FAULTS = {
    "drop": Answer(drop=True),
    "cut": Answer(text="x" * 300, cut=1),
    "cut late": Answer(actions=LOOK.actions, cut=2),
    "no JSON": Answer(raw=b"<html>busy</html>"),
    "wrong type": Answer(raw=b"[]"),
}


@each_protocol
@pytest.mark.parametrize("fault", WHOLE_FAULTS.values(), ids=WHOLE_FAULTS.keys())
def test_broken_body_raises_error(make_client: Any, protocol: str, fault: Answer) -> None:
    error = make_client(protocol, [fault]).error()
    assert error.status_code in (200, 500)


STREAM_FAULTS = {
    "closed": Answer(text="Some words.", cut=3),
    "closed in a call": Answer(actions=LOOK.actions, cut="pat"),
    "hangs": Answer(text="Some words.", cut=3, then="hang"),
    "says so": Answer(text="Some words.", cut=3, then="error"),
}


@each_protocol
@pytest.mark.parametrize("fault", STREAM_FAULTS.values(), ids=STREAM_FAULTS.keys())
def test_broken_stream_raises_error(make_client: Any, protocol: str, fault: Answer) -> None:
    assert type(make_client(protocol, [fault], stream=True).error(timeout=0.5)).__name__ == "MidStreamFallbackError"


EARLY = Answer(actions=LOOK.actions, cut="ü.", then="end")


@pytest.mark.parametrize("protocol", ["chat", "messages"])
@pytest.mark.parametrize("fault", [EARLY, Answer(raw=b"<html>busy</html>")], ids=["half a call", "no stream"])
def test_stream_that_ends_early_has_no_finish_reason(make_client: Any, protocol: str, fault: Answer) -> None:
    client = make_client(protocol, [fault], stream=True)
    assert client.complete().choices[0].finish_reason == "stop"
    assert client.wrapper.received_finish_reason is None


def test_responses_stream_that_ends_early_raises_error(make_client: Any) -> None:
    assert type(make_client("responses", [EARLY], stream=True).error()).__name__ == "MidStreamFallbackError"


@streamed_or_not
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_incomplete_arguments_are_passed_unchanged(make_client: Any, protocol: str, stream: bool) -> None:
    reply = make_client(protocol, [Answer(actions=[("view", '{"path": "a')], finish="length")], stream).complete()
    assert reply.choices[0].message.tool_calls[0].function.arguments == '{"path": "a'
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("protocol", ["chat", "messages"])
def test_usage_missing_from_stream_is_missing_from_chunks(make_client: Any, protocol: str) -> None:
    client = make_client(protocol, [Answer(text="x", usage=None), Answer(text="x")], stream=True)
    client.complete()
    assert not [chunk for chunk in client.wrapper.chunks if getattr(chunk, "usage", None)]
    client.complete()
    assert [chunk for chunk in client.wrapper.chunks if getattr(chunk, "usage", None)]


@each_protocol
def test_absurd_usage_is_passed_unchanged(make_client: Any, protocol: str) -> None:
    huge = 10**12
    absurd = dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), huge)
    reply = make_client(protocol, [Answer(text="x", usage=absurd | {"total_tokens": 1})]).complete()
    assert reply.usage.prompt_tokens == huge
