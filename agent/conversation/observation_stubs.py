"""Stubs: one-line replacements for folded observations, each with a reference for reading the observation again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from aci.observation.output_kinds import kind_of_command
from aci.observation.output_text import shorten
from agent.models.base import Message
from tools.base import ResultKind, metadata_of
from trajectories.records import Action, Observation, Step

LONG_ARGUMENT = 500
LONG_LINE, LONG_NAME = 20, 5
MOST_COMMAND, MOST_NAMES = 80, 40
STORED = re.compile(r"out:\d{1,9}|step:\d{1,9}\.\d{1,9}")
"""Matches the reference of a stored observation, which is viewed like a file."""
_PATH = re.compile(r"[\w./-]+")
_FILE = re.compile(r"\w\.\w{1,5}$")
_NAME = re.compile(r"[A-Za-z_]\w+")
_NUMBER = re.compile(r"^\s*\d+[\t:-]")
_DEFINES = re.compile(
    r"^[\t ]*(?:\d+(?:-\d+)?[\t ]+)?(?:export |public |static |pub )*(?:async )?"
    r"(?:def|class|func|function|fn|struct|interface) (\w+)",
    re.MULTILINE,
)


def stub(step: Step, number: int) -> str:
    """Return the stub of observation `number` (from 1) of a step: command, size, definitions and reference in one
    line."""
    action, observation = step.actions[number - 1], step.observations[number - 1]
    parts = [f"folded: {_command(action)}", _size(observation)]
    if names := _defined(observation.text):
        parts.append(f"defines {names}")
    how = "read it again" if observation.out is None else "read it whole"
    return f'[{", ".join(parts)}; {how} with view("{address(step, number)}")]'


def address(step: Step, number: int) -> str:
    """Return a reference to an observation, or to the full output if the observation was truncated."""
    action, observation = step.actions[number - 1], step.observations[number - 1]
    if observation.out is not None:
        return f"out:{observation.out}"
    path = action.arguments.get("path")
    if result_of(action) == "file" and isinstance(path, str) and STORED.fullmatch(path):
        return path
    return f"step:{step.n}.{number}"


def shortened(step: Step, number: int, cap: int) -> str:
    """Return the head and tail of an observation, limited to `cap` characters."""
    return shorten(step.observations[number - 1].text, cap, address(step, number))


def with_short_arguments(message: Message) -> Message:
    """Return an assistant message in which long arguments of tool calls are cut to head and tail."""
    calls = []
    for call in message["tool_calls"]:
        arguments = json.dumps(_short(json.loads(call["function"]["arguments"])))
        calls.append({**call, "function": {**call["function"], "arguments": arguments}})
    return {**message, "tool_calls": calls}


def result_of(action: Action) -> ResultKind:
    """Return what the result of an action is, which determines how it folds (see `ToolMetadata`)."""
    return metadata_of(action.tool).result


def shows_a_file(action: Action) -> bool:
    """Return whether an action shows the text of a file, which an edit may have to quote."""
    tool = metadata_of(action.tool)
    command = str(action.arguments.get(tool.runs, ""))
    return tool.result == "file" or (tool.result == "command" and kind_of_command(command) == "view")


def long_lines(text: str) -> frozenset[str]:
    """Return the long, and so distinctive, lines of a view without their line numbers."""
    lines = (_NUMBER.sub("", line).strip() for line in text.split("\n"))
    return frozenset(line for line in lines if len(line) >= LONG_LINE)


def names(action: Action, observation: Observation) -> frozenset[str]:
    """Return the name of the file that a view shows, and the names defined in the shown part."""
    asked = str(action.arguments.get("path") or action.arguments.get("command", ""))
    return frozenset((*_files(asked), *(name for name in _DEFINES.findall(observation.text) if len(name) >= LONG_NAME)))


def words(message: Message) -> frozenset[str]:
    """Return the identifiers and file names in an assistant message and its tool calls."""
    asked = (call["function"]["arguments"] for call in message.get("tool_calls", ()))
    text = "\n".join((str(message["content"]), *asked))
    return frozenset((*_files(text), *_NAME.findall(text)))


def _files(text: str) -> Iterator[str]:
    """Yield the file names that occur in the text. Two patterns are used, because a single one would take quadratic
    time for long words."""
    names = (path.rstrip("./-").rpartition("/")[2] for path in _PATH.findall(text))
    return (name for name in names if _FILE.search(name))


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return shorten(value, LONG_ARGUMENT)
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value


def _command(action: Action) -> str:
    given = action.arguments.items()
    words = " ".join(" ".join(str(value).split()) for name, value in given if name not in ("old", "new"))
    return _cut(f"{action.tool} {words}".strip(), MOST_COMMAND)


def _size(observation: Observation) -> str:
    lines = observation.text.count("\n") + 1
    size = f"{lines} lines" if lines > 1 else f"{len(observation.text)} characters"
    return size if observation.ok else f"failed, {size}"


@lru_cache(maxsize=2048)
def _defined(text: str) -> str:
    return _cut(", ".join(dict.fromkeys(_DEFINES.findall(text))), MOST_NAMES)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
