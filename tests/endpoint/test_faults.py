"""What goes wrong at the endpoint arrives at litellm as it would from a provider."""

from __future__ import annotations

from typing import Any

import pytest

from tests.endpoint import Answer
from tests.endpoint.conftest import (
    IGNORED,
    LOOK,
    PROTOCOLS,
    each_protocol,
    each_way,
)

pytestmark = IGNORED


REFUSED = [  # the status, and the class and status that litellm makes of it, by protocol
    (400, dict.fromkeys(PROTOCOLS, ("BadRequestError", 400))),
    (401, dict.fromkeys(PROTOCOLS, ("AuthenticationError", 401))),
    (403, dict.fromkeys(PROTOCOLS, ("BadRequestError", 403)) | {"messages": ("PermissionDeniedError", 403)}),
    (404, dict.fromkeys(PROTOCOLS, ("NotFoundError", 404))),
    (429, dict.fromkeys(PROTOCOLS, ("RateLimitError", 429))),
    (500, dict.fromkeys(PROTOCOLS, ("InternalServerError", 500))),
    (529, dict.fromkeys(PROTOCOLS, ("APIError", 529)) | {"messages": ("InternalServerError", 500)}),
]


@each_protocol
@each_way
@pytest.mark.parametrize(("status", "seen"), REFUSED, ids=[str(status) for status, _ in REFUSED])
def test_refusals(asker: Any, protocol: str, stream: bool, status: int, seen: dict[str, tuple[str, int]]) -> None:
    asking = asker(protocol, [Answer(status=status, headers={"Retry-After": "7"})], stream)
    error = asking.error()
    assert (type(error).__name__, error.status_code) == seen[protocol]
    assert error.litellm_response_headers["retry-after"] == "7"
    assert len(asking.endpoint.requests) == 1


@each_protocol
def test_without_retry_after_there_is_none(asker: Any, protocol: str) -> None:
    headers = asker(protocol, [Answer(status=429)]).error().litellm_response_headers
    assert "retry-after" not in (headers or {})


@each_protocol
@each_way
def test_conversation_that_is_too_long(asker: Any, protocol: str, stream: bool) -> None:
    said = "prompt is too long: 210000 tokens > 200000 maximum"
    if protocol != "messages":
        said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    error = asker(protocol, [Answer(status=400, error=said)], stream).error()
    assert type(error).__name__ == "ContextWindowExceededError"


@each_protocol
@each_way
def test_silence_is_time_out(asker: Any, protocol: str, stream: bool) -> None:
    assert type(asker(protocol, [Answer(hang=True)], stream).error(timeout=0.3)).__name__ == "Timeout"


WHOLE_FAULTS = {
    "drop": Answer(drop=True),
    "cut": Answer(text="x" * 300, cut=1),
    "cut late": Answer(actions=LOOK.actions, cut=2),
    "no JSON": Answer(raw=b"<html>busy</html>"),
    "wrong type": Answer(raw=b"[]"),
}


@each_protocol
@pytest.mark.parametrize("fault", WHOLE_FAULTS.values(), ids=WHOLE_FAULTS.keys())
def test_whole_answer_that_breaks_is_error(asker: Any, protocol: str, fault: Answer) -> None:
    error = asker(protocol, [fault]).error()
    assert error.status_code in (200, 500)


STREAM_FAULTS = {
    "closed": Answer(text="Some words.", cut=3),
    "closed in a call": Answer(actions=LOOK.actions, cut="pat"),
    "hangs": Answer(text="Some words.", cut=3, then="hang"),
    "says so": Answer(text="Some words.", cut=3, then="error"),
}


@each_protocol
@pytest.mark.parametrize("fault", STREAM_FAULTS.values(), ids=STREAM_FAULTS.keys())
def test_stream_that_breaks_is_error(asker: Any, protocol: str, fault: Answer) -> None:
    assert type(asker(protocol, [fault], stream=True).error(timeout=0.5)).__name__ == "MidStreamFallbackError"


EARLY = Answer(actions=LOOK.actions, cut="ü.", then="end")


@pytest.mark.parametrize("protocol", ["chat", "messages"])
@pytest.mark.parametrize("fault", [EARLY, Answer(raw=b"<html>busy</html>")], ids=["half a call", "no stream"])
def test_stream_that_ends_early_is_known_by_its_missing_finish(asker: Any, protocol: str, fault: Answer) -> None:
    asking = asker(protocol, [fault], stream=True)
    assert asking.ask().choices[0].finish_reason == "stop"
    assert asking.wrapper.received_finish_reason is None


def test_stream_of_responses_that_ends_early_is_error(asker: Any) -> None:
    assert type(asker("responses", [EARLY], stream=True).error()).__name__ == "MidStreamFallbackError"


@each_way
@pytest.mark.parametrize("protocol", ["chat", "responses"])
def test_half_arguments_come_as_they_are(asker: Any, protocol: str, stream: bool) -> None:
    reply = asker(protocol, [Answer(actions=[("view", '{"path": "a')], finish="length")], stream).ask()
    assert reply.choices[0].message.tool_calls[0].function.arguments == '{"path": "a'
    assert reply.choices[0].finish_reason == "length"


@pytest.mark.parametrize("protocol", ["chat", "messages"])
def test_usage_that_never_came_is_in_no_chunk_of_provider(asker: Any, protocol: str) -> None:
    asking = asker(protocol, [Answer(text="x", usage=None), Answer(text="x")], stream=True)
    asking.ask()
    assert not [chunk for chunk in asking.wrapper.chunks if getattr(chunk, "usage", None)]
    asking.ask()
    assert [chunk for chunk in asking.wrapper.chunks if getattr(chunk, "usage", None)]


@each_protocol
def test_absurd_usage_goes_out_as_it_is(asker: Any, protocol: str) -> None:
    huge = 10**12
    absurd = dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), huge)
    reply = asker(protocol, [Answer(text="x", usage=absurd | {"total_tokens": 1})]).ask()
    assert reply.usage.prompt_tokens == huge
