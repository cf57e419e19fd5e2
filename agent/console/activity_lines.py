"""The lines at the bottom of a terminal while a run works: what is thought or done, for how long, at what cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from agent.engine import Engine, Happening
    from trajectories.records import Spent, Step

TAIL = 4000
"""Characters of a streaming reply that are kept: no terminal is so wide that it shows half a key at their beginning."""
SHORTEST_BEGINNING = 4
MOST_BRANCHES = 4
FRAMES, ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
FRAMES_PER_SECOND = 8
SMALLEST_SHOWN = 0.00005
"""Dollars."""
NARROW = 60
"""Columns under which a figure is told in short."""


@dataclass(slots=True)
class Doing:
    """What a branch is at since `since` (monotonic seconds); `said` is the end of what the model streams."""

    what: str
    since: float = field(default_factory=time.monotonic)
    said: str = ""


class Status:
    """Fed with events and steps by any thread; drawn by rich's own."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._doing: dict[str, Doing] = {}
        self._lock = Lock()
        self._idle = Doing("starting", clock())
        self._lost = self._unsettled(engine.ledger.spent)
        """Dollars of requests that an earlier process did not see answered; they count as spent."""

    def happening(self, event: Happening) -> None:
        with self._lock:
            now = self._clock()
            if event.kind == "delta":
                doing = self._doing.setdefault(event.branch, Doing("thinks", now))
                doing.said = (doing.said + event.text)[-TAIL:]
            elif event.kind == "ask":
                self._doing[event.branch] = Doing("thinks", now)
            elif event.kind == "progress":  # of what is done since it began
                self._doing.setdefault(event.branch, Doing("", now)).what = event.text
            else:
                self._doing[event.branch] = Doing(event.text, now)

    def step(self, step: Step) -> None:
        """A step is done, and with it what its branch was at."""
        with self._lock:
            for branch in (step.branch, step.author):
                self._doing.pop(branch, None)
            self._idle = Doing("works", self._clock())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = options.max_width
        frames = ASCII_FRAMES if options.ascii_only else FRAMES
        with self._lock:
            busy = list(self._doing.items())[-MOST_BRANCHES:] or [("main", self._idle)]
            lines = [self._line(branch, doing, frames, width) for branch, doing in busy]
        yield from lines
        if (spent := self._engine.ledger.spent).calls:
            held = max(0.0, self._unsettled(spent) - self._lost)
            spent = replace(spent, dollars=None if spent.dollars is None else spent.dollars - held)
            told = cost(spent, self._engine.settings.budget, held, short=width < NARROW)
            yield _fitted(Text(told, style="dim"), width)

    def _unsettled(self, spent: Spent) -> float:
        """Dollars in what is spent that are only held so far."""
        settles = tuple(self._engine.trajectory.settles.values())
        return 0.0 if spent.dollars is None else spent.dollars - sum(settle.dollars or 0.0 for settle in settles)

    def _line(self, branch: str, doing: Doing, frames: str, width: int) -> Text:
        from aci.cleaning import one_line

        now = self._clock()
        line = Text()
        line.append(f"{frames[int(now * FRAMES_PER_SECOND) % len(frames)]} ", style="green")
        line.append(f"{now - doing.since:.0f}s ", style="dim")
        line.append(f"{numbered(branch, len(self._engine.trajectory.steps.get(branch, ())) + 1)} ", style="cyan")
        line.append(f"{one_line(doing.what)} ")
        room = width - line.cell_len
        line.append(tail(masked(doing.said, self._engine.secrets), room), style="dim italic")
        return _fitted(line, width)


def masked(said: str, secrets: Sequence[str]) -> str:
    """A text that is still coming, without secrets and without the beginning of one at its end."""
    from aci.view import clean, mask

    shown = mask(clean(said), secrets)
    for secret in secrets:
        for length in range(min(len(secret), len(shown)), SHORTEST_BEGINNING - 1, -1):
            if shown.endswith(secret[:length]):
                return shown[:-length]
    return shown


def numbered(branch: str, n: int) -> str:
    """A step's name as short as it is clear: `#3` on the main branch."""
    return f"#{n}" if branch == "main" else f"{branch}#{n}"


def tail(said: str, room: int) -> str:
    """The end of a text that fits into so many columns, in one line and without what a terminal would obey."""
    from aci.cleaning import one_line

    text = Text(one_line(said))
    if text.cell_len <= room:
        return text.plain
    if room < 2:
        return ""
    kept = text.plain[-room:]
    while Text(kept).cell_len > room - 1:
        kept = kept[1:]
    return f"…{kept}"


def cost(spent: Spent, budget: float | None = None, held: float = 0.0, short: bool = False) -> str:
    """What a run came to so far: `$0.0123 of $2.00 · 12.3k in (80% cached) · 417 out`; `held` is what a request under
    way may cost at most."""
    money = "price unknown" if spent.dollars is None else f"${spent.dollars:.4f}"
    if short:
        return f"{money} {thousands(spent.input_tokens)} in {thousands(spent.output_tokens)} out"
    if budget is not None and spent.dollars is not None:
        money += f" of ${budget:.2f}"
    if held >= SMALLEST_SHOWN:
        money += f" (${held:.4f} held)"
    cached = f" ({spent.cached_tokens / spent.input_tokens:.0%} cached)" if spent.cached_tokens else ""
    return f"{money} · {thousands(spent.input_tokens)} in{cached} · {thousands(spent.output_tokens)} out"


def thousands(count: int) -> str:
    """`417`, `12.3k`, `1.2M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
