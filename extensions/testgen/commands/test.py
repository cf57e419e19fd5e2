"""Write stable tests that raise coverage and kill more mutants."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from aci.repository.user_repository import Repository
from agent.cli import shared_options as options
from agent.config.settings import load_settings
from agent.console.foreground_run import drive_new
from agent.console.rich_terminal import plain_waiting
from agent.console.run_display import Console
from agent.inputs.issue_input import repository_from
from extensions.testgen.changed_functions import changed_functions, format_targets
from extensions.testgen.usage_mining import find_subjects
from trajectories.errors import UsageError
from trajectories.records import Issue


@options.with_run_options
def command(
    repo: options.Repo = ".",
    function: Annotated[
        str,
        typer.Option(help="The function or class to test; PATH.py alone means the whole file.", metavar="PATH.py:NAME"),
    ] = "",
    changed: Annotated[bool, typer.Option("--changed", help="Test the functions that differ from --base.")] = False,
    base: Annotated[
        str,
        typer.Option(
            help="With --changed: the commit to compare the working tree with; by default HEAD, or where the branch "
            "left the main branch if nothing differs from HEAD.",
            metavar="REV",
        ),
    ] = "",
    model: Annotated[
        str | None, typer.Option(help="Model that writes tests when the search finds no more tests.", metavar="M")
    ] = None,
    budget: options.Budget = None,
    *,
    run_settings: dict[str, Any],
    apply: options.Apply = False,
    branch: options.Branch = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Write stable tests that raise coverage and kill more mutants.

    The tests assert the current behaviour. Behaviour that looks wrong is reported and not tested. The command changes
    no source files.

    Exit codes: 0 (tests were written), 1 (no test could be written), otherwise as for `fix`.
    """
    options.check_delivery(apply, branch)
    if bool(function) == changed:
        raise UsageError(
            "Both --function and --changed were given." if changed else "No function to test was given.",
            "Give --function PATH.py:NAME, or --changed.",
        )
    source = Repository.open(repository_from(repo, plain_waiting))
    targets = _changed_targets(source, base) if changed else _checked_target(source, function)
    settings = load_settings(
        source.file(".swe-agent.toml") or b"",
        function=targets,
        model=model,
        strategy="write-tests",
        budget=budget,
        **run_settings,
        apply=apply or None,
        branch=branch,
    )
    asked = Issue(f"Write tests for {targets}", "The tests should raise coverage and kill more mutants.")
    return drive_new(asked, source, settings, Console(json=json, plain=plain))


def _checked_target(source: Repository, function: str) -> str:
    """Return the target in the form in which a run records it. Raises UsageError if there is no such file or
    function."""
    path, mark, name = function.partition(".py:")
    path = (f"{path}.py" if mark else function).removeprefix("./")
    if not path.endswith(".py") or (mark and not name) or "," in path:
        raise UsageError(f"{function!r} is not a function.", "Name it as PATH.py:function, PATH.py:Class or PATH.py.")
    data = source.file(path)
    if data is None:
        raise UsageError(f"There is no file {path}.", "Name the function as PATH.py:NAME.")
    try:
        found = find_subjects(data, [name] if name else [])
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be parsed: {error}.", "Name another function.") from None
    if not found:
        what = f"{path} has no function or class {name}." if name else f"{path} has no functions."
        raise UsageError(what, "Name it as PATH.py:Class.method.")
    return format_targets([(path, name)])


def _changed_targets(source: Repository, base: str) -> str:
    """Return the functions that `changed_functions` finds. Raises UsageError if there are none."""
    found = changed_functions(source, base)
    if not found:
        what = f"No Python function outside of tests differs from {base or 'HEAD'}."
        raise UsageError(what, "Compare with another commit: --base REV.")
    return format_targets(found)
