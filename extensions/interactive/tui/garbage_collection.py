"""Settings of the garbage collector while the app runs."""

from __future__ import annotations

import gc

THRESHOLDS = (20_000, 10, 10)
"""Thresholds for the garbage collector, see `gc.set_threshold`."""


def collect_less_often() -> None:
    """Collect garbage less often and ignore imported objects.

    Drawing creates many objects but few reference cycles; with the default thresholds, the garbage collector takes a
    third of the time, in pauses of a tenth of a second.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
