"""Make a function faster and prove it: same answers, fewer instructions."""

from __future__ import annotations

from typing import Annotated

import typer

from aci.repository import Repository
from aci.target import Target, target_of
from agent.console import Console
from agent.drive import drive_new
from agent.intake import repository_from
from agent.options import (
    Apply,
    Base,
    Branch,
    Budget,
    Effort,
    Image,
    Json,
    Kind,
    MaxSteps,
    MaxTime,
    MaxTokens,
    Plain,
    Test,
    check_delivery,
)
from agent.settings import load_settings
from trajectories.errors import UsageError
from trajectories.records import Issue


def command(
    repo: Annotated[str, typer.Option(help="Repository: a folder, or a URL to clone.", metavar="DIR|URL")] = ".",
    function: Annotated[str, typer.Option(help="The function to make faster.", metavar="PATH.py:QUALNAME")] = "",
    workload: Annotated[
        str, typer.Option(help="Command whose time counts; its calls are recorded.", metavar="CMD")
    ] = "",
    benchmark: Annotated[
        str, typer.Option(help="A pytest-benchmark, CodSpeed or asv benchmark as the workload.", metavar="NODEID")
    ] = "",
    base: Base = None,
    test: Test = None,
    model: Annotated[
        str | None, typer.Option(help="Whose candidates are tried beside the built-in rewrites.", metavar="M")
    ] = None,
    effort: Effort = None,
    workspace: Kind = None,
    image: Image = None,
    budget: Budget = None,
    max_steps: MaxSteps = None,
    max_tokens: MaxTokens = None,
    max_time: MaxTime = None,
    apply: Apply = False,
    branch: Branch = None,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """Make a function faster and prove it: same answers, fewer instructions.

    Without --function the hottest ones of the workload are chosen; without a workload it is the tests.
    Exit codes: 0 faster, 6 a patch that is not proven, 1 nothing made faster, else as `fix`.
    """
    check_delivery(apply, branch)
    if workload and benchmark:
        raise UsageError("--workload and --benchmark were both given.", "Choose one.")
    source = Repository.open(repository_from(repo))
    target = str(target_of(function)) if function else ""
    settings = load_settings(
        source.file(".swe-agent.toml", base) or b"",
        function=target,
        workload=workload,
        benchmark=benchmark,
        test=test,
        model=model,
        strategy="optimize",
        effort=effort,
        workspace=workspace,
        image=image,
        budget=budget,
        max_steps=max_steps,
        max_tokens=max_tokens,
        max_time=max_time,
        apply=apply or None,
        branch=branch,
    )
    if target:
        _check(target_of(function), source.file(target_of(function).path, base))
    asked = Issue(f"Make {target or 'the hottest functions'} faster", _of_what(workload, benchmark))
    return drive_new(asked, source, settings, Console(json=json, plain=plain), base)


def _check(target: Target, data: bytes | None) -> None:
    """Raises UsageError where there is no such function."""
    if data is None:
        raise UsageError(f"There is no file {target.path}.", "Name the function as PATH.py:QUALNAME.")
    try:
        target.find(data)
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"{target.path} cannot be parsed: {error}.", "Name another function.") from None


def _of_what(workload: str, benchmark: str) -> str:
    if workload or benchmark:
        return f"The workload is `{workload or benchmark}`."
    return "The workload is the tests."
