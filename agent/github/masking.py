"""Keys go nowhere by what is written down: whatever has the shape of one, or is one of this job's own, is marked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from aci.view import mask
from agent.engine import known_secrets


def masked(value: Any) -> Any:
    """Data of texts, numbers, lists and tables, without keys in its texts."""
    secrets = known_secrets(os.environ)

    def hidden(value: Any) -> Any:
        if isinstance(value, str):
            return mask(value, secrets)
        if isinstance(value, Mapping):
            return {name: hidden(each) for name, each in value.items()}
        return tuple(map(hidden, value)) if isinstance(value, list | tuple) else value

    return hidden(value)
