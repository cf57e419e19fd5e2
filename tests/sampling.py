"""A few cases of a long matrix, chosen by a seed that `make` derives from the commit and prints."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

SEED = int(os.environ.get("SWE_AGENT_TEST_SEED") or 20261120)
Case = TypeVar("Case")


def sample(cases: Sequence[Case], share: int) -> list[Case]:
    """`share` of them, in their order; all if there are fewer."""
    chosen = sorted(random.Random(SEED).sample(range(len(cases)), min(share, len(cases))))
    return [cases[at] for at in chosen]
