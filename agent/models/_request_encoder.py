"""Conversion of messages to the form that litellm takes.

A message's `blocks` hold, as JSON, fields that a provider needs back byte for byte. `{field: value}` is appended to the
list `field` of the message. `at` is the block's position in the text and `of` the length of that text in characters; if
the text has changed since, for example by masking, the position is lost and the block is placed first. `{"call", "id"}`
restores the id of a call that contains its signature.

Arguments of tool calls are parsed from JSON that can be stored and sent again: finite numbers, limited nesting.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import deepcopy
from itertools import groupby
from math import isfinite
from typing import Any, NoReturn

from agent.models._protocol import Route
from agent.models.base import Message

MARK = {"type": "ephemeral"}
EMPTY = "(nothing)"
"""Placeholder for empty or blank messages, which providers reject."""
NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_NAME = 64


def encode_messages(messages: Sequence[Message], route: Route) -> list[Message]:
    """Return the conversation for litellm, with cache marks if the provider takes them."""
    sent = [_encode_message(message, route) for message in messages]
    ids = {block["call"]: block["id"] for message in messages for block in _blocks(message) if "call" in block}
    for message in sent if ids else ():
        _sign(message, ids)
    if route.marks:
        sent = [_parts(message) for message in sent]
        _mark(sent)
    return sent


def mark_tools(tools: Sequence[dict[str, Any]], route: Route) -> list[dict[str, Any]]:
    """Return the tools, with a cache mark on the last one if the provider takes marks."""
    if not (tools and route.marks):
        return list(tools)
    return [*tools[:-1], {**tools[-1], "cache_control": MARK}]


def has_only_mute_calls(messages: Sequence[Message]) -> bool:
    """Return whether the conversation has tool calls, none of which was made with thinking."""
    return any(message.get("tool_calls") for message in messages) and not any(
        "thinking_blocks" in block for message in messages for block in _blocks(message)
    )


def _blocks(message: Message) -> list[dict[str, Any]]:
    return [json.loads(block) for block in message.get("blocks", ())]


def _encode_message(message: Message, route: Route) -> Message:
    sent = {name: value for name, value in message.items() if name != "blocks"}
    if blank := not sent.get("content") or (isinstance(sent["content"], str) and sent["content"].isspace()):
        sent["content"] = EMPTY
    if isinstance(sent["content"], list):
        sent["content"] = deepcopy(sent["content"])  # litellm may change images, which later requests contain too
    if message["role"] != "assistant":
        return sent
    if calls := sent.get("tool_calls"):
        sent["tool_calls"] = [_named(call) for call in calls]
    blocks = [block for block in _blocks(message) if route.keeps & block.keys()]
    for block in blocks:
        for name in route.keeps & block.keys():
            sent.setdefault(name, []).append(block[name])
    if blank and calls:
        # litellm would replace an empty text with a placeholder of its own.
        sent["content"] = None if route.claude else ""
    if (
        not blank
        and any(block.get("at") for block in blocks)
        and all(_has_valid_position(block, sent) for block in blocks)
    ):
        sent["content"] = _interleaved(sent["content"], blocks)
        del sent["thinking_blocks"]
    return sent


def _named(call: dict[str, Any]) -> dict[str, Any]:
    """Return the call with a name that providers accept: a model may have called a tool by an invalid name."""
    function = call["function"]
    name = NOT_IN_NAMES.sub("_", function["name"])[:LONGEST_NAME] or "_"
    return {**call, "function": {**function, "name": name}}


def _has_valid_position(block: dict[str, Any], message: Message) -> bool:
    """Return whether a thinking block can be put back at its position in the text. litellm accepts thinking between
    parts of text, but drops redacted thinking there.
    """
    length = len(message["content"])
    return bool(block.get("thinking_blocks", {}).get("type") == "thinking" and block.get("of", length) == length)


def _interleaved(text: str, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts of a text with the thinking at its original positions."""
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
    """Return a message with its text as a content part. Two requests then start with the same bytes, whether or not the
    message has a cache mark."""
    content = message.get("content")
    if message["role"] == "assistant" or not isinstance(content, str) or not content:
        return message
    return {**message, "content": [{"type": "text", "text": content}]}


def _mark(sent: list[Message]) -> None:
    """Mark the system message, the end of this request, and the end of the previous request, which is already
    cached."""
    latest = max((at for at, message in enumerate(sent) if message["role"] == "assistant"), default=0)
    for candidates in (sent[:1], sent[:latest], sent):
        for message in reversed([message for message in candidates if message["role"] != "assistant"][-1:]):
            if isinstance(parts := message.get("content"), list):
                message["content"] = [*parts[:-1], {**parts[-1], "cache_control": MARK}]


DEEPEST = 50


def parse_arguments(text: str) -> Any:
    """Return the parsed value.

    Raises ValueError with the reason if the text is not JSON, contains NaN or Infinity (providers reject them when
    they are sent back), or is nested so deeply that recursive parsers would fail.
    """
    try:
        value = json.loads(text, strict=False, parse_constant=_refused, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _deeper(value, DEEPEST):
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    return value


def _refused(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _deeper(value: Any, left: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(_deeper(part, left - 1) for part in parts)
