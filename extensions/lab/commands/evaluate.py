"""Grade predictions with hidden tests in clean workspaces."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options
from agent.console.error_report import report_error
from agent.console.process_end import exit_process
from trajectories.errors import Cancelled, WorkspaceError

if TYPE_CHECKING:
    from extensions.lab.evaluation.evaluation import EvaluateOptions


def command(
    instances: Annotated[
        list[str],
        typer.Option(
            help="File of instances with their tests, or the name of a data set as in `batch`; repeatable.",
            metavar="F|NAME",
        ),
    ],
    predictions: Annotated[
        str, typer.Option(help="Predictions: all_preds.jsonl, preds.json, a batch's folder, or `gold`.", metavar="P")
    ],
    out: Annotated[Path, typer.Option(help="Folder for verdicts, logs and reports.", metavar="DIR")],
    repos: Annotated[
        Path | None, typer.Option(help="Folder of clones; missing repositories are cloned.", metavar="DIR")
    ] = None,
    workspace: options.Workspace = None,
    gold: Annotated[
        bool, typer.Option("--gold", help="First grade the reference patches; skip instances that they do not solve.")
    ] = False,
    repeats: Annotated[int, typer.Option(help="Run failing tests up to N times.", min=1, max=100, metavar="N")] = 3,
    workers: Annotated[
        int | None, typer.Option(help="Number of instances to grade at the same time.", min=1, max=256, metavar="N")
    ] = None,
    filter: options.Filter = "",
    slice: Annotated[str, typer.Option(help="Python slice of the instances.", metavar="A:B")] = "",
    run_id: Annotated[
        str, typer.Option(help="Name of this evaluation in the --out folder.", metavar="ID")
    ] = "evaluate",
    compare: Annotated[
        str, typer.Option(help="Other predictions, or a run report, to compare with.", metavar="OTHER")
    ] = "",
    timeout: Annotated[
        float, typer.Option(help="Time limit for an instance's tests in seconds.", min=1, metavar="S")
    ] = 1800.0,
    test: Annotated[
        str, typer.Option(help="Test command for all instances, in place of their own commands.", metavar="CMD")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Answer questions about data sets with yes.")] = False,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Grade predictions: apply each patch in a clean workspace, and run the hidden tests of its instance.

    The results are stored in the --out folder; to resume, run the command again. Reports have the format of SWE-bench's
    harness.

    Exit codes: 0 (graded, whatever the result), 2 (usage), 3 (configuration), 5 (no workspace, or an instance's
    environment failed), 75 (try again later), 130 (interrupted).
    """
    from extensions.lab.evaluation.evaluation import EvaluateOptions
    from extensions.lab.evaluation.grading_queue import RESUME_ADVICE
    from extensions.lab.instances.dataset_fetch import confirm_images, dataset_files
    from extensions.lab.instances.named_datasets import DATASETS

    asked = EvaluateOptions(
        instances=dataset_files(instances, yes),
        predictions=predictions,
        out=out.absolute(),
        repos=repos.absolute() if repos else None,
        workspace=workspace,
        gold=gold,
        repeats=repeats,
        workers=workers,
        filter=filter,
        slice=slice,
        run_id=run_id,
        compare=compare,
        timeout=timeout,
        test=test,
        before_images=partial(confirm_images, yes=yes) if set(instances) & DATASETS.keys() else None,
    )
    try:
        return _show(asked, json, plain)
    except KeyboardInterrupt:  # a second interrupt: do not wait for threads
        report_error(["--json"] if json else [], Cancelled.code, "Interrupted.", RESUME_ADVICE)
        exit_process(Cancelled.code, patience=0)


def _show(asked: EvaluateOptions, json: bool, plain: bool) -> int:
    """Evaluate, show the results and return the exit code."""
    from agent.console.rich_terminal import clean_printer, console
    from extensions.lab.evaluation.evaluation import evaluate
    from extensions.lab.evaluation.evaluation_table import show

    result = evaluate(asked, clean_printer(console(plain, stderr=True)))
    if json:
        from json import dumps

        typer.echo(dumps(result))
    else:
        show(result, plain)
    return WorkspaceError.code if result["environment_failures"] else 0
