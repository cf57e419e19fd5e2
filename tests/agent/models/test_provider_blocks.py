"""Thinking and reasoning blocks, which are sent back unchanged, and cache control."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.agent.models.conftest import CHAT, CLAUDE, MESSAGES, RESPONSES, Load, exchange, get_reply
from tests.endpoint import Answer, Endpoint
from tests.endpoint.messages import signature
from tests.endpoint.responses import encrypted
from trajectories.errors import ModelError
from trajectories.journal import decode, encode
from trajectories.records import Reply

CALLS = [("view", {"path": "a.py"}), ("view", {"path": "b.py"})]
THOUGHT = 'First ü, then\n"b".  '
REDACTED = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"}


def follow_up(load: Load, name: str, answer: Answer, **table: Any) -> tuple[Any, dict[str, Any]]:
    """Return the reply, and the body of the next request."""
    with Endpoint([answer, Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name, settings={"effort": "high"}, **table)
        reply = get_reply(model)
        get_reply(model, [*MESSAGES, *exchange(reply, *("seen" for _ in reply.actions))])
        return reply, endpoint.asked[1]


def test_signed_and_redacted_thinking_is_sent_back(load: Load) -> None:
    answer = Answer(text="I look.", reasoning=THOUGHT, blocks=[REDACTED], actions=CALLS)
    reply, body = follow_up(load, CLAUDE, answer)
    assert reply.reasoning == THOUGHT
    assert all(isinstance(block, str) for block in reply.blocks)
    content = next(message["content"] for message in body["messages"] if message["role"] == "assistant")
    assert content[0] == {"type": "thinking", "thinking": THOUGHT, "signature": signature(THOUGHT)}
    assert content[1] == REDACTED
    assert [part["type"] for part in content] == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert body["thinking"]["type"] == "enabled"


def test_several_empty_thinking_blocks_are_sent_back(load: Load) -> None:
    blocks = [{"type": "thinking", "thinking": "", "signature": f"s{n}"} for n in range(3)]
    _, body = follow_up(load, CLAUDE, Answer(blocks=blocks, actions=CALLS))
    content = next(message["content"] for message in body["messages"] if message["role"] == "assistant")
    assert content[:3] == blocks
    assert [part["type"] for part in content[3:]] == ["tool_use", "tool_use"]


@pytest.mark.parametrize("name", [CLAUDE, RESPONSES])
def test_blocks_survive_journal_unchanged(load: Load, name: str) -> None:
    thought = f"{THOUGHT}\x7f\U0001f600"
    with Endpoint([Answer(text="I look.", reasoning=thought, actions=CALLS), Answer(text="Done.")]) as endpoint:
        model = load(endpoint, name)
        reply = get_reply(model)
        decoded = decode(encode(reply))
        assert isinstance(decoded, Reply)
        assert decoded.blocks == reply.blocks != ()
        get_reply(model, [*MESSAGES, *exchange(decoded, "seen", "seen")])
    expected = signature(thought) if name == CLAUDE else encrypted(thought)
    assert expected in json.dumps(endpoint.asked[1])


def test_thinking_without_signature_is_not_sent_back(load: Load) -> None:
    reply, _ = follow_up(
        load, CLAUDE, Answer(blocks=[{"type": "thinking", "thinking": "x", "signature": ""}], text="a")
    )
    assert reply.blocks == ()


def test_thinking_is_off_after_calls_without_thinking(load: Load) -> None:
    _, body = follow_up(load, CLAUDE, Answer(text="I look.", actions=CALLS))
    assert "thinking" not in body


def test_encrypted_reasoning_is_sent_back(load: Load) -> None:
    more = {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": "gAAAAüë+/=="}
    reply, body = follow_up(load, RESPONSES, Answer(text="I look.", reasoning=THOUGHT, blocks=[more], actions=CALLS))
    assert THOUGHT.strip() in reply.reasoning
    items = body["input"]
    kinds = [item.get("type") for item in items]
    first = kinds.index("reasoning")
    assert items[first]["encrypted_content"] == encrypted(THOUGHT)
    assert items[first + 1] == more
    assert kinds.index("function_call") > first + 1
    assert body["store"] is False
    assert body["include"] == ["reasoning.encrypted_content"]


def test_reasoning_details_are_merged_and_sent_back(load: Load) -> None:
    details = [
        {"type": "reasoning.text", "text": "a", "signature": None, "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "b", "signature": "sig==", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "xyz", "id": "r1", "index": 1},
    ]
    _, body = follow_up(load, "openrouter/qwen/some-model", Answer(text="I look.", blocks=details, actions=CALLS))
    assistant = next(assistant for assistant in body["messages"] if assistant["role"] == "assistant")
    assert assistant["reasoning_details"] == [{**details[0], "text": "ab", "signature": "sig=="}, details[2]]


def test_plain_server_gets_no_extra_fields(load: Load) -> None:
    reply, body = follow_up(load, CHAT, Answer(text="I look.", reasoning=THOUGHT, actions=CALLS))
    assert (reply.reasoning, reply.blocks) == (THOUGHT, ())
    keys = {key for message in body["messages"] for key in message}
    assert keys == {"role", "content", "tool_calls", "tool_call_id"}


def test_signature_is_removed_from_gemini_call_id(load: Load) -> None:
    from agent.models._protocol import Route
    from agent.models._reply_decoder import decode_reply
    from agent.models._request_encoder import encode_messages
    from agent.models._stream import Answer as StreamAnswer
    from agent.models._stream import Call

    route = Route("gemini/gemini-3-pro", False, False, False, False, True)
    answer = StreamAnswer(calls={0: Call("call_1__thought__c2ln+/==", "view", "{}")}, finish="tool_calls")
    reply = decode_reply(answer, route, "gemini/gemini-3-pro", [], 100)
    assert reply.actions[0].id == "call_1"
    assistant, result = encode_messages(exchange(reply, "seen"), route)
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1__thought__c2ln+/=="


def test_thinking_stays_between_texts() -> None:
    from agent.config.model_table import ModelTable
    from agent.models._prices import facts
    from agent.models._protocol import route
    from agent.models._request_encoder import encode_messages

    blocks = [
        {"thinking_blocks": {"type": "thinking", "thinking": t, "signature": t}, "at": at} for t, at in ("a0", "b3")
    ]
    blocks = [{**block, "at": int(block["at"])} for block in blocks]
    assistant = {"role": "assistant", "content": "onetwo", "blocks": [json.dumps(block) for block in blocks]}
    (message,) = encode_messages([assistant], route(CLAUDE, facts(CLAUDE), ModelTable()))
    assert [part["type"] for part in message["content"]] == ["thinking", "text", "thinking", "text"]
    assert [part.get("text") for part in message["content"]] == [None, "one", None, "two"]
    assert "blocks" not in message


def count_cache_marks(body: dict[str, Any]) -> int:
    return json.dumps(body).count("cache_control")


def test_cache_marks_are_set(load: Load) -> None:
    with Endpoint(
        [Answer(text="I look.", actions=CALLS), Answer(text="More.", actions=CALLS), Answer(text="ok")]
    ) as endpoint:
        model = load(endpoint, CLAUDE)
        messages = list(MESSAGES)
        for _ in range(2):
            messages += exchange(get_reply(model, messages), "seen", "seen too")
        get_reply(model, messages)
    assert [count_cache_marks(body) for body in endpoint.asked] == [3, 4, 4]
    for body in endpoint.asked:
        assert body["system"][-1]["cache_control"] == {"type": "ephemeral"}
        assert body["tools"][-1]["cache_control"] == {"type": "ephemeral"}
        assert count_cache_marks(body["messages"][-1]) == 1
    assert count_cache_marks(endpoint.asked[2]["messages"][2]) == 1, "the cache holds the previous request"


def test_request_is_prefix_of_next_request(load: Load) -> None:
    with Endpoint([Answer(text="I look.", actions=CALLS), Answer(text="ok")]) as endpoint:
        model = load(endpoint, CLAUDE)
        get_reply(model, [*MESSAGES, *exchange(get_reply(model), "seen", "seen too")])
    first, second = (
        json.dumps(body["messages"]).replace(', "cache_control": {"type": "ephemeral"}', "") for body in endpoint.asked
    )
    assert second.startswith(first[:-1])


@pytest.mark.parametrize("name", [CHAT, RESPONSES, "openrouter/qwen/some-model"])
def test_cache_marks_are_only_for_claude(load: Load, name: str) -> None:
    with Endpoint([Answer(text="ok")]) as endpoint:
        get_reply(load(endpoint, name))
    assert count_cache_marks(endpoint.asked[0]) == 0


def test_missplit_stream_is_retried_without_streaming(load: Load) -> None:
    block = {"type": "thinking", "thinking": "a \u2028 b", "signature": "c2lnbmVk"}
    with Endpoint([Answer(text="hi", blocks=[block]), Answer(text="hi", blocks=[block])]) as endpoint:
        model = load(endpoint, CLAUDE)
        with pytest.raises(ModelError) as raised:
            get_reply(model)
        assert raised.value.retryable
        reply = get_reply(model)
    assert [body.get("stream", False) for body in endpoint.asked] == [True, False]
    assert reply.text == "hi"
    assert json.loads(reply.blocks[0])["thinking_blocks"] == block
    assert reply.usage is not None


def test_thinking_keeps_position_unless_text_changed() -> None:
    from agent.config.model_table import ModelTable
    from agent.models._prices import facts
    from agent.models._protocol import route
    from agent.models._reply_decoder import decode_reply
    from agent.models._request_encoder import encode_messages
    from agent.models._stream import Answer as StreamAnswer

    claude = route(CLAUDE, facts(CLAUDE), ModelTable())
    thoughts = [{"type": "thinking", "thinking": "t", "signature": f"s{n}"} for n in range(2)]
    answer = StreamAnswer(
        "A key. More.", blocks=[{"thinking_blocks": thoughts[0], "at": 0}, {"thinking_blocks": thoughts[1], "at": 7}]
    )
    reply = decode_reply(answer, claude, CLAUDE, [], 100)
    (whole,) = encode_messages(exchange(reply), claude)
    assert [part.get("text", part.get("signature")) for part in whole["content"]] == ["s0", "A key. ", "s1", "More."]
    (masked,) = encode_messages([{**exchange(reply)[0], "content": "A [masked]. More."}], claude)
    assert (masked["content"], masked["thinking_blocks"]) == ("A [masked]. More.", thoughts)
