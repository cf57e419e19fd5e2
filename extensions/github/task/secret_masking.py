"""Masking of keys in data that is written: anything in the format of a key, and this job's own keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aci.observation.secret_masking import mask_secrets
from agent.engine.engine import known_secrets


def mask_keys(value: Any) -> Any:
    """Return data (strings, numbers, lists, mappings) with the secrets in its strings masked."""
    secrets = known_secrets(os.environ)
    return each_text(value, lambda text: mask_secrets(text, secrets))


def each_text(value: Any, change: Callable[[str], str], most: int = sys.maxsize) -> Any:
    """Return data with `change` applied to each string, and with lists as tuples.

    A list of more than `most` items is cut and ends with the number of items left out.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: each_text(each, change, most) for name, each in value.items()}
    if isinstance(value, list | tuple):
        more = [f"… {len(value) - most} more"] if len(value) > most else []
        return (*(each_text(each, change, most) for each in value[:most]), *more)
    return value
