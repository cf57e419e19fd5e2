"""Smoothed readings of a sensor."""

FUNCTION = "smooth"


def smooth(readings: list[int], window: int) -> list[tuple[int, int]]:
    """Return (sum of the last `window` readings, highest reading so far) after each reading."""
    smoothed = []
    for at in range(len(readings)):
        first = max(0, at + 1 - window)
        recent = sum(readings[first : at + 1])
        peak = max(readings[: at + 1])
        smoothed.append((recent, peak))
    return smoothed
