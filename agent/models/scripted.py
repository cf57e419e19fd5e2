"""A model that answers from a file: for tests, demonstrations and studies of a single decision.

The file has JSON lines `{branch?, n?, contains?, reply: {text, actions: [{tool, arguments}], usage?}}`. The reply is
that of the first line whose conditions all hold: the branch, the number of the request, and a text that the messages
since the last reply contain. A line without conditions always matches. The model is stateless, so a resumed run gets
the same replies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agent.limits.run_budget import Price
from agent.models._usage import MOST_TOKENS
from agent.models.base import Message, RequestOptions, messages_since_reply
from trajectories.errors import ConfigError, ModelError
from trajectories.file_limits import check_values, read_limited
from trajectories.records import Action, Reply, Usage

if TYPE_CHECKING:
    from agent.config.model_table import ModelTable
    from agent.config.settings import Settings

MAX_OUTPUT = 8192
LARGEST = 64 << 20
"""Maximum number of bytes of a script."""
USAGE = {**dict.fromkeys(("input_tokens", "output_tokens", "cached_tokens", "written_tokens"), int), "dollars": Real}
ACTION = {"tool": str, "arguments": dict, "error": str}
LINE = {"branch": str, "n": int, "contains": str, "reply": {"text": str, "actions": [ACTION], "usage": USAGE}}
REQUIRED, NULLABLE = {"reply", "tool"}, {"usage", "dollars"}
NAMES = {str: "text", int: "a whole number", Real: "a number", dict: "an object", list: "a list"}
FORM = 'Write {"reply": {"text": "...", "actions": [{"tool": "...", "arguments": {}}]}}.'


class Scripted:
    """A model whose replies come from a script. Its price is 0 unless the settings' `[models]` table gives one."""

    images = False
    secrets: tuple[str, ...] = ()

    def __init__(self, path: Path, price: Price | None, table: ModelTable) -> None:
        self.name = f"scripted:{path.resolve()}"
        self.price = price
        self.max_output = table.max_output or MAX_OUTPUT
        self.window = table.context or 0
        self.fallback = table.fallback
        self.lines = _read(path)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: RequestOptions) -> Reply:
        words = messages_since_reply(messages)
        for line in self.lines:
            if line.get("branch", asking.branch) != asking.branch or line.get("n", asking.ask) != asking.ask:
                continue
            if line.get("contains", "") in words:
                return _reply(line["reply"], self.name)
        raise ModelError(
            f"{self.name} has no reply for request {asking.ask} of branch {asking.branch}.",
            "Add a line that matches, or one without conditions at the end.",
            billed=False,
        )


def load(name: str, settings: Settings) -> Scripted:
    table = settings.model_table(f"scripted:{name}", f"scripted:{Path(name).name}", "scripted")
    return Scripted(Path(name), table.price(name) or Price(0.0, 0.0), table)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = read_limited(path, LARGEST).decode("utf-8")
    except OSError as error:
        raise ConfigError(f"The script {path} cannot be read: {error.strerror}.", "Name a JSONL file.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"The script {path} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None
    lines = enumerate(text.split("\n"), 1)
    return [_line(line, f"Line {number} of {path}") for number, line in lines if line.strip()]


def _line(text: str, place: str) -> dict[str, Any]:
    """Parse a line and check the types of its values. Raises ConfigError for the first wrong type."""
    check_values(text.encode(), place)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{place} is not JSON.", FORM) from None
    if wrong := next(_faults(value, "the line", LINE), None):
        raise ConfigError(f"{place} is not a scripted reply: {wrong}.", FORM)
    return cast("dict[str, Any]", value)


def _faults(value: Any, name: str, form: Any) -> Iterator[str]:
    """Yield each mismatch between a value and its expected form: a type, a list whose items have the same form, or an
    object with named fields."""
    kind: Any = type(form) if isinstance(form, list | dict) else form
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        yield f"{name} is not {NAMES[kind]}"
    elif isinstance(form, list):
        for number, each in enumerate(value, 1):
            yield from _faults(each, f"{name}[{number}]", form[0])
    elif isinstance(form, dict):
        yield from (f"{name} has no {field!r}" for field in sorted(REQUIRED & form.keys() - value.keys()))
        yield from (f"{name} has an unknown {field!r}" for field in value if form is USAGE and field not in form)
        if form is USAGE:
            large = (name for name in value if isinstance(value[name], Real) and not 0 <= value[name] <= MOST_TOKENS)
            yield from (f"{name}.{field} is not between 0 and {MOST_TOKENS:,}" for field in large)
        for field in form.keys() & value.keys():
            if not (value[field] is None and field in NULLABLE):
                yield from _faults(value[field], field if form is LINE else f"{name}.{field}", form[field])


def _reply(value: dict[str, Any], model: str) -> Reply:
    actions = tuple(
        Action(action["tool"], action.get("arguments", {}), id=f"call_{number}", error=action.get("error", ""))
        for number, action in enumerate(value.get("actions", []), 1)
    )
    usage = value.get("usage", {})
    return Reply(value.get("text", ""), actions, model=model, usage=None if usage is None else Usage(**usage))
