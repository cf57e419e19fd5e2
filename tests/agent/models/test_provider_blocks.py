"""What a provider wants back byte for byte, and what it is told to keep in its cache."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.agent.models.conftest import CHAT, CLAUDE, RESPONSES, SAID, Load, ask, exchange
from tests.endpoint import Answer, Endpoint
from tests.endpoint.messages import signature
from tests.endpoint.responses import encrypted
from trajectories.errors import ModelError
from trajectories.journal import decode, encode
from trajectories.records import Reply

CALLS = [("view", {"path": "a.py"}), ("view", {"path": "b.py"})]
THOUGHT = 'First ü, then\n"b".  '
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"}


def sent_back(load: Load, name: str, answer: Answer, **table: Any) -> tuple[Any, dict[str, Any]]:
    """The reply, and the request that answers it."""
    with Endpoint([answer, Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name, settings={"effort": "high"}, **table)
        reply = ask(model)
        ask(model, [*SAID, *exchange(reply, *("seen" for _ in reply.actions))])
        return reply, endpoint.asked[1]


def test_signed_and_redacted_thinking(load: Load) -> None:
    answer = Answer(text="I look.", reasoning=THOUGHT, blocks=[REDACTED], actions=CALLS)
    reply, body = sent_back(load, CLAUDE, answer)
    assert reply.reasoning == THOUGHT
    assert all(isinstance(block, str) for block in reply.blocks)
    content = next(message["content"] for message in body["messages"] if message["role"] == "assistant")
    assert content[0] == {"type": "thinking", "thinking": THOUGHT, "signature": signature(THOUGHT)}
    assert content[1] == REDACTED
    assert [part["type"] for part in content] == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert body["thinking"]["type"] == "enabled"


def test_several_thoughts_with_nothing_to_read(load: Load) -> None:
    blocks = [{"type": "thinking", "thinking": "", "signature": f"s{n}"} for n in range(3)]
    _, body = sent_back(load, CLAUDE, Answer(blocks=blocks, actions=CALLS))
    content = next(message["content"] for message in body["messages"] if message["role"] == "assistant")
    assert content[:3] == blocks
    assert [part["type"] for part in content[3:]] == ["tool_use", "tool_use"]


@pytest.mark.parametrize("name", [CLAUDE, RESPONSES])
def test_blocks_go_through_journal_as_they_are(load: Load, name: str) -> None:
    thought = f"{THOUGHT}\x7f\U0001f600"
    with Endpoint([Answer(text="I look.", reasoning=thought, actions=CALLS), Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name)
        reply = ask(model)
        read = decode(encode(reply))
        assert isinstance(read, Reply)
        assert read.blocks == reply.blocks != ()
        ask(model, [*SAID, *exchange(read, "seen", "seen")])
    sign = signature(thought) if name == CLAUDE else encrypted(thought)
    assert sign in json.dumps(endpoint.asked[1])


def test_thinking_without_signature_is_not_sent_back(load: Load) -> None:
    reply, _ = sent_back(
        load, CLAUDE, Answer(blocks=[{"type": "thinking", "thinking": "x", "signature": ""}], text="a")
    )
    assert reply.blocks == ()


def test_after_calls_without_thinking_claude_is_not_told_to_think(load: Load) -> None:
    _, body = sent_back(load, CLAUDE, Answer(text="I look.", actions=CALLS))
    assert "thinking" not in body


def test_encrypted_reasoning(load: Load) -> None:
    more = {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": "gAAAAüë+/=="}
    reply, body = sent_back(load, RESPONSES, Answer(text="I look.", reasoning=THOUGHT, blocks=[more], actions=CALLS))
    assert THOUGHT.strip() in reply.reasoning
    items = body["input"]
    kinds = [item.get("type") for item in items]
    first = kinds.index("reasoning")
    assert items[first]["encrypted_content"] == encrypted(THOUGHT)
    assert items[first + 1] == more
    assert kinds.index("function_call") > first + 1
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]


def test_reasoning_details(load: Load) -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "signature": None, "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "b", "signature": "sig==", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "xyz", "id": "r1", "index": 1},
    ]
    _, body = sent_back(load, "openrouter/qwen/some-model", Answer(text="I look.", blocks=details, actions=CALLS))
    said = next(message for message in body["messages"] if message["role"] == "assistant")
    assert said["reasoning_details"] == [{**details[0], "text": "ab", "signature": "sig=="}, details[2]]


def test_server_gets_no_fields_it_does_not_know(load: Load) -> None:
    reply, body = sent_back(load, CHAT, Answer(text="I look.", reasoning=THOUGHT, actions=CALLS))
    assert (reply.reasoning, reply.blocks) == (THOUGHT, ())
    keys = {key for message in body["messages"] for key in message}
    assert keys == {"role", "content", "tool_calls", "tool_call_id"}


def test_signature_of_gemini_call_is_not_part_of_its_id(load: Load) -> None:
    from agent.models._protocol import Route
    from agent.models._reply_decoder import decode_reply
    from agent.models._request_encoder import encode_messages
    from agent.models._stream import Answer as Came
    from agent.models._stream import Call

    route = Route("gemini/gemini-3-pro", False, False, False, False, True)
    came = Came(calls={0: Call("call_1__thought__c2ln+/==", "view", "{}")}, finish="tool_calls")
    reply = decode_reply(came, route, "gemini/gemini-3-pro", [], 100)
    assert reply.actions[0].id == "call_1"
    said, answered = encode_messages(exchange(reply, "seen"), route)
    assert said["tool_calls"][0]["id"] == answered["tool_call_id"] == "call_1__thought__c2ln+/=="


def test_thinking_between_texts_stays_there() -> None:
    from agent.config.settings import ModelTable
    from agent.models._prices import facts
    from agent.models._protocol import route
    from agent.models._request_encoder import encode_messages

    blocks = [
        {"thinking_blocks": {"type": "thinking", "thinking": t, "signature": t}, "at": at} for t, at in ("a0", "b3")
    ]
    blocks = [{**block, "at": int(block["at"])} for block in blocks]
    said = {"role": "assistant", "content": "onetwo", "blocks": [json.dumps(block) for block in blocks]}
    (message,) = encode_messages([said], route(CLAUDE, facts(CLAUDE), ModelTable()))
    assert [part["type"] for part in message["content"]] == ["thinking", "text", "thinking", "text"]
    assert [part.get("text") for part in message["content"]] == [None, "one", None, "two"]
    assert "blocks" not in message


def marks(body: dict[str, Any]) -> int:
    return json.dumps(body).count("cache_control")


def test_marks_for_cache(load: Load) -> None:
    with Endpoint(
        [Answer(text="I look.", actions=CALLS), Answer(text="More.", actions=CALLS), Answer(text="ok")]
    ) as end:
        model = load(end, CLAUDE)
        said = list(SAID)
        for _ in range(2):
            said += exchange(ask(model, said), "seen", "seen too")
        ask(model, said)
    assert [marks(body) for body in end.asked] == [3, 4, 4]
    for body in end.asked:
        assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
        assert body["tools"][-1]["cache_control"] == {"type": "ephemeral"}
        assert marks(body["messages"][-1]) == 1
    assert marks(end.asked[2]["messages"][2]) == 1, "the end of the request before is what lies in the cache"


def test_what_was_sent_begins_what_is_sent_next(load: Load) -> None:
    with Endpoint([Answer(text="I look.", actions=CALLS), Answer(text="ok")]) as endpoint:
        model = load(endpoint, CLAUDE)
        ask(model, [*SAID, *exchange(ask(model), "seen", "seen too")])
    first, second = (
        json.dumps(body["messages"]).replace(', "cache_control": {"type": "ephemeral"}', "") for body in endpoint.asked
    )
    assert second.startswith(first[:-1])


@pytest.mark.parametrize("name", [CHAT, RESPONSES, "openrouter/qwen/some-model"])
def test_no_marks_for_others(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        ask(load(endpoint, name))
    assert marks(endpoint.asked[0]) == 0


def test_stream_that_litellm_splits_in_wrong_place_is_read_whole_when_asked_again(load: Load) -> None:
    block = {"type": "thinking", "thinking": "a \u2028 b", "signature": "c2lnbmVk"}
    with Endpoint([Answer(text="hi", blocks=[block]), Answer(text="hi", blocks=[block])]) as endpoint:
        model = load(endpoint, CLAUDE)
        with pytest.raises(ModelError) as raised:
            ask(model)
        assert raised.value.retryable
        reply = ask(model)
    assert [body.get("stream", False) for body in endpoint.asked] == [True, False]
    assert reply.text == "hi"
    assert json.loads(reply.blocks[0])["thinking_blocks"] == block
    assert reply.usage is not None


def test_thoughts_stand_where_they_stood_unless_text_was_changed() -> None:
    from agent.config.settings import ModelTable
    from agent.models._prices import facts
    from agent.models._protocol import route
    from agent.models._reply_decoder import decode_reply
    from agent.models._request_encoder import encode_messages
    from agent.models._stream import Answer as Came

    claude = route(CLAUDE, facts(CLAUDE), ModelTable())
    thoughts = [{"type": "thinking", "thinking": "t", "signature": f"s{n}"} for n in range(2)]
    came = Came(
        "A key. More.", blocks=[{"thinking_blocks": thoughts[0], "at": 0}, {"thinking_blocks": thoughts[1], "at": 7}]
    )
    reply = decode_reply(came, claude, CLAUDE, [], 100)
    (whole,) = encode_messages(exchange(reply), claude)
    assert [part.get("text", part.get("signature")) for part in whole["content"]] == ["s0", "A key. ", "s1", "More."]
    (masked,) = encode_messages([{**exchange(reply)[0], "content": "A [masked]. More."}], claude)
    assert (masked["content"], masked["thinking_blocks"]) == ("A [masked]. More.", thoughts)
