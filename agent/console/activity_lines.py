"""The live lines at the bottom of a terminal during a run: activity, elapsed time and cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

    from agent.engine.engine import Engine
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.records import Spent, Step

TAIL = 4000
"""Number of characters kept of a streaming reply: more than any terminal shows, so that a key cut at the start is never
visible."""
SHORTEST_BEGINNING = 4
MOST_BRANCHES = 4
FRAMES, ASCII_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\"
FRAMES_PER_SECOND = 8
SMALLEST_SHOWN = 0.00005
"""Minimum reserved amount that is shown, in dollars."""
NARROW = 60
"""The width in columns below which the usage is abbreviated."""


@dataclass(slots=True)
class BranchActivity:
    """The current activity of a branch: `since` is when it started, in monotonic seconds, and `said` is the end of the
    model's streaming reply."""

    what: str
    since: float = field(default_factory=time.monotonic)
    said: str = ""


class Activities:
    """What each branch is doing, derived from progress events and steps, which any thread may pass."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._of_branch: dict[str, BranchActivity] = {}
        self._lock = Lock()
        self._idle = BranchActivity("starting", clock())

    def happening(self, event: ProgressEvent) -> None:
        with self._lock:
            now = self.clock()
            if event.kind == "delta":
                doing = self._of_branch.setdefault(event.branch, BranchActivity("thinks", now))
                doing.said = (doing.said + event.text)[-TAIL:]
            elif event.kind == "ask":
                self._of_branch[event.branch] = BranchActivity("thinks", now)
            elif event.kind == "output":
                self._of_branch.setdefault(event.branch, BranchActivity("", now)).said = event.text[-TAIL:]
            elif event.kind == "progress":  # an update of an activity that has started
                self._of_branch.setdefault(event.branch, BranchActivity("", now)).what = event.text
            elif event.starts_activity:
                self._of_branch[event.branch] = BranchActivity(event.text, now)

    def step(self, step: Step) -> None:
        """Remove the activities of a finished step."""
        with self._lock:
            for branch in (step.branch, step.author):
                self._of_branch.pop(branch, None)
            self._idle = BranchActivity("works", self.clock())

    def current(self) -> list[tuple[str, BranchActivity]]:
        """Return the activities of the branches that were active last, at least one."""
        with self._lock:
            return [(branch, replace(doing)) for branch, doing in self._of_branch.items()][-MOST_BRANCHES:] or [
                ("main", self._idle)
            ]

    def seconds(self, doing: BranchActivity) -> float:
        """Return for how many seconds an activity has lasted."""
        return self.clock() - doing.since


class LiveStatus:
    """The live status lines, which rich's own thread draws."""

    def __init__(self, engine: Engine, activities: Activities) -> None:
        self._engine = engine
        self._activities = activities
        self._lost_dollars = self._unsettled(engine.ledger.spent)
        """The cost, in dollars, of requests whose replies were lost when an earlier process ended; it counts as
        spent."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        width = options.max_width
        frames = ASCII_FRAMES if options.ascii_only else FRAMES
        for branch, doing in self._activities.current():
            yield self._line(branch, doing, frames, width)
        if (spent := self._engine.ledger.spent).calls:
            held = max(0.0, self._unsettled(spent) - self._lost_dollars)
            spent = replace(spent, dollars=None if spent.dollars is None else spent.dollars - held)
            text = cost(spent, self._engine.settings.budget, held, short=width < NARROW)
            yield _fitted(Text(text, style="dim"), width)

    def _unsettled(self, spent: Spent) -> float:
        """Return the amount, in dollars, that counts as spent but is only reserved so far."""
        settles = tuple(self._engine.trajectory.settles.values())
        return 0.0 if spent.dollars is None else spent.dollars - sum(settle.dollars or 0.0 for settle in settles)

    def _line(self, branch: str, doing: BranchActivity, frames: str, width: int) -> Text:
        from aci.observation.untrusted_text import one_line

        line = Text()
        line.append(f"{frames[int(self._activities.clock() * FRAMES_PER_SECOND) % len(frames)]} ", style="green")
        line.append(f"{self._activities.seconds(doing):.0f}s ", style="dim")
        line.append(f"{step_label(branch, len(self._engine.trajectory.steps.get(branch, ())) + 1)} ", style="cyan")
        line.append(f"{one_line(doing.what)} ")
        room = width - line.cell_len
        line.append(tail(mask_stream(doing.said, self._engine.secrets), room), style="dim italic")
        return _fitted(line, width)


def mask_stream(said: str, secrets: Sequence[str]) -> str:
    """Return streaming text with secrets masked, and without an incomplete secret at its end."""
    from aci.observation.secret_masking import mask_secrets
    from aci.observation.untrusted_text import clean_text

    shown = mask_secrets(clean_text(said), secrets)
    for secret in secrets:
        for length in range(min(len(secret), len(shown)), SHORTEST_BEGINNING - 1, -1):
            if shown.endswith(secret[:length]):
                return shown[:-length]
    return shown


def step_label(branch: str, n: int) -> str:
    """Return the shortest unambiguous name of a step: `#3` on the main branch."""
    return f"#{n}" if branch == "main" else f"{branch}#{n}"


def tail(said: str, room: int) -> str:
    """Return the end of a text that fits into `room` columns, on one line and without control sequences."""
    from aci.observation.untrusted_text import one_line

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
    """Return the usage of a run as text, such as `$0.0123 of $2.00 · 12.3k in (80% cached) · 417 out`.

    `held` is the amount reserved for pending requests, in dollars.
    """
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
    """Return a short form of a number: `417`, `12.3k`, `1.2M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1_000_000:.1f}M"


def _fitted(line: Text, width: int) -> Text:
    line.truncate(width, overflow="ellipsis")
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
