"""Failures of a provider as messages: whether to retry, after how long, and what was billed."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import pytest

from agent.models.base import PermissionDenied
from agent.models.provider import MOST_READ, PREFIX, RequestTarget, _wait, error_for_exception
from tests.agent.models.conftest import CHAT, CLAUDE, KEY, RESPONSES, Load, get_reply
from tests.endpoint import Answer, Endpoint, Tokens
from trajectories.errors import ModelError, Refused
from trajectories.records import Usage

ALL_PROTOCOLS = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
PYTHON_MESSAGE = re.compile(
    r"has no attribute|object is not|not subscriptable|NoneType|indices must be|Expecting|delimiter|KeyError"
)
OVERFLOWS = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "the request exceeds the available context size, try increasing it",
    "Input length 5000 exceeds maximum allowed token size 4096",
]


def error(load: Load, name: str, answer: Answer, **settings: Any) -> ModelError:
    """Return the error of one request that is answered so."""
    with Endpoint([answer, Answer(text="a second request")]) as endpoint:
        with pytest.raises(ModelError) as raised:
            get_reply(load(endpoint, name, settings=settings))
        assert len(endpoint.asked) == 1, "litellm's own retries are off"
    assert KEY not in f"{raised.value.message} {raised.value.fix}"
    assert "litellm." not in raised.value.message
    return raised.value


@ALL_PROTOCOLS
@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_failures_that_only_user_can_fix_are_refused(load: Load, name: str, status: int) -> None:
    raised = error(load, name, Answer(status=status))
    assert isinstance(raised, Refused)
    assert (raised.code, raised.billed, raised.retryable) == (3, False, False)
    assert str(status) in raised.message
    assert raised.fix


@ALL_PROTOCOLS
@pytest.mark.parametrize(
    ("status", "retryable", "billed"),
    [
        *[(status, False, False) for status in (400, 422)],
        *[(status, True, False) for status in (429, 500, 503, 529)],
        *[(status, True, True) for status in (408, 502, 504)],
    ],
)
def test_status_decides_retry_and_billing(load: Load, name: str, status: int, retryable: bool, billed: bool) -> None:
    raised = error(load, name, Answer(status=status))
    assert (raised.retryable, raised.billed, raised.wait) == (retryable, billed, None)
    assert str(status) in raised.message
    assert not isinstance(raised, Refused)


@ALL_PROTOCOLS
@pytest.mark.parametrize(
    ("status", "retry_after", "wait"), [(429, "7", 7.0), (503, "1.5", 1.5), (429, "-3", 0.0), (429, "soon", None)]
)
def test_retry_after_sets_wait(load: Load, name: str, status: int, retry_after: str, wait: float | None) -> None:
    assert error(load, name, Answer(status=status, headers={"Retry-After": retry_after})).wait == wait


@ALL_PROTOCOLS
@pytest.mark.parametrize(
    ("status", "retry_after", "limited"),
    [(429, "", True), (529, "", True), (503, "2", True), (503, "", False), (500, "2", False)],
)
def test_rate_limit_is_recognized(load: Load, name: str, status: int, retry_after: str, limited: bool) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    assert error(load, name, Answer(status=status, headers=headers)).limited == limited


@pytest.mark.parametrize(
    ("retry_after", "date", "wait"),
    [
        ("Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:27:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", "yesterday", None),
        ("Wed, 21 Oct 2015 07:28:30", "Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("inf", "", None),
        ("nan", "", None),
        ("", "", None),
    ],
)
def test_retry_after_date_is_relative_to_server_clock(retry_after: str, date: str, wait: float | None) -> None:
    assert _wait({"retry-after": retry_after, "date": date}) == wait


@ALL_PROTOCOLS
@pytest.mark.parametrize("message", OVERFLOWS)
def test_overflow_of_context_window_is_recognized(load: Load, name: str, message: str) -> None:
    raised = error(load, name, Answer(status=400, error=message))
    assert (raised.overflow, raised.retryable, raised.billed) == (True, False, False)


@ALL_PROTOCOLS
def test_request_too_large_for_server_is_overflow(load: Load, name: str) -> None:
    assert error(load, name, Answer(status=413)).overflow


@ALL_PROTOCOLS
def test_other_bad_request_is_no_overflow(load: Load, name: str) -> None:
    raised = error(load, name, Answer(status=400, error=f"max_tokens is bad, {KEY} " + "and so on " * 100))
    assert not raised.overflow
    assert "max_tokens is bad" in raised.message
    assert len(raised.message) < 400


@ALL_PROTOCOLS
@pytest.mark.parametrize("status", [400, 429])
def test_exhausted_quota_is_refused(load: Load, name: str, status: int) -> None:
    message = "You exceeded your current quota, please check your plan and billing details."
    assert isinstance(error(load, name, Answer(status=status, error=message)), Refused)


@ALL_PROTOCOLS
def test_silent_server_times_out(load: Load, name: str) -> None:
    raised = error(load, name, Answer(hang=True), first_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "sent no text, reasoning or arguments for 0.3 s" in raised.message
    assert "127.0.0.1" in raised.message


@ALL_PROTOCOLS
def test_silence_within_stream_times_out(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="hello world", cut=3, then="hang"), first_timeout=0.3, model_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "sent no text, reasoning or arguments for 0.3 s" in raised.message


@ALL_PROTOCOLS
@pytest.mark.parametrize(
    "answer",
    [
        Answer(drop=True),
        Answer(reset=True),
        Answer(text="hello world", cut=0),
        Answer(text="hello world", cut=3),
        Answer(text="hello world", cut=3, then="end"),
        Answer(text="hello world", cut=3, then="error", error="Overloaded"),
        Answer(actions=[("view", {"path": "a.py"})], cut="path", then="end"),
        Answer(raw=b""),
        Answer(raw=b"<html>A proxy's page</html>", headers={"Content-Type": "text/html"}),
        Answer(raw=b'data: {"id\n\n'),
        Answer(raw=b"{}", headers={"Content-Type": "text/plain"}),
    ],
    ids=[
        "no answer",
        "reset",
        "cut at once",
        "cut",
        "ended",
        "error event",
        "half a call",
        "empty",
        "html",
        "half JSON",
        "text",
    ],
)
def test_broken_reply_is_retryable_and_billed(load: Load, name: str, answer: Answer) -> None:
    raised = error(load, name, answer)
    assert (raised.retryable, raised.billed, raised.overflow) == (True, True, False)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": "x"}', b'{"error": {"message": "no"}}']
)
def test_invalid_unstreamed_reply_is_retryable(load: Load, body: bytes) -> None:
    raised = error(load, CHAT, Answer(raw=body, headers={"Content-Type": "application/json"}))
    assert (raised.retryable, raised.billed) == (True, True)
    assert not PYTHON_MESSAGE.search(raised.message)


@ALL_PROTOCOLS
@pytest.mark.parametrize(
    "chunk",
    [
        b'{"choices": "x"}',
        b'{"choices": ["x"]}',
        b'{"choices": [{"delta": "x"}]}',
        b'["x"]',
        b'"x"',
        b'{"type": 3}',
        b"3",
    ],
)
def test_malformed_chunk_is_retryable(load: Load, name: str, chunk: bytes) -> None:
    """The message explains the failure without Python's own wording."""
    raised = error(load, name, Answer(raw=b"data: " + chunk + b"\n\n", headers={"Content-Type": "text/event-stream"}))
    assert raised.retryable
    assert not PYTHON_MESSAGE.search(raised.message)


@ALL_PROTOCOLS
def test_closed_port_is_retryable_and_unbilled(load: Load, name: str) -> None:
    with Endpoint([]) as endpoint:
        model = load(endpoint, name)
    with pytest.raises(ModelError) as raised:
        get_reply(model)
    assert (raised.value.retryable, raised.value.billed) == (True, False)
    assert endpoint.url in raised.value.message


@ALL_PROTOCOLS
def test_content_filter_is_not_retryable(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="I", finish="content_filter", usage=Tokens(50, 5)))
    assert (raised.retryable, raised.usage) == (False, Usage(50, 5))


@ALL_PROTOCOLS
def test_wrong_key_names_variable(load: Load, name: str) -> None:
    with Endpoint([], key="another") as endpoint, pytest.raises(Refused) as raised:
        get_reply(load(endpoint, name))
    assert "$TEST_KEY" in raised.value.fix


@ALL_PROTOCOLS
def test_moderated_request_is_not_refused_for_good(load: Load, name: str) -> None:
    message = f"Model requires moderation. Your input was flagged for key {KEY}."
    raised = error(load, name, Answer(status=403, error=message))
    assert not isinstance(raised, Refused)
    assert (raised.retryable, raised.billed) == (False, False)
    assert "Your input was flagged" in raised.message


@pytest.mark.parametrize(
    ("message", "of_key"),
    [("Key limit exceeded", True), ("Your account was flagged", True), ("The token has expired", True), ("No.", False)],
)
def test_forbidden_key_is_distinguished_from_forbidden_request(load: Load, message: str, of_key: bool) -> None:
    raised = error(load, CHAT, Answer(status=403, error=message))
    assert isinstance(raised, Refused)
    assert isinstance(raised, PermissionDenied) != of_key


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_key_in_provider_message_is_masked_in_all_encodings(load: Load, status: int) -> None:
    encoded = [b64encode(pad + KEY.encode()).decode() for pad in (b"", b"a", b"ab")]
    message = error(load, CHAT, Answer(status=status, error=f"hex {KEY.encode().hex()} plain {KEY}")).message
    message += error(load, CHAT, Answer(status=status, error=" ".join(encoded))).message
    assert "***" in message
    assert not any(form in message for form in (KEY, KEY.encode().hex(), *(text[4:-4] for text in encoded)))


def test_key_is_masked_at_truncation_point(load: Load) -> None:
    message = error_for_exception(
        RuntimeError("<" + "x" * (MOST_READ - 8) + "> " + KEY), RequestTarget("m", "a", "", (KEY,))
    ).message
    assert KEY[:4] not in message


def test_missing_model_is_refused(load: Load) -> None:
    with Endpoint([], models=["other"]) as endpoint, pytest.raises(Refused, match="has no model openai/hand"):
        get_reply(load(endpoint))


def test_missing_library_is_refused() -> None:
    raised = error_for_exception(ModuleNotFoundError("No module named 'x'"), RequestTarget("m", "a", "", ()))
    assert isinstance(raised, Refused)
    assert (raised.billed, raised.retryable) == (False, False)


def error_message(text: str) -> str:
    """Return the message shown for an error of the provider."""
    return error_for_exception(RuntimeError(text), RequestTarget("m", "a", "", ())).message


def test_prefixes_of_libraries_are_removed() -> None:
    text = "litellm.InternalServerError: OpenAIException - APIError Exception: Error: the server is tired"
    assert error_message(text) == "m at a was interrupted: the server is tired."


def test_provider_message_is_parsed_in_linear_time() -> None:
    """Nested quantifiers would make this test hang."""
    assert PREFIX.match("Error" * 10_000 + "!") is None
    for text in ("Error" * 100_000 + "!", "litellm." * 50_000, '"message": "' * 50_000, "<" * 400_000):
        assert len(error_message(text)) < 400


@pytest.mark.parametrize("status", [404, 500])
def test_control_characters_are_removed(load: Load, status: int) -> None:
    message = error(load, CHAT, Answer(status=status, error="no \x1b]0;pwned\x07\x1b[2Jmodel\x9b")).message
    assert "no model" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
        "`max_tokens` must be less than or equal to `8192`",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    ],
)
@ALL_PROTOCOLS
def test_rejected_max_tokens_suggests_max_output(load: Load, name: str, message: str) -> None:
    raised = error(load, name, Answer(status=400, error=message))
    assert (raised.overflow, raised.retryable, raised.billed) == (False, False, False)
    assert f"models.{name}.max_output" in raised.fix


def test_credentials_in_address_are_not_shown(load: Load) -> None:
    with Endpoint([]) as endpoint:
        model = load(endpoint, api_base=endpoint.openai.replace("//", "//me:hunter2secret@"))
    with pytest.raises(ModelError) as raised:
        get_reply(model)
    assert "127.0.0.1" in raised.value.message
    assert "hunter2" not in raised.value.message
    assert "hunter2" not in error_message("upstream http://me:hunter2@host/ is gone")


def test_own_bugs_are_not_provider_failures(load: Load) -> None:
    def broken(text: str) -> None:
        raise KeyError(text)

    with Endpoint([Answer(text="ok")] * 2) as endpoint:
        with pytest.raises(KeyError):
            get_reply(load(endpoint), delta=broken)
        with pytest.raises(KeyError):
            get_reply(load(endpoint), [{"content": "a message without a role"}])


def test_only_retry_after_cut_stream_is_not_streamed(load: Load) -> None:
    cut_answer = Answer(text="hello world", cut=3, then="end")
    with Endpoint([cut_answer, Answer(status=500), Answer(text="whole")]) as endpoint:
        model = load(endpoint)
        for _ in range(2):
            with pytest.raises(ModelError):
                get_reply(model)
        assert get_reply(model).text == "whole"
    assert [body.get("stream", False) for body in endpoint.asked] == [True, False, True]


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_endless_stream_is_cut(load: Load, name: str) -> None:
    with Endpoint([Answer(text="x" * 30_000)]) as endpoint:
        reply = get_reply(load(endpoint, name), max_output=100)
    assert 1600 < len(reply.text) < 30_000
