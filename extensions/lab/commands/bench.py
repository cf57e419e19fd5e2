"""Solve and grade a sample of a data set, and write one page with the results."""

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
from extensions.lab.bench.bench_page import headline, write_page
from extensions.lab.bench.benchmark import BenchOptions, run_benchmark
from extensions.lab.evaluation.grading_store import path_part
from extensions.lab.instances.dataset_fetch import confirm_images, dataset_files
from extensions.lab.instances.named_datasets import DATASETS
from trajectories.errors import Cancelled, WorkspaceError


@options.with_run_settings
def command(
    model: options.Model = None,
    set: Annotated[
        str, typer.Option(help=f"Data set: {', '.join(DATASETS)}, or a file of instances.", metavar="NAME|F")
    ] = "verified",
    count: Annotated[int, typer.Option(help="Number of instances.", min=1, metavar="N")] = 20,
    seed: Annotated[int, typer.Option(help="Seed with which the instances are drawn.", metavar="SEED")] = 0,
    total: Annotated[
        float | None, typer.Option(help="Budget of all instances together in dollars.", min=0, metavar="USD")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="Budget per instance in dollars.", metavar="USD")] = None,
    published: Annotated[
        Path | None,
        typer.Option(help="Copy of SWE-bench/experiments, or a folder of it, to compare with.", metavar="DIR"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder; by default named after set, model, count and seed.", metavar="DIR"),
    ] = None,
    repos: Annotated[
        Path | None, typer.Option(help="Folder of the clones; later batches reuse them.", metavar="DIR")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of instances to solve at the same time.", min=1, max=1000, metavar="N")
    ] = None,
    strategy: options.Strategy = None,
    *,
    run_settings: dict[str, Any],
    yes: Annotated[
        bool, typer.Option("--yes", help="Answer questions about the data set and its images with yes.")
    ] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Solve a sample of a data set, grade the patches with its hidden tests, and write a page with the results.

    To resume, run the same command again.

    Exit codes: 0 (all instances are done and graded), 4 (total budget used up), 2 (usage), 3 (configuration), 5
    (infrastructure failed), 75 (try again later), 130 (interrupted, resumable).
    """
    from agent.config.settings import load_settings
    from agent.console.rich_terminal import clean_printer, console

    dataset = DATASETS.get(set)
    name = set if dataset else Path(set).stem
    used = load_settings(model=model).model or strategy or "default"
    folder = (out or Path(path_part(f"bench-{name}-{used.replace('/', '-')}-{count}-{seed}"))).absolute()
    try:
        found = run_benchmark(
            BenchOptions(
                dataset=f"{name} ({dataset.repository}, revision {dataset.revision[:12]})" if dataset else name,
                batch=BatchOptions(
                    files=dataset_files([set], yes),
                    out=folder,
                    flags={"model": model, "strategy": strategy, "budget": budget, **run_settings},
                    workers=workers or default_workers(),
                    repos=repos.absolute() if repos else None,
                    seed=seed,
                    slice=f":{count}",
                    total=total,
                    before_images=partial(confirm_images, yes=yes) if dataset else None,
                ),
                published=published,
                leaderboard=dataset.leaderboard if dataset else "",
            ),
            clean_printer(console(plain, stderr=True)),
            plain,
        )
    except KeyboardInterrupt:  # a second interrupt, or nothing has started: do not wait for threads
        report_error(["--json"] if json else [], *INTERRUPTED)
        exit_process(Cancelled.code, patience=0)
    pages = write_page(found, folder)
    if json:
        typer.echo(dumps(found | {"pages": [str(path) for path in pages]}))
    else:
        error = found.get("error")
        lines = [headline(found), *([f"{error['message']} {error['fix']}"] if error else []), f"Page: {pages[0]}"]
        typer.echo("\n".join(lines))
    if error := found.get("error"):
        return int(error["code"])
    return WorkspaceError.code if found["environment_failures"] else 0
