"""The main job with a model behind an HTTP endpoint, through real litellm: what leaves, what comes back, the cost."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from agent.engine.task import MOST_ACTIONS
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


def answers_in(body: dict[str, Any]) -> dict[str, str]:
    """What the tools answered, by the id of the call."""
    return {said["tool_call_id"]: said["content"] for said in body["messages"] if said["role"] == "tool"}


@pytest.mark.parametrize("calls", ["native", "fenced"])
def test_local_server_solves_issue(user: User, calls: str) -> None:
    first = Answer("I look.", actions=[LOOK, ENV], usage=Tokens(1000, 50))
    second = Answer("A test, the fix.", actions=[ADD_TEST, FIX, SUBMIT], usage=Tokens(2000, 100, cached=900))
    asked = [first, second]
    if calls == "fenced":
        asked = [
            Answer("\n\n".join([one.text, *(render(*action) for action in one.actions)]), usage=one.usage)
            for one in asked
        ]
    with Endpoint(asked, key=KEY) as endpoint:
        user.has(endpoint, calls=calls, price_cached=0.1)
        told = user.fix()
    assert (told["exit"], told["verdict"]["kind"]) == (0, "verified"), told["stderr"]
    assert told["usage"] == {
        "dollars": pytest.approx((1000 + 1100 + 900 * 0.1 + 150 * 5) / 10**6),
        "input_tokens": 3000, "cached_tokens": 900, "output_tokens": 150, "calls": 2,
    }  # fmt: skip
    assert {request.path for request in endpoint.requests} == {"/v1/chat/completions"}
    assert [request.turns for request in endpoint.requests] == [0, 1]
    assert all(("tools" in request.body) is (calls == "native") for request in endpoint.requests)
    sent = text_of(endpoint.requests[1])
    assert "PWD=" in sent
    assert KEY not in sent, "the workspace had it"
    assert "HAND=" not in sent


@pytest.mark.parametrize(("model", "block"), [(CLAUDE, SIGNED), (RESPONSES, SEALED)])
def test_blocks_go_back_byte_for_byte_also_after_interrupt(user: User, model: str, block: dict[str, Any]) -> None:
    user.machine.extra["SWE_AGENT_EFFORT"] = "low"
    with Endpoint([Answer("I look.", blocks=[block], actions=[LOOK]), Answer(hang=True), SOLVE]) as endpoint:
        user.has(endpoint, model, max_output=4096)
        told = user.interrupted(endpoint, requests=2, model=model)
        assert told["exit"] == 130, told["stderr"]
        assert f"swe-agent resume {told['run']}" in told["error"]["fix"]
        assert user.record(told).exit is None
        done = user.run("resume", told["run"])
    assert (done["exit"], done["run"]) == (0, told["run"]), done["stderr"]
    assert done["usage"]["dollars"] > user.record(done).holds["main?2.1"].dollars, "nobody knows what it came to"
    first, hung, last = endpoint.requests
    assert said_by_model(first) == []
    for request in (hung, last):
        assert [part for part in said_by_model(request) if part["type"] == block["type"]] == [block]


def said_by_model(request: Request) -> list[dict[str, Any]]:
    """Parts of its messages, or items."""
    if "input" in request.body:
        return [item for item in request.body["input"] if item.get("type") in ("reasoning", "function_call")]
    return [part for said in request.body["messages"] if said["role"] == "assistant" for part in said["content"]]


def test_encrypted_reasoning_after_fork(user: User) -> None:
    first = Answer("I look.", blocks=[SEALED], actions=[LOOK])
    with Endpoint([first, Answer(finish="content_filter"), SOLVE]) as endpoint:
        user.has(endpoint, RESPONSES)
        told = user.fix(model=RESPONSES)
        forked = user.run("fork", f"{told['run']}@2")
    assert forked["exit"] == 0, forked["stderr"]
    assert SEALED in said_by_model(endpoint.requests[-1])


def test_fallback_answers_when_first_does_not(user: User) -> None:
    first = [Answer("I look.", actions=[LOOK], usage=Tokens(1000, 10)), *[Answer(status=500)] * 5]
    second = [Answer("A test.", actions=[ADD_TEST], usage=Tokens(2000, 10)), Answer("Plus.", actions=[FIX, SUBMIT])]
    with Endpoint(first) as failing, Endpoint(second) as other:
        user.has(failing, fallback="openai/y")
        user.has(other, "openai/y", price_in=2.0, price_out=10.0)
        told = user.fix("--strategy", "react")
    assert told["exit"] == 0, told["stderr"]
    assert (len(failing.requests), len(other.requests)) == (6, 2), "whoever answered goes on: it has the prefix"
    assert told["usage"]["calls"] == 8
    assert told["usage"]["dollars"] == pytest.approx((1000 + 50 + 2 * 2000 + 100 + 2 * 100 + 100) / 10**6)
    (note,) = [note for note in user.record(told).notes if note.kind == "fallback"]
    assert "openai/x failed" in note.text
    assert "openai/y" in note.text
    assert note.text in " ".join(told["stderr"].split())


@pytest.mark.parametrize("images", [True, False])
def test_picture_beside_issue(user: User, tmp_path: Path, images: bool) -> None:
    (tmp_path / "issue.md").write_text("# add() subtracts\n\nLook: ![the screen](shot.png)\n")
    (tmp_path / "shot.png").write_bytes(PNG)
    with Endpoint([Answer(status=401)]) as endpoint:
        user.has(endpoint, images=images)
        user.fix()
    (request,) = endpoint.requests
    url = f"data:image/png;base64,{b64encode(PNG).decode()}"
    content = request.body["messages"][1]["content"]
    if images:
        assert [part["image_url"]["url"] for part in content if part["type"] == "image_url"] == [url]
    else:
        assert "[1 picture could not be shown: this model accepts none]" in content
        assert url not in text_of(request)


def test_prompts_of_users_own(user: User, tmp_path: Path) -> None:
    mine = "Solve it like a pirate."
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "test_then_patch.coder.txt").write_text(f"{mine}\n")
    with Endpoint([Answer(status=401)] * 2) as endpoint:
        user.has(endpoint)
        told = user.fix("--prompts", tmp_path / "prompts")
        usual = user.fix()
    assert [request.body["messages"][0]["content"] == mine for request in endpoint.requests] == [True, False]
    own, other = (user.record(each).run.versions for each in (told, usual))
    assert own["prompt coder"] == sha256(mine.encode()).hexdigest()[:16] != other["prompt coder"]
    assert own["prompt again"] == other["prompt again"]


def test_what_model_gets_wrong_is_told_to_it(user: User) -> None:
    many = [("view", {"path": "calc/core.py", "lines": [f"{n}-{n}"]}) for n in range(200)]
    asked = [
        Answer("", actions=[("view", '{"path": calc'), ("view", {"path": {"a": 1}}), ("edti", {}), ("view", "[1]")]),
        Answer("", actions=[("edit", '{"path": "calc/co')], finish="length"),
        Answer("", usage=Tokens(300, 0)),
        Answer("Many.", actions=many),
        SOLVE,
    ]
    with Endpoint(asked) as endpoint:
        user.has(endpoint)
        told = user.fix("--strategy", "react")
    assert told["exit"] == 0, told["stderr"]
    wrong, cut, _, crowd = (answers_in(body) for body in endpoint.asked[1:])
    assert "not JSON" in wrong["call_0_0"]
    assert "path" in wrong["call_0_1"]
    assert "edti" in wrong["call_0_2"]
    assert "must be an object, not list" in wrong["call_0_3"]
    assert "cut at max_output" in cut["call_1_0"]
    assert "no action" in endpoint.asked[3]["messages"][-1]["content"]
    answers = [crowd[f"call_3_{n}"] for n in range(200)]
    refused = f"Not run: one reply may have {MOST_ACTIONS} actions."
    assert [answer == refused for answer in answers] == [False] * MOST_ACTIONS + [True] * (200 - MOST_ACTIONS)


def test_what_nobody_counted_is_charged_at_its_hold(user: User) -> None:
    asked = [
        Answer("A test, the fix, and all that", cut=3),
        Answer("I look.", actions=[LOOK], cut="view", then="end"),
        Answer("I look.", actions=[LOOK], usage=None),
        Answer("Again.", actions=[LOOK], usage={"prompt_tokens": -5, "completion_tokens": "many"}),
        Answer(status=529, headers={"Retry-After": "0.1"}),
        SOLVE,
    ]
    with Endpoint(asked) as endpoint:
        user.has(endpoint)
        told = user.fix("--strategy", "react")
    assert told["exit"] == 0, told["stderr"]
    record = user.record(told)
    unknown = {name: settle for name, settle in record.settles.items() if settle.source == "none"}
    assert list(unknown) == ["main?1.1", "main?1.2", "main?1.3", "main?2.1"]
    assert all(settle.dollars == record.holds[name].dollars for name, settle in unknown.items())
    assert record.settles["main?3.1"].dollars == 0
    assert told["usage"]["dollars"] == pytest.approx(sum(settle.dollars for settle in record.settles.values()))
    assert told["usage"]["calls"] == 6


def test_conversation_that_is_too_long_goes_on_shorter(user: User) -> None:
    long = ("shell", {"command": "python3 -c 'for n in range(400): print(hash(str(n)) ** 3)'"})
    said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    asked = [Answer("Look.", actions=[long]), Answer("On.", actions=[LOOK]), Answer(status=400, error=said), SOLVE]
    with Endpoint(asked) as endpoint:
        user.has(endpoint)
        told = user.fix("--strategy", "react")
    assert told["exit"] == 0, told["error"]
    *_, refused, shorter = endpoint.requests
    assert len(shorter.data) < len(refused.data) * 0.8
    assert "add(2, 3) gives -1" in text_of(shorter)
    assert "out:1" in text_of(shorter), "what was folded can be read"
    assert user.record(told).settles["main?3.1"].dollars == 0


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_key_that_model_says_goes_no_further(user: User, model: str) -> None:
    said = f"The key is {KEY}."
    thought = {"type": "thinking", "thinking": said, "signature": "c2ln"}
    echo = ("shell", {"command": f"echo {KEY} | rev", KEY: [KEY]})
    bad: list[tuple[str, Any]] = [] if model == CLAUDE else [("view", f'{{"{KEY}')]
    first = Answer(said, reasoning=said, actions=[echo, (KEY, {}), *bad], blocks=[thought] * (model == CLAUDE))
    with Endpoint([first, Answer(status=401, error=f"Incorrect API key: {KEY}")]) as endpoint:
        user.has(endpoint, model)
        told = user.fix("--strategy", "react", model=model)
    assert told["exit"] == 3, told["stderr"]
    assert KEY not in text_of(endpoint.requests[-1])
    assert "[masked]" in text_of(endpoint.requests[-1])
