"""The pages of docs/reference/ that are generated from the code; `make reference` writes them, and a test compares.
It also writes the lines of the functions that docs/first-request.md names.

.venv/bin/python scripts/reference.py
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PAGES = ROOT / "docs" / "reference"
LONG_DEFAULTS = {"registries": "[public registries](../environments.md)", "state": "the system's folder for state"}
"""Defaults that depend on the machine, or are too long for a table."""
TABLES = {
    "models": ("[models.NAME]", "configuration.md"),
    "services": ("[services.NAME]", "environments.md"),
    "permissions": ("[permissions]", "permissions.md"),
    "hooks": ("[hooks]", "hooks.md"),
    "mcp": ("[mcp.NAME]", "mcp.md"),
}
"""The settings that are tables of their own, with the heading of each in the configuration file, and its guide."""
EXIT_CODES = {
    0: "The command succeeded. For `fix`, `prove` and similar commands: the patch is verified, or plausible with "
    "`--accept plausible`.",
    1: "No fix was found, or a limit other than the budget ended the run.",
    2: "Usage error: an option, a path, a revision or a text is invalid.",
    3: "Configuration error: a setting or credentials are invalid, or a price is missing.",
    4: "The budget is used up.",
    5: "The workspace could not be started, the workspace failed, or a run cannot be read.",
    6: "There is a patch, but it is plausible, disputed or unproven.",
    75: "Try again later: another process works on this run, or the provider refuses requests for now.",
    130: "Interrupted. `swe-agent resume` continues the run.",
}
OTHER_VARIABLES = {
    "CI": "If this variable is set, commands ask no questions at a terminal.",
    "CI_SERVER_URL": "Address of the GitLab server; GitLab sets it in jobs.",
    "CI_JOB_URL": "Address of the job, to which `gitlab comment` links; GitLab sets it in jobs.",
    "COLORFGBG": "Colours of the terminal; the theme `auto` uses them to choose between light and dark.",
    "COLUMNS": "Width of the output in columns.",
    "DOCKER_CONFIG": "Configuration folder of Docker, as for `docker`.",
    "DOCKER_CONTEXT": "Docker context, which selects the daemon, as for `docker`.",
    "DOCKER_HOST": "Address of the Docker daemon, as for `docker`.",
    "GIT_AUTHOR_EMAIL": "Email address of the author of commits that `--branch` and `/commit` make, as for git.",
    "GIT_AUTHOR_NAME": "Name of the author of commits that `--branch` and `/commit` make, as for git.",
    "GIT_CONFIG_COUNT": "Number of settings of git that the environment has, as for git.",
    "GITHUB_API_URL": "Address of the API of GitHub Enterprise Server; GitHub sets it for Actions.",
    "GITHUB_EVENT_NAME": "Name of the event that started the workflow; GitHub sets it for Actions.",
    "GITHUB_EVENT_PATH": "File that describes the event; GitHub sets it for Actions.",
    "GITHUB_REPOSITORY": "Repository of the workflow; GitHub sets it for Actions.",
    "GITHUB_SERVER_URL": "Address of GitHub Enterprise Server; GitHub sets it for Actions.",
    "GITHUB_TOKEN": "Token for GitHub, as for `gh`. You can also set `GH_TOKEN`. For another host, set `GH_HOST` and "
    "`GH_ENTERPRISE_TOKEN`.",
    "GITHUB_WORKFLOW_REF": "Path and ref of the workflow; GitHub sets it for Actions.",
    "GITLAB_HOST": "GitLab server of your own, with its port and path if it has them, as for `glab`.",
    "GITLAB_TOKEN": "Token for `GITLAB_HOST`, or for gitlab.com if that is not set.",
    "GITLAB_CI": "Whether this is a job of GitLab's CI; GitLab sets it.",
    "NO_COLOR": "If this variable is set and not empty, the output has no colours.",
    "PAGER": "Program that shows long output at a terminal.",
    "PATH": "Folders of programs, also for commands in the workspace `local`.",
    "PYENV_ROOT": "Folder of pyenv, in which `evaluate` finds older versions of Python.",
    "PYTHONHASHSEED": "Hash seed with which `count` measures a command.",
    "PYTHONPATH": "Module search path of Python; the workspace `local` passes it to commands.",
    "PYTHONUSERBASE": "Folder of the user's Python packages; the workspace `local` passes it to commands.",
    "RUSTUP_HOME": "Folder of rustup; the workspace `local` passes it to commands.",
    "TERM": "Type of the terminal; if it is `dumb`, the session has no screen.",
    "VALGRIND_LIB": "Library folder of Valgrind, with which `swe-agent` counts instructions.",
    "VISUAL": "Editor that a session opens for a long prompt.",
    "EDITOR": "Editor that a session opens for a long prompt, if `VISUAL` is not set.",
    "GIT_CONFIG_GLOBAL": "File with your settings of git, in place of `~/.gitconfig`.",
    "HF_ENDPOINT": "Address of the Hugging Face hub or of a mirror, as for its client; data sets are fetched from it.",
    "HF_TOKEN": "Token for the Hugging Face hub, as for its client; it is sent only for gated data sets, after a yes.",
    "XDG_CONFIG_HOME": "Folder of git's configuration.",
}
"""What each environment variable that this program reads, and does not define itself, is for."""


def commands() -> str:
    """Return the page of all subcommands with their arguments and options."""
    from agent.cli.command_line import GROUPS, OTHER, build_command_line, load_command

    known = build_command_line().list_commands(None)
    others = [name for name in known if not any(name in members for members in GROUPS.values())]
    lines = [
        *_head(
            "Command line",
            "This page describes all commands. `swe-agent COMMAND --help` prints the description of one command.",
        ),
        "Without arguments, `swe-agent` opens a [session](../session.md). A quoted text in place of a command opens a "
        "session with this text as the first request. All commands use the same [exit codes](exit-codes.md).",
    ]
    for group, members in {**GROUPS, OTHER: tuple(others)}.items():
        lines += ["", f"## {group}"]
        for name in members:
            lines += ["", *_command(name, load_command(name))][:-1]
    return "\n".join(lines) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    ctx = command.make_context(name, [], resilient_parsing=True)
    yield from (f"### {name}", "", f"    swe-agent {' '.join([name, *command.collect_usage_pieces(ctx)])}", "")
    for paragraph in inspect.cleandoc(command.help).split("\n\n"):
        yield from (f"    {paragraph}" if paragraph.startswith("swe-agent ") else _marked_up(paragraph), "")
    params = [each for each in command.get_params(ctx) if not each.hidden and each.name != "help"]
    arguments = [each for each in params if each.param_type_name == "argument"]
    options = [each for each in params if each.param_type_name == "option"]
    if arguments:
        rows = [
            (_code(each.make_metavar(ctx) if not each.metavar else each.metavar), _meaning(each)) for each in arguments
        ]
        yield from (*_table(("argument", "meaning"), rows), "")
    if options:
        rows = [(_option(each), _meaning(each)) for each in options]
        yield from (*_table(("option", "meaning"), rows), "")


def _option(param: Any) -> str:
    names = ", ".join([*param.opts, *param.secondary_opts])
    value = "" if param.is_flag else param.metavar or "VALUE"
    return _code(f"{names} {value}".strip())


def _meaning(param: Any) -> str:
    default = param.default
    shown = param.show_default and not callable(default) and default not in (None, "", False, True, (), [])
    bounds = [f"at least {param.min}"] if param.min is not None else []
    bounds += [f"at most {param.max}"] if param.max is not None else []
    notes = [f"default: `{_value(default)}`"] if shown else []
    text = _marked_up(inspect.cleandoc(param.help or "").replace("\n", " "))
    return f"{text} ({', '.join(notes + bounds)})" if notes or bounds else text


def settings() -> str:
    """Return the page of all settings with their types and defaults."""
    from agent.config.session_preferences import TABLE, Preferences
    from agent.config.setting_descriptions import SECTIONS
    from agent.config.settings import OF_REPOSITORY, Settings

    preferences = {f"{TABLE}.{name}": field for name, field in _fields_of_dataclass(Preferences)}
    lines = [
        *_head(
            "Settings",
            "`swe-agent config` prints all settings with their current values and the sources of the values.",
        ),
        "You can set a setting `NAME` with the key `NAME` of the configuration file or the variable "
        "`SWE_AGENT_<NAME>`. The settings `hooks` and `mcp` have no variable. For many settings, commands also have an "
        "option with the same name. "
        "[Configuration](../configuration.md) describes the order of precedence. The variable of a list or a table "
        "contains JSON. The settings of the section *Session* can be set only in the configuration file. A "
        f"repository's `.swe-agent.toml` can set only {_joined(f'`{name}`' for name in sorted(OF_REPOSITORY))}.",
    ]
    for section, members in SECTIONS.items():
        rows = []
        for name, text in members.items():
            if name in preferences:
                kind, default = preferences[name]
            else:
                field = Settings.model_fields[name]
                kind, default = field.annotation, field.get_default(call_default_factory=True)
            shown = LONG_DEFAULTS.get(name) or _default(default)
            kind_text = f"[table](#{name})" if name in TABLES else _type(kind)
            rows.append((f"`{name}`", kind_text, shown, _marked_up(text)))
        lines += ["", f"## {section}", "", *_table(("setting", "type", "default", "meaning"), rows)]
    for name, (heading, guide) in TABLES.items():
        table = _setting_table(heading, guide, Settings.model_fields[name].annotation)
        lines += ["", f'<a id="{name}"></a>', "", *table]
    return "\n".join(lines) + "\n"


def _setting_table(heading: str, guide: str, annotation: Any) -> Iterator[str]:
    model = next(each for each in (annotation, *get_args(annotation)) if _is_model(each))
    rows = [(f"`{name}`", _type(field.annotation), _field_default(field)) for name, field in model.model_fields.items()]
    _, _, text = inspect.cleandoc(model.__doc__).partition(
        "\n\n"
    )  # the first paragraph names the table, for developers
    yield from (f"## `{heading}`", "", *_marked_up(text).splitlines(), f"[The guide](../{guide}) has examples.", "")
    yield from _table(("key", "type", "default"), rows)


def environment_variables() -> str:
    """Return the page of the environment variables that the program reads."""
    from agent.config.environment_variables import PROGRAM_VARIABLES
    from agent.config.settings import Settings
    from extensions.github.action_inputs import Rules

    lines = [
        *_head(
            "Environment variables",
            "An unknown `SWE_AGENT_*` variable causes a warning, or an error if the name is similar to a known one.",
        ),
        f"There are {len(Settings.model_fields)} [settings](settings.md). You can set each setting `NAME` except "
        "`hooks` and `mcp` with the variable `SWE_AGENT_<NAME>`. You can set `hooks` and `mcp` only in your "
        "configuration file and in the administrator's policy.",
    ]
    rows = [(f"`SWE_AGENT_{name}`", text) for name, text in PROGRAM_VARIABLES.items()]
    lines += ["", "## Variables of swe-agent", "", *_table(("variable", "meaning"), rows)]
    texts = _field_texts(Rules)
    rows = [
        (f"`SWE_AGENT_GITHUB_{name.upper()}`", _default(field.get_default()), texts.get(name, ""))
        for name, field in Rules.model_fields.items()
    ]
    lines += [
        "",
        "## Inputs of the Action",
        "",
        "The workflow of the Action sets these variables. [GitHub](../github.md) describes the inputs.",
    ]
    lines += ["", *_table(("variable", "default", "meaning"), rows)]
    rows = [(f"`{name}`", text) for name, text in sorted(OTHER_VARIABLES.items())]
    lines += ["", "## Variables of other programs", "", *_table(("variable", "meaning"), rows)]
    lines += [
        "",
        "The API keys of model providers are read from the variables that litellm uses, such as `OPENAI_API_KEY`, or",
    ]
    lines += ["from the variable that `key_env` names ([settings](settings.md#models))."]
    return "\n".join(lines) + "\n"


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings below the fields of a class."""
    found = re.findall(r'^    (\w+):.*\n    """((?:.|\n)*?)"""', inspect.getsource(model), re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def exit_codes() -> str:
    """Return the page of exit codes, with the errors of the library that have them."""
    from trajectories import errors

    of_code: dict[int, list[str]] = {}
    for name, each in vars(errors).items():
        if inspect.isclass(each) and issubclass(each, errors.SweAgentError) and name not in ("SweAgentError", "Stop"):
            of_code.setdefault(each.code, []).append(f"`{name}`")
    if unknown := of_code.keys() - EXIT_CODES.keys():
        raise SystemExit(f"scripts/reference.py describes no exit code {min(unknown)}; add it to EXIT_CODES.")
    rows = [(f"{code}", text, ", ".join(of_code.get(code, []))) for code, text in EXIT_CODES.items()]
    return "\n".join([
        *_head("Exit codes", "Every command ends with one of these codes."),
        *_table(("code", "meaning", "errors of the library"), rows),
        "",
        "`fix`, `resume`, `fork`, `prove` and a session with `-p` use all of these codes. In a [batch](../batch.md), "
        "the result of a single instance does not change the exit code. The code is 0 if all instances are done, 4 if "
        "`--total` is used up, and 5 if the infrastructure failed for some instances. With `--json`, an error is "
        'printed as an object: `{"error": {"code", "message", "fix"}}` ([JSON output](json.md)).',
    ]) + "\n"  # fmt: skip


def records() -> str:
    """Return the page of the fields of journal records and event lines, from their JSON Schemas."""
    from extensions.events import schema as events
    from trajectories import schema as journal

    of_journal, of_events = journal.schema(), events.schema()["$defs"]
    kinds = [each["$ref"].rpartition("/")[2] for each in of_journal["oneOf"]]
    lines = [
        *_head("Records and events", "This page lists the fields of the lines in a journal and in an event stream."),
        "[journal.schema.json](../journal.schema.json) and [events.schema.json](../events.schema.json) are the JSON "
        "Schemas. [The journal](../journal.md) and [Events](../events.md) describe when each line is written. Event "
        "lines omit a field that is not required if the field has no value. In a record or an event line, `at` is the "
        "time in seconds since 1970. If several records are written together, all except the first have the field "
        "`joined`.",
    ]
    parts = sorted(of_journal["$defs"].keys() - kinds)
    lines += ["", "## Journal records", *_schema_tables(kinds, of_journal["$defs"])]
    lines += ["", "## Parts of records", *_schema_tables(parts, of_journal["$defs"])]
    lines += ["", "## Event lines", *_schema_tables([name for name in of_events if name.endswith("Line")], of_events)]
    return "\n".join(lines) + "\n"


def _schema_tables(names: Iterable[str], definitions: dict[str, Any]) -> Iterator[str]:
    for name in names:
        about = definitions[name]
        rows = [
            (
                f"`{field}`",
                _schema_type(each),
                "required" if field in about.get("required", ()) else _json_default(each),
            )
            for field, each in about["properties"].items()
        ]
        yield from ("", f"### {name}", "", *_marked_up(about.get("description", "")).splitlines(), "")
        yield from _table(("field", "type", "default"), rows)


def _json_default(about: dict[str, Any]) -> str:
    return f"`{json.dumps(about['default'])}`" if "default" in about else ""


def _schema_type(about: dict[str, Any]) -> str:
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in about:
        return f"`{json.dumps(about['const'])}`"
    if "enum" in about:
        return ", ".join(f"`{value}`" for value in about["enum"])
    if kinds := about.get("anyOf") or about.get("oneOf"):
        return " or ".join(dict.fromkeys(map(_schema_type, kinds)))
    if about.get("type") == "array":
        return f"list of {_schema_type(about.get('items', {}))}"
    if about.get("type") == "object" and isinstance(values := about.get("additionalProperties"), dict):
        return f"object of {_schema_type(values)}"
    return str(about.get("type", "any"))


def library() -> str:
    """Return the page of the library, whose signatures and docstrings mkdocstrings fills in."""
    import swe_agent

    lines = [
        *_head(
            "Library",
            "This page lists the public names of `swe_agent`. [The library](../library.md) is the guide.",
        ),
        "The documentation site shows the signatures and docstrings here. In the repository, read the modules that are "
        "named below.",
    ]
    for name in (each for each in swe_agent.__all__ if each not in ("main", "gym", "__version__")):
        lines += ["", f"::: {swe_agent._MODULES[name]}.{name}"]
    lines += ["", "# swe_agent.gym", "", "[Environments for training](../gym.md) is the guide."]
    for name in ("make", "make_vec"):
        lines += ["", f"::: {getattr(swe_agent.gym, name).__module__}.{name}"]
    return "\n".join(lines) + "\n"


def _head(title: str, summary: str) -> tuple[str, ...]:
    return (f"# {title}", "", "<!-- Generated by `make reference`; do not edit. -->", "", summary, "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return lines + [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]


def _code(text: str) -> str:
    return f"`{text}`"


def _marked_up(text: str) -> str:
    """Mark options as code, outside code, and keep `<` and `*` from being read as markup."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"(?<![\w`-])(--[a-z][\w-]*)", r"`\1`", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


def _fields_of_dataclass(kind: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    from dataclasses import fields
    from typing import get_type_hints

    hints = get_type_hints(kind)
    for field in fields(kind):
        yield field.name, (hints[field.name], field.default)


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, BaseModel)


NAMES = {str: "text", int: "integer", float: "number", bool: "true, false", Path: "path", NoneType: ""}


def _type(kind: Any) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments if value != "")
    if origin in (Union, UnionType):
        return " or ".join(text for text in map(_type, arguments) if text)
    if origin in (tuple, list):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"table of {_type(arguments[1])}"
    if hasattr(kind, "__metadata__"):
        return _type(arguments[0])
    if _is_model(kind):
        return f"table of {_joined(f'`{name}`' for name in kind.model_fields)}"
    return NAMES[kind] if kind in NAMES else str(kind)


def _field_default(field: Any) -> str:
    return "required" if field.is_required() else _default(field.get_default(call_default_factory=True))


def _default(value: Any) -> str:
    if value is None or value is PydanticUndefined or value in ("", (), {}, []) or isinstance(value, BaseModel):
        return ""
    return f"`{_value(value)}`"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


WRITERS: dict[str, Callable[[], str]] = {
    "command-line.md": commands,
    "settings.md": settings,
    "environment-variables.md": environment_variables,
    "exit-codes.md": exit_codes,
    "records.md": records,
    "library.md": library,
}


CODE_PAGE = ROOT / "docs" / "first-request.md"
PLACE = re.compile(r"`(?P<path>[\w/]+\.py):\d+`(?P<gap>\s+)`(?P<name>[\w.]+)`")


def with_lines(text: str) -> str:
    """Return the text with the line of each function or class that it names as `PATH:LINE` `NAME`. Raises LookupError
    if there is none of that name."""

    def place(found: re.Match[str]) -> str:
        body = ast.parse((ROOT / found["path"]).read_text("utf-8")).body
        for name in found["name"].split("."):
            named = [one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == name]
            if not named:
                raise LookupError(f"{found['path']} has no {found['name']}")
            body = named[0].body
        return f"`{found['path']}:{named[0].lineno}`{found['gap']}`{found['name']}`"

    return PLACE.sub(place, text)


def main() -> None:
    PAGES.mkdir(exist_ok=True)
    for name, write in WRITERS.items():
        (PAGES / name).write_text(write(), "utf-8")
    CODE_PAGE.write_text(with_lines(CODE_PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
