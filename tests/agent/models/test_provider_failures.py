"""What goes wrong at a provider, as sentences: what may be tried again, when, and what it cost."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Any

import pytest

from agent.models._errors import MOST_READ, PREFIX, RequestTarget, _wait, error_for_exception
from agent.models.base import PermissionDenied
from tests.agent.models.conftest import CHAT, CLAUDE, KEY, RESPONSES, Load, ask
from tests.endpoint import Answer, Endpoint, Tokens
from trajectories.errors import ModelError, Refused
from trajectories.records import Usage

ALL = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
PYTHONS = re.compile(
    r"has no attribute|object is not|not subscriptable|NoneType|indices must be|Expecting|delimiter|KeyError"
)
OVERFLOWS = [
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "the request exceeds the available context size, try increasing it",
    "Input length 5000 exceeds maximum allowed token size 4096",
]


def error(load: Load, name: str, answer: Answer, **settings: Any) -> ModelError:
    """What one request that is answered so raises."""
    with Endpoint([answer, Answer(text="a second request")]) as endpoint:
        with pytest.raises(ModelError) as raised:
            ask(load(endpoint, name, settings=settings))
        assert len(endpoint.asked) == 1, "litellm's own retries are off"
    assert KEY not in f"{raised.value.message} {raised.value.fix}"
    assert "litellm." not in raised.value.message
    return raised.value


@ALL
@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_only_user_can_mend(load: Load, name: str, status: int) -> None:
    raised = error(load, name, Answer(status=status))
    assert isinstance(raised, Refused)
    assert (raised.code, raised.billed, raised.retryable) == (3, False, False)
    assert str(status) in raised.message
    assert raised.fix


@ALL
@pytest.mark.parametrize(
    ("status", "retryable", "billed"),
    [
        *[(status, False, False) for status in (400, 422)],
        *[(status, True, False) for status in (429, 500, 503, 529)],
        *[(status, True, True) for status in (408, 502, 504)],
    ],
)
def test_what_may_be_tried_again(load: Load, name: str, status: int, retryable: bool, billed: bool) -> None:
    raised = error(load, name, Answer(status=status))
    assert (raised.retryable, raised.billed, raised.wait) == (retryable, billed, None)
    assert str(status) in raised.message
    assert not isinstance(raised, Refused)


@ALL
@pytest.mark.parametrize(
    ("status", "asked", "wait"), [(429, "7", 7.0), (503, "1.5", 1.5), (429, "-3", 0.0), (429, "soon", None)]
)
def test_how_long_to_wait(load: Load, name: str, status: int, asked: str, wait: float | None) -> None:
    assert error(load, name, Answer(status=status, headers={"Retry-After": asked})).wait == wait


@ALL
@pytest.mark.parametrize(
    ("status", "asked", "limited"),
    [(429, "", True), (529, "", True), (503, "2", True), (503, "", False), (500, "2", False)],
)
def test_what_is_one_too_many(load: Load, name: str, status: int, asked: str, limited: bool) -> None:
    headers = {"Retry-After": asked} if asked else {}
    assert error(load, name, Answer(status=status, headers=headers)).limited == limited


@pytest.mark.parametrize(
    ("asked", "date", "wait"),
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
def test_date_is_judged_by_providers_clock(asked: str, date: str, wait: float | None) -> None:
    assert _wait({"retry-after": asked, "date": date}) == wait


@ALL
@pytest.mark.parametrize("said", OVERFLOWS)
def test_request_longer_than_window(load: Load, name: str, said: str) -> None:
    raised = error(load, name, Answer(status=400, error=said))
    assert (raised.overflow, raised.retryable, raised.billed) == (True, False, False)


@ALL
def test_request_too_large_for_server(load: Load, name: str) -> None:
    assert error(load, name, Answer(status=413)).overflow


@ALL
def test_bad_request_that_is_no_overflow(load: Load, name: str) -> None:
    raised = error(load, name, Answer(status=400, error=f"max_tokens is bad, {KEY} " + "and so on " * 100))
    assert not raised.overflow
    assert "max_tokens is bad" in raised.message
    assert len(raised.message) < 400


@ALL
@pytest.mark.parametrize("status", [400, 429])
def test_account_with_nothing_left(load: Load, name: str, status: int) -> None:
    said = "You exceeded your current quota, please check your plan and billing details."
    assert isinstance(error(load, name, Answer(status=status, error=said)), Refused)


@ALL
def test_silence(load: Load, name: str) -> None:
    raised = error(load, name, Answer(hang=True), first_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "sent no text, reasoning or arguments for 0.3 s" in raised.message
    assert "127.0.0.1" in raised.message


@ALL
def test_silence_in_middle(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="hello world", cut=3, then="hang"), first_timeout=0.3, model_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "sent no text, reasoning or arguments for 0.3 s" in raised.message


@ALL
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
def test_answer_that_breaks_off(load: Load, name: str, answer: Answer) -> None:
    raised = error(load, name, answer)
    assert (raised.retryable, raised.billed, raised.overflow) == (True, True, False)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": "x"}', b'{"error": {"message": "no"}}']
)
def test_plain_answer_that_is_none(load: Load, body: bytes) -> None:
    raised = error(load, CHAT, Answer(raw=body, headers={"Content-Type": "application/json"}))
    assert (raised.retryable, raised.billed) == (True, True)
    assert not PYTHONS.search(raised.message)


@ALL
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
def test_stream_of_another_form(load: Load, name: str, chunk: bytes) -> None:
    """A user reads what is wrong, not what Python says of it."""
    raised = error(load, name, Answer(raw=b"data: " + chunk + b"\n\n", headers={"Content-Type": "text/event-stream"}))
    assert raised.retryable
    assert not PYTHONS.search(raised.message)


@ALL
def test_nobody_listens(load: Load, name: str) -> None:
    with Endpoint([]) as endpoint:
        model = load(endpoint, name)
    with pytest.raises(ModelError) as raised:
        ask(model)
    assert (raised.value.retryable, raised.value.billed) == (True, False)
    assert endpoint.url in raised.value.message


@ALL
def test_content_filter(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="I", finish="content_filter", usage=Tokens(50, 5)))
    assert (raised.retryable, raised.usage) == (False, Usage(50, 5))


@ALL
def test_wrong_key(load: Load, name: str) -> None:
    with Endpoint([], key="another") as endpoint, pytest.raises(Refused) as raised:
        ask(load(endpoint, name))
    assert "$TEST_KEY" in raised.value.fix


@ALL
def test_request_that_provider_dislikes_is_no_refusal_of_all(load: Load, name: str) -> None:
    said = f"Model requires moderation. Your input was flagged for key {KEY}."
    raised = error(load, name, Answer(status=403, error=said))
    assert not isinstance(raised, Refused)
    assert (raised.retryable, raised.billed) == (False, False)
    assert "Your input was flagged" in raised.message


@pytest.mark.parametrize(
    ("said", "of_key"),
    [("Key limit exceeded", True), ("Your account was flagged", True), ("The token has expired", True), ("No.", False)],
)
def test_what_403_is_of(load: Load, said: str, of_key: bool) -> None:
    raised = error(load, CHAT, Answer(status=403, error=said))
    assert isinstance(raised, Refused)
    assert isinstance(raised, PermissionDenied) != of_key


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_key_in_providers_words_is_masked_in_all_forms(load: Load, status: int) -> None:
    coded = [b64encode(pad + KEY.encode()).decode() for pad in (b"", b"a", b"ab")]
    shown = error(load, CHAT, Answer(status=status, error=f"hex {KEY.encode().hex()} plain {KEY}")).message
    shown += error(load, CHAT, Answer(status=status, error=" ".join(coded))).message
    assert "***" in shown
    assert not any(form in shown for form in (KEY, KEY.encode().hex(), *(each[4:-4] for each in coded)))


def test_key_is_masked_where_error_is_cut(load: Load) -> None:
    shown = error_for_exception(
        RuntimeError("<" + "x" * (MOST_READ - 8) + "> " + KEY), RequestTarget("m", "a", "", (KEY,))
    ).message
    assert KEY[:4] not in shown


def test_model_that_is_not_there(load: Load) -> None:
    with Endpoint([], models=["other"]) as endpoint, pytest.raises(Refused, match="has no model openai/hand"):
        ask(load(endpoint))


def test_library_that_is_not_there() -> None:
    raised = error_for_exception(ModuleNotFoundError("No module named 'x'"), RequestTarget("m", "a", "", ()))
    assert isinstance(raised, Refused)
    assert (raised.billed, raised.retryable) == (False, False)


def said(text: str) -> str:
    """What of a provider's words is shown."""
    return error_for_exception(RuntimeError(text), RequestTarget("m", "a", "", ())).message


def test_what_libraries_put_ahead_is_left_out() -> None:
    text = "litellm.InternalServerError: OpenAIException - APIError Exception: Error: the server is tired"
    assert said(text) == "m at a broke off: the server is tired."


def test_words_of_provider_are_read_in_linear_time() -> None:
    """Nested quantifiers would take longer here than anybody waits."""
    assert PREFIX.match("Error" * 10_000 + "!") is None
    for text in ("Error" * 100_000 + "!", "litellm." * 50_000, '"message": "' * 50_000, "<" * 400_000):
        assert len(said(text)) < 400


@pytest.mark.parametrize("status", [404, 500])
def test_nothing_that_terminal_obeys(load: Load, status: int) -> None:
    message = error(load, CHAT, Answer(status=status, error="no \x1b]0;pwned\x07\x1b[2Jmodel\x9b")).message
    assert "no model" in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5",
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens.",
        "`max_tokens` must be less than or equal to `8192`",
        "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
    ],
)
@ALL
def test_more_asked_for_than_model_writes(load: Load, name: str, said: str) -> None:
    raised = error(load, name, Answer(status=400, error=said))
    assert (raised.overflow, raised.retryable, raised.billed) == (False, False, False)
    assert f"models.{name}.max_output" in raised.fix


def test_credentials_in_address_are_not_shown(load: Load) -> None:
    with Endpoint([]) as endpoint:
        model = load(endpoint, api_base=endpoint.openai.replace("//", "//me:hunter2secret@"))
    with pytest.raises(ModelError) as raised:
        ask(model)
    assert "127.0.0.1" in raised.value.message
    assert "hunter2" not in raised.value.message
    assert "hunter2" not in said("upstream http://me:hunter2@host/ is gone")


def test_bug_of_ours_is_no_failure_of_provider(load: Load) -> None:
    def broken(text: str) -> None:
        raise KeyError(text)

    with Endpoint([Answer(text="ok")] * 2) as endpoint:
        with pytest.raises(KeyError):
            ask(load(endpoint), delta=broken)
        with pytest.raises(KeyError):
            ask(load(endpoint), [{"content": "a message without a role"}])


def test_only_next_try_is_not_streamed(load: Load) -> None:
    half = Answer(text="hello world", cut=3, then="end")
    with Endpoint([half, Answer(status=500), Answer(text="whole")]) as endpoint:
        model = load(endpoint)
        for _ in range(2):
            with pytest.raises(ModelError):
                ask(model)
        assert ask(model).text == "whole"
    assert [body.get("stream", False) for body in endpoint.asked] == [True, False, True]


@pytest.mark.parametrize("name", [CHAT, CLAUDE])
def test_endless_stream_is_cut(load: Load, name: str) -> None:
    with Endpoint([Answer(text="x" * 30_000)]) as endpoint:
        reply = ask(load(endpoint, name), max_output=100)
    assert 1600 < len(reply.text) < 30_000
