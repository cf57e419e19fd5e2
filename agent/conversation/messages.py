"""What a model is sent: a pure function of the records, so that a resumed run sends the same bytes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from agent.backtrack import goes_back, in_short, is_rewritten
from agent.folding import IMAGE_TOKENS, Folding, characters
from agent.frames import output
from agent.models.base import Message
from trajectories.material import call_id, told
from trajectories.records import Reply, Step
from trajectories.trajectory import Trajectory

ASKING = "task"
"""The author of what a strategy says to its model."""
Pictures = Mapping[int, Sequence[str]]
"""data: URLs by the number of the step with whose words they are shown."""
NONE: Pictures = MappingProxyType({})
LONGEST_TOKEN = 16
"""Bytes a token, on average, that no text has."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The model that will read: what the conversation is made for.

    Opaque blocks go back to `model` only. `window` is the tokens a request may have (0: nobody knows), `cached` the
    price of a cached input token relative to a fresh one (1.0: no cache), `images` whether it takes pictures.
    """

    model: str
    window: int = 0
    cached: float = 0.1
    images: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What the next request says. `last` is the reply to the request that is this one's beginning, to the same model;
    None where there is none, or where something was folded since."""

    messages: list[Message]
    last: Reply | None = None

    @property
    def characters(self) -> int:
        """Its length in the unit of `limits`."""
        return sum(map(characters, self.messages))

    def input_bound(self, tools: Sequence[dict[str, Any]] = ()) -> int:
        """The most input tokens that the request can be billed."""
        return input_bound(self.messages, tools, self.last)


def messages(
    system: str,
    steps: Sequence[Step],
    replies: Mapping[tuple[str, int], Reply],
    reader: Reader,
    limits: Sequence[tuple[int, int]] = (),
    images: Pictures = NONE,
) -> Said:
    """The conversation of a branch in OpenAI's chat form.

    `limits` are (ask number, most characters): from that ask on the conversation must fit.
    Raises ModelError if it cannot be made to fit the reader's window, or the limits.
    """
    talk = conversation(system, steps, replies, reader, limits, images)
    extends = talk.decide()
    last = next((replies[step.branch, step.reply] for step in reversed(steps) if step.reply is not None), None)
    extends = extends and not is_rewritten(steps)
    return Said(talk.messages, last if last and last.model == reader.model and extends else None)


def conversation(
    system: str,
    steps: Sequence[Step],
    replies: Mapping[tuple[str, int], Reply],
    reader: Reader,
    limits: Sequence[tuple[int, int]] = (),
    images: Pictures = NONE,
) -> Folding:
    """The conversation as `messages` has it, before it is decided what the next request folds."""
    talk = Folding(reader.window, reader.cached, limits)
    taken: set[str] = set()
    if system:
        talk.say({"role": "system", "content": system})
    for step in in_short(steps):
        if step.reply is not None:
            talk.decide(step.reply)
        add(talk, step, replies, reader, images, taken)
    return talk


def add(
    talk: Folding,
    step: Step,
    replies: Mapping[tuple[str, int], Reply],
    reader: Reader,
    images: Pictures,
    taken: set[str],
) -> None:
    """Let a conversation grow by a step; what its ask was sent has been decided. `taken` are the ids of the calls so
    far."""
    if step.reply is None:
        pictures = images.get(step.n, ()) if step.tree else ()  # a line in place of others has no tree
        talk.say({"role": "user", "content": _illustrated(told(step), pictures, reader.images)})
    else:
        reply = replies[step.branch, step.reply]
        usage = reply.usage if goes_back(step) is None else None  # for a longer conversation than is told here
        talk.exchange(_exchange(step, reply, reader.model, taken), step, usage)


def _exchange(step: Step, reply: Reply, model: str, taken: set[str]) -> list[Message]:
    ids = []
    for number, action in enumerate(reply.actions, 1):
        ids.append(call_id(action.id, f"call_{step.n}_{number}", taken))
    calls = [
        {"id": id, "type": "function", "function": {"name": action.tool, "arguments": json.dumps(action.arguments)}}
        for id, action in zip(ids, reply.actions, strict=True)
    ]
    assistant: Message = {"role": "assistant", "content": reply.text}
    if calls:
        assistant["tool_calls"] = calls
    if reply.blocks and reply.model == model:
        assistant["blocks"] = list(reply.blocks)
    if not calls and step.actions:  # written as text
        return [assistant, *({"role": "user", "content": text} for text in _outputs(step))]
    if not calls:
        return [assistant, {"role": "user", "content": told(step)}] if step.observations else [assistant]
    answers = (observation.text for observation in step.observations)
    return [assistant, *({"role": "tool", "tool_call_id": id, "content": next(answers, "")} for id in ids)]


def _outputs(step: Step) -> Iterator[str]:
    for action, observation in zip(step.actions, step.observations, strict=False):
        yield output(action.tool, observation.text)


def illustrated(trajectory: Trajectory, branch: str) -> dict[int, Sequence[str]]:
    """The pictures of each turn, at the step in which the branch is told what the turn asks for."""
    found: dict[int, Sequence[str]] = {}
    for number, at in enumerate(trajectory.turns_at):
        issue = trajectory.run.issue if trajectory.run else None
        pictures = trajectory.turns[number].images if number else issue.images if issue else ()
        later = (record for record in itertools.islice(trajectory.records, at, None) if pictures)
        for step in (record for record in later if isinstance(record, Step) and record.branch == branch):
            if step.reply is None and (not number or step.author == ASKING):
                found[step.n] = pictures
                break
    return found


def _illustrated(text: str, images: Sequence[str], shown: bool) -> str | list[dict[str, Any]]:
    """A text with its pictures, or with one line that says they could not be shown."""
    if not images:
        return text
    if not shown:
        what = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
        return f"{text}\n[{what} could not be shown: this model takes none]"
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return [{"type": "text", "text": text}, *pictures]


def size(said: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> int:
    """An upper bound of the tokens in a request: no token is shorter than a byte, each message has a frame.

    A picture counts `IMAGE_TOKENS`, not the bytes of its data: URL.
    """
    pictures = 0
    plain: list[Message] = []
    for message in said:
        if isinstance(message["content"], list):
            texts = [part for part in message["content"] if part["type"] != "image_url"]
            pictures += len(message["content"]) - len(texts)
            message = {**message, "content": texts}
        plain.append(message)
    text = json.dumps([*plain, *tools], ensure_ascii=False)
    return len(text.encode("utf-8", "replace")) + 16 * len(said) + 64 + IMAGE_TOKENS * pictures


def input_bound(said: Sequence[Message], tools: Sequence[dict[str, Any]], last: Reply | None) -> int:
    """The most input tokens a request can be billed: what the last one was, and the bytes added since.

    `last` is the reply to the request that ended before the latest assistant message (`Said.last`). A bill for fewer
    tokens than any tokenizer could make of that request is not believed.
    """
    whole = size(said, tools)
    sent = max((i for i, message in enumerate(said) if message["role"] == "assistant"), default=None)
    if last is None or last.usage is None or sent is None:
        return whole
    if last.usage.input_tokens * LONGEST_TOKEN < size(said[:sent]):
        return whole
    return min(whole, last.usage.input_tokens + last.usage.output_tokens + size(said[sent:]))
