"""The input schema of a server's tool, reduced to what every provider of models accepts.

One schema that a provider rejects would make every request of the session fail, and a large one would be paid for with
each. References are therefore replaced by what they name, and everything else than a few plain keywords is dropped.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from aci.observation.untrusted_text import one_line

LONGEST_DESCRIPTION = 300
"""Maximum number of characters of an argument's description."""
MOST_CHARACTERS = 8_000
"""Maximum number of characters of a schema as JSON."""
MOST_NODES = 1_000
DEEPEST = 10
TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
NUMBERS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
PROPERTY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class UnusableSchema(Exception):
    """The tool cannot be offered. The message says why, as the end of a sentence about it."""


def plain_schema(schema: Any) -> dict[str, Any]:
    """Return the reduced schema of a tool's arguments. Raises UnusableSchema."""
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise UnusableSchema("its arguments have no schema of an object")
    found = _Reduction(schema).reduce(schema, 0)
    found = {"type": "object", "properties": {}} | found
    if len(json.dumps(found)) > MOST_CHARACTERS:
        raise UnusableSchema(f"the schema of its arguments has more than {MOST_CHARACTERS:,} characters")
    return found


class _Reduction:
    """One pass over a schema, in which `root` is what references point into."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root, self._nodes = root, 0

    def reduce(self, schema: Any, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise UnusableSchema(f"the schema of its arguments has more than {MOST_NODES:,} parts")
        if not isinstance(schema, dict) or depth > DEEPEST:
            return {}
        if isinstance(reference := schema.get("$ref"), str):
            return self.reduce(self._named(reference), depth + 1)
        found: dict[str, Any] = {}
        if kind := _type(schema.get("type")):
            found["type"] = kind
        if isinstance(text := schema.get("description"), str) and text:
            found["description"] = one_line(text[: 4 * LONGEST_DESCRIPTION])[:LONGEST_DESCRIPTION]
        if isinstance(choices := schema.get("enum"), list) and choices:
            found["enum"] = [each for each in choices if _is_plain(each)] or [""]
        if "const" in schema and _is_plain(schema["const"]):
            found["enum"] = [schema["const"]]
        numbers = {name: schema[name] for name in NUMBERS if type(schema.get(name)) in (int, float)}
        found |= {name: number for name, number in numbers.items() if _is_plain(number)}
        if isinstance(schema.get("additionalProperties"), bool):
            found["additionalProperties"] = schema["additionalProperties"]
        if isinstance(schema.get("items"), dict) or found.get("type") == "array":
            found["items"] = self.reduce(schema.get("items"), depth + 1)
        if isinstance(choices := schema.get("anyOf") or schema.get("oneOf"), list):
            found["anyOf"] = [self.reduce(each, depth + 1) for each in choices] or [{}]
        if isinstance(parts := schema.get("properties"), dict):
            found["properties"] = {self._property(name): self.reduce(part, depth + 1) for name, part in parts.items()}
            required = schema.get("required")
            names = required if isinstance(required, list) else ()
            known = [name for name in names if isinstance(name, str) and name in parts]
            found |= {"required": list(dict.fromkeys(known))} if known else {}
        return found

    def _property(self, name: str) -> str:
        if not PROPERTY.fullmatch(name):
            raise UnusableSchema(f"its argument {one_line(name)[:60]!r} has a name that models cannot use")
        return name

    def _named(self, reference: str) -> Any:
        """Return the part of the schema that a reference names; None if there is none."""
        found: Any = self._root
        if not reference.startswith("#"):
            return None
        for part in reference[1:].split("/")[1 : DEEPEST + 1]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        return found


def _is_plain(value: Any) -> bool:
    """Return whether a value can be sent and recorded: no object, and no text or number that JSON does not have."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value))


def _type(value: Any) -> str | list[str] | None:
    if isinstance(value, list):
        return list(dict.fromkeys(each for each in value if isinstance(each, str) and each in TYPES)) or None
    return value if isinstance(value, str) and value in TYPES else None
