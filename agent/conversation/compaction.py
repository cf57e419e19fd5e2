"""When old observations of a conversation become stubs: where it pays, or where it must be shorter.

Folding rewrites a request from the cut on, and what a provider has cached ends there. So a fold is due when what it
saves over the calls still to come exceeds what must be sent again. The decision is made anew for each request of the
past, from the first on, with what was known then: what was once folded stays folded, with the same stub.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agent.frames import output
from agent.models.base import Message
from agent.protected import Protected
from agent.stubs import long_lines, names, shortened, shows_a_file, stub, tool_of, with_short_arguments, words
from trajectories.errors import ModelError
from trajectories.records import Step, Usage

CALLS_TO_COME, CALLS_OF_ONE = 5, 8
"""Requests over which a fold is taken to save, and where replies have hardly more than one action each."""
MANY = 1.5
"""Actions a reply, on average, from which on calls are few."""
AGE, VIEW_AGE = 3, 10
"""Calls after which an observation is old, and the text of a file: edits come late, and quote it."""
LONG = 500
STUB = 120
"""Characters: what is worth a stub, and what a stub has, about."""
WORTH = 2_000
"""Characters a fold saves at least; without it a model whose cache costs nothing extra is folded at every call."""
ROOM_LEFT = 0.75
"""How full a conversation is that was folded because it did not fit, so that the next call does not fold again."""
NEWEST = (4_000, 2_000, 1_000, 500)
"""Characters that each of the newest observations keeps, tried in turn."""

IMAGE_TOKENS = 8_000
"""What a picture counts in a bound, whatever the length of its data: URL."""
FRAME = 20
"""Characters that a message's frame is taken to have."""
SAFE = 3.0
"""Characters a token where no reply tells better; what a reply tells is believed between 1 and 6."""


@dataclass(slots=True)
class Part:
    """A message of a request; `call` counts the replies up to it, `sent` says that an earlier request had it."""

    message: Message
    size: int
    call: int
    sent: bool = field(default=False, init=False)

    @property
    def saving(self) -> int:
        """Characters that a stub in its place saves."""
        return 0


@dataclass(slots=True)
class Observed(Part):
    """Observation `number` (from 1) of a step. `foldable`: it is worth a stub, and no diff.

    `lines` and `names` are those of a file that it shows. It is old `age` calls after it was last `used`.
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
        """Its head and tail, in `cap` characters."""
        text = shortened(self.step, self.number, cap)
        is_tools = self.message["role"] == "tool"
        return self.message | {"content": text if is_tools else output(self.step.actions[self.number - 1].tool, text)}


class _Cut(NamedTuple):
    """Folding from part `start` on gains so many fresh characters' price, and saves `saved` characters a call."""

    start: int
    gain: float
    saved: int


class Folding:
    """A conversation that grows by `say` and `exchange`; `decide` comes before each of its requests.

    `window` is the tokens a request may have (0: nobody knows), `cached` the price of a cached token relative to a
    fresh one, `limits` are (ask number, most characters from that ask on).
    """

    def __init__(self, window: int = 0, cached: float = 0.1, limits: Sequence[tuple[int, int]] = ()) -> None:
        self._window, self._cached, self._limits = window, cached, limits
        self.parts: list[Part] = []
        self._protected = Protected()
        self._kept: frozenset[int] = frozenset()
        self._size = self._calls = 0
        self._sent_size = 0
        self._token = SAFE
        self._rewritten = False
        self._old = self._actions = 0
        self._ahead = CALLS_OF_ONE
        self._named: dict[str, list[int]] = defaultdict(list)
        self._showing: dict[str, list[int]] = defaultdict(list)
        """The parts that show a file, by each name in it, and by one of its lines."""
        self._touched: set[int] = set()
        self._due: dict[int, list[int]] = defaultdict(list)
        """Parts that may have become old, or young again, by now, and at a call to come."""
        self._cuts: list[_Cut] = []
        """The best cut if the conversation ended after each of the old parts."""

    @property
    def messages(self) -> list[Message]:
        return [part.message for part in self.parts]

    def say(self, message: Message) -> None:
        """Add what is never folded: the system's, a user's or the model's own words."""
        self._add(Part(message, characters(message), self._calls))

    def exchange(self, said: Sequence[Message], step: Step, usage: Usage | None = None) -> None:
        """Add a reply and what its actions answered; its usage tells how many characters a token has."""
        if usage and usage.input_tokens > 0:
            self._token = min(max(self._sent_size / usage.input_tokens, 1.0), 6.0)
        self._calls += 1
        self._actions += len(step.actions)
        self._use(words(said[0]))
        self.say(said[0])
        for number, message in enumerate(said[1:], 1):
            if number <= min(len(step.actions), len(step.observations)):
                self._observe(message, step, number)
            else:
                self.say(message)
        kept = self._protected.indexes
        del self._cuts[min(kept ^ self._kept, default=len(self._cuts)) :]
        self._kept = kept

    def decide(self, ask: int | None = None) -> bool:
        """Fold what pays and what must go before request number `ask`, or the one of now.

        Whether the request before is still the beginning of this one. Raises ModelError if the request of now cannot
        be made to fit.
        """
        self._rewritten = False
        self._fold_where_it_pays()
        room = self._room(ask)
        if self._size > room:
            self._squeeze(room)
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

    def _add(self, part: Part) -> None:
        self.parts.append(part)
        self._size += part.size

    def _observe(self, message: Message, step: Step, number: int) -> None:
        action, observation = step.actions[number - 1], step.observations[number - 1]
        self._protected.add(len(self.parts), action, observation)
        size = characters(message)
        diff = tool_of(action) == "edit" and observation.ok
        part = Observed(message, size, self._calls, step, number, size - FRAME > LONG and not diff, used=self._calls)
        if part.foldable and shows_a_file(action):
            part.lines, part.names, part.age = long_lines(observation.text), names(action, observation), VIEW_AGE
            self._supersede(part.lines)
            self._index(part)
        self._add(part)

    def _index(self, part: Observed) -> None:
        """Let the next part be found by what it shows."""
        for name in part.names:
            self._named[name].append(len(self.parts))
        if part.lines:
            self._showing[min(part.lines)].append(len(self.parts))

    def _use(self, said: frozenset[str]) -> None:
        """A file's text is used where the model speaks of the file, or of what is defined in it."""
        for part in self._found(self._named, said):
            part.used = self._calls

    def _supersede(self, lines: frozenset[str]) -> None:
        """A file's text that is shown again, or more of it, is old by that."""
        for part in self._found(self._showing, lines):
            if part.lines <= lines:
                part.age = 0

    def _found(self, indexes: Mapping[str, Sequence[int]], words: frozenset[str]) -> Iterator[Observed]:
        """Those by these words that are not protected; they may be of another age after this."""
        found = {index for word in words for index in indexes.get(word, ())} - self._kept
        self._touched |= found
        return (part for index in found if isinstance(part := self.parts[index], Observed))

    # Where it pays

    def _fold_where_it_pays(self) -> None:
        """After a cut, what is saved costs no more at the calls to come, what stays is paid as fresh once."""
        self._scan()
        best = self._cuts[-1] if self._cuts else _Cut(0, 0.0, 0)
        again = sum(part.size for part in self.parts[self._old :] if part.sent)
        if best.saved >= WORTH and best.gain >= again * (1 - self._cached):
            for part in self._candidates(best.start):
                self._put(part, part.stub)
            del self._cuts[best.start :]

    def _scan(self) -> None:
        """The best cuts up to the last old part: each is the largest sum of gains that ends there (Kadane)."""
        while self._old < len(self.parts) and self.parts[self._old].call <= self._calls - AGE:
            self._touched.add(self._old)
            self._old += 1
        self._forget()
        start, gain, saved = self._cuts[-1] if self._cuts else _Cut(0, 0.0, 0)
        for index in range(len(self._cuts), self._old):
            part = self.parts[index]
            saving = 0 if index in self._kept or not _is_old(part) else part.saving
            if gain <= 0:
                start, gain, saved = index, 0.0, 0
            gain += saving * self._cached * self._ahead - (part.size - saving) * (1 - self._cached)
            saved += saving
            self._cuts.append(_Cut(start, gain, saved))

    def _forget(self) -> None:
        """Cuts that were counted otherwise: from the first part on that has aged or was used since, or all."""
        ahead = CALLS_TO_COME if self._actions >= MANY * self._calls else CALLS_OF_ONE
        first = len(self._cuts) if ahead == self._ahead else 0
        self._ahead = ahead
        for call in [call for call in self._due if call <= self._calls]:
            self._touched.update(self._due.pop(call))
        for index in self._touched:
            part = self.parts[index]
            if index >= self._old or not isinstance(part, Observed):
                continue
            if part.old != (part.used <= self._calls - part.age):
                part.old = not part.old
                first = min(first, index)
            if not part.old:
                self._due[part.used + part.age].append(index)
        self._touched.clear()
        del self._cuts[first:]

    def _candidates(self, start: int = 0) -> list[Observed]:
        """Old observations that are worth a stub."""
        return [part for part in self._observations(start, self._old) if part.foldable and part.old]

    def _observations(self, start: int = 0, end: int | None = None) -> Iterator[Observed]:
        """Those that are not protected."""
        for index, part in enumerate(self.parts[start:end], start):
            if isinstance(part, Observed) and index not in self._kept:
                yield part

    def _put(self, part: Part, message: Message) -> None:
        """Let a shorter message stand for a part's; what is no shorter changes nothing."""
        size = characters(message)
        if size < part.size:
            self._size += size - part.size
            part.message, part.size = message, size
            self._rewritten |= part.sent
            if isinstance(part, Observed):
                part.foldable &= size - FRAME > LONG

    # Where it must be shorter

    def _room(self, ask: int | None) -> int:
        """Characters that request number `ask` may have, or the one of now, for which all limits hold."""
        most = [limit for since, limit in self._limits if ask is None or since <= ask]
        return min([*most, int(self._window * self._token)] if self._window else most, default=sys.maxsize)

    def _squeeze(self, room: int) -> None:
        """Shorten more, what is missed least first, until the request fits."""
        self._cuts = []
        for part in self._candidates():
            self._put(part, part.stub)
        self._shorten(room * ROOM_LEFT, self._younger())
        self._shorten(room, self._newest())
        self._shorten(room, self._long_calls())

    def _shorten(self, room: float, shorter: Iterable[tuple[Part, Message]]) -> None:
        for part, message in shorter:
            if self._size <= room:
                return
            self._put(part, message)

    def _younger(self) -> Iterator[tuple[Part, Message]]:
        return ((part, part.stub) for part in self._observations() if part.call < self._calls)

    def _newest(self) -> Iterator[tuple[Part, Message]]:
        for cap in NEWEST:
            yield from ((part, part.cut(cap)) for part in self._observations() if part.call == self._calls)

    def _long_calls(self) -> Iterator[tuple[Part, Message]]:
        for part in self.parts:
            if part.call < self._calls and part.message.get("tool_calls"):
                yield part, with_short_arguments(part.message)


def characters(message: Message) -> int:
    """What a message takes of a request: its words, calls and blocks, and a frame; a picture as its tokens would."""
    content, calls = message["content"], message.get("tool_calls", ())
    count = FRAME + (len(content) if isinstance(content, str) else sum(map(_part, content)))
    count += sum(len(call["function"]["name"]) + len(call["function"]["arguments"]) + FRAME for call in calls)
    return count + sum(map(len, message.get("blocks", ())))


def _is_old(part: Part) -> bool:
    return not isinstance(part, Observed) or part.old


def _part(part: dict[str, Any]) -> int:
    return len(part["text"]) if part["type"] == "text" else IMAGE_TOKENS * int(SAFE)
