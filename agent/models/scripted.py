"""A model that answers from a file: for tests, demonstrations and the study of a single decision.

JSON lines `{branch?, n?, contains?, reply: {text, actions: [{tool, arguments}], usage?}}`. The first line whose branch,
ask number and last words all match answers; a line without a condition matches everything. Stateless, so a resumed run
gets the same answers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.ledger import Price
from agent.models.base import Asking, Message, last_words
from trajectories.errors import ConfigError, ModelError
from trajectories.records import Action, Reply, Usage

if TYPE_CHECKING:
    from agent.settings import ModelTable, Settings

MAX_OUTPUT = 8192


class Scripted:
    """`price` is nothing unless the settings' `[models]` table gives one."""

    images = False
    secrets: tuple[str, ...] = ()

    def __init__(self, path: Path, price: Price | None, table: ModelTable) -> None:
        self.name = f"scripted:{path.resolve()}"
        self.price = price
        self.max_output = table.max_output or MAX_OUTPUT
        self.window = table.context or 0
        self.fallback = table.fallback
        self.lines = _read(path)

    def reply(self, messages: Sequence[Message], tools: Sequence[dict[str, Any]], asking: Asking) -> Reply:
        words = last_words(messages)
        for line in self.lines:
            if line.get("branch", asking.branch) != asking.branch or line.get("n", asking.ask) != asking.ask:
                continue
            if line.get("contains", "") in words:
                return _reply(line["reply"], self.name)
        raise ModelError(
            f"No line of {self.name} answers ask {asking.ask} of {asking.branch}.",
            "Add a line that matches, or one without conditions at the end.",
            billed=False,
        )


def load(name: str, settings: Settings) -> Scripted:
    table = settings.model_table(f"scripted:{name}", f"scripted:{Path(name).name}", "scripted")
    return Scripted(Path(name), table.price(name) or Price(0.0, 0.0), table)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The script {path} cannot be read: {error}.", "Name a JSONL file.") from None
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            _reply(value["reply"], "")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"Line {number} of {path} is not a scripted reply: {error!r}.",
                'Write {"reply": {"text": "...", "actions": [{"tool": "...", "arguments": {}}]}}.',
            ) from None
        lines.append(value)
    return lines


def _reply(value: dict[str, Any], model: str) -> Reply:
    actions = tuple(
        Action(action["tool"], action.get("arguments", {}), id=f"call_{number}", error=action.get("error", ""))
        for number, action in enumerate(value.get("actions", []), 1)
    )
    usage = value.get("usage", {})
    return Reply(value.get("text", ""), actions, model=model, usage=None if usage is None else Usage(**usage))
