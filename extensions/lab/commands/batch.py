"""Solve many issues within one budget; resumable."""

from __future__ import annotations

from functools import partial
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli import shared_options as options
from agent.console.error_report import INTERRUPTED, report_error
from agent.console.process_end import exit_process
from extensions.lab.batch.batch_options import BatchOptions, default_workers
from extensions.lab.batch.batch_start import start_batch
from extensions.lab.batch.batch_summary import as_json, summary_text
from extensions.lab.batch.reports.fault_tolerant_display import discard_stderr
from extensions.lab.instances.dataset_fetch import confirm_images, dataset_files
from extensions.lab.instances.named_datasets import DATASETS
from trajectories.errors import Cancelled

Instances = Annotated[
    list[str],
    typer.Option(
        help="File of instances (JSONL, JSON, Parquet, or one issue URL per line), or a public data set: "
        f"{', '.join(DATASETS)}; repeatable.",
        metavar="F|NAME",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Answer questions about data sets and their images with yes.")]


@options.with_run_options
def command(
    instances: Instances,
    out: Annotated[Path, typer.Option(help="Output folder of the batch.", metavar="DIR")],
    repos: Annotated[
        Path | None, typer.Option(help="Folder of the clones; later batches reuse them.", metavar="DIR")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of instances to solve at the same time.", min=1, max=1000, metavar="N")
    ] = None,
    filter: options.Filter = "",
    shuffle: Annotated[int | None, typer.Option(help="Shuffle the instances with this seed.", metavar="SEED")] = None,
    slice: Annotated[
        str, typer.Option(help="Python slice of the instances, applied after --shuffle.", metavar="A:B")
    ] = "",
    repeat: Annotated[int, typer.Option(help="Number of runs per instance.", min=1, max=100, metavar="K")] = 1,
    total: Annotated[
        float | None, typer.Option(help="Budget of the whole batch in dollars.", min=0, metavar="USD")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Budget per instance in dollars.", metavar="USD")] = None,
    model: options.Model = None,
    strategy: options.Strategy = None,
    attempts: options.Attempts = None,
    prompts: options.Prompts = None,
    hints: Annotated[bool, typer.Option("--hints", help="Show the model the comments on an issue.")] = False,
    *,
    run_settings: dict[str, Any],
    disk_limit: Annotated[str, typer.Option(help="Maximum disk space for images, such as 50g.", metavar="SIZE")] = "",
    retries: Annotated[
        int, typer.Option(help="Number of retries after an infrastructure failure.", min=0, max=20, metavar="N")
    ] = 2,
    engine: Annotated[str, typer.Option(help="Where instances are solved: local or ray.", metavar="E")] = "local",
    engine_option: options.EngineOption = None,
    leaderboard: Annotated[
        Path | None, typer.Option(help="Also write a submission for SWE-bench's experiments repository.", metavar="DIR")
    ] = None,
    yes: Yes = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Solve many issues within one budget, and write predictions for SWE-bench.

    To resume a batch, run the command again with the same --out.

    Exit codes: 0 (all instances are done), 4 (total budget used up), 2 (usage), 3 (configuration), 5 (infrastructure
    failed), 75 (another process uses the folder), 130 (interrupted, resumable).
    """
    flags = {
        "model": model,
        "strategy": strategy,
        "attempts": attempts,
        "prompts": prompts.absolute() if prompts else None,
        "budget": budget,
        **run_settings,
    }
    asked = BatchOptions(
        files=dataset_files(instances, yes),
        out=out.absolute(),
        flags=flags,
        repos=repos.absolute() if repos else None,
        workers=workers or default_workers(),
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
        before_images=partial(confirm_images, yes=yes) if set(instances) & DATASETS.keys() else None,
    )
    try:
        summary = start_batch(asked, plain)
    except KeyboardInterrupt:
        # This is a second interrupt, or nothing has started: do not wait for threads.
        report_error(["--json"] if json else [], *INTERRUPTED)
        exit_process(Cancelled.code, patience=0)
    if json:
        typer.echo(dumps(as_json(summary)))
    else:
        typer.echo(summary_text(summary))
    discard_stderr()
    return summary.code
