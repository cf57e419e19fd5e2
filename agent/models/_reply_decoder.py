"""What came back, as a Reply: actions that can be read or say why not, blocks as they came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from agent.models import _arguments, _fenced
from agent.models._route import Route
from agent.models._stream import Answer, Call
from agent.models._usage import least_output, usage
from trajectories.records import Action, Reply

THOUGHT = "__thought__"
"""What litellm puts between the id of a Gemini call and its signature."""
LONGEST_NAME = 200
"""Characters of a tool's name or a call's id; no provider takes longer ones back."""


def incoming(answer: Answer, route: Route, model: str, tools: Sequence[dict[str, Any]], max_output: int) -> Reply:
    """The reply; its branch and ask are for others to fill in."""
    text, actions = answer.text, [_action(answer.calls[at], answer.finish, max_output) for at in sorted(answer.calls)]
    if route.fenced:
        text, parsed = _fenced.parse(answer.text, tools, cut=answer.finish == "length")
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


def _action(call: Call, finish: str, max_output: int) -> Action:
    name = call.name[:LONGEST_NAME]
    try:
        arguments = _arguments.read(call.arguments or "{}")
    except ValueError as error:
        cut = f"the call was cut at max_output, {max_output} tokens: write less at a time"
        wrong = cut if finish == "length" else f"the arguments are no JSON: {error}"
        return Action(name, {}, _own(call), wrong)
    if not isinstance(arguments, dict):
        return Action(name, {}, _own(call), f"the arguments must be an object, not {type(arguments).__name__}")
    return Action(name, arguments, _own(call))


def _own(call: Call) -> str:
    return call.id.partition(THOUGHT)[0]


def _distinct(actions: list[Action]) -> tuple[Action, ...]:
    """The actions with an id each: some servers send none, endless ones, or the same for all."""
    taken: set[str] = set()
    named = []
    for action in actions:
        is_usable = action.id and action.id not in taken and len(action.id) <= LONGEST_NAME
        id = action.id if is_usable else f"call_{uuid4().hex[:12]}"
        taken.add(id)
        named.append(Action(action.tool, action.arguments, id, action.error))
    return tuple(named)


def _whole(block: dict[str, Any]) -> bool:
    """Thinking without a signature would be refused."""
    thinking = block.get("thinking_blocks")
    return thinking is None or thinking.get("type") != "thinking" or bool(thinking.get("signature"))
