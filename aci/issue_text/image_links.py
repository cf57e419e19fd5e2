"""Links to images in the text of an issue, and the image formats that models accept."""

from __future__ import annotations

import re

MOST_PICTURES = 4_000_000
"""Maximum number of bytes of all images together."""
PICTURE = re.compile(
    r"!\[[^\]\[]{0,300}\]\(<?([^\s()>]{1,500})|<img\b[^<>]{0,300}?\bsrc=[\"']([^\"'<>]{1,500})[\"']", re.IGNORECASE
)
MAGIC = {b"\x89PNG\r\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


def image_format(data: bytes) -> str:
    """Return the image format according to the first bytes; "" if models do not accept it."""
    kind = next((kind for magic, kind in MAGIC.items() if data.startswith(magic)), "")
    return "" if kind == "webp" and data[8:12] != b"WEBP" else kind
