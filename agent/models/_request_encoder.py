"""Our messages as litellm takes them.

A message's `blocks` are JSON of what a provider wants back byte for byte: `{field: value}` joins the list `field` of
the message, with `at` where it stood in a text `of` so many characters (in a text that was changed since, as by a
mask, its place is lost and it goes ahead); `{"call", "id"}` gives a call the id its signature is in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from agent.models._route import Route
from agent.models.base import Message

MARK = {"type": "ephemeral"}
EMPTY = "(nothing)"
"""Providers refuse a message that is empty or blank."""
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64


def outgoing(messages: Sequence[Message], route: Route) -> list[Message]:
    """The conversation for litellm; where the provider takes marks, with what it is to keep in its cache marked."""
    sent = [_outgoing(message, route) for message in messages]
    ids = {block["call"]: block["id"] for message in messages for block in _blocks(message) if "call" in block}
    for message in sent if ids else ():
        _sign(message, ids)
    if route.marks:
        sent = [_parts(message) for message in sent]
        _mark(sent)
    return sent


def marked(tools: Sequence[dict[str, Any]], route: Route) -> list[dict[str, Any]]:
    """The tools, the last one with a mark where the provider takes marks."""
    if not (tools and route.marks):
        return list(tools)
    return [*tools[:-1], {**tools[-1], "cache_control": MARK}]


def mute(messages: Sequence[Message]) -> bool:
    """Whether there are tool calls, none of which came with thinking."""
    return any(message.get("tool_calls") for message in messages) and not any(
        "thinking_blocks" in block for message in messages for block in _blocks(message)
    )


def _blocks(message: Message) -> list[dict[str, Any]]:
    return [json.loads(block) for block in message.get("blocks", ())]


def _outgoing(message: Message, route: Route) -> Message:
    sent = {name: value for name, value in message.items() if name != "blocks"}
    if blank := not sent.get("content") or (isinstance(sent["content"], str) and sent["content"].isspace()):
        sent["content"] = EMPTY
    if message["role"] != "assistant":
        return sent
    if calls := sent.get("tool_calls"):
        sent["tool_calls"] = [_named(call) for call in calls]
    blocks = [block for block in _blocks(message) if route.keeps & block.keys()]
    for block in blocks:
        for name in route.keeps & block.keys():
            sent.setdefault(name, []).append(block[name])
    if blank and calls:
        # litellm would fill an empty text with words of its own.
        sent["content"] = None if route.claude else ""
    if not blank and any(block.get("at") for block in blocks) and all(_stands(block, sent) for block in blocks):
        sent["content"] = _interleaved(sent["content"], blocks)
        del sent["thinking_blocks"]
    return sent


def _named(call: dict[str, Any]) -> dict[str, Any]:
    """A call whose name providers take: a model may have called something that can be no tool."""
    function = call["function"]
    name = NOT_IN_NAMES.sub("_", function["name"])[:LONGEST_NAME] or "_"
    return {**call, "function": {**function, "name": name}}


def _stands(block: dict[str, Any], message: Message) -> bool:
    """Whether a thought can go back to where it stood: litellm takes thinking among parts of text, but drops redacted
    thinking there."""
    length = len(message["content"])
    return bool(block.get("thinking_blocks", {}).get("type") == "thinking" and block.get("of", length) == length)


def _interleaved(text: str, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Thinking where it stood in the text."""
    parts: list[dict[str, Any]] = []
    start = 0
    for at, together in groupby(blocks, lambda block: block["at"]):
        parts += _text(text[start:at])
        parts += [block["thinking_blocks"] for block in together]
        start = at
    return parts + _text(text[start:])


def _text(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}] if text.strip() else []


def _sign(message: Message, ids: dict[str, str]) -> None:
    if message.get("tool_call_id") in ids:
        message["tool_call_id"] = ids[message["tool_call_id"]]
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{**call, "id": ids.get(call["id"], call["id"])} for call in calls]


def _parts(message: Message) -> Message:
    """A message with its text as a part, marked or not, so that the beginnings of two requests stay the same."""
    content = message.get("content")
    if message["role"] == "assistant" or not isinstance(content, str) or not content:
        return message
    return {**message, "content": [{"type": "text", "text": content}]}


def _mark(sent: list[Message]) -> None:
    """Mark the system message, the end of this request, and that of the request before, which is in the cache."""
    latest = max((at for at, message in enumerate(sent) if message["role"] == "assistant"), default=0)
    for candidates in (sent[:1], sent[:latest], sent):
        for message in reversed([message for message in candidates if message["role"] != "assistant"][-1:]):
            if isinstance(parts := message.get("content"), list):
                message["content"] = [*parts[:-1], {**parts[-1], "cache_control": MARK}]
