"""The form of the lines of an event stream: names and types of fields, without values that differ between runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

KEPT = {"v", "type", "status", "role", "author", "kind", "code", "source", "strategy"}
"""Fields whose values are part of the form."""
FREE = {"settings", "prompts", "versions", "tools", "data", "arguments", "value", "models"}
"""Fields whose content is not part of the form."""


def form_of(value: Any, name: str = "") -> Any:
    """Return the form of a JSON value: its type, or the forms of its parts."""
    if name in KEPT and not isinstance(value, dict | list):
        return value
    if name in FREE:
        return "…"
    if isinstance(value, dict):
        return {key: form_of(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [form_of(part) for part in value[:1]]
    if value is None or isinstance(value, bool):
        return value
    return "text" if isinstance(value, str) else "number"


def form_lines(lines: Iterable[dict[str, Any]]) -> str:
    """Return the forms of an event stream, one a line. Progress worded for people is left out, and of equal lines in a
    row one is kept: how many there are depends on the machine."""
    forms = [json.dumps(form_of(line), ensure_ascii=False) for line in lines if line["type"] != "progress"]
    return "".join(f"{form}\n" for form, _ in groupby(forms))
