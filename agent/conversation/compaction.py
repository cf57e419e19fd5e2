"""Compaction: replacement of old observations in a conversation with stubs, to save money or to shorten the
conversation.

Folding rewrites a request from the first folded observation on, which invalidates the provider's cache from there. A
fold is therefore worthwhile if it saves more over the expected further calls than it costs to send the rest again. The
decisions are repeated from the first request on, each with the information available at that request, so an observation
that was once folded remains folded, with the same stub.

A stub is one line with a reference for reading the observation again. Pinned observations are kept in full, however
old, because the current work is based on them.
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from aci.observation.output_kinds import kind_of_command
from aci.observation.output_text import shorten
from aci.observation.untrusted_text import wrap_output
from agent.models.base import Message
from tools.base import ResultKind, metadata_of
from trajectories.errors import ModelError
from trajectories.records import Action, Observation, Step, Usage

LONGEST_MARK = 200


class PinnedObservations:
    """The latest view of each edited place, and the output of the last failing test run.

    A place is identified by a file and the first line of the text that an edit replaced. A view shows a place if it
    contains that line or the first line of the new text.
    """

    def __init__(self) -> None:
        self._views: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._places: dict[str, dict[str, str]] = defaultdict(dict)
        self._latest: dict[tuple[str, str], int] = {}
        self._failing: int | None = None

    @property
    def indexes(self) -> frozenset[int]:
        """The indexes of the pinned observations, as passed to `add`."""
        failing = () if self._failing is None else (self._failing,)
        return frozenset((*self._latest.values(), *failing))

    def add(self, index: int, action: Action, observation: Observation) -> None:
        """Add the next observation."""
        path = posixpath.normpath(str(action.arguments.get("path", "")))
        match result_of(action), observation.ok:
            case "file", True:
                self._view(index, path, observation.text)
            case "diff", True:
                self._edit(path, str(action.arguments.get("old", "")), str(action.arguments.get("new", "")))
            case "tests", False:
                self._failing = index

    def _view(self, index: int, path: str, text: str) -> None:
        self._views[path].append((index, text))
        for old, new in self._places[path].items():
            if _shows(text, old, new):
                self._latest[path, old] = index

    def _edit(self, path: str, old: str, new: str) -> None:
        mark, other = _first_line(old), _first_line(new)
        if not mark:
            return
        self._places[path][mark] = other
        shown = (index for index, text in reversed(self._views[path]) if _shows(text, mark, other))
        if (index := next(shown, None)) is not None:
            self._latest[path, mark] = index


def _shows(text: str, old: str, new: str) -> bool:
    return old in text or (new != "" and new in text)


def _first_line(text: str) -> str:
    return next((line.strip()[:LONGEST_MARK] for line in text.split("\n") if line.strip()), "")


LONG_ARGUMENT = 500
LONG_LINE, LONG_NAME = 20, 5
MOST_COMMAND, MOST_NAMES = 80, 40
STORED = re.compile(r"out:\d{1,9}|step:\d{1,9}\.\d{1,9}")
"""Matches the reference of a stored observation, which is viewed like a file."""
_PATH = re.compile(r"[\w./-]+")
_FILE = re.compile(r"\w\.\w{1,5}$")
_NAME = re.compile(r"[A-Za-z_]\w+")
_NUMBER = re.compile(r"^\s*\d+[\t:-]")
_DEFINES = re.compile(
    r"^[\t ]*(?:\d+(?:-\d+)?[\t ]+)?(?:export |public |static |pub )*(?:async )?"
    r"(?:def|class|func|function|fn|struct|interface) (\w+)",
    re.MULTILINE,
)


def stub(step: Step, number: int) -> str:
    """Return the stub of observation `number` (from 1) of a step: command, size, definitions and reference in one
    line."""
    action, observation = step.actions[number - 1], step.observations[number - 1]
    parts = [f"folded: {_command(action)}", _size(observation)]
    if names := _defined(observation.text):
        parts.append(f"defines {names}")
    how = "read it again" if observation.out is None else "read it whole"
    return f'[{", ".join(parts)}; {how} with view("{address(step, number)}")]'


def address(step: Step, number: int) -> str:
    """Return a reference to an observation, or to the full output if the observation was truncated."""
    action, observation = step.actions[number - 1], step.observations[number - 1]
    if observation.out is not None:
        return f"out:{observation.out}"
    path = action.arguments.get("path")
    if result_of(action) == "file" and isinstance(path, str) and STORED.fullmatch(path):
        return path
    return f"step:{step.n}.{number}"


def shortened(step: Step, number: int, cap: int) -> str:
    """Return the head and tail of an observation, limited to `cap` characters."""
    return shorten(step.observations[number - 1].text, cap, address(step, number))


def with_short_arguments(message: Message) -> Message:
    """Return an assistant message in which long arguments of tool calls are cut to head and tail."""
    calls = []
    for call in message["tool_calls"]:
        arguments = json.dumps(_short(json.loads(call["function"]["arguments"])))
        calls.append({**call, "function": {**call["function"], "arguments": arguments}})
    return {**message, "tool_calls": calls}


def result_of(action: Action) -> ResultKind:
    """Return what the result of an action is, which determines how it folds (see `ToolMetadata`)."""
    return metadata_of(action.tool).result


def shows_a_file(action: Action) -> bool:
    """Return whether an action shows the text of a file, which an edit may have to quote."""
    tool = metadata_of(action.tool)
    command = str(action.arguments.get(tool.runs, ""))
    return tool.result == "file" or (tool.result == "command" and kind_of_command(command) == "view")


def long_lines(text: str) -> frozenset[str]:
    """Return the long, and so distinctive, lines of a view without their line numbers."""
    lines = (_NUMBER.sub("", line).strip() for line in text.split("\n"))
    return frozenset(line for line in lines if len(line) >= LONG_LINE)


def names(action: Action, observation: Observation) -> frozenset[str]:
    """Return the name of the file that a view shows, and the names defined in the shown part."""
    asked = str(action.arguments.get("path") or action.arguments.get("command", ""))
    return frozenset((*_files(asked), *(name for name in _DEFINES.findall(observation.text) if len(name) >= LONG_NAME)))


def words(message: Message) -> frozenset[str]:
    """Return the identifiers and file names in an assistant message and its tool calls."""
    asked = (call["function"]["arguments"] for call in message.get("tool_calls", ()))
    text = "\n".join((str(message["content"]), *asked))
    return frozenset((*_files(text), *_NAME.findall(text)))


def _files(text: str) -> Iterator[str]:
    """Yield the file names that occur in the text. Two patterns are used, because a single one would take quadratic
    time for long words."""
    names = (path.rstrip("./-").rpartition("/")[2] for path in _PATH.findall(text))
    return (name for name in names if _FILE.search(name))


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return shorten(value, LONG_ARGUMENT)
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value


def _command(action: Action) -> str:
    given = action.arguments.items()
    words = " ".join(" ".join(str(value).split()) for name, value in given if name not in ("old", "new"))
    return _cut(f"{action.tool} {words}".strip(), MOST_COMMAND)


def _size(observation: Observation) -> str:
    lines = observation.text.count("\n") + 1
    size = f"{lines} lines" if lines > 1 else f"{len(observation.text)} characters"
    return size if observation.ok else f"failed, {size}"


@lru_cache(maxsize=2048)
def _defined(text: str) -> str:
    return _cut(", ".join(dict.fromkeys(_DEFINES.findall(text))), MOST_NAMES)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


CALLS_TO_COME, CALLS_OF_ONE = 5, 8
"""Expected number of further requests over which a fold must pay off; the larger number applies if replies have few
actions (see `MANY`)."""
MANY = 1.5
"""Minimum average number of actions per reply for which `CALLS_TO_COME` further requests are expected."""
AGE, VIEW_AGE = 3, 10
"""The number of calls after which an observation is old; the larger number is for views of files, since later edits
quote them."""
LONG = 500
STUB = 120
"""Minimum length of an observation that a stub replaces, and the approximate length of a stub, in characters."""
WORTH = 2_000
"""Minimum number of characters that a fold must save. Without this minimum, a model without cache discounts would fold
at every call."""
ROOM_LEFT = 0.75
"""The fraction of the limit to which a forced fold shortens a conversation, so that the next call does not fold
again."""
NEWEST = (4_000, 2_000, 1_000, 500)
"""Maximum numbers of characters for each of the newest observations, tried in turn until the request fits."""

LEFT_OUT = "[A picture was left out here.]"
IMAGE_TOKENS = 8_000
"""The assumed number of tokens of an image, regardless of the length of its data URL."""
FRAME = 20
"""The assumed number of characters that a message has in addition to its content."""
SEPARATOR, MESSAGE_TOKENS = 2, 16
"""Upper bounds on the overhead of a message in a request: bytes between messages in JSON, and tokens."""
SAFE = 3.0
"""The assumed number of characters per token until a reply reports its usage; measured values are limited to 1 to 6."""


@dataclass(slots=True)
class RequestMessage:
    """A message of a request. `call` is the number of replies so far, including this message if it is a reply; `sent`
    is true if an earlier request contained the message; `token_bound` is 0 until it is needed."""

    message: Message
    size: int
    call: int
    sent: bool = field(default=False, init=False)
    token_bound: int = field(default=0, init=False)

    @property
    def saving(self) -> int:
        """The number of characters that are saved if a stub replaces the message."""
        return 0


@dataclass(slots=True)
class ObservationEntry(RequestMessage):
    """Observation `number` (from 1) of a step. `foldable` means that it is long enough for a stub and is not a diff.

    If it shows a file, `lines` contains the long lines shown, and `names` the file's name and the names defined in the
    part that is shown. It is old if it was last `used` at least `age` calls ago.
    """

    step: Step
    number: int
    foldable: bool
    lines: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    age: int = AGE
    used: int = 0
    old: bool = field(default=False, init=False)

    @property
    def saving(self) -> int:
        return self.size - FRAME - STUB if self.foldable else 0

    @property
    def stub(self) -> Message:
        return self.message | {"content": stub(self.step, self.number)}

    def cut(self, cap: int) -> Message:
        """Return the message shortened to its start and end, with at most `cap` characters."""
        text = shortened(self.step, self.number, cap)
        is_tool_message = self.message["role"] == "tool"
        return self.message | {
            "content": text if is_tool_message else wrap_output(self.step.actions[self.number - 1].tool, text)
        }


class PictureEntry(ObservationEntry):
    """The picture of an observation, as a message of its own: results of tools are text only in OpenAI's format."""

    @property
    def stub(self) -> Message:
        return self.message | {"content": LEFT_OUT}

    def cut(self, cap: int) -> Message:
        return self.stub


class _Cut(NamedTuple):
    """The effect of folding from part `start` on: `saved` is the number of characters saved per call, and `gain` the
    expected net saving, as a number of uncached characters."""

    start: int
    gain: float
    saved: int


class Compaction:
    """A conversation to which `say` and `exchange` add messages; `decide` is called before each request.

    `window` is the maximum number of tokens of a request (0: unknown), and `cached` is the price of a cached token
    relative to an uncached one; `limits` contains pairs of a request number and the maximum number of characters from
    that request on.
    """

    def __init__(self, window: int = 0, cached: float = 0.1, limits: Sequence[tuple[int, int]] = ()) -> None:
        self._window, self._cached, self._limits = window, cached, limits
        self.parts: list[RequestMessage] = []
        self._pinned = PinnedObservations()
        self._pinned_indexes: frozenset[int] = frozenset()
        self._size = self._calls = 0
        self._sent_size = 0
        self._token_characters = SAFE
        self._rewritten = False
        self._old = self._actions = 0
        self._expected_calls = CALLS_OF_ONE
        self._parts_by_name: dict[str, list[int]] = defaultdict(list)
        self._parts_by_line: dict[str, list[int]] = defaultdict(list)
        """Indexes of the parts that show a file, by each name in the part and by one of its lines."""
        self._changed_parts: set[int] = set()
        self._parts_by_call: dict[int, list[int]] = defaultdict(list)
        """Indexes of the parts whose age must be checked again, and indexes of parts by the call at which they may
        become old."""
        self._best_cuts: list[_Cut] = []
        """For each part before index `_old`, the best cut of the conversation up to that part."""

    @property
    def messages(self) -> list[Message]:
        return [part.message for part in self.parts]

    @property
    def token_characters(self) -> float:
        """The estimated number of characters of a token."""
        return self._token_characters

    @property
    def token_bounds(self) -> list[int]:
        """The result of `token_bound` for each message."""
        for part in self.parts:
            part.token_bound = part.token_bound or token_bound(part.message)
        return [part.token_bound for part in self.parts]

    def say(self, message: Message) -> None:
        """Add a message of the system, the user or the model, which is never folded."""
        self._add(RequestMessage(message, characters(message), self._calls))

    def exchange(
        self,
        messages: Sequence[Message],
        step: Step,
        usage: Usage | None = None,
        pictures: Mapping[int, Message] = MappingProxyType({}),
    ) -> None:
        """Add a reply, the results of its actions and the `pictures` of some, by their number. The number of characters
        per token is estimated from the reply's usage."""
        if usage and usage.input_tokens > 0:
            self._token_characters = min(max(self._sent_size / usage.input_tokens, 1.0), 6.0)
        self._calls += 1
        self._actions += len(step.actions)
        self._use(words(messages[0]))
        self.say(messages[0])
        for number, message in enumerate(messages[1:], 1):
            if number <= min(len(step.actions), len(step.observations)):
                self._observe(message, step, number)
            else:
                self.say(message)
        for number, message in pictures.items():
            size = characters(message)
            self._add(PictureEntry(message, size, self._calls, step, number, foldable=True, used=self._calls))
        pinned = self._pinned.indexes
        del self._best_cuts[min(pinned ^ self._pinned_indexes, default=len(self._best_cuts)) :]
        self._pinned_indexes = pinned

    def decide(self, ask: int | None = None) -> bool:
        """Fold observations where that saves money, and where request number `ask` (by default the current one) exceeds
        a limit.

        Returns whether the previous request is still a prefix of this one. Raises ModelError if the current request
        cannot be made to fit.
        """
        self._rewritten = False
        self._fold_profitable()
        room = self._room(ask)
        if self._size > room:
            self._fold_to_fit(room)
        if self._size > room and ask is None:
            raise ModelError(
                f"The conversation cannot be made shorter than {self._size:,} characters, and may have {room:,}.",
                "Use a model with a larger window, or give a shorter issue.",
                billed=False,
            )
        for part in self.parts[self._old :]:
            part.sent = True
        self._sent_size = self._size
        return not self._rewritten

    def _add(self, part: RequestMessage) -> None:
        self.parts.append(part)
        self._size += part.size

    def _observe(self, message: Message, step: Step, number: int) -> None:
        action, observation = step.actions[number - 1], step.observations[number - 1]
        self._pinned.add(len(self.parts), action, observation)
        size = characters(message)
        diff = result_of(action) == "diff" and observation.ok
        part = ObservationEntry(
            message, size, self._calls, step, number, size - FRAME > LONG and not diff, used=self._calls
        )
        if part.foldable and shows_a_file(action):
            part.lines, part.names, part.age = long_lines(observation.text), names(action, observation), VIEW_AGE
            self._supersede(part.lines)
            self._index(part)
        self._add(part)

    def _index(self, part: ObservationEntry) -> None:
        """Index the next part by the names and lines that it shows."""
        for name in part.names:
            self._parts_by_name[name].append(len(self.parts))
        if part.lines:
            self._parts_by_line[min(part.lines)].append(len(self.parts))

    def _use(self, mentioned: frozenset[str]) -> None:
        """Mark the files that the model mentions, by their names or by definitions in them, as used."""
        for part in self._found(self._parts_by_name, mentioned):
            part.used = self._calls

    def _supersede(self, lines: frozenset[str]) -> None:
        """Mark earlier views as old if all of their lines are shown again."""
        for part in self._found(self._parts_by_line, lines):
            if part.lines <= lines:
                part.age = 0

    def _found(self, indexes: Mapping[str, Sequence[int]], words: frozenset[str]) -> Iterator[ObservationEntry]:
        """Yield the parts indexed under these words, except pinned ones, and schedule a new check of their age."""
        found = {index for word in words for index in indexes.get(word, ())} - self._pinned_indexes
        self._changed_parts |= found
        return (part for index in found if isinstance(part := self.parts[index], ObservationEntry))

    # Folds that pay

    def _fold_profitable(self) -> None:
        """Fold from the best cut on if that saves more over the expected calls than it costs to send the rest uncached
        once."""
        self._scan()
        best = self._best_cuts[-1] if self._best_cuts else _Cut(0, 0.0, 0)
        resent = sum(part.size for part in self.parts[self._old :] if part.sent)
        if best.saved >= WORTH and best.gain >= resent * (1 - self._cached):
            for part in self._candidates(best.start):
                self._replace_message(part, part.stub)
            del self._best_cuts[best.start :]

    def _scan(self) -> None:
        """Update the best cuts up to the last old part; each has the largest sum of gains that ends at its part
        (Kadane's algorithm)."""
        while self._old < len(self.parts) and self.parts[self._old].call <= self._calls - AGE:
            self._changed_parts.add(self._old)
            self._old += 1
        self._drop_outdated_cuts()
        start, gain, saved = self._best_cuts[-1] if self._best_cuts else _Cut(0, 0.0, 0)
        for index in range(len(self._best_cuts), self._old):
            part = self.parts[index]
            saving = 0 if index in self._pinned_indexes or not _is_old(part) else part.saving
            if gain <= 0:
                start, gain, saved = index, 0.0, 0
            gain += saving * self._cached * self._expected_calls - (part.size - saving) * (1 - self._cached)
            saved += saving
            self._best_cuts.append(_Cut(start, gain, saved))

    def _drop_outdated_cuts(self) -> None:
        """Drop the cuts from the first part on that became old or was used again, or all cuts if the expected number of
        calls has changed."""
        ahead = CALLS_TO_COME if self._actions >= MANY * self._calls else CALLS_OF_ONE
        first = len(self._best_cuts) if ahead == self._expected_calls else 0
        self._expected_calls = ahead
        for call in [call for call in self._parts_by_call if call <= self._calls]:
            self._changed_parts.update(self._parts_by_call.pop(call))
        for index in self._changed_parts:
            part = self.parts[index]
            if index >= self._old or not isinstance(part, ObservationEntry):
                continue
            if part.old != (part.used <= self._calls - part.age):
                part.old = not part.old
                first = min(first, index)
            if not part.old:
                self._parts_by_call[part.used + part.age].append(index)
        self._changed_parts.clear()
        del self._best_cuts[first:]

    def _candidates(self, start: int = 0) -> list[ObservationEntry]:
        """Return the old observations that can be replaced with stubs."""
        return [part for part in self._observations(start, self._old) if part.foldable and part.old]

    def _observations(self, start: int = 0, end: int | None = None) -> Iterator[ObservationEntry]:
        """Yield the observations that are not pinned."""
        for index, part in enumerate(self.parts[start:end], start):
            if isinstance(part, ObservationEntry) and index not in self._pinned_indexes:
                yield part

    def _replace_message(self, part: RequestMessage, message: Message) -> None:
        """Replace a part's message with a shorter one; a message that is not shorter is ignored."""
        size = characters(message)
        if size < part.size:
            self._size += size - part.size
            part.message, part.size, part.token_bound = message, size, 0
            self._rewritten |= part.sent
            if isinstance(part, ObservationEntry):
                part.foldable &= size - FRAME > LONG

    # Folds that are necessary

    def _room(self, ask: int | None) -> int:
        """Return the maximum number of characters of request number `ask`; by default of the current request, to which
        all limits apply."""
        most = [limit for since, limit in self._limits if ask is None or since <= ask]
        return min([*most, int(self._window * self._token_characters)] if self._window else most, default=sys.maxsize)

    def _fold_to_fit(self, room: int) -> None:
        """Shorten messages in several stages, the least important parts first, until the request fits."""
        self._best_cuts = []
        for part in self._candidates():
            self._replace_message(part, part.stub)
        self._shorten(room * ROOM_LEFT, self._younger())
        self._shorten(room, self._newest())
        self._shorten(room, self._long_calls())

    def _shorten(self, room: float, shorter: Iterable[tuple[RequestMessage, Message]]) -> None:
        for part, message in shorter:
            if self._size <= room:
                return
            self._replace_message(part, message)

    def _younger(self) -> Iterator[tuple[RequestMessage, Message]]:
        return ((part, part.stub) for part in self._observations() if part.call < self._calls)

    def _newest(self) -> Iterator[tuple[RequestMessage, Message]]:
        for cap in NEWEST:
            yield from ((part, part.cut(cap)) for part in self._observations() if part.call == self._calls)

    def _long_calls(self) -> Iterator[tuple[RequestMessage, Message]]:
        for part in self.parts:
            if part.call < self._calls and part.message.get("tool_calls"):
                yield part, with_short_arguments(part.message)


def characters(message: Message) -> int:
    """Return the size of a message in a request, in characters: text, calls, blocks and overhead; an image counts by
    its tokens."""
    content, calls = message["content"], message.get("tool_calls", ())
    count = FRAME + (len(content) if isinstance(content, str) else sum(map(_part, content)))
    count += sum(len(call["function"]["name"]) + len(call["function"]["arguments"]) + FRAME for call in calls)
    return count + sum(map(len, message.get("blocks", ())))


def token_bound(message: Message) -> int:
    """Return an upper bound on the number of tokens of a message in a request: its bytes as JSON and its overhead. An
    image counts by its tokens, not by the bytes of its data URL."""
    content, images = message["content"], 0
    if isinstance(content, list):
        texts = [part for part in content if part["type"] != "image_url"]
        images = len(content) - len(texts)
        message = {**message, "content": texts}
    return json_bytes(message) + SEPARATOR + MESSAGE_TOKENS + IMAGE_TOKENS * images


def json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _is_old(part: RequestMessage) -> bool:
    return not isinstance(part, ObservationEntry) or part.old


def _part(part: dict[str, Any]) -> int:
    return len(part["text"]) if part["type"] == "text" else IMAGE_TOKENS * int(SAFE)
