"""Input calls of a function: recorded, mutated or scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["recorded", "test", "mutated", "grown", "unseen"]


@dataclass(frozen=True, slots=True)
class InputCall:
    """An input call. `size`: its size n, if it was scaled. `times`: how often it occurred while the command ran."""

    data: bytes
    origin: Origin
    size: int = 0
    times: int = 1
