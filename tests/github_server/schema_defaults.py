"""Objects of the API with all fields that the description requires.

Missing fields get defaults from the description: URLs below the object's own, and null, empty or false values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.github_server.description import description

Json = dict[str, Any]


def with_defaults(schema: str, fields: Json, base: str) -> Json:
    """Return `fields` with defaults for all required fields.

    `schema` is the name of a component, or with `.` that of a property in it.
    """
    return _defaults(schema, base) | fields


@cache
def _required_fields(schema: str) -> Mapping[str, Any]:
    name, *properties = schema.split(".")
    schema_fields = description()["components"]["schemas"][name]
    for part in properties:
        schema_fields = schema_fields["properties"][part]
    parts = [_resolve_reference(part) for part in schema_fields.get("allOf", [schema_fields])]
    names = {name for part in parts for name in part.get("required", ())}
    return {
        name: _resolve_reference(part["properties"][name])
        for part in parts
        for name in names & part["properties"].keys()
    }


def _resolve_reference(schema: Any) -> Any:
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _defaults(schema: str, base: str) -> Json:
    defaults: Json = {}
    for name, kind in _required_fields(schema).items():
        if name == "url" or name.endswith("_url"):
            defaults[name] = base if name == "url" else f"{base}/{name[:-4]}"
        elif kind.get("nullable"):
            defaults[name] = None
        elif "enum" in kind:
            defaults[name] = kind["enum"][0]
        else:
            defaults[name] = {"boolean": False, "integer": 0, "array": [], "object": {}, "string": ""}.get(
                kind.get("type")
            )
    return defaults
