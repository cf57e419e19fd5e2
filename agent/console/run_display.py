"""What a person sees of a run: each step as it is done, what goes on meanwhile, then diff, proof and where it lies.

On a terminal a step takes some lines, and the bottom ones are drawn anew while the run works; in a log it is one line.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.segment import Segment, Segments
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from aci.cleaning import clean, one_line
from agent.best import PARTS, TOLD, verdict_of
from agent.describing import describe
from agent.engine import Engine, Happening
from agent.frames import unframed
from agent.live import FRAMES_PER_SECOND, Status, cost, numbered, thousands
from agent.solve import Result
from agent.summary import as_json
from agent.terminal import LOG_WIDTH, Rich, moves
from trajectories.errors import SweAgentError
from trajectories.material import NOT_CHECKED
from trajectories.records import Exit, Reply, Spent, Step, Verdict
from trajectories.trajectory import Trajectory

FULL_INDEX = re.compile(r"^index ([0-9a-f]{10})[0-9a-f]{30}\.\.([0-9a-f]{10})[0-9a-f]{30}", re.MULTILINE)
FLAG = re.compile(r"--[a-z][a-z-]+")
MARK = {True: "[green]yes[/]", False: "[red]no[/]", None: "[dim]not judged[/]"}
ENDINGS = {
    "verified": "[bold green]Verified:[/] the patch solves the issue, and a test proves it.",
    "faster": "[bold green]Faster:[/] same answers, fewer instructions.",
    "unproven": "[bold yellow]Not verified:[/] here is a patch, but the proof is not complete.",
    "not_found": "[bold yellow]No fix was found.[/]",
    "budget": "[bold yellow]The budget ended first.[/]",
    "limit": "[bold yellow]A limit ended the run.[/]",
    "error": "[bold red]The model could not go on.[/]",
    "open": "[bold yellow]Not finished.[/]",
    "stuck": "[bold yellow]The model went round in circles.[/]",
    "interrupted": "[bold yellow]Interrupted.[/]",
    "answered": "[bold]Answered.[/]",
    "done": "[bold]Done.[/]",
    "undone": "[bold]Taken back, or brought again.[/]",
    "written": "[bold green]Tests were written:[/] they pass each time, and say what the code does at present.",
    "replayed": "[bold green]Acted again:[/] nothing differs but text.",
    "parted": "[bold yellow]Acted again:[/] it parts from what was recorded.",
}


THOUGHT_LINES = 2
TOLD_EVERY = 10.0
"""Seconds between two lines of progress in a log."""


class Console:
    """Progress goes to stderr, the result to stdout; with `json` stdout gets exactly one object."""

    def __init__(self, json: bool = False, plain: bool = False, out: bool = False) -> None:
        colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
        self.json = json
        self.out = Rich(highlight=False, **colour)
        self.progress = self.out if out else Rich(stderr=True, highlight=False, **colour)
        self.started = time.monotonic()
        self._moving = moves(self.progress, plain or out)
        self._told = self.started
        self._engine: Engine | None = None
        self._status: Status | None = None

    @contextmanager
    def watching(self, engine: Engine) -> Iterator[None]:
        """While this lasts, steps tell what the run has cost so far, and a terminal shows what goes on."""
        self._engine = engine
        if not self._moving:
            yield
            return
        from rich.live import Live

        self._status = Status(engine)
        rate = FRAMES_PER_SECOND / 2
        try:
            with Live(
                self._status, console=self.progress, transient=True, refresh_per_second=rate, redirect_stdout=False
            ):
                yield
        finally:
            self._status = None

    def heading(self, trajectory: Trajectory) -> None:
        run = trajectory.run
        if run is None:
            return
        turn = trajectory.turns[-1]
        model = turn.models.get("coder", "no model")
        self.progress.print(f"[bold]{told(run.issue.title)}[/]", soft_wrap=True)
        self.progress.print(
            f"[dim]{told(run.repository)} at {told(run.base)} · {told(turn.strategy)} · {told(model)} · "
            f"{told(run.settings['workspace'])} · run {told(run.id)}[/]",
            soft_wrap=True,
        )

    def happening(self, event: Happening) -> None:
        if status := self._status:  # other threads tell of late events too
            status.happening(event)
        if event.kind == "progress":
            self._progress(event)
        elif event.kind in ("say", "phase", "candidate", "summary"):
            self._line(event.branch, event.kind if event.kind != "say" else "", event.text)

    def _progress(self, event: Happening) -> None:
        """A terminal has it among its last lines; a log gets a line now and then."""
        now = time.monotonic()
        if not self._moving and now - self._told >= TOLD_EVERY:
            self._told = now
            self._line(event.branch, "", event.text)

    def step(self, step: Step) -> None:
        """Who did what, and what came of it; with what the run has cost so far if it asked a model."""
        if self._status is not None:
            self._status.step(step)
            self._lines_of(step)
            return
        done = "; ".join(describe(action) for action in step.actions)
        seen = _came_of(step)
        self._line(step.branch, step.author, f"{done} → {seen}" if done else seen, self._cost(step))

    def _lines_of(self, step: Step) -> None:
        """A step as a terminal shows it: a heading with the cost so far, the thought, a line an action."""
        width = self.progress.width
        head = Text.assemble(
            (f"{time.monotonic() - self.started:7.1f}s ", "dim"), (numbered(clean(step.branch), step.n), "cyan")
        )
        head.append(f" {clean(step.author)}" if step.author != "coder" else "")
        paid = self._cost(step)
        if paid and head.cell_len + len(paid) < width:
            head.append(f"{paid:>{width - head.cell_len}}", style="dim")
        self.progress.print(head, soft_wrap=True)
        reply = self._engine.trajectory.replies.get((step.branch, step.reply)) if self._engine and step.reply else None
        for line in self._thought(reply):
            self.progress.print(line, soft_wrap=True)
        for line in _acted(step):
            line.truncate(width, overflow="ellipsis")
            self.progress.print(line, soft_wrap=True)

    def _thought(self, reply: Reply | None) -> list[Text]:
        """The beginning of what the model said, in lines that fit."""
        width = self.progress.width - 2
        said = one_line(reply.text) if reply else ""
        lines = Text(said[: (THOUGHT_LINES + 1) * width]).wrap(self.progress, width)
        shown = [Text(f"  {line.plain.rstrip()}", style="dim") for line in lines[:THOUGHT_LINES]]
        if len(lines) > THOUGHT_LINES:
            shown[-1].truncate(width + 1)
            shown[-1].append("…")
        return [line for line in shown if line.plain.strip()]

    def _cost(self, step: Step) -> str:
        """What the run has cost so far, told at steps that a model took."""
        if step.reply is None or self._engine is None or not (spent := self._engine.ledger.spent).calls:
            return ""
        return cost(spent, short=True)

    def _line(self, branch: str, who: str, text: str, end: str = "") -> None:
        line = Text()
        line.append(f"{time.monotonic() - self.started:7.1f}s ", style="dim")
        line.append(f"{clean(branch)} " if branch != "main" else "", style="magenta")
        line.append(f"{clean(who)} " if who else "", style="cyan")
        line.append(one_line(text))
        width = max(40, self.progress.width) if self.progress.is_terminal else LOG_WIDTH
        line.truncate(max(20, width - len(end) - 1), overflow="ellipsis")
        line.append(f" {end}" if end else "", style="dim")
        self.progress.print(line, soft_wrap=True)

    def result(self, result: Result, error: SweAgentError | None = None) -> None:
        """The last word on a run, for a program or a person."""
        if self.json:
            from json import dumps

            answer = as_json(result, error) | ({"effects": list(result.effects)} if result.effects else {})
            sys.stdout.write(dumps(answer) + "\n")
            return
        if result.patch:
            shown = FULL_INDEX.sub(r"index \1..\2", clean(f"{result.patch.diff}.")[:-1])
            if self.out.is_terminal:
                self.out.print(Syntax(shown.rstrip(), "diff", background_color="default", word_wrap=True))
            else:  # a file or a pipe, from which it may be applied: no line is broken, no tab and no blank end goes
                ended = shown if shown.endswith("\n") else f"{shown}\n"
                self.out.print(Segments([Segment(ended)]), soft_wrap=True, end="")
        if result.word:
            self.out.print(Text(clean(result.word)))
        steps = self._engine.trajectory.all_steps() if self._engine else []
        self.ending(result.exit, result.directory, steps[-1].id if steps else "")
        for effect in result.effects:
            self.out.print(told(effect), soft_wrap=True)
        if result.spent.calls:
            self.out.print(f"[dim]{self._bill(result.spent)}[/]")
        if error is not None:
            self.out.print(f"[red]{told(error.message)}[/] {told(error.fix)}", soft_wrap=True)

    def _bill(self, spent: Spent) -> str:
        """What the run came to. What is held for requests whose end nobody saw counts as spent."""
        calls = "1 call" if spent.calls == 1 else f"{spent.calls} calls"
        held = f", +{thousands(self._held())} held" if self._held() else ""
        money = "price unknown" if spent.dollars is None else f"${spent.dollars:.4f}"
        return f"{calls}, {spent.input_tokens:,} tokens in, {spent.output_tokens:,} out{held}, {money}"

    def _held(self) -> int:
        if self._engine is None:
            return 0
        trajectory = self._engine.trajectory
        return sum(hold.tokens for name, hold in trajectory.holds.items() if name not in trajectory.settles)

    def ending(self, exit: Exit, directory: Path | None, last: str = "", untrusted: bool = False) -> None:
        """How it ended; with its `last` step, from where more than a limit gave can be had. Of an `untrusted` run that
        is what somebody else claims."""
        claimed = f"[bold yellow]Claimed: {told(exit.kind)}.[/] {NOT_CHECKED}"
        self.out.print(claimed if untrusted else ENDINGS.get(exit.kind, told(exit.kind)))
        if exit.message:
            flag = FLAG.search(exit.fix) if exit.kind in ("limit", "budget") and last else None
            fix = exit.fix
            if flag is not None and directory is not None:  # an ended run has no more of it, a fork has
                fix = f"`swe-agent fork {directory.name}@{last} {flag[0]} N` goes on with more."
            self.out.print(f"{told(exit.message)} {told(fix)}", soft_wrap=True)
        if exit.verdict.kind != "none":
            self._proof(exit.verdict, "claimed proof" if untrusted else "proof")
        if directory is None:
            return
        if not untrusted and (directory / "proof.sh").exists():
            self.out.print(
                f"Repeat the proof in a checkout of the base: sh {told(directory / 'proof.sh')}", soft_wrap=True
            )
        self.out.print(f"[dim]The run lies in {told(directory)} ({exit.seconds:.1f} s).[/]", soft_wrap=True)

    def _proof(self, verdict: Verdict, title: str) -> None:
        if any(getattr(verdict, part) is not None for part in PARTS):
            table = Table(title, "", box=None, pad_edge=False)
            for part, meaning in PARTS.items():
                if verdict.kind != "faster" or getattr(verdict, part) is not None:  # of speed no test is red
                    table.add_row(meaning, MARK[getattr(verdict, part)])
            self.out.print(table)
        named = "\n".join(verdict.notes)
        shown = tuple(test for test in verdict.tests if test not in named)
        for title, names in (("shown by", shown), ("lost", verdict.lost), ("flaky, left out", verdict.flaky)):
            if names:
                self.out.print(
                    f"{title}: {told(', '.join(names[:10]))}{' …' if len(names) > 10 else ''}", soft_wrap=True
                )
        for note in verdict.notes:
            self.out.print(f"[dim]· {told(note)}[/]", soft_wrap=True)


def told(text: object) -> str:
    """Somebody's text in a line of markup."""
    return escape(clean(str(text)))


def _came_of(step: Step) -> str:
    """What a step led to, in one line."""
    if step.author == "proof":
        verdict = verdict_of(step)
        if verdict.red is None and verdict.green is None:  # it was only to show whether something is lost
            return _first_line(step.observations[0].text)
        parts = (f"{part.replace('_', ' ')} {TOLD[getattr(verdict, part)]}" for part in PARTS)
        return f"{verdict.kind}: {', '.join(parts)}"
    text = "\n".join(observation.text for observation in reversed(step.observations))
    return _first_line(unframed(text))


def _first_line(text: str) -> str:
    return next((line.strip() for line in clean(text).splitlines() if line.strip()), "")


def _acted(step: Step) -> list[Text]:
    """A line an action, with what came of it; a step without actions in one line."""
    if not step.actions:
        return [Text(f"  {_came_of(step)}")] if step.observations else []
    lines = []
    for number, action in enumerate(step.actions):
        seen = step.observations[number] if number < len(step.observations) else None
        mark = ("✓", "green") if seen and seen.ok else ("✗", "red") if seen else ("·", "dim")
        came = _first_line(seen.text) if seen else "not run"
        lines.append(Text.assemble("  ", mark, f" {clean(describe(action))}", (f" → {came}", "dim")))
    return lines
