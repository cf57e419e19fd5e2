"""The JSON Schema of a line of an event stream, generated from the types of lines.

`python -m extensions.events.schema` prints it; `docs/events.schema.json` is its output.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, get_args

from pydantic import TypeAdapter

from extensions.events import event_lines
from extensions.events.event_lines import VERSION, Line
from trajectories.schema import schema as journal_schema

FIRST = ("v", "type", "at", "run")
"""The fields of every line."""


def schema() -> dict[str, Any]:
    """Return the schema of a line. Records have the schema of the journal; fields without a value are omitted."""
    made = TypeAdapter(Line).json_schema(ref_template="#/$defs/{model}")
    lines = {of.__name__: made["$defs"][of.__name__] for of in get_args(Line)}
    for name, of in lines.items():
        of["description"] = inspect.getdoc(getattr(event_lines, name))
        of["required"] = [*FIRST, *(field for field in of["required"] if field not in FIRST)]
        of["properties"] = {field: _plain(about) for field, about in of["properties"].items()}
    journal = journal_schema()
    lines["RecordLine"]["properties"]["record"] = {"oneOf": journal["oneOf"], "discriminator": journal["discriminator"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of the event stream of swe-agent, version {VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in lines],
        "$defs": lines | journal["$defs"],
    }


def _plain(about: dict[str, Any]) -> dict[str, Any]:
    """Return a field's schema without its title and default; a field without a value is omitted, and never null."""
    about = {name: value for name, value in about.items() if name not in ("title", "default")}
    kinds = [kind for kind in about.pop("anyOf", []) if kind != {"type": "null"}]
    return about | (kinds[0] if kinds else {})


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
