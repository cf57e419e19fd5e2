"""The command line: each subcommand is a module, a plugin of `agent.cli.commands`, imported only when it is called.

Text in place of a subcommand is the first request of a session.

Errors are reported here without a traceback: a message, a fix, and the exit code from `trajectories/errors.py`.

Plain option values are converted without pydantic, whose import takes longer than most commands: Typer converts each
value with pydantic, also texts, and options that are not given. All other values are left to it.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from agent.cli.default_command import COMPLETE, PROGRAM
from agent.console.error_report import INTERRUPTED, report_error, report_failure
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.plugins import find, missing_extension
from trajectories.plugins import names as plugin_names


@dataclass(frozen=True)
class PlainConversion:
    """The conversion of one parameter's values; `usual` returns Typer's own."""

    usual: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return a value as Typer would. Raises what it would."""
        annotation, info = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if param.nargs == 1 and not param.multiple and info.parser is None:
            if value is None or (annotation in (str, int) and value is param.default and type(value) is annotation):
                return value
            if annotation is str and type(value) is str:
                return value
            if annotation is Path and type(value) is str and _needs_no_check(Path(value), info):
                return Path(value)
        return self.usual().coerce(value, param=param, ctx=ctx)


def _needs_no_check(path: Path, info: Any) -> bool:
    """Return whether a path with these settings is accepted whatever it names."""
    asked = info.exists or info.writable or info.resolve_path or not (info.file_okay and info.dir_okay)
    return not asked and (os.access(path, os.R_OK) or not os.path.lexists(path))


def convert_plainly(param: Any) -> None:
    """Let a Typer parameter convert plain values without pydantic."""
    usual = param.get_runtime_param
    param.get_runtime_param = lambda: PlainConversion(usual)


COMMANDS = "agent.cli.commands"
DEFAULT_COMMAND = "session"
"""The default subcommand."""
GLOBAL_FLAGS = frozenset({"-h", "--help", "--version"})
"""Flags of `swe-agent` itself; any other flag before a subcommand belongs to the default subcommand."""
CONTEXT = {"help_option_names": ["--help", "-h"]}
GROUPS = {
    "Work": ("fix", "session", "optimize", "test", "prove", "review", "locate", "graph"),
    "Runs": ("runs", "show", "report", "resume", "fork", "replay", "diff", "export", "gc"),
    "Many issues": ("batch", "evaluate", "synth"),
    "Set up": ("doctor", "config", "env", "experience", "memory", "strategies", "completion"),
}
"""The groups of subcommands in the help; those that are not named here are in the group `OTHER`."""
OTHER = "Other"
EXTENSIONS = {
    "acp": "interactive",
    "batch": "lab",
    "count": "optimize",
    "diff": "replay",
    "doctor": "housekeeping",
    "env": "environments",
    "evaluate": "lab",
    "experience": "memory",
    "export": "lab",
    "fork": "replay",
    "gc": "housekeeping",
    "github": "github",
    "gitlab": "gitlab",
    "graph": "code_search",
    "locate": "code_search",
    "mcp": "mcp_server",
    "memory": "memory",
    "optimize": "optimize",
    "replay": "replay",
    "report": "report",
    "reproduce": "reproduction",
    "review": "review",
    "runs": "run_views",
    "session": "interactive",
    "show": "run_views",
    "synth": "lab",
    "test": "testgen",
}
"""The extension of each subcommand that is not the core's."""
ISSUE_OPTIONS = {"--text": "TEXT", "--issue-file": "FILE", "--issue": "URL"}
"""The options with which a subcommand takes an issue, each with its value."""


class Command(TyperCommand):
    """A subcommand whose help shows flags without a type, since flags take no value.

    `obj` of its context contains the arguments as they were given.
    """

    def get_params(self, ctx: Any) -> list[Any]:
        return _prepared(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.obj = tuple(args)
        ctx.allow_extra_args = True  # they are reported below, with the options that take them
        parsed: list[str] = super().parse_args(ctx, args)
        if parsed and not ctx.resilient_parsing:
            raise _extra_argument(ctx, parsed[0])
        return parsed


class Subcommands(TyperGroup):
    """A command group that lists subcommands by file name and first docstring line, and imports only the one that is
    called."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _prepared(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # A shell completes an empty command line with the subcommands.
        if _is_for_session(args[0]) if args else not ctx.resilient_parsing:
            args = [DEFAULT_COMMAND, *args]
        parsed: list[str] = super().parse_args(ctx, args)
        return parsed

    def list_commands(self, ctx: Any) -> list[str]:
        names = set(_modules())
        grouped = [name for group in GROUPS.values() for name in group if name in names]
        return [*grouped, *sorted(names.difference(grouped))]

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        group = next((group for group, members in GROUPS.items() if cmd_name in members), OTHER)
        summary = _summary(_modules()[cmd_name])
        return TyperCommand(cmd_name, help=summary, rich_help_panel=group)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] not in self.list_commands(ctx) and not ctx.resilient_parsing:
            raise unknown_word(args, self.list_commands(ctx))
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and listed else listed, rest

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete the name of a subcommand, or an option of the default subcommand."""
        found: list[Any] = super().shell_complete(ctx, incomplete)
        if incomplete.startswith("-"):
            session = load_command(DEFAULT_COMMAND)
            with session.make_context(DEFAULT_COMMAND, [], parent=ctx, resilient_parsing=True) as its_context:
                own = {item.value for item in found}
                found += [item for item in session.shell_complete(its_context, incomplete) if item.value not in own]
        return found


def _is_for_session(word: str) -> bool:
    """Return whether the first argument is a request, or an option of the default subcommand."""
    return (word.startswith("-") and word not in GLOBAL_FLAGS) or bool(re.search(r"\s", word))


def unknown_word(words: list[str], commands: list[str]) -> UsageError:
    """Return the error for a word that is neither a subcommand nor clearly a request."""
    from agent.config.close_names import did_you_mean

    word = words[0]
    if extension := EXTENSIONS.get(word):
        return missing_extension(f"`{PROGRAM} {word}`", extension)
    request = f"To ask for it in a session: swe-agent -- {' '.join(words)}"
    if question := did_you_mean(word, commands):
        return UsageError(f"There is no subcommand {word!r}. {question}", request)
    return UsageError(f"There is no subcommand {word!r}; `swe-agent --help` lists them.", request)


def _extra_argument(ctx: Any, word: str) -> UsageError:
    """Return the error for an argument of a subcommand that takes no more of them."""
    offered = {name for param in ctx.command.params for name in getattr(param, "opts", ())}
    takes = [f"{name} {value}" for name, value in ISSUE_OPTIONS.items() if name in offered]
    fix = f"Give an issue as {', '.join(takes[:-1])} or {takes[-1]}." if len(takes) > 1 else ""
    what = f"`{ctx.command_path}` does not take the argument {word!r}."
    return UsageError(what, f"{fix} See `{ctx.command_path} --help`.".strip())


def load_command(name: str) -> Any:
    """Import a subcommand and return it as a Typer command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, context_settings=CONTEXT)
    app.command(name, cls=Command)(_with_exit_code(find(COMMANDS, name, "command", "subcommand")))
    return typer.main.get_command(app)


def _prepared(params: list[Any]) -> list[Any]:
    """Show no type for flags, and convert plain values quickly."""
    for param in params:
        if "get_runtime_param" not in vars(param):
            convert_plainly(param)
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


@cache
def _modules() -> Mapping[str, str]:
    """Return the modules of the subcommands by name."""
    return MappingProxyType(plugin_names(COMMANDS))


def _summary(module: str) -> str:
    """Return the first line of a command's module docstring, without importing the module, for speed; "" if it cannot
    be read, as that of another distribution."""
    try:
        spec = find_spec(module)
        with Path(spec.origin if spec and spec.origin else "").open(encoding="utf-8") as text:
            return text.readline().strip().strip('"')
    except (ImportError, OSError, ValueError):
        return ""


def build_command_line() -> Any:
    """Return the command-line application; subcommands are loaded when they are called."""
    app = typer.Typer(
        cls=Subcommands,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
        subcommand_metavar="[COMMAND | REQUEST] [ARGUMENTS]",
    )

    @app.callback(invoke_without_command=True)
    def main(
        version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),
    ) -> None:
        """Solve issues in a repository, and prove patches.

        swe-agent "why is total() wrong?"   open a session with this; alone, without
        swe-agent fix --issue-file bug.md   solve an issue, and prove the patch
        swe-agent doctor                    check git, Docker, model and settings

        Options of `swe-agent session` also work without `session`, such as -c and -p.
        """

    return typer.main.get_command(app)


def _version(asked: bool) -> None:
    if asked:
        from agent.version import __version__

        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code. Raises SystemExit after completing a word for a shell."""
    warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")  # in the repository's code
    if COMPLETE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    try:
        code: Any = build_command_line().main(
            args=arguments, prog_name=PROGRAM, complete_var=COMPLETE, standalone_mode=False
        )
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
