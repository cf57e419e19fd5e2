"""How large the binary files of a patch are once they are unfolded: a few bytes of a patch may stand for gigabytes."""

from __future__ import annotations

import base64
import re
import zlib

MOST_UNFOLDED = 50_000_000
"""Bytes of all binary files of a patch together that git is let unfold."""
HEADER = 20
"""Bytes of a delta in which the sizes of what it is made from and what it makes surely stand."""
_BINARY = re.compile(r"^(?P<kind>literal|delta) (?P<size>\d{1,18})\d*\r?\n(?P<first>[^\n]*)", re.MULTILINE)


def unfolded(diff: str) -> int:
    """Bytes of all `GIT binary patch` parts, as they say themselves. git refuses those that say something wrong."""
    return sum(
        int(part["size"]) + (_made(part["first"]) if part["kind"] == "delta" else 0) for part in _BINARY.finditer(diff)
    )


def _made(line: str) -> int:
    """The size of what a delta makes, from its first line; 0 where it is not to be understood."""
    try:
        delta = zlib.decompressobj().decompress(base64.b85decode(line[1:].rstrip("\r")), HEADER)
    except (ValueError, zlib.error):
        return 0
    sizes, shift = [0], 0
    for byte in delta:
        sizes[-1] |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            sizes, shift = [*sizes, 0], 0
    return sizes[1] if len(sizes) > 2 else 0
