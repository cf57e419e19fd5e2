"""Sampling of long test matrices, by a seed that `make` derives from the commit and prints."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

SEED = os.environ.get("SWE_AGENT_TEST_SEED") or "0"
"""A number or text; with `all`, every case runs."""
Case = TypeVar("Case")


def sample(cases: Sequence[Case], count: int) -> list[Case]:
    """Return `count` random cases in their original order, or all if there are fewer."""
    if SEED == "all":
        return list(cases)
    chosen = sorted(random.Random(SEED).sample(range(len(cases)), min(count, len(cases))))
    return [cases[at] for at in chosen]
