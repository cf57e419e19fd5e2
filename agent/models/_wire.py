"""Our messages as litellm takes them, and what came back as a Reply."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import Any
from uuid import uuid4

from agent.models._stream import Answer, Call
from agent.models.base import Message
from trajectories.records import Action, Reply, Usage

MARK = {"type": "ephemeral"}
MOST_TOKENS = 10**9
THOUGHT = "__thought__"
"""What litellm puts between the id of a Gemini call and its signature."""


def outgoing(messages: Sequence[Message], marks: bool) -> list[Message]:
    """The conversation for litellm. `marks`: tell the provider what to keep in its prompt cache."""
    sent = [_outgoing(message) for message in messages]
    if marks:
        _mark(sent)
    return sent


def marked_tools(tools: Sequence[dict[str, Any]], marks: bool) -> list[dict[str, Any]]:
    if not (tools and marks):
        return list(tools)
    return [*tools[:-1], {**tools[-1], "cache_control": MARK}]


def incoming(answer: Answer, model: str, max_output: int, *, own_figure: bool) -> Reply:
    """The reply, its branch and ask to be filled in. `own_figure`: a cost in the usage is the provider's."""
    blocks = list(answer.blocks)
    actions: list[Action] = []
    for call in (answer.calls[index] for index in sorted(answer.calls)):
        if THOUGHT in call.id:
            blocks.append({"call": call.id.partition(THOUGHT)[0], "id": call.id})
        actions.append(_action(call, answer.finish, max_output, {action.id for action in actions}))
    return Reply(
        text=answer.text,
        actions=tuple(actions),
        reasoning=answer.reasoning,
        blocks=tuple(json.dumps(block, ensure_ascii=False) for block in blocks),
        model=model,
        usage=usage(answer.usage, own_figure),
    )


def usage(said: Any, own_figure: bool = False) -> Usage | None:
    """Tokens as the provider counts them; null where it gave none, or figures that cannot be."""
    if not isinstance(said, dict):
        return None
    details = said.get("prompt_tokens_details") or {}
    given = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
    if given[0] is None or given[1] is None or not any(given):
        return None
    cached = _count(details.get("cached_tokens")) or _count(said.get("cache_read_input_tokens")) or 0
    written = _count(details.get("cache_creation_tokens")) or _count(said.get("cache_creation_input_tokens")) or 0
    cached = min(cached, given[0])
    return Usage(
        input_tokens=given[0],
        output_tokens=given[1],
        cached_tokens=cached,
        written_tokens=min(written, given[0] - cached),
        dollars=_dollars(said.get("cost")) if own_figure else None,
    )


def _outgoing(message: Message) -> Message:
    sent = {name: value for name, value in message.items() if name != "blocks"}
    text = sent.get("content")
    inline = []
    for block in map(json.loads, message.get("blocks", ())):
        if "call" in block:
            continue
        at = block.pop("at", 0)
        if at and isinstance(text, str):
            inline.append((at, block["thinking_blocks"]))
        for name, value in block.items():
            sent.setdefault(name, []).append(value)
    if inline:
        sent.pop("thinking_blocks")
    return sent


def _mark(sent: list[Message]) -> None:
    """Mark the system message and the last two that are not the model's: at most three marks beside the tools' one."""
    heads = [message for message in sent if message["role"] == "system"][:1]
    said = [message for message in sent if message["role"] in ("user", "tool")]
    for message in [*heads, *said[-2:]]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else [*content]
        if parts and (parts[-1].get("text") or parts[-1]["type"] != "text"):
            parts[-1] = {**parts[-1], "cache_control": MARK}
            message["content"] = parts


def _action(call: Call, finish: str, max_output: int, taken: set[str]) -> Action:
    id = call.id.partition(THOUGHT)[0]
    if not id or id in taken:
        id = f"call_{uuid4().hex[:12]}"
    try:
        arguments = json.loads(call.arguments or "{}", strict=False)
    except ValueError as error:
        why = f"the call was cut at max_output, {max_output} tokens; write less at a time"
        wrong = why if finish == "length" else f"the arguments are no JSON: {error}"
        return Action(call.name, {}, id, wrong)
    if not isinstance(arguments, dict):
        return Action(call.name, {}, id, f"the arguments must be an object, not {type(arguments).__name__}")
    return Action(call.name, arguments, id)


def _count(value: object) -> int | None:
    if isinstance(value, float) and isfinite(value) and value == int(value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None


def _dollars(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) and value >= 0 else None
