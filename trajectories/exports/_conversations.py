"""The conversations of a run: what a model was sent, and what it answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trajectories.material import Material, Message, call_id
from trajectories.records import Reply

OURS = frozenset({"blocks"})
"""Parts of a message that only the provider they came from can read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and its answer. `said` is the answer as it was sent later, where another program did that its way."""

    reply: Reply
    messages: Sequence[Message]
    said: Message | None = None

    @property
    def whole(self) -> list[Message]:
        """The request, and the reply as its last message."""
        if self.said is not None:
            return [*self.messages, self.said]
        taken = {call["id"] for message in self.messages for call in message.get("tool_calls", ())}
        return [*map(plain, self.messages), answer(self.reply, taken)]


def answered(run: Material, branch: str) -> Iterator[Asked]:
    """Every reply of a branch with its request, which has no messages where nobody knows them."""
    replies = (record for record in run.trajectory.records if isinstance(record, Reply) and record.branch == branch)
    asked = zip(replies, run.requests(branch), strict=True)
    for (reply, messages), said in zip(asked, run.answers(branch), strict=False):
        yield Asked(reply, messages, said)


def conversations(run: Material) -> Iterator[tuple[Asked, int]]:
    """The last request of each conversation, and how many of its messages were known before it began.

    A conversation ends where the next request does not begin with all of this one: something was folded or taken back.
    So each reply stands in exactly one conversation beyond that number, and behind what it was asked with.
    """
    for branch in run.trajectory.last_replies:
        last: Asked | None = None
        known = 0
        for asked in (each for each in answered(run, branch) if each.messages):
            if last is not None and not _goes_on(last, asked.messages):
                yield last, known
                known = len(asked.messages)
            last = asked
        if last is not None:
            yield last, known


def _goes_on(before: Asked, after: Sequence[Message]) -> bool:
    """Whether a request begins with an earlier one and its reply. What stayed is the same object, so this is quick."""
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


def plain(message: Message) -> Message:
    """A message as any provider reads it."""
    return {name: value for name, value in message.items() if name not in OURS} if OURS & message.keys() else message


def answer(reply: Reply, taken: set[str]) -> Message:
    """A reply as a message. `taken` are the ids of the calls before it: none is there twice."""
    said: Message = {"role": "assistant", "content": reply.text}
    calls = []
    for number, action in enumerate(reply.actions, 1):
        id = call_id(action.id, f"call_{reply.ask}_{number}", taken)
        function = {"name": action.tool, "arguments": json.dumps(action.arguments)}
        calls.append({"id": id, "type": "function", "function": function})
    return said | ({"tool_calls": calls} if calls else {})
