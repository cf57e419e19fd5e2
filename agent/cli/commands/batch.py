"""Solve many issues: predictions as SWE-bench reads them, resumable, within one budget."""

from __future__ import annotations

import os
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from agent.batch.asked import Asked
from agent.batch.begin import begin
from agent.batch.showing import keep_stderr
from agent.batch.told import as_json, in_words
from agent.cli import INTERRUPTED, fail
from agent.options import Attempts, Effort, Image, Json, Kind, MaxSteps, MaxTime, MaxTokens, Plain, Test
from agent.process_end import leave
from trajectories.errors import Cancelled

Instances = Annotated[
    list[Path],
    typer.Option(help="JSONL, JSON, Parquet, or addresses of issues; again for more files.", metavar="F"),
]


def command(
    instances: Instances,
    out: Annotated[Path, typer.Option(help="Folder for all that the batch leaves.", metavar="DIR")],
    repos: Annotated[
        Path | None, typer.Option(help="Folder with clones, kept for the next batch.", metavar="DIR")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="How many at a time.", min=1, max=1000, metavar="N")] = None,
    filter: Annotated[str, typer.Option(help="Only ids in which this is found.", metavar="REGEX")] = "",
    shuffle: Annotated[int | None, typer.Option(help="In an order of this seed.", metavar="SEED")] = None,
    slice: Annotated[str, typer.Option(help="Of these A to B, as Python counts; last.", metavar="A:B")] = "",
    repeat: Annotated[int, typer.Option(help="Attempts at each instance.", min=1, max=100, metavar="K")] = 1,
    total: Annotated[float | None, typer.Option(help="Most dollars for all together.", min=0, metavar="USD")] = None,
    budget: Annotated[float | None, typer.Option(help="Most dollars for an instance.", metavar="USD")] = None,
    model: Annotated[
        str | None, typer.Option(help="scripted:FILE, replay:RUN, or a model's name.", metavar="M")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="How to solve them.", metavar="S")] = None,
    attempts: Attempts = None,
    effort: Effort = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Folder whose files replace the strategy's prompts.", metavar="DIR")
    ] = None,
    hints: Annotated[bool, typer.Option("--hints", help="Show what was said below the issue.")] = False,
    workspace: Kind = None,
    image: Image = None,
    disk_limit: Annotated[str, typer.Option(help="Keep images within this: 50g.", metavar="SIZE")] = "",
    test: Test = None,
    max_steps: MaxSteps = None,
    max_tokens: MaxTokens = None,
    max_time: MaxTime = None,
    retries: Annotated[
        int, typer.Option(help="More tries where infrastructure fails.", min=0, max=20, metavar="N")
    ] = 2,
    engine: Annotated[str, typer.Option(help="Where they are solved: local, or ray.", metavar="E")] = "local",
    engine_option: Annotated[
        list[str] | None, typer.Option(help="An option of the engine's own; again for more.", metavar="K=V")
    ] = None,
    leaderboard: Annotated[
        Path | None, typer.Option(help="Also make what SWE-bench's experiments ask for.", metavar="DIR")
    ] = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Solve many issues: predictions as SWE-bench reads them, resumable, within one budget.

    Started again with the same --out it goes on. Exit codes: 0 all is done, 4 the total ended first,
    2 usage, 3 configuration, 5 infrastructure failed, 75 another process has it, 130 interrupted (go on at any time).
    """
    flags = {
        "model": model,
        "strategy": strategy,
        "attempts": attempts,
        "effort": effort,
        "prompts": prompts.absolute() if prompts else None,
        "workspace": workspace,
        "image": image,
        "test": test,
        "budget": budget,
        "max_steps": max_steps,
        "max_tokens": max_tokens,
        "max_time": max_time,
    }
    asked = Asked(
        files=tuple(instances),
        out=out.absolute(),
        flags=flags,
        repos=repos.absolute() if repos else None,
        workers=workers or _workers(),
        filter=filter,
        seed=shuffle,
        slice=slice,
        repeat=repeat,
        total=total,
        hints=hints,
        disk_limit=disk_limit,
        tries=retries + 1,
        engine=engine,
        engine_options=tuple(engine_option or ()),
        leaderboard=leaderboard.absolute() if leaderboard else None,
    )
    try:
        summary = begin(asked, plain)
    except KeyboardInterrupt:
        # A second one, or nothing is begun: no thread is waited for.
        fail(["--json"] if json else [], *INTERRUPTED)
        leave(Cancelled.code, patience=0)
    if json:
        typer.echo(dumps(as_json(summary)))
    else:
        typer.echo(in_words(summary))
    keep_stderr()
    return summary.code


def _workers() -> int:
    """Workers mostly wait for a model, but each has tests to run now and then."""
    return max(2, min(8, os.cpu_count() or 2))
