"""Fixing an issue with a model at an HTTP endpoint, through the real litellm: requests, replies and costs."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.engine.branch import MOST_ACTIONS
from agent.models._text_tool_calls import render
from tests.e2e.provider_user import ADD_TEST, CLAUDE, FIX, KEY, LOOK, MODEL, RESPONSES, SOLVE, SUBMIT, User
from tests.endpoint import Answer, Endpoint, Request, Tokens

pytestmark = pytest.mark.slow

ENV = ("shell", {"command": "env; tr '\\0' '\\n' </proc/$PPID/environ; true"})
SIGNED = {"type": "thinking", "thinking": 'Söme thought: <&> "\\\n', "signature": "Eq+/äABC=="}
SEALED = {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": "gAAAAüë+/=="}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


def text_of(request: Request) -> str:
    return json.dumps(request.body, ensure_ascii=False)


def tool_results(body: dict[str, Any]) -> dict[str, str]:
    """The results of tools, by the id of the call."""
    return {message["tool_call_id"]: message["content"] for message in body["messages"] if message["role"] == "tool"}


@pytest.mark.parametrize("calls", ["native", "fenced"])
def test_model_at_local_server_solves_issue(user: User, calls: str) -> None:
    first = Answer("I look.", actions=[LOOK, ENV], usage=Tokens(1000, 50))
    second = Answer("A test, the fix.", actions=[ADD_TEST, FIX, SUBMIT], usage=Tokens(2000, 100, cached=900))
    replies = [first, second]
    if calls == "fenced":
        replies = [
            Answer("\n\n".join([reply.text, *(render(*action) for action in reply.actions)]), usage=reply.usage)
            for reply in replies
        ]
    with Endpoint(replies, key=KEY) as endpoint:
        user.add_model(endpoint, calls=calls, price_cached=0.1)
        result = user.fix()
    assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible"), result["stderr"]
    assert result["usage"] == {
        "dollars": pytest.approx((1000 + 1100 + 900 * 0.1 + 150 * 5) / 10**6),
        "input_tokens": 3000, "cached_tokens": 900, "output_tokens": 150, "calls": 2,
    }  # fmt: skip
    assert {request.path for request in endpoint.requests} == {"/v1/chat/completions"}
    assert [request.turns for request in endpoint.requests] == [0, 1]
    assert all(("tools" in request.body) is (calls == "native") for request in endpoint.requests)
    sent = text_of(endpoint.requests[1])
    assert "PWD=" in sent
    assert KEY not in sent, "the workspace does not have the key"
    assert "HAND=" not in sent


@pytest.mark.parametrize(("model", "block"), [(CLAUDE, SIGNED), (RESPONSES, SEALED)])
def test_signed_blocks_are_returned_unchanged_after_interrupt(user: User, model: str, block: dict[str, Any]) -> None:
    user.machine.extra["SWE_AGENT_EFFORT"] = "low"
    with Endpoint([Answer("I look.", blocks=[block], actions=[LOOK]), Answer(hang=True), SOLVE]) as endpoint:
        user.add_model(endpoint, model, max_output=4096)
        result = user.fix_interrupted(endpoint, requests=2, model=model)
        assert result["exit"] == 130, result["stderr"]
        assert f"swe-agent resume {result['run']}" in result["error"]["fix"]
        assert user.trajectory(result).exit is None
        resumed = user.run("resume", result["run"])
    assert (resumed["verdict"]["kind"], resumed["run"]) == ("plausible", result["run"]), resumed["stderr"]
    assert resumed["usage"]["dollars"] > user.trajectory(resumed).holds["main?2.1"].dollars, (
        "the interrupted request is charged"
    )
    first, hung, last = endpoint.requests
    assert assistant_parts(first) == []
    for request in (hung, last):
        assert [part for part in assistant_parts(request) if part["type"] == block["type"]] == [block]


def assistant_parts(request: Request) -> list[dict[str, Any]]:
    """Parts of the assistant messages, or output items in the Responses API."""
    if "input" in request.body:
        return [item for item in request.body["input"] if item.get("type") in ("reasoning", "function_call")]
    return [
        part for message in request.body["messages"] if message["role"] == "assistant" for part in message["content"]
    ]


def test_encrypted_reasoning_is_sent_after_fork(user: User) -> None:
    first = Answer("I look.", blocks=[SEALED], actions=[LOOK])
    with Endpoint([first, Answer(finish="content_filter"), SOLVE]) as endpoint:
        user.add_model(endpoint, RESPONSES)
        result = user.fix(model=RESPONSES)
        forked = user.run("fork", f"{result['run']}@2")
    assert forked["verdict"]["kind"] == "plausible", forked["stderr"]
    assert SEALED in assistant_parts(endpoint.requests[-1])


def test_fallback_model_continues_after_failures(user: User) -> None:
    first = [Answer("I look.", actions=[LOOK], usage=Tokens(1000, 10)), *[Answer(status=500)] * 5]
    second = [Answer("A test.", actions=[ADD_TEST], usage=Tokens(2000, 10)), Answer("Plus.", actions=[FIX, SUBMIT])]
    with Endpoint(first) as failing, Endpoint(second) as other:
        user.add_model(failing, fallback="openai/y")
        user.add_model(other, "openai/y", price_in=2.0, price_out=10.0)
        result = user.fix("--strategy", "react")
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    assert (len(failing.requests), len(other.requests)) == (6, 2), "the model that answered continues: it has the cache"
    assert result["usage"]["calls"] == 8
    assert result["usage"]["dollars"] == pytest.approx((1000 + 50 + 2 * 2000 + 100 + 2 * 100 + 100) / 10**6)
    (note,) = [note for note in user.trajectory(result).notes if note.kind == "fallback"]
    assert "openai/x failed" in note.text
    assert "openai/y" in note.text
    assert note.text in " ".join(result["stderr"].split())


@pytest.mark.parametrize("images", [True, False])
def test_image_of_issue_is_sent_if_model_accepts_images(user: User, tmp_path: Path, images: bool) -> None:
    (tmp_path / "issue.md").write_text("# add() subtracts\n\nLook: ![the screen](shot.png)\n")
    (tmp_path / "shot.png").write_bytes(PNG)
    with Endpoint([Answer(status=401)]) as endpoint:
        user.add_model(endpoint, images=images)
        user.fix()
    (request,) = endpoint.requests
    url = f"data:image/png;base64,{b64encode(PNG).decode()}"
    content = request.body["messages"][1]["content"]
    if images:
        assert [part["image_url"]["url"] for part in content if part["type"] == "image_url"] == [url]
    else:
        assert "[1 picture could not be shown: this model accepts none]" in content
        assert url not in text_of(request)


def test_user_can_replace_prompts(user: User, tmp_path: Path) -> None:
    prompt = "Solve it like a pirate."
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "test_then_patch.coder.txt").write_text(f"{prompt}\n")
    with Endpoint([Answer(status=401)] * 2) as endpoint:
        user.add_model(endpoint)
        result = user.fix("--prompts", tmp_path / "prompts")
        default = user.fix()
    assert [request.body["messages"][0]["content"] == prompt for request in endpoint.requests] == [True, False]
    own, other = (user.trajectory(each).run.versions for each in (result, default))
    assert own["prompt coder"] == sha256(prompt.encode()).hexdigest()[:16] != other["prompt coder"]
    assert own["prompt again"] == other["prompt again"]


def test_bad_calls_of_model_are_reported_to_it(user: User) -> None:
    many = [("view", {"path": "calc/core.py", "lines": [f"{n}-{n}"]}) for n in range(200)]
    replies = [
        Answer("", actions=[("view", '{"path": calc'), ("view", {"path": {"a": 1}}), ("edti", {}), ("view", "[1]")]),
        Answer("", actions=[("edit", '{"path": "calc/co')], finish="length"),
        Answer("", usage=Tokens(300, 0)),
        Answer("Many.", actions=many),
        SOLVE,
    ]
    with Endpoint(replies) as endpoint:
        user.add_model(endpoint)
        result = user.fix("--strategy", "react")
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    wrong, cut, _, many_results = (tool_results(body) for body in endpoint.asked[1:])
    assert "not JSON" in wrong["call_0_0"]
    assert "path" in wrong["call_0_1"]
    assert "edti" in wrong["call_0_2"]
    assert "must be an object, not list" in wrong["call_0_3"]
    assert "cut at max_output" in cut["call_1_0"]
    assert "no action" in endpoint.asked[3]["messages"][-1]["content"]
    answers = [many_results[f"call_3_{n}"] for n in range(200)]
    refused = f"Not run: one reply may have {MOST_ACTIONS} actions."
    assert [answer == refused for answer in answers] == [False] * MOST_ACTIONS + [True] * (200 - MOST_ACTIONS)


def test_request_without_usage_is_charged_at_its_hold(user: User) -> None:
    replies = [
        Answer("A test, the fix, and all that", cut=3),
        Answer("I look.", actions=[LOOK], cut="view", then="end"),
        Answer("I look.", actions=[LOOK], usage=None),
        Answer("Again.", actions=[LOOK], usage={"prompt_tokens": -5, "completion_tokens": "many"}),
        Answer(status=529, headers={"Retry-After": "0.1"}),
        SOLVE,
    ]
    with Endpoint(replies) as endpoint:
        user.add_model(endpoint)
        result = user.fix("--strategy", "react")
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    trajectory = user.trajectory(result)
    unknown = {name: settle for name, settle in trajectory.settles.items() if settle.source == "none"}
    assert list(unknown) == ["main?1.1", "main?1.2", "main?1.3", "main?2.1"]
    assert all(settle.dollars == trajectory.holds[name].dollars for name, settle in unknown.items())
    assert trajectory.settles["main?3.1"].dollars == 0
    assert result["usage"]["dollars"] == pytest.approx(sum(settle.dollars for settle in trajectory.settles.values()))
    assert result["usage"]["calls"] == 6


def test_too_long_conversation_is_shortened_and_continued(user: User) -> None:
    long = ("shell", {"command": "python3 -c 'for n in range(400): print(hash(str(n)) ** 3)'"})
    message = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    replies = [Answer("Look.", actions=[long]), Answer("On.", actions=[LOOK]), Answer(status=400, error=message), SOLVE]
    with Endpoint(replies) as endpoint:
        user.add_model(endpoint)
        result = user.fix("--strategy", "react")
    assert result["verdict"]["kind"] == "plausible", result
    *_, refused, shorter = endpoint.requests
    assert len(shorter.data) < len(refused.data) * 0.8
    assert "add(2, 3) gives -1" in text_of(shorter)
    assert "out:1" in text_of(shorter), "folded output can still be read"
    assert user.trajectory(result).settles["main?3.1"].dollars == 0


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_api_key_in_reply_is_masked(user: User, model: str) -> None:
    message = f"The key is {KEY}."
    thought = {"type": "thinking", "thinking": message, "signature": "c2ln"}
    echo = ("shell", {"command": f"echo {KEY} | rev", KEY: [KEY]})
    malformed: list[tuple[str, Any]] = [] if model == CLAUDE else [("view", f'{{"{KEY}')]
    first = Answer(
        message, reasoning=message, actions=[echo, (KEY, {}), *malformed], blocks=[thought] * (model == CLAUDE)
    )
    with Endpoint([first, Answer(status=401, error=f"Incorrect API key: {KEY}")]) as endpoint:
        user.add_model(endpoint, model)
        result = user.fix("--strategy", "react", model=model)
    assert result["exit"] == 3, result["stderr"]
    assert KEY not in text_of(endpoint.requests[-1])
    assert "[masked]" in text_of(endpoint.requests[-1])
