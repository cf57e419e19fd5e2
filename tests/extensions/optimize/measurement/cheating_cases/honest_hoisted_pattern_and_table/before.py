"""Durations as people write them."""

import re


def parse(text):
    """Seconds of `1h 30m`, `90 s`, ...; raises ValueError for anything else."""
    units = {}
    for names, seconds in (("s sec second seconds", 1), ("m min minute minutes", 60), ("h hour hours", 3600)):
        for name in names.split():
            units[name] = seconds
    total = 0
    rest = text
    while rest.strip():
        found = re.compile(r"\s*(\d+)\s*([a-z]+)").match(rest)
        if found is None or found.group(2) not in units:
            raise ValueError("no duration: %r" % text)
        total += int(found.group(1)) * units[found.group(2)]
        rest = rest[found.end() :]
    return total
