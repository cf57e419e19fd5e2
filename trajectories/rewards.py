"""What candidates of one group are worth, for training: the rewards of correct ones, and advantages over the others.

Rewards are those of "Towards Better Correctness and Efficiency in Code Generation" (arXiv 2508.20124), advantages those
of RLOO ("Back to Basics", arXiv 2402.14740).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trajectories.errors import UsageError

WRONG, MISSING_ENTITY, UNFORMATTED = 0.0, -0.5, -1.5
"""Rewards of a wrong answer, of one without what was asked for, and of one whose form cannot be used."""


def rewards(counts: Sequence[int]) -> list[float]:
    """The reward of each correct candidate of one group, by its instruction count N, in the order given.

    With C = -log N: F = 1 + (C - min C)(Smax - 1)/(max C - min C), Smax = min(2, 1 + max C - min C). One candidate, or
    equal ones: 1. Raises UsageError for a count below 1.
    """
    if any(count < 1 for count in counts):
        raise UsageError("An instruction count is at least 1.", "Leave out what could not be counted.")
    savings = [-math.log(count) for count in counts]
    if not savings or (spread := max(savings) - (least := min(savings))) == 0:
        return [1.0] * len(savings)
    highest = min(1.0, spread)
    return [1.0 + (saved - least) / spread * highest for saved in savings]


def advantages(earned: Sequence[float]) -> list[float]:
    """Of each of a group over the mean of all the others. Raises UsageError for a group of one, which has none."""
    if len(earned) < 2:
        raise UsageError("An advantage is over others.", "Give two rewards or more.")
    whole = math.fsum(earned)
    return [each - (whole - each) / (len(earned) - 1) for each in earned]
