"""Rewards of the candidates in a group, after "Towards Better Correctness and Efficiency in Code Generation" (arXiv
2508.20124)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trajectories.errors import UsageError

WRONG, MISSING_ENTITY, UNFORMATTED = 0.0, -0.5, -1.5
"""Rewards of a wrong answer, of one that lacks the requested code, and of one whose format is invalid."""


def rewards(counts: Sequence[int]) -> list[float]:
    """Return the reward of each correct candidate of one group, from its instruction count N, in the order given.

    With C = -log N: F = 1 + (C - min C)(Smax - 1)/(max C - min C), Smax = min(2, 1 + max C - min C). A single candidate
    gets 1, and so do all candidates if their counts are equal. Raises UsageError for a count below 1.
    """
    if any(count < 1 for count in counts):
        raise UsageError("An instruction count must be at least 1.", "Leave out candidates that could not be counted.")
    savings = [-math.log(count) for count in counts]
    if not savings or (spread := max(savings) - (least := min(savings))) == 0:
        return [1.0] * len(savings)
    highest = min(1.0, spread)
    return [1.0 + (saved - least) / spread * highest for saved in savings]
