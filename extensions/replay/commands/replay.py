"""Repeat a run's recorded replies, and show what differs."""

from __future__ import annotations

from os.path import lexists  # not Path.exists, which raises if the name is too long
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from agent.console.run_display import Console
    from extensions.replay.run_replay import RunReplay
    from trajectories.trajectory import RunView


@options.with_events
def command(
    run: options.RunName,
    workspace: options.Workspace = None,
    image: options.Image = None,
    stop_at_first: Annotated[
        bool, typer.Option("--stop-at-first", help="Stop at the first step that differs.")
    ] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Repeat a run's recorded replies in a fresh workspace, and show at which steps the results differ.

    No model is used, so a replay costs nothing. A step differs if its tree, its success or an exit code differs. Steps
    in which only text differs are listed separately. Times, durations, addresses, temporary paths, process ids and
    ports in text are ignored. After a step that differs, the replay continues from the recorded tree. The replay is
    recorded as a separate run.

    Exit codes: 0 (no step differs), 1 (a step differs), 2 (usage), 5 (workspace), 130 (interrupted).
    """
    from agent.config.settings import load_settings
    from agent.console.foreground_run import stop
    from agent.console.run_display import Console
    from agent.engine.engine import Engine
    from agent.limits.cancellation import stopped_by_signals
    from agent.runs.run_lookup import open_run
    from extensions.replay.run_replay import RunReplay, begin_replay, replay_settings
    from trajectories.errors import UsageError

    today = load_settings()
    name, at, step = run.rpartition("@")
    if at and name and "/" not in step and not lexists(run):
        raise UsageError(
            f"{run!r} names a step, but only whole runs can be replayed.", f"Use `swe-agent replay {name}`."
        )
    material = open_run(run, today)
    if not material.is_ours:
        raise UsageError(f"{material.name} has no files: only runs of swe-agent can be replayed.")
    settings = replay_settings(material, today, workspace, image)
    console = Console(json=json, plain=plain)
    engines: list[Engine] = []
    with console.heartbeat(), stopped_by_signals(lambda: stop(engines)):
        engines.append(Engine(begin_replay(material, settings), settings, console.happening))
        replaying = RunReplay(engines[0], material, stop_at_first)
        try:
            _watch(replaying, console)
        finally:
            replaying.close()
    return _print_result(replaying, material, console)


def _watch(replaying: RunReplay, console: Console) -> None:
    engine = replaying.engine
    console.heading(engine.trajectory)
    with console.watching(engine):
        for step in replaying.run():
            console.step(step)


def _print_result(replaying: RunReplay, material: RunView, console: Console) -> int:
    """Print the result, as JSON or as text, and return the exit code."""
    from agent.console.run_display import escape_markup
    from extensions.replay.comparison_view import comparison_json, comparison_lines
    from extensions.replay.run_comparison import PARTED, compare_runs

    engine = replaying.engine
    code = int(replaying.parted)
    found = compare_runs(material.trajectory, engine.trajectory)
    if console.json:
        answer: dict[str, Any] = {"run": engine.run.id, "of": material.name, "exit": code}
        answer |= {"steps": len(engine.trajectory.all_steps()), **comparison_json(found), "notes": replaying.notes}
        from json import dumps

        typer.echo(dumps(answer | {"directory": str(engine.journal.directory)}))
        return code
    for line in comparison_lines(found, ("recorded", "replayed")):
        console.out.print(line, soft_wrap=True)
    for note in (*(note.text for note in engine.trajectory.notes if note.kind == PARTED), *replaying.notes):
        console.out.print(f"[dim]{escape_markup(note)}[/]", soft_wrap=True)
    console.out.print(f"[dim]The replay is run {engine.run.id}; it cost nothing.[/]", soft_wrap=True)
    return code
