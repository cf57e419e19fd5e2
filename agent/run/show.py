"""Show a run step by step: what was thought, done and seen, and the proof."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.console import Console
from agent.settings import load_settings
from trajectories.journal import first_record, read
from trajectories.records import Note, Step, Turn


def command(
    run: Annotated[str, typer.Argument(help="Name as `runs` shows it, or its beginning.", metavar="RUN")],
    plain: Annotated[bool, typer.Option("--plain", help="No colours.")] = False,
) -> int:
    """Show a run step by step: what was thought, done and seen, and the proof."""
    directory = load_settings().run_directory(run)
    trajectory = read(directory)
    first_record(trajectory, directory)
    console = Console(plain=plain, out=True)
    console.heading(trajectory)
    for record in trajectory.records:
        if isinstance(record, Step):
            reply = trajectory.replies.get((record.branch, record.reply)) if record.reply else None
            console.whole_step(record, reply)
        elif isinstance(record, Note):
            console.note(record)
        elif isinstance(record, Turn) and record is not trajectory.turns[0]:
            console.turn(record)
    if trajectory.exit is not None:
        console.ending(trajectory.exit, directory)
    return 0
