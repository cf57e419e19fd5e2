"""Keys go nowhere by what is written down: whatever has the shape of one, or is one of this job's own, is marked."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aci.view import mask
from agent.engine import known_secrets


def masked(value: Any) -> Any:
    """Data of texts, numbers, lists and tables, without keys in its texts."""
    secrets = known_secrets(os.environ)
    return each_text(value, lambda text: mask(text, secrets))


def each_text(value: Any, change: Callable[[str], str], most: int = sys.maxsize) -> Any:
    """Such data with each of its texts changed, and lists as tuples; one of more than `most` ends with how
    many are left out."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: each_text(each, change, most) for name, each in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - most} more"] if len(value) > most else []
        return (*(each_text(each, change, most) for each in value[:most]), *more)
    return value
