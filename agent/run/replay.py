"""Act a run's recorded replies again in a fresh workspace, and say at which step what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.options import Image, Json, Kind, Plain

if TYPE_CHECKING:
    from agent.console import Console
    from agent.replaying import Replaying
    from trajectories.material import Material
    from trajectories.parting import Difference, Parting

SHOWN = 20
"""Differences that a terminal shows, and of each side so many characters."""
WIDTH = 300


def command(
    run: Annotated[str, typer.Argument(help="Name as `runs` shows it, or its beginning.", metavar="RUN")],
    workspace: Kind = None,
    image: Image = None,
    stop_at_first: Annotated[bool, typer.Option("--stop-at-first", help="End at the first step that differs.")] = False,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Act a run's recorded replies again in a fresh workspace, and say at which step what differs.

    It costs nothing: no model is asked. Trees, success and exit codes are compared exactly, text without times,
    durations, addresses, temporary paths, process ids and ports; where only text differs is listed apart. After a
    step that differs the replay goes on from the recorded tree. It is a run of its own, which `runs` lists.

    Exit codes: 0 the same, 1 something differs, 2 usage, 5 workspace, 130 interrupted.
    """
    from agent.console import Console
    from agent.drive import stop
    from agent.engine import Engine
    from agent.material import opened
    from agent.replaying import Replaying, begin, settings_of
    from agent.settings import load_settings
    from agent.signals import stopped_by_signals
    from trajectories.errors import UsageError

    today = load_settings()
    material = opened(run, today)
    if not material.is_ours:
        raise UsageError(f"{material.name} holds no files: only a run of swe-agent can be acted again.")
    settings = settings_of(material, today, workspace, image)
    console = Console(json=json, plain=plain)
    engines: list[Engine] = []
    with stopped_by_signals(lambda: stop(engines)):
        engines.append(Engine(begin(material, settings), settings, console.happening))
        replaying = Replaying(engines[0], material, stop_at_first)
        try:
            _watch(replaying, console)
        finally:
            replaying.close()
    return _tell(replaying, material, console, stop_at_first)


def _watch(replaying: Replaying, console: Console) -> None:
    engine = replaying.engine
    console.heading(engine.trajectory)
    with console.watching(engine):
        for step in replaying.run():
            console.step(step)


def _tell(replaying: Replaying, material: Material, console: Console, stopped: bool) -> int:
    """What came of it, for a program or a person; the exit code."""
    from trajectories.parting import PARTED, parting

    engine = replaying.engine
    code = int(replaying.parted)
    found = parting(material.trajectory, engine.trajectory)
    if console.json:
        told: dict[str, Any] = {"run": engine.run.id, "of": material.name, "exit": code}
        told |= {"steps": len(engine.trajectory.all_steps()), **as_json(found), "notes": replaying.notes}
        from json import dumps

        typer.echo(dumps(told | {"directory": str(engine.journal.directory)}))
        return code
    for line in in_words(found, ("recorded", "replayed")):
        console.out.print(line, soft_wrap=True)
    for note in (*(note.text for note in engine.trajectory.notes if note.kind == PARTED), *replaying.notes):
        console.out.print(f"[dim]{safe(note)}[/]", soft_wrap=True)
    console.out.print(f"[dim]The replay is the run {engine.run.id}, and cost nothing.[/]", soft_wrap=True)
    return code


def as_json(found: Parting) -> dict[str, Any]:
    """Where two runs part, as programs and reports read it."""
    told = asdict(found)
    return {name: told[name] for name in ("same", "first", "differences", "texts")}


def in_words(found: Parting, sides: tuple[str, str]) -> list[str]:
    """The same for a terminal, in Rich's markup."""
    steps = "1 step" if found.same == 1 else f"{found.same} steps"
    if found.first is None:
        lines = [f"[bold green]The same:[/] {steps}."]
    else:
        lines = [f"[bold yellow]They part at {found.first.id}[/] ({found.first.what}); {steps} alike."]
    for title, differences in (("", found.differences), ("Only text differs:", found.texts)):
        if differences and title:
            lines.append(title)
        for each in differences[:SHOWN]:
            lines.append(f"[cyan]{safe(each.id)}[/] {each.what}")
            both = (sides[0], each.left, each.right), (sides[1], each.right, each.left)
            lines += [f"  [dim]{safe(side)}[/] {safe(_line(each, words, other))}" for side, words, other in both]
        if len(differences) > SHOWN:
            lines.append(f"… and {len(differences) - SHOWN} more; --json has all.")
    return lines


def _line(each: Difference, words: str, other: str) -> str:
    """The first line that the other side does not have there; what was judged, with the first such line of the text."""
    if each.what == "tree":
        return words[:10]
    mine, theirs = words.split("\n"), other.split("\n")
    judged: list[str] = []
    if each.what in ("ok", "exit"):
        judged, _ = [mine.pop(0)], theirs.pop(0)
    said = next((line for at, line in enumerate(mine) if [line] != theirs[at : at + 1]), "")
    line = ": ".join([*judged, *([said] if said or not judged else [])]) or "(nothing there)"
    return line if len(line) <= WIDTH else f"{line[:WIDTH]}…"


def safe(text: str) -> str:
    """Somebody's text as Rich's markup."""
    from rich.markup import escape

    from aci.view import clean

    return escape(clean(text))
