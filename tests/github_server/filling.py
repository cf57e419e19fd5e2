"""Objects of the API with all that its description requires. What nobody told is filled in by the description:
addresses below the thing's own, and nothing, none or no."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.github_server.description import description

Json = dict[str, Any]


def filled(schema: str, known: Json, base: str) -> Json:
    """`known` and what else the schema requires. `schema` is a component's name, or with `.` a property's of it."""
    return _defaults(schema, base) | known


@cache
def _wanted(schema: str) -> Mapping[str, Any]:
    name, *properties = schema.split(".")
    found = description()["components"]["schemas"][name]
    for part in properties:
        found = found["properties"][part]
    parts = [_followed(part) for part in found.get("allOf", [found])]
    names = {name for part in parts for name in part.get("required", ())}
    return {name: _followed(part["properties"][name]) for part in parts for name in names & part["properties"].keys()}


def _followed(schema: Any) -> Any:
    while "$ref" in schema:
        schema = description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _defaults(schema: str, base: str) -> Json:
    made: Json = {}
    for name, kind in _wanted(schema).items():
        if name == "url" or name.endswith("_url"):
            made[name] = base if name == "url" else f"{base}/{name[:-4]}"
        elif kind.get("nullable"):
            made[name] = None
        elif "enum" in kind:
            made[name] = kind["enum"][0]
        else:
            made[name] = {"boolean": False, "integer": 0, "array": [], "object": {}, "string": ""}.get(kind.get("type"))
    return made
