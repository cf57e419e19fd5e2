"""The time limit of a test on a busy machine."""

import time

import pytest

from aci.guest.results.recorded_run import Clock, RanTooLong, cpu_seconds

LIMIT = 1000.0


@pytest.mark.parametrize(
    ("waited", "used", "ends"),
    [(1200, 600, False), (1200, 1001, True), (1200, 10, True), (1801, 600, True)],
    ids=["computes slowly", "has used its limit", "sleeps", "at most 1.8 times the limit"],
)
def test_test_that_computes_gets_its_limit_in_cpu_seconds(waited: float, used: float, ends: bool) -> None:
    clock = Clock(LIMIT)
    clock.began, clock.used = time.monotonic() - waited, cpu_seconds() - used
    if ends:
        with pytest.raises(RanTooLong, match="ran longer than 1000 s"):
            clock.ring()
    else:
        clock.ring()
