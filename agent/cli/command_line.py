"""The command line: one file a subcommand under `agent/run/`, imported only when it is called.

Every error ends here: one sentence and what to do about it, the exit code of `trajectories/errors.py`, no traceback.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from errno import ENOSPC
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from trajectories.errors import Cancelled, SweAgentError, WorkspaceError

INTERRUPTED = Cancelled.code, "Interrupted.", "`swe-agent runs` lists what can be resumed."
COMMANDS = Path(__file__).parent / "run"
BARE = "session"
"""The subcommand of a command line that names none."""
OF_THE_DOOR = frozenset({"--help", "--version"})


class Command(TyperCommand):
    """A subcommand whose help shows flags without a type, since they take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))


class Subcommands(TyperGroup):
    """Lists commands by file name and first docstring line; imports the one that is called."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in OF_THE_DOOR):
            args = [BARE, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(file.stem.replace("_", "-") for file in COMMANDS.glob("[a-z]*.py"))

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return TyperCommand(cmd_name, help=_summary(COMMANDS / f"{cmd_name.replace('-', '_')}.py"))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and listed else listed, rest


def load(name: str) -> Any:
    """The real command behind a name."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, cls=Command)(_marked(import_module(f"agent.run.{name.replace('-', '_')}").command))
    return typer.main.get_command(app)


def _without_types_of_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.display_type_rich = lambda ctx: None
    return params


class Returned(int):
    """An exit code that a command gave; Typer gives 130, without a word, for a Ctrl-C anywhere."""


def _marked(command: Callable[..., int]) -> Callable[..., Returned]:
    @wraps(command)
    def marked(*args: Any, **options: Any) -> Returned:
        return Returned(command(*args, **options))

    return marked


def _summary(file: Path) -> str:
    """The first line of the docstring that each of our files begins with; parsing them all would take a while."""
    with file.open(encoding="utf-8") as text:
        return text.readline().strip().strip('"')


def build() -> Any:
    """The whole command line, without its subcommands' insides."""
    app = typer.Typer(cls=Subcommands, add_completion=False, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def main(
        version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),
    ) -> None:
        """An issue and a repository go in, a verified patch comes out.

        Without a subcommand a session opens in the present folder; `swe-agent session --help` tells its options.
        """

    return typer.main.get_command(app)


def _version(asked: bool) -> None:
    if asked:
        from agent.solve import VERSION

        typer.echo(f"swe-agent {VERSION}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        code: Any = build().main(args=arguments, prog_name="swe-agent", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return fail(arguments, getattr(error, "exit_code", 2), *_explained(error))
    except (SweAgentError, OSError) as error:
        return failed(arguments, error)
    if code == Cancelled.code and not isinstance(code, Returned):
        return fail(arguments, *INTERRUPTED)
    return code if isinstance(code, int) else 0


def failed(arguments: list[str], error: SweAgentError | OSError) -> int:
    """Say what ended a command. Raises an OSError anew that nobody foresaw."""
    if isinstance(error, SweAgentError):
        return fail(arguments, error.code, error.message, error.fix)
    if error.errno != ENOSPC:
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is not written yet would fail once more at the end
    return fail([], WorkspaceError.code, f"Nothing more can be written: {error.strerror}.", "Make room.")


def fail(arguments: list[str], code: int, message: str, fix: str) -> int:
    """Say what is wrong and what to do: for a program on stdout, for a person on stderr."""
    if "--json" in arguments:
        typer.echo(json.dumps({"error": {"code": code, "message": message, "fix": fix}}))
    else:
        from aci.view import clean

        typer.echo(clean(f"swe-agent: {message} {fix}".strip()), err=True)
    return code


def _explained(error: Any) -> tuple[str, str]:
    """What was wrong with the words of a command line, and where to read on."""
    message = error.format_message().strip()
    ctx = getattr(error, "ctx", None)
    return message if message.endswith(
        (".", "?")
    ) else f"{message}.", f"See `{ctx.command_path} --help`." if ctx else ""
