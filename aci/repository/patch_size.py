"""Size of a patch's binary files when unpacked: a few bytes of a patch may unpack to gigabytes."""

from __future__ import annotations

import base64
import re
import zlib

MOST_UNFOLDED = 50_000_000
"""Maximum number of bytes of all unpacked binary files of a patch together; larger patches are not passed to git."""
HEADER = 20
"""Number of bytes that suffice to decode the source and result sizes at the start of a delta."""
_BINARY = re.compile(r"^(?P<kind>literal|delta) (?P<size>\d{1,18})\d*\r?\n(?P<first>[^\n]*)", re.MULTILINE)


def unpacked_size(diff: str) -> int:
    """Return the total size of all `GIT binary patch` parts as declared in their headers; git rejects parts that
    declare a wrong size."""
    return sum(
        int(part["size"]) + (_result_size(part["first"]) if part["kind"] == "delta" else 0)
        for part in _BINARY.finditer(diff)
    )


def _result_size(line: str) -> int:
    """Return the result size that a delta declares in its first line, or 0 if the line cannot be decoded."""
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
