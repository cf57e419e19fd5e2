"""How a run ends when its model cannot be had, does not answer, or will not: one sentence, the right code, no loss."""

from __future__ import annotations

import pytest

from tests.e2e.provider_user import FIX, KEY_IN, LOOK, MODEL, SOLVE, User
from tests.endpoint import Answer, Endpoint, Tokens

pytestmark = pytest.mark.slow

TOO_LONG = "prompt is too long: 210000 tokens > 200000 maximum"


@pytest.mark.parametrize(
    ("status", "said", "fix"),
    [(401, "rejected the key", f"${KEY_IN}"), (403, "rejected the key", f"${KEY_IN}"),
     (404, "has no model openai/x", "api_base")],
)  # fmt: skip
def test_what_user_can_mend_and_resume(user: User, status: int, said: str, fix: str) -> None:
    with Endpoint([Answer(status=status), SOLVE]) as endpoint:
        user.has(endpoint)
        told = user.fix()
        assert told["exit"] == 3, told["stderr"]
        assert len(endpoint.requests) == 1
        assert said in told["error"]["message"]
        assert fix in told["error"]["fix"]
        assert f"swe-agent resume {told['run']}" in told["error"]["fix"]
        assert told["usage"]["dollars"] == 0
        if status == 401:
            done = user.run("resume", told["run"])
            assert (done["exit"], done["usage"]["calls"]) == (0, 2), done["stderr"]


def test_without_key_or_price_nothing_is_begun(user: User) -> None:
    with Endpoint([]) as endpoint:
        user.has(endpoint)
        user.has(endpoint, "openai/free", price_in=None, price_out=None)
        user.has(endpoint, "openai/half", price_in=None)
    del user.machine.extra[KEY_IN]
    for model, names in ((MODEL, [f"${KEY_IN}"]), ("anthropic/claude-sonnet-4-5", ["$ANTHROPIC_API_KEY"])):
        told = user.fix(model=model)
        assert told["returncode"] == 3
        assert all(name in f"{told['error']['message']} {told['error']['fix']}" for name in names)
    user.machine.extra[KEY_IN] = "some-other-key"
    told = user.fix(model="openai/free")
    assert told["returncode"] == 3
    assert "price" in told["error"]["message"]
    assert "`swe-agent config set models.openai/free.price_in DOLLARS`" in told["error"]["fix"]
    assert "--max-tokens" in told["error"]["fix"]
    told = user.fix(model="openai/half")
    assert told["returncode"] == 3
    assert "without price_in" in told["error"]["message"]
    assert "`swe-agent config set models.openai/half.price_in DOLLARS`" in told["error"]["fix"]
    assert user.machine.runs() == []


def test_tokens_bound_run_without_price(user: User) -> None:
    with Endpoint([Answer("I look.", actions=[LOOK], usage=Tokens(5000, 500))]) as endpoint:
        user.has(endpoint, price_in=None, price_out=None)
        told = user.fix("--max-tokens", "8000")
    assert (told["exit"], told["usage"]["dollars"]) == (4, None)
    assert "2500 tokens left" in told["error"]["message"]
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("answer", "requests", "said"),
    [
        (Answer(status=429, headers={"Retry-After": "3600"}), 1, "429"),
        (Answer(status=429), 5, "429"),
        (Answer(status=529, error="Overloaded"), 5, "Overloaded"),
        (Answer(hang=True), 5, "sent no text"),
    ],
    ids=["wait an hour", "busy", "overloaded", "silent"],
)
def test_what_may_pass_ends_with_75(user: User, answer: Answer, requests: int, said: str) -> None:
    user.machine.extra["SWE_AGENT_FIRST_TIMEOUT"] = "0.5"
    with Endpoint([answer] * requests) as endpoint:
        user.has(endpoint)
        told = user.fix()
    assert told["exit"] == 75, told["stderr"]
    assert len(endpoint.requests) == requests == told["usage"]["calls"]
    assert said in told["error"]["message"]
    assert f"swe-agent resume {told['run']}" in told["error"]["fix"]
    record = user.record(told)
    assert record.exit is None
    paid = [settle.dollars for settle in record.settles.values()]
    assert paid == [hold.dollars if answer.hang else 0 for hold in record.holds.values()]


def test_server_that_is_not_there(user: User) -> None:
    with Endpoint([]) as endpoint:
        user.has(endpoint)
    told = user.fix()
    assert told["exit"] == 75, told["stderr"]
    assert endpoint.url in told["error"]["message"]
    assert "Check that the server is running" in told["error"]["fix"]
    assert told["usage"]["dollars"] == 0


def test_bill_above_what_was_held_ends_run(user: User) -> None:
    with Endpoint([Answer("I look.", actions=[LOOK], usage=Tokens(10**8, 5))]) as endpoint:
        user.has(endpoint)
        told = user.fix()
    assert told["exit"] == 4, told["stderr"]
    assert told["usage"]["dollars"] == pytest.approx(100.000025)
    assert "openai/x billed 100000005 tokens for request main?1.1" in told["error"]["message"]
    assert "price" in told["error"]["fix"]


@pytest.mark.parametrize("patched", [False, True])
def test_content_filter(user: User, patched: bool) -> None:
    begun = [Answer("The fix.", actions=[FIX])] if patched else []
    with Endpoint([*begun, Answer("I", finish="content_filter", usage=Tokens(50, 5))]) as endpoint:
        user.has(endpoint)
        told = user.fix("--strategy", "react")
    assert told["exit"] == (6 if patched else 1), told["stderr"]
    assert ("a + b" in told["patch"]) is patched
    assert "content filter" in told["error"]["message"]
    assert "another model" in told["error"]["fix"]
    assert user.record(told).exit.kind == "error"


@pytest.mark.parametrize(
    "answer",
    [Answer("", usage=Tokens(100, 0)), Answer("I cannot help with that.", finish="refusal"), Answer("I would add.")],
    ids=["nothing", "a refusal", "only talk"],
)
def test_model_that_does_nothing_is_stopped(user: User, answer: Answer) -> None:
    with Endpoint([answer] * 3) as endpoint:
        user.has(endpoint)
        told = user.fix()
    assert told["exit"] == 1, told["stderr"]
    assert "without an action" in told["error"]["message"]
    assert user.record(told).exit.kind == "stuck"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("turns", [0, 1])
def test_conversation_that_never_fits(user: User, turns: int) -> None:
    answers = [
        *[Answer("Look.", actions=[("shell", {"command": "seq 1 3000"})])] * turns,
        Answer(status=400, error=TOO_LONG),
    ]
    with Endpoint(lambda request: answers[request.turns]) as endpoint:
        user.has(endpoint)
        told = user.fix()
    assert told["exit"] == 1, told["stderr"]
    assert "too long" in told["error"]["message"]
    assert "cannot be made shorter" in told["error"]["message"]
    assert "larger window" in told["error"]["fix"]
    assert len(endpoint.requests) <= turns + 4
