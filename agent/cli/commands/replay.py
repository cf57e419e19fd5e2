"""Act a run's recorded replies again in a fresh workspace, and say at which step what differs."""

from __future__ import annotations

from os.path import lexists  # not Path's, which raises for what is too long
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.options import Image, Json, Kind, Plain

if TYPE_CHECKING:
    from agent.console import Console
    from agent.replaying import Replaying
    from trajectories.material import Material


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
    name, at, step = run.rpartition("@")
    if at and name and "/" not in step and not lexists(run):
        raise UsageError(f"{run!r} names a step, but a run is acted whole.", f"`swe-agent replay {name}` does it.")
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
    return _tell(replaying, material, console)


def _watch(replaying: Replaying, console: Console) -> None:
    engine = replaying.engine
    console.heading(engine.trajectory)
    with console.watching(engine):
        for step in replaying.run():
            console.step(step)


def _tell(replaying: Replaying, material: Material, console: Console) -> int:
    """What came of it, for a program or a person; the exit code."""
    from agent.console import told
    from agent.parted import as_json, in_words
    from trajectories.parting import PARTED, parting

    engine = replaying.engine
    code = int(replaying.parted)
    found = parting(material.trajectory, engine.trajectory)
    if console.json:
        answer: dict[str, Any] = {"run": engine.run.id, "of": material.name, "exit": code}
        answer |= {"steps": len(engine.trajectory.all_steps()), **as_json(found), "notes": replaying.notes}
        from json import dumps

        typer.echo(dumps(answer | {"directory": str(engine.journal.directory)}))
        return code
    for line in in_words(found, ("recorded", "replayed")):
        console.out.print(line, soft_wrap=True)
    for note in (*(note.text for note in engine.trajectory.notes if note.kind == PARTED), *replaying.notes):
        console.out.print(f"[dim]{told(note)}[/]", soft_wrap=True)
    console.out.print(f"[dim]The replay is the run {engine.run.id}, and cost nothing.[/]", soft_wrap=True)
    return code
