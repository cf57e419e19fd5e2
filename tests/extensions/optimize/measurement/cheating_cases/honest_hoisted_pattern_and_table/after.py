"""Durations as people write them."""

import re

_PART = re.compile(r"\s*(\d+)\s*([a-z]+)")
_UNITS = {
    name: seconds
    for names, seconds in (("s sec second seconds", 1), ("m min minute minutes", 60), ("h hour hours", 3600))
    for name in names.split()
}


def parse(text):
    """Seconds of `1h 30m`, `90 s`, ...; raises ValueError for anything else."""
    total = 0
    at = 0
    end = len(text.rstrip())
    while at < end:
        found = _PART.match(text, at)
        if found is None or found.group(2) not in _UNITS:
            raise ValueError("no duration: %r" % text)
        total += int(found.group(1)) * _UNITS[found.group(2)]
        at = found.end()
    return total
