"""Tools and the toolbox: `@tool` makes a `Tool` of a typed function, a `Toolbox` runs a model's actions.

    @tool(writes=False)
    def look(ctx: Context, path: str, lines: int = 20) -> str:
        \"\"\"Show the first lines of a file.

        Args:
            path: File, relative to the repository.
            lines: How many.
        \"\"\"

Each tool is one file, named like its function; it needs no registration. Parameters may be str, int, bool, float,
Literal or list[str], each also `| None`. A tool returns text or an `Observation`. A model's mistake becomes an
observation with ok=False, and so do UsageError and the workspace's file errors. The arguments of `@tool` are the fields
of `ToolMetadata`; no other package knows a tool by its name.
"""

from __future__ import annotations

import difflib
import inspect
import posixpath
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Protocol, overload

from aci.instructions.instruction_files import CONTRIBUTING, Instructions
from aci.instructions.instruction_frames import FRAME, SHOWN, frame_instruction
from aci.observation import output_text
from aci.observation.secret_masking import mask_secrets
from aci.observation.text_source import TextSource
from aci.observation.untrusted_text import clean_text
from tools._file_errors import describe_file_error
from tools._metadata import Consent, ConsentQuestion, Need, ResultKind, ToolCall, ToolMetadata, WhenLimited, not_needed
from trajectories import plugins
from trajectories.errors import ConfigError, UsageError
from trajectories.records import Action, Base, Observation, Step

if TYPE_CHECKING:
    from pydantic import BaseModel

    from aci.runtime.workspace import OnOutput, Workspace
    from trajectories.git_store.trees import Trees

MOST_CHARACTERS = 4_000


class ViewContext(Protocol):
    """The parts of a tool's context that decide which instruction files are added."""

    @property
    def instructions(self) -> Instructions: ...
    @property
    def steps(self) -> Sequence[Step]: ...
    @property
    def before(self) -> Sequence[tuple[Action, Observation]]: ...
    @property
    def secrets(self) -> tuple[str, ...]: ...
    def place(self, path: str) -> str: ...


def add_instructions(observation: Observation, path: object, ctx: ViewContext) -> Observation:
    """Return the observation with the instruction files for the file or folder `path` that the branch has not seen.

    Files of the root are left out, since the first message has them. The nearest files get their share of the
    characters first.
    """
    if not observation.ok or not isinstance(path, str):
        return observation
    try:
        place = ctx.place(path)
    except UsageError:  # it is the address of an output, not a path
        return observation
    if place.startswith("/"):
        return observation
    seen = set(_shown(ctx))
    chain = [each for each in ctx.instructions.chain(place) if each.folder and each.rank != CONTRIBUTING]
    if all(each.path in seen for each in chain):
        return observation
    room, frames = MOST_CHARACTERS, dict[str, str]()
    read = ctx.instructions.read(sorted(chain, key=lambda each: (-each.depth, each.rank)))
    for one in read:
        if one.path not in seen and one.path != place and (frame := frame_instruction(one, room)):
            frames[one.path] = mask_secrets(frame, ctx.secrets)
            room -= len(frame)
    if not frames:
        return observation
    shown = [one.path for one in sorted(read, key=lambda one: (one.depth, one.rank)) if one.path in frames]
    text = "\n".join(filter(None, [observation.text, *(frames[path] for path in shown)]))
    return replace(observation, text=text, data={**observation.data, SHOWN: shown})


def _shown(ctx: ViewContext) -> Iterator[str]:
    """Yield the paths of the instruction files in the branch's prompts and observations."""
    for _, seen in ctx.before:
        yield from seen.data.get(SHOWN, ())
    for step in ctx.steps:
        for seen in step.observations:
            yield from seen.data.get(SHOWN, ()) if step.actions else (path for path, _ in FRAME.findall(seen.text))


@dataclass(frozen=True, slots=True)
class UserAnswer:
    """An option or the user's own words; "" if the user did not answer.

    With `is_later`, the question is published when the run ends, and the answer comes in a message.
    """

    text: str = ""
    is_later: bool = False


AskUser = Callable[[str, Sequence[str]], UserAnswer]
"""Function that asks the user a question with options. Raises UsageError if the user may not be asked any more."""


@dataclass(frozen=True, slots=True)
class HelperReport:
    """What the helper says, and `notes` on its changes. `ok` is false if it stopped without a report, or if a change
    could not be merged."""

    report: str
    notes: tuple[str, ...] = ()
    ok: bool = True


Delegate = Callable[[str, bool, str], HelperReport]
"""Function that has a helper do a task; the second argument says whether it may change files, the third is the name of
an agent, or empty."""
AskSenior = Callable[[str], HelperReport]
"""Function that asks the model of the role `senior` one question."""


__all__ = [
    "ToolCall",
    "Context",
    "ConsentQuestion",
    "HelperReport",
    "ResultKind",
    "TextSource",
    "Tool",
    "ToolMetadata",
    "Toolbox",
    "UserAnswer",
    "check_text",
    "metadata_of",
    "not_needed",
    "plain_name",
    "tool",
]

Function = Callable[..., "Observation | str"]
FILE_ERRORS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
SLACK = 500
"""Maximum number of characters (exit codes, hints) that a tool may add to already truncated text before the text is
truncated again."""


@dataclass(frozen=True)
class Context:
    """The context of a tool call. `tree` is the tree before the model's reply, which may hold several actions (see
    `current_tree`); `steps` are the branch's steps so far. `show_output` shows the last bytes of a running command's
    output. `keep` stores a whole output durably and returns its number (17 for `out:17`), `recall` reads it back.
    `start` is the tree from which the branch started (the base's tree if empty). `secrets` are masked in everything
    shown. `before` holds the earlier actions of the same reply, `phase` is the number of steps before the current
    phase. `subtree` is the folder to view and test, the whole repository if empty. `needs_test` tells whether the work
    is proved by a test that reproduces the issue and that the user has not given. `may_run` tells whether a tool may
    start programs that run or check the repository's code and that no one was asked about. `instructions` are those of
    the run's base. `sees_images` tells whether the model accepts pictures. `ask_user`, `delegate` and
    `ask_senior` may be None.
    """

    workspace: Workspace
    trees: Trees
    base: Base
    tree: str
    steps: Sequence[Step]
    keep: Callable[[bytes], int]
    recall: Callable[[int], bytes]
    test_command: str = ""
    notify: Callable[[str], None] = lambda _: None
    show_output: OnOutput | None = None
    start: str = ""
    secrets: tuple[str, ...] = ()
    before: Sequence[tuple[Action, Observation]] = ()
    phase: int = 0
    subtree: str = ""
    needs_test: bool = False
    may_run: bool = True
    instructions: Instructions = field(default_factory=Instructions)
    sees_images: Callable[[], bool] = lambda: False
    ask_user: AskUser | None = None
    delegate: Delegate | None = None
    ask_senior: AskSenior | None = None

    def place(self, path: str) -> str:
        """Return a model's path in the form that trees use: `src` for `./src/`, and `.` for the root, or the subtree if
        there is one. A path outside the repository is returned as an absolute path. Raises UsageError for a path in the
        repository but outside the subtree."""
        whole = posixpath.normpath(posixpath.join(self.workspace.root, path))
        plain = posixpath.relpath(whole, self.workspace.root)
        if plain == ".." or plain.startswith("../"):
            return whole
        if plain == ".":
            return self.subtree or "."
        if not self.within(plain):
            raise UsageError(f"{path} is outside {self.subtree}/, to which this session is limited.")
        return plain

    def current_tree(self) -> str:
        """Return the tree with the changes of the reply's earlier actions. A snapshot is taken only if one of them may
        have changed files."""
        toolbox = Toolbox()
        changed = any(toolbox.writes(action) for action, _ in self.before)
        return self.workspace.snapshot().tree if changed else self.tree

    def within(self, path: str) -> bool:
        """Return whether a path relative to the repository lies in the subtree."""
        return not self.subtree or f"{path}/".startswith(f"{self.subtree}/")

    def show(self, data: bytes | str, kind: output_text.Kind = "other") -> tuple[str, int | None]:
        """Return the output of a command as the model sees it, and the number of the stored full output if it was
        truncated."""
        return output_text.prepare_output(data, kind, self.keep, self.secrets)


@dataclass(frozen=True)
class Tool:
    """A function that a model may call, with its metadata."""

    name: str
    function: Function
    metadata: ToolMetadata

    @property
    def description(self) -> str:
        return _docstring(self.function)[0]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The tool's schema in OpenAI's function-calling format."""
        parameters = _plain(self._form.model_json_schema())
        for unread in ("description", "additionalProperties"):
            parameters.pop(unread, None)
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}

    @property
    def usage(self) -> str:
        """The signature as one line: `view(path: str, start: int | None = None)`."""
        return f"{self.name}({', '.join(str(parameter) for parameter in _parameters(self.function).values())})"

    def arguments(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the model's arguments, checked and coerced. Raises UsageError that states what is wrong and what is
        expected."""
        from pydantic import ValidationError

        try:
            form = self._form.model_validate(
                {name: value for name, value in given.items() if not self._blank(name, value)}
            )
        except ValidationError as error:
            wrong = "; ".join(self._explain(detail) for detail in error.errors(include_url=False))
            raise UsageError(f"{self.name}: {wrong}.", f"Expected: {self.usage}") from None
        values = {name: getattr(form, name) for name in type(form).model_fields}
        for name, value in values.items():
            check_text(self.name, name, value)
        return values

    @cached_property
    def _form(self) -> type[BaseModel]:
        """The pydantic model of the function's parameters."""
        from pydantic import ConfigDict, Field, create_model

        described = _docstring(self.function)[1]
        hints = typing.get_type_hints(self.function)
        fields: dict[str, Any] = {}
        for name, parameter in _parameters(self.function).items():
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[name] = (_lenient_type(hints[name]), Field(default, description=described[name]))
        return create_model(self.name, __config__=ConfigDict(extra="forbid", coerce_numbers_to_str=True), **fields)

    def _blank(self, name: str, value: Any) -> bool:
        """Return whether a value means "not given": null, or an empty string for a parameter that is not text."""
        parameter = _parameters(self.function).get(name)
        if parameter is None or parameter.default is inspect.Parameter.empty:
            return False
        return value is None or (value == "" and not isinstance(parameter.default, str))

    def _explain(self, detail: Any) -> str:
        name = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "missing":
            return f"`{name}` is missing"
        if detail["type"] == "extra_forbidden":
            return f"there is no argument `{name}`{_nearest(name, _parameters(self.function))}"
        return f"`{name}`: {detail['msg'][0].lower()}{detail['msg'][1:]}, not {_brief(detail['input'])}"


@overload
def tool(function: Function) -> Tool: ...
@overload
def tool(
    *,
    writes: bool = True,
    kind: output_text.Kind = "other",
    asked_for: bool = False,
    needs: Need = "",
    runs: str = "",
    reads: tuple[str, ...] = (),
    result: ResultKind = "other",
    text: TextSource = ...,
    consent: Consent | None = None,
    when_limited: WhenLimited = "revert",
) -> Callable[[Function], Tool]: ...
def tool(function: Function | None = None, **metadata: Any) -> Tool | Callable[[Function], Tool]:
    """Turn a function into a tool. The keyword arguments are the fields of `ToolMetadata`."""

    def make(function: Function) -> Tool:
        return Tool(function.__name__, function, ToolMetadata(**metadata))

    return make if function is None else make(function)


class Toolbox:
    """The tools that a model may call: those in `names` (as on the command line, or function names), or all."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        found = plugins.names("tools").keys() - {"base"} if names is None else names
        self.tools: dict[str, Tool] = {}
        for name in sorted(found) if names is None else found:
            stem = name.replace("-", "_")
            made: Tool = plugins.find("tools", stem.replace("_", "-"), stem, "tool")
            if made.name != stem:  # otherwise a tool could pass for a built-in that needs no approval
                raise ConfigError(
                    f"The function of the tool {stem} is named {made.name!r}.",
                    f"Rename the function to {stem}, or uninstall the package that provides the tool.",
                )
            self.tools[stem] = made
        self._built_in = plugins.own_plugins("tools").keys()
        self.outside: dict[str, Tool] = {}
        """Tools of other programs, such as MCP servers, which a run adds. The user is asked about each call."""

    def schemas(self) -> tuple[dict[str, Any], ...]:
        """Return the schema of every tool that is offered to models, in OpenAI's function-calling format."""
        return tuple(made.schema for made in self.tools.values() if not made.metadata.is_special)

    def schemas_with(self, needs: Need) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the tools that are offered in addition where what they need is there."""
        return tuple(made.schema for made in self.tools.values() if made.metadata.needs == needs)

    def writes(self, action: Action) -> bool:
        """Return whether an action may change files; false for an action that cannot run."""
        made = self.get(action.tool)
        return made is not None and made.metadata.writes and not action.error

    def is_built_in(self, tool: Tool) -> bool:
        """Return whether the tool belongs to this program and was not found through an entry point."""
        return tool.name.replace("_", "-") in self._built_in

    def get(self, name: str) -> Tool | None:
        """Return the tool that a model means; for example, `run-tests` and `functions.run_tests` mean `run_tests`."""
        plain = plain_name(name)
        return self.tools.get(plain) or self.outside.get(plain)

    def is_outside(self, tool: Tool) -> bool:
        """Return whether the tool belongs to another program, outside the workspace and this process."""
        return self.outside.get(tool.name) is tool

    def run(self, action: Action, ctx: Context) -> Observation:
        """Run one action. WorkspaceError and Stop propagate; every mistake of a model becomes an observation."""
        made = self.get(action.tool)
        if made is None:
            tools = self.tools | self.outside
            known = ", ".join(name for name, each in tools.items() if not each.metadata.is_special)
            hint = _nearest(action.tool, tools)
            return Observation(f"There is no tool {_brief(action.tool)}{hint}. Tools: {known}.", ok=False)
        if action.error:
            return Observation(
                f"The arguments could not be read: {_brief(action.error, 300)}\nExpected: {made.usage}", ok=False
            )
        try:
            answer = made.function(ctx, **made.arguments(action.arguments))
        except UsageError as error:
            answer = Observation("\n".join(filter(None, (error.message, error.fix))), ok=False)
        except FILE_ERRORS as error:
            answer = Observation(describe_file_error(ctx, error, action.arguments.get("path")), ok=False)
        seen = answer if isinstance(answer, Observation) else Observation(answer)
        seen = _limit_size(seen, made.metadata.kind, ctx)
        is_file = made.metadata.result == "file"
        return add_instructions(seen, action.arguments.get("path"), ctx) if is_file else seen


def plain_name(name: str) -> str:
    """Return the name of the tool that a model means by `name`."""
    return name.rpartition(".")[2].replace("-", "_")


def metadata_of(name: str) -> ToolMetadata:
    """Return the metadata of the tool that a record calls `name`; the defaults if no such tool is installed now.

    What a tool of another package says of its consent does not count, and its text is never that of the harness.
    """
    return _metadata_of(plain_name(name), tuple(sys.path))


@lru_cache(maxsize=256)
def _metadata_of(name: str, path: tuple[str, ...]) -> ToolMetadata:
    if name == "base" or name not in {known.replace("-", "_") for known in plugins.names("tools")}:
        return ToolMetadata()
    try:
        box = Toolbox([name])
        found = box.tools[name].metadata
        if box.is_built_in(box.tools[name]):
            return found
        return replace(found, consent=None, text=TextSource() if found.text.owner == "harness" else found.text)
    except Exception:  # noqa: BLE001 - a broken package does not prevent reading a record
        return ToolMetadata()


def _limit_size(observation: Observation, kind: output_text.Kind, ctx: Context) -> Observation:
    """Clean, mask and truncate the observation, whichever tool returned it."""
    text = mask_secrets(clean_text(observation.text), ctx.secrets)
    out, cap = observation.out, output_text.CAPS[kind] + SLACK
    if len(text) > cap:
        whole = "" if out is None else ctx.recall(out).decode("utf-8", "replace")
        out = ctx.keep(text.encode()) if out is None else out
        text = output_text.shorten(text, cap, f"out:{out}", whole)
    return replace(observation, text=text, out=out)


@dataclass(frozen=True)
class _Parameter:
    """A parameter as `usage` shows it."""

    name: str
    hint: str
    default: Any = field(default=inspect.Parameter.empty)

    def __str__(self) -> str:
        default = "" if self.default is inspect.Parameter.empty else f" = {self.default!r}"
        return f"{self.name}: {self.hint}{default}"


def _parameters(function: Function) -> dict[str, _Parameter]:
    """Return the parameters that a model provides: all but the first, which is the context."""
    given = list(inspect.signature(function).parameters.values())[1:]
    return {
        each.name: _Parameter(each.name, inspect.formatannotation(each.annotation).strip("'"), each.default)
        for each in given
    }


def _docstring(function: Function) -> tuple[str, dict[str, str]]:
    """Return the description and arguments of a Google-style docstring. Raises TypeError if one is missing."""
    description, _, section = inspect.cleandoc(function.__doc__ or "").partition("\nArgs:\n")
    described: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        indent = len(line) - len(line.lstrip())
        if indent == 4 and ":" in line:
            name, _, text = (part.strip() for part in line.partition(":"))
            described[name] = text
        elif name and line.strip():
            described[name] += f" {line.strip()}"
    missing = _parameters(function).keys() - described.keys()
    if missing or not description.strip():
        raise TypeError(f"The docstring of tool {function.__name__} does not describe {sorted(missing) or 'it'}.")
    return description.strip(), described


def _lenient_type(hint: Any) -> Any:
    """Return a parameter's type; a list of strings is extended to accept a single string or JSON text, which models
    often pass."""
    if hint not in (list[str], list[str] | None):
        return hint
    from pydantic import BeforeValidator

    return typing.Annotated[hint, BeforeValidator(_as_list)]


def _as_list(value: Any) -> Any:
    import json

    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except ValueError:
        read = None
    return read if isinstance(read, list) else [value]


def _plain(schema: Any) -> Any:
    """Return a schema that every provider accepts, without titles and empty defaults, and with `X or null` reduced to
    X; it is kept short because every request includes it."""
    if isinstance(schema, list):
        return [_plain(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _plain(value) for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if schema.get("default", ...) in (None, False, ""):
        del schema["default"]
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        del schema["anyOf"]
        schema |= kinds[0]
    return schema


def check_text(tool_name: str, name: str, value: Any) -> None:
    """Raise UsageError for text that no file name, command or journal can contain."""
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and ("\0" in text or any("\ud800" <= character <= "\udfff" for character in text)):
            raise UsageError(
                f"{tool_name}: `{name}` contains a NUL or a lone surrogate.", "Write it as plain UTF-8 text."
            )


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name[:100].lower(), list(known), n=1, cutoff=0.4)
    return f" (did you mean `{near[0]}`?)" if near else ""


def _brief(value: Any, limit: int = 80) -> str:
    text = value if isinstance(value, str) and limit > 80 else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
