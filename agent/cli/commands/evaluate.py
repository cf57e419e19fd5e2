"""Whether predictions solve their instances: hidden tests in clean workspaces, with intervals and comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import fail
from agent.options import Json, Kind, Plain
from agent.process_end import leave
from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from agent.evaluation.evaluate import Asked


def command(
    instances: Annotated[
        list[Path], typer.Option(help="File of instances, with their tests; may be given again.", metavar="F")
    ],
    predictions: Annotated[
        str, typer.Option(help="all_preds.jsonl, preds.json, a batch's folder, or `gold`.", metavar="P")
    ],
    out: Annotated[Path, typer.Option(help="Folder for verdicts, logs and reports.", metavar="DIR")],
    repos: Annotated[
        Path | None, typer.Option(help="Folder of clones; what is missing is cloned.", metavar="DIR")
    ] = None,
    workspace: Kind = None,
    gold: Annotated[
        bool, typer.Option("--gold", help="First grade the instances' own patches; leave out what they fail.")
    ] = False,
    repeats: Annotated[int, typer.Option(help="Most tries where tests fail.", min=1, max=100, metavar="N")] = 3,
    workers: Annotated[
        int | None, typer.Option(help="Instances graded at a time.", min=1, max=256, metavar="N")
    ] = None,
    filter: Annotated[str, typer.Option(help="Only instances whose id matches.", metavar="REGEX")] = "",
    slice: Annotated[str, typer.Option(help="Of these, only some, as in Python.", metavar="A:B")] = "",
    run_id: Annotated[str, typer.Option(help="Name of this evaluation under DIR.", metavar="ID")] = "evaluate",
    compare: Annotated[
        str, typer.Option(help="Other predictions, or a run report, to compare with.", metavar="OTHER")
    ] = "",
    timeout: Annotated[float, typer.Option(help="Most seconds for an instance's tests.", min=1, metavar="S")] = 1800.0,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Whether predictions solve their instances: each is applied in a clean workspace, and the hidden tests are run.

    What is graded stays in DIR: started again, it goes on. Reports are as SWE-bench's harness writes them.
    Exit codes: 0 graded, whatever it came to, 2 usage, 3 configuration, 5 no workspace, 75 try again later,
    130 interrupted.
    """
    from agent.evaluation.evaluate import Asked
    from agent.evaluation.grading import GO_ON

    asked = Asked(
        instances=tuple(instances),
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
    )
    try:
        _show(asked, json, plain)
    except KeyboardInterrupt:  # a second one: threads that do not end are not waited for
        fail(["--json"] if json else [], Cancelled.code, "Interrupted.", GO_ON)
        leave(Cancelled.code, patience=0)
    return 0


def _show(asked: Asked, json: bool, plain: bool) -> None:
    from agent.evaluation.evaluate import evaluate
    from agent.evaluation.table import show
    from agent.terminal import cleanly, console

    told = evaluate(asked, cleanly(console(plain, stderr=True)))
    if json:
        from json import dumps

        typer.echo(dumps(told))
    else:
        show(told, plain)
