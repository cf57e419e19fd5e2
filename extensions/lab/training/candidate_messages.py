"""The prompt and the completion of a candidate, as messages that chat templates can format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from extensions.lab.training.candidates import Candidate
from extensions.lab.training.conversations import conversations, reply_message, requests_with_replies
from trajectories.records import Reply, Step
from trajectories.trajectory import Message, observation_message

FOLDERS = ("root", "scratch")
"""Keys of recorded results that contain workspace paths; these paths are ignored when initial messages are compared."""


def conversation_parts(candidate: Candidate) -> Iterator[tuple[str, list[Message], list[Message]]]:
    """Yield branches with a prompt and a completion; together they contain each reply once, directly after its request.
    A new part starts where the conversation was rewritten."""
    for asked, known in conversations(candidate.run):
        if asked.reply.branch in candidate.branches:
            yield asked.reply.branch, *_cut([trainable(message) for message in asked.whole], known)


def full_conversation(candidate: Candidate) -> tuple[list[Message], list[Message]]:
    """Return the initial messages, and all messages from the first reply to the last. Outputs are in their original
    form, and steps that were undone later are included. A reply whose actions never ran is left out, because no later
    request contained it."""
    run, branch = candidate.run.trajectory, candidate.branches[0]
    opening, acted, last = _first_request(candidate), _model_steps(candidate), run.last_replies[branch]
    messages: list[Message] = []
    taken: set[str] = set()
    for step in acted:
        if step.reply == last.ask:
            break
        messages += (
            _exchange(step, run.replies[branch, step.reply], taken) if step.reply is not None else [_words(step)]
        )
    return opening, [trainable(message) for message in [*messages, reply_message(last, taken)]]


def _first_request(candidate: Candidate) -> list[Message]:
    """Return the messages of the request that led to the candidate's first reply."""
    branch, acted = candidate.branches[0], _model_steps(candidate)
    first = acted[0].reply if acted else candidate.run.trajectory.last_replies[branch].ask
    return next(
        [trainable(message) for message in asked.messages]
        for asked in requests_with_replies(candidate.run, branch)
        if asked.reply.ask == first
    )


def opening_text(candidate: Candidate) -> str:
    """Return the initial messages as text, without the paths of the workspace."""
    text = json.dumps(_first_request(candidate))
    results = candidate.run.trajectory.results
    for name in FOLDERS:
        if once := results.get((candidate.branches[0], name)):
            text = text.replace(json.dumps(once.value)[1:-1], f"[{name}]")
    return text


def _model_steps(candidate: Candidate) -> list[Step]:
    """Return the candidate's steps, starting with the model's first step."""
    return list(dropwhile(lambda step: step.reply is None, candidate.run.trajectory.steps[candidate.branches[0]]))


def _exchange(step: Step, reply: Reply, taken: set[str]) -> list[Message]:
    """Return the messages for a reply and for the result of each of its tool calls."""
    message = reply_message(reply, taken)
    calls = message.get("tool_calls")
    if not calls:
        return [message, _words(step)] if step.observations else [message]
    answers = (observation.text for observation in step.observations)
    return [message, *({"role": "tool", "tool_call_id": call["id"], "content": next(answers, "")} for call in calls)]


def _words(step: Step) -> Message:
    return {"role": "user", "content": observation_message(step)}


def _cut(messages: list[Message], known: int) -> tuple[list[Message], list[Message]]:
    """Split messages before the first reply at index `known` or later."""
    at = next(at for at, message in enumerate(messages) if at >= known and message["role"] == "assistant")
    return messages[:at], messages[at:]


def trainable(message: Message) -> Message:
    """Return a message that contains only text, with the arguments of tool calls as objects, because chat templates
    format them for their model."""
    kept: Message = {key: message[key] for key in ("role", "tool_call_id") if key in message}
    kept["content"] = _text(message.get("content"))
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"]["arguments"])}}
            for call in calls
        ]
    return kept


def _arguments(text: str) -> Any:
    """Parse arguments; numbers that JSON does not allow become text."""
    return json.loads(text, parse_constant=str)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] if part.get("type") == "text" else "[picture]" for part in content)
    return content or ""


def tools(candidate: Candidate) -> str:
    """Return the tools' schemas as JSON text, which trainers accept. As objects in a table, each tool would get the
    fields of all other tools."""
    return json.dumps(candidate.record.tools)


def as_line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
