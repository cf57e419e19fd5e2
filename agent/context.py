"""What a model is sent: a pure function of the records, so that a resumed run sends the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.models.base import Message
from trajectories.records import Reply, Step


def messages(system: str, steps: Sequence[Step], replies: Mapping[tuple[str, int], Reply], model: str) -> list[Message]:
    """The conversation of a branch in OpenAI's chat form; `blocks` go back to the model they came from only."""
    said: list[Message] = [{"role": "system", "content": system}] if system else []
    for step in steps:
        if step.reply is None:
            said.append({"role": "user", "content": _told(step)})
        else:
            said += _exchange(step, replies[step.branch, step.reply], model)
    return said


def _exchange(step: Step, reply: Reply, model: str) -> list[Message]:
    ids = [action.id or f"{step.id}.{number}" for number, action in enumerate(reply.actions, 1)]
    calls = [
        {"id": id, "type": "function", "function": {"name": action.tool, "arguments": json.dumps(action.arguments)}}
        for id, action in zip(ids, reply.actions, strict=True)
    ]
    assistant: Message = {"role": "assistant", "content": reply.text}
    if calls:
        assistant["tool_calls"] = calls
    if reply.blocks and reply.model == model:
        assistant["blocks"] = list(reply.blocks)
    if not calls:
        return [assistant, {"role": "user", "content": _told(step)}]
    answers = (observation.text for observation in step.observations)
    return [assistant, *({"role": "tool", "tool_call_id": id, "content": next(answers, "")} for id in ids)]


def _told(step: Step) -> str:
    """What a step without a model's actions says to the next ask."""
    done = [f"{step.author} called {action.tool}({json.dumps(action.arguments)})" for action in step.actions]
    return "\n".join([*done, *(observation.text for observation in step.observations)])


def size(said: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> int:
    """An upper bound of the tokens in a request: no token is shorter than a byte, and each message has a frame."""
    return len(json.dumps([*said, *tools], ensure_ascii=False).encode("utf-8", "replace")) + 16 * len(said) + 64


def input_bound(said: Sequence[Message], tools: Sequence[dict[str, Any]], last: Reply | None) -> int:
    """The most input tokens a request can be billed: what the last one was, and the bytes added since.

    `last` is the reply to the request that ended before the latest assistant message.
    """
    whole = size(said, tools)
    if last is None or last.usage is None or not last.usage.input_tokens:
        return whole
    sent = max((i for i, message in enumerate(said) if message["role"] == "assistant"), default=None)
    if sent is None:
        return whole
    return min(whole, last.usage.input_tokens + last.usage.output_tokens + size(said[sent:]))
