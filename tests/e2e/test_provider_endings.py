"""Runs whose model is unavailable, does not answer or refuses: a clear message, the right exit code, no loss."""

from __future__ import annotations

import pytest

from tests.e2e.provider_user import FIX, KEY_IN, LOOK, MODEL, SOLVE, User
from tests.endpoint import Answer, Endpoint, Tokens

pytestmark = pytest.mark.slow

TOO_LONG = "prompt is too long: 210000 tokens > 200000 maximum"


@pytest.mark.parametrize(
    ("status", "message", "fix"),
    [(401, "rejected the key", f"${KEY_IN}"), (403, "rejected the key", f"${KEY_IN}"),
     (404, "has no model openai/x", "api_base")],
)  # fmt: skip
def test_configuration_error_can_be_fixed_and_run_resumed(user: User, status: int, message: str, fix: str) -> None:
    with Endpoint([Answer(status=status), SOLVE]) as endpoint:
        user.add_model(endpoint)
        result = user.fix()
        assert result["exit"] == 3, result["stderr"]
        assert len(endpoint.requests) == 1
        assert message in result["error"]["message"]
        assert fix in result["error"]["fix"]
        assert f"swe-agent resume {result['run']}" in result["error"]["fix"]
        assert result["usage"]["dollars"] == 0
        if status == 401:
            resumed = user.run("resume", result["run"])
            assert (resumed["exit"], resumed["usage"]["calls"]) == (6, 2), resumed["stderr"]


def test_model_without_key_or_price_is_refused(user: User) -> None:
    with Endpoint([]) as endpoint:
        user.add_model(endpoint)
        user.add_model(endpoint, "openai/free", price_in=None, price_out=None, api_base="https://models.example.org/v1")
        user.add_model(endpoint, "openai/half", price_in=None)
    del user.machine.extra[KEY_IN]
    for model, names in ((MODEL, [f"${KEY_IN}"]), ("anthropic/claude-sonnet-4-5", ["$ANTHROPIC_API_KEY"])):
        result = user.fix(model=model)
        assert result["returncode"] == 3
        assert all(name in f"{result['error']['message']} {result['error']['fix']}" for name in names)
    user.machine.extra[KEY_IN] = "some-other-key"
    result = user.fix(model="openai/free")
    assert result["returncode"] == 3
    assert "price" in result["error"]["message"]
    assert "`swe-agent config set models.openai/free.price_in DOLLARS`" in result["error"]["fix"]
    assert "--max-tokens" in result["error"]["fix"]
    result = user.fix(model="openai/half")
    assert result["returncode"] == 3
    assert "without price_in" in result["error"]["message"]
    assert "`swe-agent config set models.openai/half.price_in DOLLARS`" in result["error"]["fix"]
    assert user.machine.runs() == []


def test_token_limit_ends_run_without_price(user: User) -> None:
    with Endpoint([Answer("I look.", actions=[LOOK], usage=Tokens(5000, 500))]) as endpoint:
        user.add_model(endpoint, price_in=None, price_out=None)
        result = user.fix("--max-tokens", "8000")
    assert (result["exit"], result["usage"]["dollars"]) == (4, None)
    assert "2500 tokens left" in result["error"]["message"]
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("answer", "requests", "message"),
    [
        (Answer(status=429, headers={"Retry-After": "3600"}), 1, "429"),
        (Answer(status=429), 5, "429"),
        (Answer(status=529, error="Overloaded"), 5, "Overloaded"),
        (Answer(hang=True), 5, "sent no text"),
    ],
    ids=["wait an hour", "busy", "overloaded", "silent"],
)
def test_temporary_failure_ends_with_75(user: User, answer: Answer, requests: int, message: str) -> None:
    user.machine.extra["SWE_AGENT_FIRST_TIMEOUT"] = "0.5"
    with Endpoint([answer] * requests) as endpoint:
        user.add_model(endpoint)
        result = user.fix()
    assert result["exit"] == 75, result["stderr"]
    assert len(endpoint.requests) == requests == result["usage"]["calls"]
    assert message in result["error"]["message"]
    assert f"swe-agent resume {result['run']}" in result["error"]["fix"]
    trajectory = user.trajectory(result)
    assert trajectory.exit is None
    paid = [settle.dollars for settle in trajectory.settles.values()]
    assert paid == [hold.dollars if answer.hang else 0 for hold in trajectory.holds.values()]


def test_unreachable_server_ends_with_75(user: User) -> None:
    with Endpoint([]) as endpoint:
        user.add_model(endpoint)
    result = user.fix()
    assert result["exit"] == 75, result["stderr"]
    assert endpoint.url in result["error"]["message"]
    assert "Check that the server is running" in result["error"]["fix"]
    assert result["usage"]["dollars"] == 0


def test_bill_above_hold_ends_run(user: User) -> None:
    with Endpoint([Answer("I look.", actions=[LOOK], usage=Tokens(10**8, 5))]) as endpoint:
        user.add_model(endpoint)
        result = user.fix()
    assert result["exit"] == 4, result["stderr"]
    assert result["usage"]["dollars"] == pytest.approx(100.000025)
    assert "openai/x billed 100000005 tokens for request main?1.1" in result["error"]["message"]
    assert "price" in result["error"]["fix"]


@pytest.mark.parametrize("patched", [False, True])
def test_content_filter_ends_run(user: User, patched: bool) -> None:
    earlier_replies = [Answer("The fix.", actions=[FIX])] if patched else []
    with Endpoint([*earlier_replies, Answer("I", finish="content_filter", usage=Tokens(50, 5))]) as endpoint:
        user.add_model(endpoint)
        result = user.fix("--strategy", "react")
    assert result["exit"] == (6 if patched else 1), result["stderr"]
    assert ("a + b" in result["patch"]) is patched
    assert "content filter" in result["error"]["message"]
    assert "another model" in result["error"]["fix"]
    assert user.trajectory(result).exit.kind == "error"


@pytest.mark.parametrize(
    "answer",
    [Answer("", usage=Tokens(100, 0)), Answer("I cannot help with that.", finish="refusal"), Answer("I would add.")],
    ids=["nothing", "a refusal", "only talk"],
)
def test_model_without_actions_is_stopped(user: User, answer: Answer) -> None:
    with Endpoint([answer] * 3) as endpoint:
        user.add_model(endpoint)
        result = user.fix()
    assert result["exit"] == 1, result["stderr"]
    assert "without an action" in result["error"]["message"]
    assert user.trajectory(result).exit.kind == "stuck"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("turns", [0, 1])
def test_conversation_that_cannot_be_shortened_ends_run(user: User, turns: int) -> None:
    answers = [
        *[Answer("Look.", actions=[("shell", {"command": "seq 1 3000"})])] * turns,
        Answer(status=400, error=TOO_LONG),
    ]
    with Endpoint(lambda request: answers[request.turns]) as endpoint:
        user.add_model(endpoint)
        result = user.fix()
    assert result["exit"] == 1, result["stderr"]
    assert "too long" in result["error"]["message"]
    assert "cannot be made shorter" in result["error"]["message"]
    assert "larger window" in result["error"]["fix"]
    assert len(endpoint.requests) <= turns + 4
