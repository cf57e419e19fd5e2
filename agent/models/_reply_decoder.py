"""Conversion of a collected answer into a Reply: actions with their parse errors, and provider blocks unchanged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from agent.models import _request_encoder, _text_tool_calls
from agent.models._protocol import Route
from agent.models._stream import Answer, Call
from agent.models._usage import least_output, usage
from trajectories.records import Action, Reply

THOUGHT = "__thought__"
"""litellm's separator between the id of a Gemini call and its signature."""
LONGEST_NAME = 200
"""Maximum number of characters of a tool's name or a call's id. No provider accepts more."""


def decode_reply(answer: Answer, route: Route, model: str, tools: Sequence[dict[str, Any]], max_output: int) -> Reply:
    """Return the reply. The caller sets its `branch` and `ask`."""
    text, actions = (
        answer.text,
        [decode_call(answer.calls[at], answer.finish, max_output) for at in sorted(answer.calls)],
    )
    if route.fenced:
        text, parsed = _text_tool_calls.parse(answer.text, tools, cut=answer.finish == "length")
        actions += parsed
    kept = [
        {**block, "of": len(answer.text)} if "at" in block else block
        for block in answer.blocks
        if route.keeps & block.keys() and _whole(block)
    ]
    signed = [{"call": _own(call), "id": call.id} for call in answer.calls.values() if THOUGHT in call.id]
    return Reply(
        text=text,
        actions=_distinct(actions),
        reasoning=answer.reasoning,
        blocks=tuple(json.dumps(block, ensure_ascii=False) for block in [*kept, *signed]),
        model=model,
        usage=usage(answer.usage, route.provider == "openrouter", _least_output(answer)),
    )


def _least_output(answer: Answer) -> int:
    return least_output(answer.text, answer.reasoning, *(call.arguments for call in answer.calls.values()))


def decode_call(call: Call, finish: str = "", max_output: int = 0) -> Action:
    """Return the action. If the reason `finish` is "length", the reply was cut at `max_output` tokens."""
    name = call.name[:LONGEST_NAME]
    try:
        arguments = _request_encoder.parse_arguments(call.arguments or "{}")
    except ValueError as error:
        cut = f"the call was cut at max_output, {max_output} tokens: write less at a time"
        wrong = cut if finish == "length" else f"the arguments are not JSON: {error}"
        return Action(name, {}, _own(call), wrong)
    if not isinstance(arguments, dict):
        return Action(name, {}, _own(call), f"the arguments must be an object, not {type(arguments).__name__}")
    return Action(name, arguments, _own(call))


def _own(call: Call) -> str:
    return call.id.partition(THOUGHT)[0]


def _distinct(actions: list[Action]) -> tuple[Action, ...]:
    """Give each action a unique id: some servers send none, very long ones, or the same for all."""
    taken: set[str] = set()
    named = []
    for action in actions:
        is_usable = action.id and action.id not in taken and len(action.id) <= LONGEST_NAME
        id = action.id if is_usable else f"call_{uuid4().hex[:12]}"
        taken.add(id)
        named.append(Action(action.tool, action.arguments, id, action.error))
    return tuple(named)


def _whole(block: dict[str, Any]) -> bool:
    """Return whether a block can be sent back. Providers reject thinking blocks without a signature."""
    thinking = block.get("thinking_blocks")
    return thinking is None or thinking.get("type") != "thinking" or bool(thinking.get("signature"))
