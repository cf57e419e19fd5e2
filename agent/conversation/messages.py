"""Messages sent to a model, computed purely from the records so that a resumed run sends the same bytes.

This module also summarizes an action and its result in one line for the user.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text, wrap_output
from agent.conversation.compaction import SEPARATOR, Compaction, characters, json_bytes, token_bound
from agent.models.base import Message
from agent.run_state.rewind import is_rewritten, rewind_target, rewinds, visible_steps
from agent.run_state.turn_state import TASK_AUTHOR
from trajectories.errors import UsageError
from trajectories.page_picture import data_url, picture_size
from trajectories.records import PICTURE, Reply, Step
from trajectories.trajectory import Trajectory, call_id, observation_message

if TYPE_CHECKING:
    from trajectories.records import Action, Observation

Pictures = Mapping[int, Sequence[str]]
"""`data:` URLs of images, keyed by the number of the step that they illustrate."""
Recall = Callable[[int], bytes]
"""Function that returns a stored output of the run. Raises LookupError or FileNotFoundError if there is none."""
Replies = Mapping[tuple[str, int], Reply]
"""Replies by branch and request number."""
LONGEST_TOKEN = 16
"""Upper bound on the average number of bytes per token of any text."""
REQUEST_TOKENS = 64
"""Upper bound on the number of tokens that a request has in addition to its messages and tools."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The model that a conversation is built for.

    Opaque reply blocks are sent back only to `model`. `window` is the maximum number of tokens of a request (0:
    unknown), `cached` the price of a cached input token relative to a fresh one (1.0: no cache), `images` whether the
    model accepts images.
    """

    model: str
    window: int = 0
    cached: float = 0.1
    images: bool = False


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """The messages of the next request.

    `last` is the same model's latest reply if the request for it is a prefix of this one, else None. `token_bounds` are
    the results of `token_bound` for the messages, if they are known.
    """

    messages: list[Message]
    last: Reply | None = None
    token_bounds: Sequence[int] = ()

    @property
    def characters(self) -> int:
        """The total size of the messages in characters, as compared with `limits`."""
        return sum(map(characters, self.messages))

    def input_bound(self, tools: Sequence[dict[str, Any]] = ()) -> int:
        """Return the maximum number of input tokens that the request can be billed for."""
        return input_bound(self.messages, tools, self.last, self.token_bounds)


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """What the requests of a conversation depend on besides its steps.

    `limits` are pairs (request number, maximum number of characters): each limit applies from that request on.
    """

    system: str
    reader: Reader
    limits: Sequence[tuple[int, int]] = ()
    images: Pictures = field(default_factory=dict)


class BranchConversation:
    """The conversation of a branch, to which each request adds the steps since the previous one.

    It is built anew from the records after a rewind, for other settings, and if the next step is not the reply to the
    last request: the requests are those of a conversation built anew for each.
    """

    def __init__(self, recall: Recall | None = None) -> None:
        self._recall = recall  # None: pictures of observations are left out
        self._settings: ConversationSettings | None = None
        self._compaction = Compaction()
        self._taken_ids: set[str] = set()
        self._included = 0  # number of steps that the conversation contains
        self._ask = 0  # number of the last request
        self._request: ModelRequest | None = None

    def request(
        self, ask: int, settings: ConversationSettings, steps: Sequence[Step], replies: Replies
    ) -> ModelRequest:
        """Return request number `ask` in OpenAI's chat format.

        Raises ModelError if the conversation cannot be made to fit the reader's window or the limits.
        """
        if self._request and (self._ask, self._included, self._settings) == (ask, len(steps), settings):
            return self._request  # it is sent again
        self._request = None
        compaction = self.add_steps(ask, settings, steps, replies)
        self._settings = None  # built anew if it does not fit
        extends = compaction.decide() and not is_rewritten(steps)
        self._settings = settings
        last = next((replies[step.branch, step.reply] for step in reversed(steps) if step.reply is not None), None)
        last = last if last and last.model == settings.reader.model and extends else None
        self._request = ModelRequest(compaction.messages, last, compaction.token_bounds)
        return self._request

    def add_steps(
        self, ask: int, settings: ConversationSettings, steps: Sequence[Step], replies: Replies
    ) -> Compaction:
        """Return the conversation with all steps. The caller decides on the folds of request number `ask`."""
        reader = settings.reader
        later = steps[self._included :]
        if self._settings != settings or not self._continues(later):
            self._settings, self._taken_ids, self._ask = settings, set(), 0
            self._compaction = Compaction(reader.window, reader.cached, settings.limits)
            if settings.system:
                self._compaction.say({"role": "system", "content": settings.system})
            later = visible_steps(steps)
        for step in later:
            if step.reply is not None and step.reply != self._ask:
                self._compaction.decide(step.reply)
            add(self._compaction, step, replies, reader, settings.images, self._taken_ids, self._recall)
        self._included, self._ask = len(steps), ask
        return self._compaction

    def _continues(self, later: Sequence[Step]) -> bool:
        """Return whether `later` starts with the reply to the last request and contains no rewind."""
        return (
            bool(later)
            and later[0].reply == self._ask
            and all(rewind_target(step) is None and rewinds(step) is None for step in later)
        )


def add(
    talk: Compaction,
    step: Step,
    replies: Replies,
    reader: Reader,
    images: Pictures,
    taken: set[str],
    recall: Recall | None = None,
) -> None:
    """Add a step to a conversation that was already folded for the step's own request. `taken` holds the tool call ids
    that are already used, `recall` returns the pictures of observations."""
    if step.reply is None:
        # A line that summarises omitted steps has no tree and no images.
        pictures = images.get(step.n, ()) if step.tree else ()
        talk.say({"role": "user", "content": _illustrated(observation_message(step), pictures, reader.images)})
    else:
        reply = replies[step.branch, step.reply]
        # The usage of a step that rewinds includes the omitted steps.
        usage = reply.usage if rewind_target(step) is None else None
        seen = _pictures(step, recall) if recall and reader.images else {}
        talk.exchange(_exchange(step, reply, reader.model, taken), step, usage, seen)


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
    if not calls and step.actions:  # the actions were written as text
        return [assistant, *({"role": "user", "content": text} for text in _outputs(step))]
    if not calls:
        return [assistant, {"role": "user", "content": observation_message(step)}] if step.observations else [assistant]
    answers = (observation.text for observation in step.observations)
    return [assistant, *({"role": "tool", "tool_call_id": id, "content": next(answers, "")} for id in ids)]


def _outputs(step: Step) -> Iterator[str]:
    for action, observation in zip(step.actions, step.observations, strict=False):
        yield wrap_output(action.tool, observation.text)


def _pictures(step: Step, recall: Recall) -> dict[int, Message]:
    """Return a message with the picture of each observation that has one, by the observation's number."""
    found: dict[int, Message] = {}
    for number, (action, seen) in enumerate(zip(step.actions, step.observations, strict=False), 1):
        if (out := seen.data.get(PICTURE)) is None:
            continue
        try:
            picture = recall(out)
        except (LookupError, FileNotFoundError, UsageError):
            continue
        if picture_size(picture):
            text = f"The picture of step {step.n}, `{action.tool}`:"
            found[number] = {"role": "user", "content": _illustrated(text, [data_url(picture)], True)}
    return found


def images_by_step(trajectory: Trajectory, branch: str) -> dict[int, Sequence[str]]:
    """Return the images of each turn, keyed by the number of the step that contains the turn's request."""
    found: dict[int, Sequence[str]] = {}
    for number, at in enumerate(trajectory.turns_at):
        issue = trajectory.run.issue if trajectory.run else None
        pictures = trajectory.turns[number].images if number else issue.images if issue else ()
        if not pictures:
            continue
        later = itertools.islice(trajectory.records, at, None)
        for step in (record for record in later if isinstance(record, Step) and record.branch == branch):
            if step.reply is None and (not number or step.author == TASK_AUTHOR):
                found[step.n] = pictures
                break
    return found


def _illustrated(text: str, images: Sequence[str], accepts_images: bool) -> str | list[dict[str, Any]]:
    """Return the text with its images, or with a note that they could not be shown."""
    if not images:
        return text
    if not accepts_images:
        what = "1 picture" if len(images) == 1 else f"{len(images)} pictures"
        return f"{text}\n[{what} could not be shown: this model accepts none]"
    pictures = [{"type": "image_url", "image_url": {"url": url}} for url in images]
    return [{"type": "text", "text": text}, *pictures]


def size(said: Sequence[Message], tools: Sequence[dict[str, Any]] = ()) -> int:
    """Return an upper bound on the number of tokens in a request, assuming one byte per token and a fixed overhead per
    message.

    An image counts as `IMAGE_TOKENS`, not as the bytes of its data: URL.
    """
    return _size(list(map(token_bound, said)), tools)


def _size(bounds: Sequence[int], tools: Sequence[dict[str, Any]] = ()) -> int:
    return sum(bounds) + sum(json_bytes(tool) + SEPARATOR for tool in tools) + REQUEST_TOKENS


def input_bound(
    said: Sequence[Message], tools: Sequence[dict[str, Any]], last: Reply | None, bounds: Sequence[int] = ()
) -> int:
    """Return an upper bound on the billed input tokens of a request: the tokens of the last request plus the bytes
    added since.

    `last` is the latest reply (`ModelRequest.last`); its request consisted of the messages before the latest assistant
    message. The billed number of tokens is ignored if it is implausibly low for the length of that request. `bounds`
    are the results of `token_bound` for the messages, if they are known.
    """
    bounds = bounds or list(map(token_bound, said))
    whole = _size(bounds, tools)
    sent = next((at for at in reversed(range(len(said))) if said[at]["role"] == "assistant"), None)
    if last is None or last.usage is None or sent is None:
        return whole
    if last.usage.input_tokens * LONGEST_TOKEN < _size(bounds[:sent]):
        return whole
    return min(whole, last.usage.input_tokens + last.usage.output_tokens + _size(bounds[sent:]))


LONGEST_READ = 4_000
"""Number of characters in which the first line of a text is looked for."""


def describe(action: Action) -> str:
    """Return an action as one short line, with an arrow between an old text and its replacement."""
    arrow = {"new": "→ "} if "old" in action.arguments else {}
    words = [action.tool]
    for name, value in ((name, value) for name, value in action.arguments.items() if name != "timeout"):
        word = " ".join((" ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)).split())
        words.append(arrow.get(name, "") + (word if len(word) <= 60 else f"{word[:59]}…"))
    return " ".join(words)[:200].strip()


def describe_result(seen: Observation) -> str:
    """Return the result of an action as one line: of a failed command how it ended and the last line of its output, of
    everything else the first line. Runs of earlier versions have only the first line."""
    if seen.ok or not isinstance(last_line := seen.data.get("last_line"), str):
        return first_line(seen.text)
    return ": ".join(filter(None, (describe_exit(seen), first_line(last_line))))


def describe_exit(seen: Observation) -> str:
    """Return how the command of an observation ended; "" for actions that run no command."""
    code = seen.data.get("code")
    if seen.data.get("timed_out") is True:
        return "timed out"
    return f"exit code {code}" if isinstance(code, int) else ""


def first_line(text: str) -> str:
    """Return the first line that is not blank, without control characters."""
    return next((line.strip() for line in clean_text(text[:LONGEST_READ]).splitlines() if line.strip()), "")
