"""Input calls of a function: recorded, mutated or scaled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["recorded", "test", "mutated", "grown", "unseen"]


@dataclass(frozen=True, slots=True)
class InputCall:
    """An input call. `size`: its size n, if it was scaled. `times`: how often it occurred while the command ran.

    `strange` calls contain a value of a type or shape that was never recorded; only errors that the function raises
    explicitly are compared for them.
    """

    data: bytes
    origin: Origin
    size: int = 0
    times: int = 1
    strange: bool = False
