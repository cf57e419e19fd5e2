"""The display of a batch: a few lines that are redrawn on a terminal, or one line for each event in a log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from agent.console.activity_lines import tail
from agent.console.rich_terminal import can_redraw, console, heartbeat
from agent.run_state.progress_event import ProgressEvent
from extensions.lab.batch.reports.batch_progress import BatchLimits, BatchProgress, BatchSnapshot, RunningInstance
from extensions.lab.batch.reports.outcome_reasons import COLOURS, OUTCOME_REASONS, outcome_reason
from extensions.lab.batch.reports.progress_text import (
    clock,
    forecast_cost_text,
    forecast_time_text,
    money,
    pause_message,
    single_line,
)
from extensions.lab.instances.jobs import Job, JobResult
from trajectories.records import Step

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from extensions.lab.batch.batch_worker import BatchDisplay

FRAMES_PER_SECOND = 4
WIDE = 100
"""Minimum number of columns to show time and money on one line, and the phase of each run."""
LEAST_NAME, LEAST_DOING = 16, 10
MOST_NAMED = 3
"""Number of runs that a line in a log names while nothing else happens."""
DIGITS = re.compile(r"\d+")
SPARE = 1
"""Rows left free, for the cursor."""


def open_display(plan: BatchLimits, plain: bool = False) -> BatchDisplay:
    """Return the display that suits stderr: a dashboard for a terminal, else plain lines."""
    progress = console(plain, stderr=True)
    return (
        Dashboard(plan, progress) if can_redraw(progress, plain) else PlainLines(plan, console(plain=True, stderr=True))
    )


class PlainLines:
    """A display with one plain line for each event; implements `BatchDisplay`."""

    def __init__(self, plan: BatchLimits, progress: Console) -> None:
        self._tally = BatchProgress(plan)
        self._plan = plan
        self._progress = progress
        self._paused: frozenset[str] = frozenset()
        self._said = ""
        self._lock = Lock()
        self._heartbeat = heartbeat(self._print_running)

    def __enter__(self) -> PlainLines:
        self._heartbeat.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._heartbeat.__exit__(kind, value, at)

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult] = ()) -> None:
        self._tally.began(jobs, done)
        now = self._tally.snapshot()
        before = f"; {len(done)} already done, {money(now.dollars)}" if done else ""
        self._print(f"{len(jobs)} to solve, {self._plan.workers} workers{before}")

    def started(self, job: Job, image: str) -> None:
        self._tally.started(job)
        self._print(f"started {job.run}{f' in {image}' if image else ''}")

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        self._tally.step(job, step, dollars)

    def happening(self, job: Job, event: ProgressEvent) -> None:
        self._tally.happening(job, event)
        if event.kind == "say":
            self._print_message(job, event.text)

    def _print_message(self, job: Job, text: str) -> None:
        """Print a run's message and new pauses of models; skip a message that repeats the last one."""
        pauses, gist = self._plan.pauses(), DIGITS.sub("", text)
        with self._lock:
            new, again = pauses.keys() - self._paused, gist == self._said
            self._paused, self._said = frozenset(pauses), gist
        for model in sorted(new):
            self._print(pause_message(model, pauses[model]))
        if not again:
            self._print(f"{job.run}: {text}")

    def done(self, done: JobResult) -> None:
        seconds = self._tally.done(done)
        now = self._tally.snapshot()
        reason = [
            outcome_reason(done),
            f"exit {done.code}",
            f"verdict {done.verdict}",
            money(done.dollars, 4),
            f"{seconds:.1f} s",
            f"{done.steps} steps",
            *([f"{done.tries} tries"] if done.tries > 1 else []),
            *([done.error] if done.error and outcome_reason(done) in ("error", "infrastructure") else []),
        ]
        whole = [
            f"{now.done}/{now.total}",
            money(now.dollars),
            forecast_time_text(now.left),
            forecast_cost_text(now.cost),
        ]
        self._print(f"done {done.run}: {', '.join(reason)} · {', '.join(filter(None, whole))}")

    def say(self, text: str) -> None:
        self._print(text)

    def _print_running(self) -> None:
        now = self._tally.snapshot()
        running = [f"{one.run} {one.doing} ({now.now - one.since:.0f}s)" for one in now.running[:MOST_NAMED]]
        self._print("; ".join([f"{now.done}/{now.total} done, {len(now.running)} running", *running]))

    def _print(self, text: str) -> None:
        self._progress.print(Text(f"{clock(self._tally.elapsed)} {single_line(text)}"), soft_wrap=True)


class Dashboard:
    """A display that redraws the bottom of a terminal; finished runs scroll by above it. Implements `BatchDisplay`."""

    def __init__(self, plan: BatchLimits, progress: Console) -> None:
        self._tally = BatchProgress(plan)
        self._plan = plan
        self._progress = progress
        self._over = False
        from rich.live import Live

        self._live = Live(self, console=progress, refresh_per_second=FRAMES_PER_SECOND, redirect_stdout=False)

    def __enter__(self) -> Dashboard:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._over = True
        self._live.stop()

    def began(self, jobs: Sequence[Job], done: Sequence[JobResult] = ()) -> None:
        self._tally.began(jobs, done)

    def started(self, job: Job, image: str) -> None:
        self._tally.started(job)

    def step(self, job: Job, step: Step, dollars: float | None) -> None:
        self._tally.step(job, step, dollars)

    def happening(self, job: Job, event: ProgressEvent) -> None:
        self._tally.happening(job, event)

    def done(self, done: JobResult) -> None:
        seconds = self._tally.done(done)
        reason = outcome_reason(done)
        line = Text.assemble((f"{reason:>14}", COLOURS[OUTCOME_REASONS[reason].tone]), " ", single_line(done.run))
        line.append(f"  {money(done.dollars, 4)}  {clock(seconds)}", style="dim")
        if done.error and reason in ("error", "infrastructure"):
            line.append(f"  {single_line(done.error)}", style="dim")
        self._scroll(line)

    def say(self, text: str) -> None:
        self._scroll(Text(single_line(text), style="yellow"))

    def _scroll(self, text: Text) -> None:
        text.truncate(self._progress.width, overflow="ellipsis")
        self._progress.print(text, soft_wrap=True)

    # Rendering, in the display's thread

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        now = self._tally.snapshot()
        width, height = options.max_width, console.size.height
        head = [*self._head(now, width), *self._pauses()]
        yield from head
        rows = height - SPARE - sum(len(console.render_lines(part, options)) for part in head)
        if now.running and rows > 1 and not self._over:
            shown = now.running if len(now.running) <= rows else now.running[: rows - 1]
            yield _table(shown, now.now, width)
            if more := len(now.running) - len(shown):
                yield Text(f"and {more} more", style="dim")

    def _head(self, now: BatchSnapshot, width: int) -> Iterator[RenderableType]:
        from rich.progress_bar import ProgressBar

        bar = Table.grid(Column(ratio=1), Column(no_wrap=True), expand=True)
        share = f"{now.done / now.total:.0%}" if now.total else ""
        bar.add_row(ProgressBar(max(1, now.total), now.done), f" {now.done}/{now.total} {share}")
        yield bar
        spent = money(now.dollars) + (f" of {money(self._plan.total)}" if self._plan.total is not None else "")
        ahead = ("", "") if self._over else (f"{len(now.running)} running", forecast_time_text(now.left))
        times = ", ".join(filter(None, (ahead[0], clock(now.seconds), ahead[1])))
        over = self._plan.total is not None and now.cost is not None and now.cost.mean > self._plan.total
        dollars = Text(", ".join(filter(None, (spent, forecast_cost_text(now.cost)))), "yellow" if over else "")
        yield from (Text.assemble(times, " · ", dollars),) if width >= WIDE else (Text(times), dollars)
        exits = [(f"{name} {now.causes.get(name, 0)}", COLOURS[words.tone]) for name, words in OUTCOME_REASONS.items()]
        shown = [one for one in exits if one[0].startswith("verified") or not one[0].endswith(" 0")]
        yield Text(" · ").join([Text(text, colour) for text, colour in shown])

    def _pauses(self) -> Iterator[RenderableType]:
        for model, seconds in self._plan.pauses().items():
            yield Text(single_line(pause_message(model, seconds)), style="yellow", no_wrap=True, overflow="ellipsis")


def _table(shown: Sequence[RunningInstance], now: float, width: int) -> Table:
    """Return a table with a row for each instance; long names are cut at the start, because their ends distinguish them
    best."""
    phases = width >= WIDE
    longest = max(len(one.run) for one in shown)
    name = min(longest, max(LEAST_NAME, width // 3))
    table = Table.grid(
        Column(width=name, no_wrap=True),
        Column(justify="right", no_wrap=True, min_width=3, style="cyan"),
        Column(justify="right", no_wrap=True, min_width=5, style="dim"),
        Column(justify="right", no_wrap=True, min_width=6, style="dim"),
        *([Column(no_wrap=True, max_width=10, overflow="ellipsis", style="magenta")] if phases else []),
        Column(ratio=1, no_wrap=True, overflow="ellipsis", min_width=LEAST_DOING),
        padding=(0, 1, 0, 0),
        expand=True,
    )
    for one in shown:
        phase = [Text(single_line(one.phase))] if phases else []
        doing = Text(single_line(one.doing))
        table.add_row(tail(one.run, name), f"#{one.steps}", clock(now - one.since), money(one.dollars), *phase, doing)
    return table
