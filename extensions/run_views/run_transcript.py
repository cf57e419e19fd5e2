"""The transcript of a run for a terminal: its records in order, or one step in full.

All text is sanitized here, and invisible characters in arguments are escaped. Lines are not wrapped; the terminal or a
pager does that.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text, escape_invisible, one_line
from aci.repository.patch import count_diff_lines
from agent.console.pager import Lines
from agent.console.run_display import Console
from agent.conversation.messages import describe, describe_exit
from agent.runs.run_listing import ORIGIN_NOTES, is_held, locked_files
from trajectories.branch_structure import SCORES, Structure, branches_as_json, structure
from trajectories.errors import RunBroken
from trajectories.record_text import arguments
from trajectories.records import Action, Exit, Note, Observation, Record, Reply, Step, Turn, Usage
from trajectories.reply_costs import costs
from trajectories.trajectory import replay_of

if TYPE_CHECKING:
    from trajectories.trajectory import RunView

INNER = frozenset({"life", "overflow", "message", *ORIGIN_NOTES})
"""Kinds of notes that are shown elsewhere or not at all."""
LONGEST_DATA = 200
"""Maximum number of characters of a note's data; longer data is not shown."""
MOST_DIFF = 1_000_000
"""Maximum number of characters of a step's diff that are shown."""
COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class TranscriptPrinter:
    """Prints a run's records. With `live`, a reply is printed when it arrives, before its step."""

    def __init__(self, material: RunView, out: Lines, live: bool = False) -> None:
        self._material, self._out, self._live = material, out, live
        self._announced: set[tuple[str, int]] = set()
        self._turns = 0

    def heading(self) -> None:
        """Print the issue, repository, strategy and model, and the run that this one was forked from or replays."""
        trajectory = self._material.trajectory
        run = trajectory.run
        if run is None:
            return
        turn = trajectory.turns[-1]
        base = f"at {run.base}" if run.base.commit else ""
        model = turn.models.get("coder") or ("no model" if self._material.is_ours else run.settings.get("model", ""))
        about = (f"{run.repository} {base}".strip(), turn.strategy, model)
        place = run.settings.get("workspace", "")
        if self._material.untrusted:
            self._line("This run was not created by you on this computer: its records were not checked.", "yellow")
        self._line(run.issue.title, "bold")
        parts = (*map(str, about), str(place), f"run {self._material.name}")
        self._line(" · ".join(filter(None, map(one_line, parts))), "dim")
        for note in trajectory.notes:
            if note.kind in ORIGIN_NOTES:
                self._line(note.text, "dim")

    def branches(self) -> None:
        """If there are several branches, print them as a tree with results and scores."""
        found = structure(self._material.trajectory)
        if len(found.branches) < 2:
            return
        spent = costs(self._material)
        self._out.line()
        rows = branches_as_json(found, self._material.trajectory, spent)
        widest = max(len(_name(row)) for row in rows)
        for row in rows:
            steps = f"{row['steps']:>5} step{'s' * (row['steps'] != 1)}"
            paid = "" if not row["dollars"] else f"${row['dollars']:.4f}"
            parts = (steps, f"from {row['from']}" if row["from"] else "", paid, row["ended"])
            self._line(f"{_name(row):<{widest}} {'  '.join(map(one_line, filter(None, parts)))}", "magenta")
            for score in row["scores"]:
                more = _data(score["data"])
                told_of = (
                    f"{one_line(score['kind'])}: {one_line(score['text'])}{f' ({one_line(more)})' if more else ''}"
                )
                self._out.line(f"{'':<{widest}}   {told_of}", "dim")

    def record(self, record: Record) -> None:
        """Print a record."""
        match record:
            case Turn():
                self._turns += 1
                if self._turns > 1:
                    self._out.line()
                    self._line(f"{clean_text(record.request) or record.strategy} ({record.strategy})", "bold")
            case Reply() if self._live:
                self._announce(record)
            case Step():
                self._step(record)
            case Note():
                self._note(record)
            case Exit() if record is self._material.trajectory.exit:
                self._ending(record)
            case Exit():
                self._line(f"Ended: {one_line(record.kind)}. {one_line(record.message)}", "dim")
            case _:
                pass

    def open_end(self) -> None:
        """For a run that has not ended, print whether a process works on it, or how to resume it."""
        material = self._material
        if material.directory is None or material.trajectory.exit is not None:
            return
        hint = "the replay was interrupted." if replay_of(material.trajectory) else ""
        hint = hint or f"`swe-agent resume {material.name}` resumes it."
        self._out.line()
        self._line("Still running." if is_held(material.directory, locked_files()) else f"Not ended: {hint}", "bold")

    def whole(self, step: Step) -> None:
        """Print a step in full: arguments, outputs and diff."""
        found = structure(self._material.trajectory)
        number = next(at for at, one in enumerate(self._material.trajectory.all_steps()) if one is step)
        self._line(self._head(step, found.phase_of[number], date=True), "bold cyan")
        reply = self._reply(step)
        if reply is not None:
            for text, style in ((reply.reasoning, "dim italic"), (reply.text, "")):
                if text:
                    self._line(text, style)
        if step.error:
            self._line(step.error, "yellow")
        for at, action in enumerate(step.actions):
            self._out.line()
            self._line(f"$ {one_line(action.tool)}", "bold")
            self._out.line(_indented(escape_invisible(arguments(action))))
            if at < len(step.observations):
                self._output(step.observations[at])
        for seen in step.observations[len(step.actions) :]:
            self._out.line()
            self._output(seen)
        self._files(found, step, number)
        if reply is not None and reply.usage is not None:
            self._out.line()
            self._line(_usage_line(reply.model, reply.usage), "dim")

    # Parts

    def _line(self, text: str, style: str = "") -> None:
        self._out.line(clean_text(text), style)

    def _head(self, step: Step, phase: str = "", date: bool = False) -> str:
        parts = (step.author, phase, _clock(step.at, date), f"tree {step.tree[:10]}" if step.tree else "")
        return f"{one_line(step.id)}  {' · '.join(map(one_line, filter(None, parts)))}"

    def _reply(self, step: Step) -> Reply | None:
        return self._material.trajectory.replies.get((step.branch, step.reply)) if step.reply is not None else None

    def _announce(self, reply: Reply) -> None:
        self._announced.add((reply.branch, reply.ask))
        self._out.line()
        self._line(f"{one_line(reply.branch)}?{reply.ask}  {one_line(reply.model)} · {_clock(reply.at)}", "cyan")
        self._show_reply(reply.text, reply.actions)

    def _show_reply(self, text: str, actions: tuple[Action, ...]) -> None:
        if text:
            self._line(text)
        for action in actions:
            self._line(f"… {one_line(describe(action))}", "dim")

    def _step(self, step: Step) -> None:
        self._out.line()
        self._line(self._head(step), "bold cyan")
        reply = self._reply(step)
        if reply is not None and reply.text and (reply.branch, reply.ask) not in self._announced:
            self._line(reply.text)
        for at, seen in enumerate(step.observations):
            if at < len(step.actions):
                self._line(f"$ {one_line(describe(step.actions[at]))}", "bold")
            self._line(seen.text, "" if seen.ok else "yellow")
        for action in step.actions[len(step.observations) :]:
            self._line(f"$ {one_line(describe(action))}", "bold")

    def _ending(self, exit: Exit) -> None:
        console = Console(out=True)
        console.out = self._out.rich
        self._out.line()
        material, steps = self._material, self._material.trajectory.all_steps()
        last = steps[-1].id if steps else ""
        console.ending(exit, material.directory, last, material.untrusted, trajectory=material.trajectory)

    def _note(self, note: Note) -> None:
        if note.kind == "phase":
            self._out.line()
            self._line(
                f"── {one_line(note.text)} ──{f' {one_line(note.branch)}' if note.branch != 'main' else ''}", "magenta"
            )
        elif note.kind not in INNER:
            more = _data(note.data) if note.kind in SCORES else ""
            about = f"{one_line(note.branch)} {one_line(note.kind)}: "
            self._out.line(f"{about}{clean_text(note.text)}{f' ({one_line(more)})' if more else ''}", "dim")

    def _output(self, seen: Observation) -> None:
        """Print an observation, with the full output if it was stored."""
        how = ": ".join(filter(None, ("failed", describe_exit(seen))))
        self._line("→ ok" if seen.ok else f"→ {how}", "green" if seen.ok else "yellow")
        if seen.out is None:
            self._line(seen.text)
            return
        try:
            self._line(self._material.output(seen.out).decode("utf-8", "replace"))
        except OSError:
            self._line(seen.text)
            self._line(f"[The full output out:{seen.out} is missing.]", "dim")

    def _files(self, found: Structure, step: Step, number: int) -> None:
        trees, before = self._material.trees, found.before[number]
        if trees is None or not step.tree or step.tree == before:
            return
        self._out.line()
        try:
            diff, changes = trees.diff(before, step.tree), trees.changed(before, step.tree)
        except RunBroken as error:
            self._line(f"[The diff is not available: {error.message}]", "dim")
            return
        paths = [change.path for change in changes for _ in range(1 + (change.status == "T"))]
        for path, (_, added, removed) in zip(paths, count_diff_lines(diff), strict=True):
            self._line(f"{one_line(path)}  +{added} -{removed}", "bold")
        shown = clean_text(diff[:MOST_DIFF])
        for line in shown.split("\n"):
            self._out.line(line, COLOURS.get(line[:1], "") if line[:3] not in ("+++", "---") else "bold")
        if len(diff) > MOST_DIFF:
            self._line(f"[… {len(diff) - MOST_DIFF:,} more characters of the diff …]", "dim")


def _name(row: dict[str, Any]) -> str:
    name = str(row["name"])
    return "  " * name.count("/") + one_line(name)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _data(data: dict[str, Any]) -> str:
    """Return a note's data on one line, or "" if it is too long."""
    simple = {name: value for name, value in data.items() if isinstance(value, str | int | float | bool)}
    text = ", ".join(f"{name} {value}" for name, value in simple.items())
    return text if len(text) <= LONGEST_DATA else ""


def _clock(at: float, date: bool = False) -> str:
    """Format a time as local time; return "" if it is unknown."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", time.localtime(at)) if at > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _usage_line(model: str, usage: Usage) -> str:
    cached = f" ({usage.cached_tokens:,} from the cache)" if usage.cached_tokens else ""
    stated = ""
    if usage.stated_output is not None:
        stated = f" (estimated: the provider states {usage.stated_output:,}, too few for this reply)"
    return f"{one_line(model)}: {usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out{stated}"
