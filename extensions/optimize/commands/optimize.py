"""Make a function faster: same results, fewer instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from aci.repository.user_repository import Repository
from aci.runtime.target_function import parse_target
from agent.cli import shared_options as options
from agent.config.settings import load_settings
from agent.console.foreground_run import drive_new
from agent.console.rich_terminal import plain_waiting
from agent.console.run_display import Console
from agent.inputs.issue_input import repository_from
from trajectories.errors import UsageError
from trajectories.records import Issue

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.errors import SweAgentError


@options.with_run_options
def command(
    repo: options.Repo = ".",
    function: Annotated[str, typer.Option(help="The function to make faster.", metavar="PATH.py:QUALNAME")] = "",
    workload: Annotated[
        str, typer.Option(help="Command to make faster; its function calls are recorded.", metavar="CMD")
    ] = "",
    benchmark: Annotated[
        str, typer.Option(help="A pytest-benchmark, CodSpeed or asv benchmark as the workload.", metavar="NODEID")
    ] = "",
    base: options.Base = None,
    model: Annotated[
        str | None, typer.Option(help="Model that proposes rewrites in addition to the built-in ones.", metavar="M")
    ] = None,
    budget: options.Budget = None,
    *,
    run_settings: dict[str, Any],
    apply: options.Apply = False,
    branch: options.Branch = None,
    sarif: options.Sarif = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Make a function faster, and prove that it returns the same results with fewer instructions.

    Without --function, `optimize` chooses the hottest functions of the workload. If you pass neither
    --workload nor --benchmark, the tests are the workload.

    Exit codes: 0 (faster), 6 (a patch that is not proven), 1 (nothing was made faster), otherwise as for `fix`.
    """
    options.check_delivery(apply, branch)
    options.check_writable(sarif)
    if workload and benchmark:
        raise UsageError("--workload and --benchmark were both given.", "Choose one.")
    source = Repository.open(repository_from(repo, plain_waiting))
    target = str(parse_target(function)) if function else ""
    settings = load_settings(
        source.file(".swe-agent.toml", base) or b"",
        function=target,
        workload=workload,
        benchmark=benchmark,
        model=model,
        strategy="optimize",
        budget=budget,
        **run_settings,
        apply=apply or None,
        branch=branch,
    )
    if target:
        parse_target(function).check(source.file(parse_target(function).path, base))
    asked = Issue(f"Make {target or 'the hottest functions'} faster", _describe_workload(workload, benchmark))

    def on_end(engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        if sarif and error is None:
            from agent.patch_checks.sarif import as_sarif, write_sarif
            from extensions.optimize.optimization_findings import optimization_findings

            properties = {"verdict": ended.verdict.kind, "run": ended.run}
            write_sarif(sarif, as_sarif(optimization_findings(engine, ended), "optimize", properties=properties))

    return drive_new(asked, source, settings, Console(json=json, plain=plain), base, None, on_end)


def _describe_workload(workload: str, benchmark: str) -> str:
    if workload or benchmark:
        return f"The workload is `{workload or benchmark}`."
    return "The workload is the tests."
