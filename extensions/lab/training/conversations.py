"""The conversations of a run: requests to a model and its replies."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trajectories.records import Reply
from trajectories.trajectory import Message, RunView, call_id

OURS = frozenset({"blocks"})
"""Message fields that only the provider that created them can read."""


@dataclass(frozen=True, slots=True)
class RequestReply:
    """A request and its reply. `said` is the reply in the form in which the original program of an imported trajectory
    sent it back to the model, if known."""

    reply: Reply
    messages: Sequence[Message]
    said: Message | None = None

    @property
    def whole(self) -> list[Message]:
        """The request's messages, followed by the reply."""
        if self.said is not None:
            return [*self.messages, self.said]
        taken = {call["id"] for message in self.messages for call in message.get("tool_calls", ())}
        return [*map(without_provider_fields, self.messages), reply_message(self.reply, taken)]


def requests_with_replies(run: RunView, branch: str) -> Iterator[RequestReply]:
    """Yield each reply of a branch together with its request, which has no messages if they are unknown."""
    replies = (record for record in run.trajectory.records if isinstance(record, Reply) and record.branch == branch)
    asked = zip(replies, run.requests(branch), strict=True)
    for (reply, messages), said in zip(asked, run.answers(branch), strict=False):
        yield RequestReply(reply, messages, said)


def conversations(run: RunView) -> Iterator[tuple[RequestReply, int]]:
    """Yield the last request of each conversation, and the number of its first messages whose replies an earlier
    conversation already contains.

    A conversation ends when the next request does not start with all of its messages, for example because messages were
    shortened or steps undone. After that number of messages, each reply occurs in exactly one conversation, right after
    its own request.
    """
    for branch in run.trajectory.last_replies:
        last: RequestReply | None = None
        known = 0
        for asked in (each for each in requests_with_replies(run, branch) if each.messages):
            if last is not None and not _continues(last, asked.messages):
                yield last, known
                known = len(asked.messages)
            last = asked
        if last is not None:
            yield last, known


def _continues(before: RequestReply, after: Sequence[Message]) -> bool:
    """Return whether a request starts with the messages of an earlier request and its reply. Unchanged messages are
    identical objects, so this is fast."""
    sent, reply = before.messages, before.reply
    if len(after) <= len(sent) or not all(map(_same, sent, after)):
        return False
    said = after[len(sent)]
    if before.said is not None:
        return _same(said, before.said)
    calls = [call["function"]["name"] for call in said.get("tool_calls", ())]
    return said["role"] == "assistant" and said["content"] == reply.text and calls == [a.tool for a in reply.actions]


def _same(left: Message, right: Message) -> bool:
    return left is right or left == right


def without_provider_fields(message: Message) -> Message:
    """Return a message without provider-specific fields."""
    return {name: value for name, value in message.items() if name not in OURS} if OURS & message.keys() else message


def reply_message(reply: Reply, taken: set[str]) -> Message:
    """Return a reply as a message. `taken` contains the ids of earlier calls, which are not reused."""
    said: Message = {"role": "assistant", "content": reply.text}
    calls = []
    for number, action in enumerate(reply.actions, 1):
        id = call_id(action.id, f"call_{reply.ask}_{number}", taken)
        function = {"name": action.tool, "arguments": json.dumps(action.arguments)}
        calls.append({"id": id, "type": "function", "function": function})
    return said | ({"tool_calls": calls} if calls else {})
