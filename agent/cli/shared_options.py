"""Options and arguments that several subcommands share, each defined once."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.value_completion import complete_run, complete_strategy, complete_value_of
from trajectories.errors import UsageError
from trajectories.plugins import extension_module

RunName = Annotated[
    str,
    typer.Argument(
        help="Name of the run as `runs` shows it; a unique prefix or the last part of the name also works.",
        metavar="RUN",
        autocompletion=complete_run,
    ),
]
IssueUrl = Annotated[str, typer.Option(help="URL of an issue, or its number in REPO.", metavar="URL|N")]
IssueFile = Annotated[Path | None, typer.Option(help="File with the issue's text; `-` means stdin.", metavar="F")]
IssueText = Annotated[str | None, typer.Option(help="Text of the issue.", metavar="T")]
Repo = Annotated[str, typer.Option(help="Repository: a folder, or a URL to clone.", metavar="DIR|URL")]
SearchBase = Annotated[str | None, typer.Option(help="Search this commit, not the working tree.", metavar="REV")]
Model = Annotated[str | None, typer.Option(help="Model: its name, scripted:FILE or replay:RUN.", metavar="M")]
Strategy = Annotated[
    str | None,
    typer.Option(
        help="Strategy; `swe-agent strategies` lists all strategies.", metavar="S", autocompletion=complete_strategy
    ),
]
Prompts = Annotated[Path | None, typer.Option(help="Folder whose files replace the strategy's prompts.", metavar="DIR")]
Filter = Annotated[str, typer.Option(help="Only instances whose id matches.", metavar="REGEX")]
Base = Annotated[str | None, typer.Option(help="Start from this commit, not from the working tree.", metavar="REV")]
Workspace = Annotated[
    str | None,
    typer.Option(
        help="Where commands run: docker, sandbox or local (not isolated).",
        metavar="W",
        autocompletion=complete_value_of("workspace"),
    ),
]
Image = Annotated[str | None, typer.Option(help="Docker image that contains the tools of the repository.", metavar="I")]
EngineOption = Annotated[list[str] | None, typer.Option(help="Option of the engine; repeatable.", metavar="NAME=VALUE")]
Budget = Annotated[float | None, typer.Option(help="Budget in dollars.", metavar="USD")]
MaxSteps = Annotated[int | None, typer.Option(help="Maximum number of model replies.", metavar="N")]
Attempts = Annotated[int | None, typer.Option(help="Number of attempts, if the strategy makes several.", metavar="N")]
Test = Annotated[str | None, typer.Option(help="Command that runs the tests.", metavar="CMD")]
Serve = Annotated[str | None, typer.Option(help="Command that starts the project's server.", metavar="CMD")]
Effort = Annotated[
    str | None,
    typer.Option(
        help="Reasoning effort of the model: none, minimal, low, medium or high.",
        metavar="E",
        autocompletion=complete_value_of("effort"),
    ),
]
MaxTokens = Annotated[int | None, typer.Option(help="Maximum number of tokens, input and output.", metavar="N")]
MaxTime = Annotated[
    float | None,
    typer.Option(help="Time limit in seconds; time spent waiting for your answers does not count.", metavar="S"),
]
Apply = Annotated[bool, typer.Option("--apply", help="Apply the patch, whatever its verdict is.")]
Branch = Annotated[str | None, typer.Option(help="Commit the patch on a new branch.", metavar="B")]
Pr = Annotated[
    bool, typer.Option("--pr", "--mr", help="Open a draft pull or merge request if the verdict has exit code 0.")
]
IssueRepo = Annotated[
    str | None,
    typer.Option(
        help="Repository: a folder, or a URL to clone. Default: the current folder; with --issue, a clone.",
        metavar="DIR|URL",
    ),
]
MismatchOk = Annotated[
    bool, typer.Option("--repo-mismatch-ok", help="Use --repo even if the issue belongs to another repository.")
]
PatchBase = Annotated[
    str | None, typer.Option(help="Commit that the patch applies to, and whose tests are used.", metavar="REV")
]
PatchReproduction = Annotated[str | None, typer.Option(help="A test that shows the issue.", metavar="FILE|NODE")]
Independent = Annotated[
    bool, typer.Option("--independent", help="Also have the model write tests without the patch, as evidence.")
]
FixIndependent = Annotated[
    bool | None,
    typer.Option(help="Have the examiner write tests before the repair, as independent evidence (default)."),
]
Sarif = Annotated[Path | None, typer.Option(help="Also write the findings as SARIF 2.1.0 to this file.", metavar="F")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Plain = Annotated[bool, typer.Option("--plain", help="Use no colours and no live status line.")]

Events = Annotated[
    str,
    typer.Option(
        help="Write events as JSON lines to this file, which must be outside the repository; `-` means stdout.",
        metavar="F",
    ),
]
Deltas = Annotated[
    bool, typer.Option("--deltas", help="With --events: also write the text of each reply as it arrives, line by line.")
]

Accept = Annotated[
    str | None,
    typer.Option(help="The weakest verdict with exit code 0: `verified` (default) or `plausible`.", metavar="WORD"),
]

RUN_OPTIONS = {
    "test": Test,
    "serve": Serve,
    "effort": Effort,
    "workspace": Workspace,
    "image": Image,
    "max_steps": MaxSteps,
    "max_tokens": MaxTokens,
    "max_time": MaxTime,
    "accept": Accept,
}
"""The options of every command that starts a run, by the name of their setting. An option that is not given is None."""


def with_run_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of a command that starts one run: RUN_OPTIONS, as `with_run_settings` does, and those of its
    events."""
    return with_events(with_run_settings(command))


def with_run_settings(command: Callable[..., int]) -> Callable[..., int]:
    """Add RUN_OPTIONS to the options of a command in place of its parameter `run_settings`, a dictionary which then
    holds their values by setting."""

    @wraps(command)
    def wrapper(**values: Any) -> int:
        run_settings = {name: values.pop(name, None) for name in RUN_OPTIONS}
        return command(**values, run_settings=run_settings)

    parameters = []
    for one in inspect.signature(command, eval_str=True).parameters.values():
        if one.name == "run_settings":
            parameters += [one.replace(name=name, annotation=RUN_OPTIONS[name], default=None) for name in RUN_OPTIONS]
        else:
            parameters.append(one)
    return _with_parameters(wrapper, parameters)


def with_events(command: Callable[..., int]) -> Callable[..., int]:
    """Add `--events` and `--deltas` to the options of a command that works on runs, and write the events of its
    runs.

    With `--events -` the command is `--plain`, since stdout is no terminal for it. Raises UsageError if stdout should
    get both events and a result.
    """

    @wraps(command)
    def wrapper(*arguments: Any, events: str = "", deltas: bool = False, **values: Any) -> int:
        if not events:
            if deltas:
                raise UsageError("--deltas was given without --events.", "Give --events FILE, or --events -.")
            return command(*arguments, **values)
        if events == "-":
            if values.get("json"):
                raise UsageError("--json and `--events -` both write to stdout.", "Give --events FILE.")
            values["plain"] = True
        stream = extension_module("agent.cli.event_stream", "`--events`", "events")
        with stream.open_events(events, deltas, values.get("repo") or ""):
            return command(*arguments, **values)

    parameters = list(inspect.signature(command, eval_str=True).parameters.values())
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, default, annotation in (("events", "", Events), ("deltas", False, Deltas))
    ]
    place = next(number for number, one in enumerate(parameters) if one.name in ("json", "plain"))
    return _with_parameters(wrapper, [*parameters[:place], *added, *parameters[place:]])


def _with_parameters(command: Callable[..., int], parameters: list[inspect.Parameter]) -> Callable[..., int]:
    """Return the command with these parameters, which Typer makes its options."""
    keyword_only = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    command.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


def check_delivery(apply: bool, branch: str | None, pr: bool = False, issue: str = "") -> None:
    """Raise UsageError if the patch has more than one destination, or if a pull request has no issue on a host."""
    given = [name for name, value in (("--apply", apply), ("--branch", branch), ("--pr", pr)) if value]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} were {'both' if len(given) == 2 else 'all'} given.", "Choose one.")
    if pr and not issue:
        raise UsageError(
            "--pr needs an issue on GitHub or GitLab: the request goes to its repository.", "Give --issue URL."
        )


def check_writable(file: Path | None) -> None:
    """Raise UsageError if a file is given whose folder cannot be written, before a long run rather than after it."""
    if file and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise UsageError(f"The file {file} cannot be written.", "Give a file in a folder that you can write.")


SECONDS_OF_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_time(text: str, now: float) -> float:
    """Return a point in time, as users write it, in seconds since the epoch.

    `text` is `90m`, `12h`, `3d` or `2w` before `now`, or a local date or time in ISO 8601 (`2026-01-31`,
    `2026-01-31 14:00`). Raises UsageError for anything else.
    """
    from datetime import datetime

    if match := re.fullmatch(r"(\d{1,6})([mhdw])", text.strip()):
        return now - int(match[1]) * SECONDS_OF_UNITS[match[2]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"{text[:40]!r} is not a time.", "Write 12h, 3d, 2w, or a date such as 2026-01-31.") from None
