"""Show and change settings, and store API keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from agent.cli.value_completion import complete_setting
from trajectories.errors import UsageError

Verb = Literal["show", "get", "set", "unset", "path", "key"]
WORDS: dict[str, tuple[str, ...]] = {
    "show": (),
    "get": ("NAME",),
    "set": ("NAME", "VALUE"),
    "unset": ("NAME",),
    "path": (),
    "key": ("NAME",),
}
"""The arguments of each verb."""
NAME_WIDTH, VALUE_WIDTH = 14, 16
"""Widths of columns; on a terminal a longer name wraps, and a longer value is cut."""


def command(
    verb: Annotated[Verb, typer.Argument(help="What to do.", metavar="show|get|set|unset|path|key")] = "show",
    name: Annotated[
        str | None,
        typer.Argument(
            help="A setting; for `key`, a provider or model.", metavar="NAME", autocompletion=complete_setting
        ),
    ] = None,
    value: Annotated[str | None, typer.Argument(help="set: the new value.", metavar="VALUE")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="key: delete the key.")] = False,
    in_clear: Annotated[bool, typer.Option("--in-clear", help="key: store the key unencrypted in a file.")] = False,
    json: Annotated[bool, typer.Option("--json", help="show, get: print one JSON object on stdout.")] = False,
) -> int:
    """Show and change settings, and store the API keys of model providers.

    `config show` lists every setting with its value, its meaning and its source. For an API key, it shows only where
    the key is stored. `config get NAME` prints one value.

    `config set NAME VALUE` and `config unset NAME` change your configuration file. `config path` prints its path.

    To set a field of a model, write models.MODEL.FIELD without quotes:

    swe-agent config set models.openai/gpt-4.1.price_in 2.5

    To approve a service that runs beside the workspace, set its image:

    swe-agent config set services.postgres.image postgres:16

    `config key NAME` asks for the key of a provider (openai) or a model (openai/gpt-4.1), or reads the key from stdin,
    and stores it in the system's keyring. `config key NAME --delete` deletes the key.
    """
    words = [word for word in (name, value) if word is not None]
    if len(words) != len(WORDS[verb]):
        raise UsageError(
            f"`config {verb}` takes {' '.join(WORDS[verb]) or 'no arguments'}.", "See `swe-agent config --help`."
        )
    if (delete or in_clear) and verb != "key":
        raise UsageError("--delete and --in-clear are for `config key`.", "See `swe-agent config --help`.")
    if verb == "show":
        _show(json)
    elif verb == "get":
        _get(words[0], json)
    elif verb == "path":
        from agent.config.user_file import user_file

        typer.echo(user_file())
    elif verb == "key":
        _key(words[0], delete, in_clear)
    else:
        _change(words[0], value)
    return 0


def _show(json: bool) -> None:
    from agent.cli.setting_sources import sections_of, setting_values

    found = setting_values(_repository_config())
    if json:
        from json import dumps

        typer.echo(dumps(found))
        return
    from rich.markup import escape
    from rich.table import Table

    from aci.observation.untrusted_text import clean_text, one_line
    from agent.console.pager import page_output

    with page_output() as out:
        for title, rows in sections_of(found).items():
            out.line(clean_text(title), "bold")
            if not out.is_terminal:
                for row in rows:
                    name, value, text = map(one_line, row)
                    out.line(f"{name:<{NAME_WIDTH}}  {value:<{VALUE_WIDTH}}  {text}".rstrip())
                out.line()
                continue
            table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
            table.add_column(min_width=NAME_WIDTH)
            table.add_column(min_width=VALUE_WIDTH, max_width=VALUE_WIDTH, no_wrap=True, overflow="ellipsis")
            table.add_column(style="dim")
            for row in rows:
                table.add_row(*(escape(clean_text(part)) for part in row))
            out.rich.print(table)
            out.line()
        out.line("`swe-agent config get NAME` prints a whole value, `config set NAME VALUE` changes it.", "dim")


def _get(name: str, json: bool) -> None:
    from json import dumps

    from agent.cli.setting_sources import setting_values, show_value, value_of

    value = value_of(name, setting_values(_repository_config()))
    if json:
        typer.echo(dumps({"name": name, "value": value}))
    else:
        typer.echo(dumps(value) if isinstance(value, dict) else show_value(value))


def _repository_config() -> bytes:
    """Return the `.swe-agent.toml` that `fix` would read here; empty if there is no repository."""
    from aci.repository.user_repository import Repository
    from trajectories.errors import SweAgentError

    try:
        return Repository.open(Path()).file(".swe-agent.toml") or b""
    except SweAgentError:
        return b""


def _change(name: str, value: str | None) -> None:
    from agent.config.settings import POLICY, in_environment, read_toml
    from agent.config.user_config import change, parse_name, remove
    from agent.config.user_file import user_file

    if value is None:
        remove(name)
        typer.echo(f"{name} is no longer set in {user_file()}.", err=True)
        return
    if name == "session.theme":
        _check_theme(value)
    typer.echo(f"{name} = {_shown(change(name, value))} in {user_file()}.", err=True)
    setting = parse_name(name).setting
    if setting in read_toml(POLICY):
        typer.echo(f"It has no effect: the administrator's {POLICY} sets {setting}.", err=True)
    elif in_environment(setting):
        typer.echo(f"It has no effect while SWE_AGENT_{setting.upper()} is in the environment.", err=True)


def _check_theme(name: str) -> None:
    """Raise UsageError for an unknown theme. Loading a config file accepts unknown themes, since another version may
    have them."""
    from textual.theme import BUILTIN_THEMES

    from agent.config.session_preferences import OWN_THEMES

    known = [*OWN_THEMES, *sorted(BUILTIN_THEMES)]
    if name.strip() not in known:
        raise UsageError(f"There is no theme {name!r}.", f"There are {', '.join(known)}.")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _key(name: str, delete: bool, in_clear: bool) -> None:
    from agent.config import api_keys

    if not name.isascii() or not name.isprintable() or " " in name or not name:
        raise UsageError(f"{name!r} is not a provider or model.", "Name one, such as openai or openai/gpt-4.1.")
    if delete:
        typer.echo(f"The key of {name} was deleted from {' and '.join(api_keys.delete(name))}.", err=True)
    else:
        typer.echo(f"The key of {name} is now {api_keys.store(name, _ask_for_key(name), in_clear)}.", err=True)


def _ask_for_key(name: str) -> str:
    """Read the key from a hidden prompt, or from the first line of stdin if it is not a terminal."""
    if sys.stdin.isatty():
        from getpass import getpass

        try:
            key = getpass(f"Key of {name} (not shown): ", stream=sys.stderr)
        except EOFError:
            key = ""
    else:
        key = sys.stdin.readline()
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        what = "No key was given" if not key else "This is not a key: it contains blanks or unusual characters"
        raise UsageError(f"{what}.", "Type or paste the key at the prompt, or pipe it in on one line.")
    return key
