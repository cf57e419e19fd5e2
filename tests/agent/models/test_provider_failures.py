"""What goes wrong at a provider, as sentences: what may be tried again, when, and what it cost."""

from __future__ import annotations

from typing import Any

import pytest

from agent.models._failures import _wait
from tests.agent.models.conftest import CHAT, CLAUDE, KEY, RESPONSES, Load, ask
from tests.endpoint import Answer, Endpoint, Tokens
from trajectories.errors import ConfigError, ModelError, Refused, SweAgentError
from trajectories.records import Usage

ALL = pytest.mark.parametrize("name", [CHAT, CLAUDE, RESPONSES])
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
def test_what_only_the_user_can_mend(load: Load, name: str, status: int) -> None:
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
def test_a_date_is_judged_by_the_providers_clock(asked: str, date: str, wait: float | None) -> None:
    assert _wait({"retry-after": asked, "date": date}) == wait


@ALL
@pytest.mark.parametrize("said", OVERFLOWS)
def test_a_request_longer_than_the_window(load: Load, name: str, said: str) -> None:
    raised = error(load, name, Answer(status=400, error=said))
    assert (raised.overflow, raised.retryable, raised.billed) == (True, False, False)


@ALL
def test_a_request_too_large_for_the_server(load: Load, name: str) -> None:
    assert error(load, name, Answer(status=413)).overflow


@ALL
def test_a_bad_request_that_is_no_overflow(load: Load, name: str) -> None:
    raised = error(load, name, Answer(status=400, error=f"max_tokens is bad, {KEY} " + "and so on " * 100))
    assert not raised.overflow
    assert "max_tokens is bad" in raised.message
    assert len(raised.message) < 400


@ALL
@pytest.mark.parametrize("status", [400, 429])
def test_an_account_with_nothing_left(load: Load, name: str, status: int) -> None:
    said = "You exceeded your current quota, please check your plan and billing details."
    assert isinstance(error(load, name, Answer(status=status, error=said)), Refused)


@ALL
def test_silence(load: Load, name: str) -> None:
    raised = error(load, name, Answer(hang=True), model_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "silent" in raised.message
    assert "127.0.0.1" in raised.message


@ALL
def test_silence_in_the_middle(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="hello world", cut=3, then="hang"), model_timeout=0.3)
    assert (raised.retryable, raised.billed) == (True, True)
    assert "silent" in raised.message


@ALL
@pytest.mark.parametrize(
    "answer",
    [
        Answer(drop=True),
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
def test_an_answer_that_breaks_off(load: Load, name: str, answer: Answer) -> None:
    raised = error(load, name, answer)
    assert (raised.retryable, raised.billed, raised.overflow) == (True, True, False)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"{}", b'{"choices": []}', b'{"choices": "x"}', b'{"error": {"message": "no"}}']
)
def test_a_plain_answer_that_is_none(load: Load, body: bytes) -> None:
    raised = error(load, CHAT, Answer(raw=body, headers={"Content-Type": "application/json"}))
    assert (raised.retryable, raised.billed) == (True, True)


@ALL
def test_nobody_listens(load: Load, name: str) -> None:
    with Endpoint([]) as endpoint:
        model = load(endpoint, name)
    with pytest.raises(ModelError) as raised:
        ask(model)
    assert (raised.value.retryable, raised.value.billed) == (True, False)
    assert endpoint.url in raised.value.message


@ALL
def test_the_content_filter(load: Load, name: str) -> None:
    raised = error(load, name, Answer(text="I", finish="content_filter", usage=Tokens(50, 5)))
    assert (raised.retryable, raised.usage) == (False, Usage(50, 5))


@ALL
def test_a_wrong_key(load: Load, name: str) -> None:
    with Endpoint([], key="another") as endpoint, pytest.raises(Refused) as raised:
        ask(load(endpoint, name))
    assert "$TEST_KEY" in raised.value.fix


def test_a_model_that_is_not_there(load: Load) -> None:
    with Endpoint([], models=["other"]) as endpoint, pytest.raises(Refused, match="has no model openai/hand"):
        ask(load(endpoint))


def test_a_library_that_is_not_there() -> None:
    from agent.models._failures import Asked, failure

    raised: SweAgentError = failure(ModuleNotFoundError("No module named 'x'"), Asked("m", "a", "", ()))
    assert isinstance(raised, ConfigError)
