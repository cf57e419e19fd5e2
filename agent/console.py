"""What a person sees of a run on a plain terminal: a line a step while it works, then diff, proof and where it lies."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console as RichConsole
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from aci.view import clean
from agent.best import PARTS, TOLD, verdict_of
from agent.engine import Happening
from agent.solve import Result
from agent.summary import as_json
from agent.task import describe
from trajectories.errors import SweAgentError
from trajectories.records import Exit, Note, Reply, Step, Verdict
from trajectories.trajectory import Trajectory

FULL_INDEX = re.compile(r"^index ([0-9a-f]{10})[0-9a-f]{30}\.\.([0-9a-f]{10})[0-9a-f]{30}", re.MULTILINE)
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
}


class Rich(RichConsole):
    """Goes on in silence when nobody reads any more: a run does not end because a pipe did."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


class Console:
    """Progress goes to stderr, the result to stdout; with `json` stdout gets exactly one object."""

    def __init__(self, json: bool = False, plain: bool = False, out: bool = False) -> None:
        colour: dict[str, Any] = {"no_color": True, "color_system": None} if plain else {}
        self.json = json
        self.out = Rich(highlight=False, **colour)
        self.progress = self.out if out else Rich(stderr=True, highlight=False, **colour)
        self.started = time.monotonic()

    def heading(self, trajectory: Trajectory) -> None:
        run = trajectory.run
        if run is None:
            return
        turn = trajectory.turns[-1]
        model = turn.models.get("coder", "no model")
        self.progress.print(f"[bold]{escape(clean(run.issue.title))}[/]", soft_wrap=True)
        self.progress.print(
            f"[dim]{escape(clean(run.repository))} at {run.base} · {turn.strategy} · {escape(model)} · "
            f"{run.settings['workspace']} · run {run.id}[/]",
            soft_wrap=True,
        )

    def happening(self, event: Happening) -> None:
        if event.kind in ("say", "phase", "candidate", "summary"):
            self._line(event.branch, event.kind if event.kind != "say" else "", event.text)

    def step(self, step: Step) -> None:
        """One line: who, what, and what came of it."""
        done = "; ".join(describe(action) for action in step.actions)
        seen = next((line for o in reversed(step.observations) for line in o.text.splitlines() if line.strip()), "")
        if step.author == "proof":
            verdict = verdict_of(step)
            parts = (f"{part.replace('_', ' ')} {TOLD[getattr(verdict, part)]}" for part in PARTS)
            done, seen = "", f"{verdict.kind}: {', '.join(parts)}"
        elif step.author == "task":
            done, seen = "", "asked the model"
        self._line(step.branch, step.author, f"{done} → {seen}" if done else seen)

    def _line(self, branch: str, who: str, text: str) -> None:
        line = Text()
        line.append(f"{time.monotonic() - self.started:7.1f}s ", style="dim")
        line.append(f"{branch} " if branch != "main" else "", style="magenta")
        line.append(f"{who} " if who else "", style="cyan")
        line.append(" ".join(clean(text).split()))
        line.truncate(max(40, self.progress.width), overflow="ellipsis")
        self.progress.print(line, soft_wrap=True)

    def whole_step(self, step: Step, reply: Reply | None) -> None:
        """A step with everything in it, for `show`."""
        self.out.print(f"\n[bold cyan]{step.id}[/] [dim]{step.author} · tree {step.tree[:10]}[/]")
        if reply is not None and reply.text:
            self.out.print(Text(clean(reply.text)))
        for number, observation in enumerate(step.observations):
            if number < len(step.actions):
                self.out.print(Text(f"$ {clean(describe(step.actions[number]))}", style="bold"))
            self.out.print(Text(clean(observation.text), style="" if observation.ok else "yellow"))
        for action in step.actions[len(step.observations) :]:
            self.out.print(Text(f"$ {clean(describe(action))}", style="bold"))

    def note(self, note: Note) -> None:
        self.out.print(Text(clean(f"{note.branch} {note.kind}: {note.text}"), style="dim"))

    def result(self, result: Result, error: SweAgentError | None = None) -> None:
        """The last word on a run, for a program or a person."""
        if self.json:
            from json import dumps

            sys.stdout.write(dumps(as_json(result, error)) + "\n")
            return
        if result.patch:
            shown = FULL_INDEX.sub(r"index \1..\2", clean(result.patch.diff))
            self.out.print(Syntax(shown, "diff", background_color="default", word_wrap=True))
        if result.word:
            self.out.print(Text(clean(result.word)))
        self.ending(result.exit, result.directory)
        for effect in result.effects:
            self.out.print(escape(effect), soft_wrap=True)
        spent = result.spent
        if spent.calls:
            cost = "price unknown" if spent.dollars is None else f"${spent.dollars:.4f}"
            tokens = f"{spent.input_tokens:,} tokens in, {spent.output_tokens:,} out"
            self.out.print(f"[dim]{spent.calls} calls, {tokens}, {cost}[/]")
        if error is not None:
            self.out.print(f"[red]{escape(error.message)}[/] {escape(error.fix)}", soft_wrap=True)

    def ending(self, exit: Exit, directory: Path) -> None:
        self.out.print(ENDINGS.get(exit.kind, escape(exit.kind)))
        if exit.message:
            self.out.print(f"{escape(exit.message)} {escape(exit.fix)}", soft_wrap=True)
        if exit.verdict.kind != "none":
            self._proof(exit.verdict)
        if (directory / "proof.sh").exists():
            self.out.print(
                f"Repeat the proof in a checkout of the base: sh {escape(str(directory / 'proof.sh'))}", soft_wrap=True
            )
        self.out.print(f"[dim]The run lies in {escape(str(directory))} ({exit.seconds:.1f} s).[/]", soft_wrap=True)

    def _proof(self, verdict: Verdict) -> None:
        table = Table("proof", "", box=None, pad_edge=False)
        for part, meaning in PARTS.items():
            table.add_row(meaning, MARK[getattr(verdict, part)])
        self.out.print(table)
        named = "\n".join(verdict.notes)
        shown = tuple(test for test in verdict.tests if test not in named)
        for title, names in (("shown by", shown), ("lost", verdict.lost), ("flaky, left out", verdict.flaky)):
            if names:
                self.out.print(
                    f"{title}: {escape(', '.join(names[:10]))}{' …' if len(names) > 10 else ''}", soft_wrap=True
                )
        for note in verdict.notes:
            self.out.print(f"[dim]· {escape(note)}[/]", soft_wrap=True)
