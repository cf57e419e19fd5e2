"""The JSON Schema of a line of the journal, generated from the record types.

`python -m trajectories.schema` prints it; `docs/journal.schema.json` is its output.
"""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any, get_args

from trajectories import facts, records, verdict
from trajectories.journal import JOINED, adapter
from trajectories.records import VERSION

KINDS = {**vars(facts), **vars(verdict), **vars(records)}
"""The modules' names, among them the types in a record."""


def schema() -> dict[str, Any]:
    """Return the schema of a line, for the current version or an earlier one. Fields that a record may omit have a
    default; unknown fields are ignored."""
    made = adapter().json_schema(ref_template="#/$defs/{model}")
    definitions = made.pop("$defs")
    for name, of in definitions.items():
        of["description"] = inspect.getdoc(KINDS[name])
        for of_field in of["properties"].values():
            of_field.pop("title", None)  # it only repeats the field's name
    for record in get_args(records.Record):
        of = definitions[record.__name__]
        of["required"] = [*of.get("required", []), "type"]
        of["properties"][JOINED] = {
            "const": True,
            "description": "Written together with the previous record; the first record of a group has no such field.",
        }
    version = definitions["Run"]["properties"]["version"]
    version["default"] = 1
    version["description"] = "Version of this line and the lines after it; 1 if the line has no version."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A line of a run's journal.jsonl, version {VERSION}",
        **made,
        "$defs": definitions,
    }


def text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
