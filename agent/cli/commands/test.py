"""Write tests that cover more, notice more mutants, and hold each time."""

from __future__ import annotations

from typing import Annotated

import typer

from aci.generating.changes import as_text, changed_functions
from aci.generating.reading import subjects
from aci.repository import Repository
from agent.console import Console
from agent.drive import drive_new
from agent.intake import repository_from
from agent.options import (
    Apply,
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
    function: Annotated[
        str,
        typer.Option(help="What is tested: a function, a class, or with PATH.py alone a file.", metavar="PATH.py:NAME"),
    ] = "",
    changed: Annotated[bool, typer.Option("--changed", help="Test the functions that differ from --base.")] = False,
    base: Annotated[
        str, typer.Option(help="With --changed: what to compare the working tree with.", metavar="REV")
    ] = "HEAD",
    test: Test = None,
    model: Annotated[
        str | None, typer.Option(help="Who is asked for tests once the search finds no more.", metavar="M")
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
    """Write tests that cover more, notice more mutants, and hold each time.

    They say what the code does at present; what looks wrong is told, and is no test. No source is changed.
    Exit codes: 0 tests were written, 1 none could be, else as `fix`.
    """
    check_delivery(apply, branch)
    if bool(function) == changed:
        raise UsageError(
            "Both --function and --changed were given." if changed else "Nothing says what is to be tested.",
            "Give --function PATH.py:NAME, or --changed.",
        )
    source = Repository.open(repository_from(repo))
    targets = _changed(source, base) if changed else _checked(source, function)
    settings = load_settings(
        source.file(".swe-agent.toml") or b"",
        function=targets,
        test=test,
        model=model,
        strategy="write-tests",
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
    asked = Issue(f"Write tests for {targets}", "They are to cover more and to notice more mutants.")
    return drive_new(asked, source, settings, Console(json=json, plain=plain))


def _checked(source: Repository, function: str) -> str:
    """The target as the run holds it. Raises UsageError where there is no such file or function."""
    path, mark, name = function.partition(".py:")
    path = (f"{path}.py" if mark else function).removeprefix("./")
    if not path.endswith(".py") or (mark and not name) or "," in path:
        raise UsageError(f"{function!r} names no function.", "Name it as PATH.py:function, PATH.py:Class or PATH.py.")
    data = source.file(path)
    if data is None:
        raise UsageError(f"There is no file {path}.", "Name the function as PATH.py:NAME.")
    try:
        found = subjects(data, [name] if name else [])
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be parsed: {error}.", "Name another function.") from None
    if not found:
        what = f"{path} has no function or class {name}." if name else f"{path} has no functions."
        raise UsageError(what, "Name it as PATH.py:Class.method.")
    return as_text([(path, name)])


def _changed(source: Repository, base: str) -> str:
    """The functions that differ from the merge base with `base`. Raises UsageError where there are none."""
    found = changed_functions(source, base)
    if not found:
        raise UsageError(
            f"No Python function outside of tests differs from {base}.", "Compare with another one: --base REV."
        )
    return as_text(found)
