"""The command line: each subcommand is a file in `agent/cli/commands/`, imported only when it is called.

Errors are reported here without a traceback: a message, a fix, and the exit code from `trajectories/errors.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from agent.console.error_report import INTERRUPTED, report_error, report_failure
from trajectories.errors import Cancelled, SweAgentError

COMMANDS = Path(__file__).parent / "commands"
DEFAULT_COMMAND = "session"
"""The default subcommand."""
GLOBAL_FLAGS = frozenset({"--help", "--version"})
"""Flags of `swe-agent` itself; any other flag before a subcommand belongs to the default subcommand."""


class Command(TyperCommand):
    """A subcommand whose help shows flags without a type, since flags take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))


class Subcommands(TyperGroup):
    """A command group that lists subcommands by file name and first docstring line, and imports only the one that is
    called."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in GLOBAL_FLAGS):
            args = [DEFAULT_COMMAND, *args]
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
        return name, load_command(name) if name and listed else listed, rest


def load_command(name: str) -> Any:
    """Import a subcommand and return it as a Typer command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, cls=Command)(
        _with_exit_code(import_module(f"agent.cli.commands.{name.replace('-', '_')}").command)
    )
    return typer.main.get_command(app)


def _without_types_of_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False):
            param.display_type_rich = lambda ctx: None
    return params


class CommandExit(int):
    """An exit code returned by a command, as opposed to the plain 130 that Typer returns for Ctrl-C without a
    message."""


def _with_exit_code(command: Callable[..., int]) -> Callable[..., CommandExit]:
    @wraps(command)
    def wrapper(*args: Any, **options: Any) -> CommandExit:
        return CommandExit(command(*args, **options))

    return wrapper


def _summary(file: Path) -> str:
    """Return the first line of a command's module docstring; the rest of the file is not read, for speed."""
    with file.open(encoding="utf-8") as text:
        return text.readline().strip().strip('"')


def build_command_line() -> Any:
    """Return the command-line application; subcommands are loaded when they are called."""
    app = typer.Typer(cls=Subcommands, add_completion=False, pretty_exceptions_enable=False)

    @app.callback(invoke_without_command=True)
    def main(
        version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),
    ) -> None:
        """Solve issues in a repository, with verified patches.

        Without a subcommand, a session opens in the current folder; `swe-agent session --help` lists its options.
        """

    return typer.main.get_command(app)


def _version(asked: bool) -> None:
    if asked:
        from agent.version import __version__

        typer.echo(f"swe-agent {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        code: Any = build_command_line().main(args=arguments, prog_name="swe-agent", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return report_error(arguments, getattr(error, "exit_code", 2), *_explain_usage(error))
    except (SweAgentError, OSError) as error:
        return report_failure(arguments, error)
    if code == Cancelled.code and not isinstance(code, CommandExit):
        return report_error(arguments, *INTERRUPTED)
    return code if isinstance(code, int) else 0


def _explain_usage(error: Any) -> tuple[str, str]:
    """Return the message of a usage error, and a hint to see the help."""
    message = error.format_message().strip()
    ctx = getattr(error, "ctx", None)
    sentence = message if message.endswith((".", "?")) else f"{message}."
    return sentence, f"See `{ctx.command_path} --help`." if ctx else ""
