"""Pictures of pages, as PNG. They come from an untrusted program, so only their header is read here."""

from __future__ import annotations

import base64
import binascii
import struct
from urllib.parse import urldefrag

MOST_BYTES = 4_000_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def decode_picture(text: object) -> bytes:
    """Return the PNG file in base64; b"" if it is none, or too large."""
    if not isinstance(text, str) or len(text) > MOST_BYTES * 4 // 3:
        return b""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
    return data if picture_size(data) else b""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a PNG file in pixels; None if it is none."""
    if not data.startswith(_SIGNATURE) or len(data) < 24 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if 0 < width <= 10_000 and 0 < height <= 10_000 else None


def clean_path(path: str) -> str:
    """Return a path of the server without its fragment, starting with one slash: what it names is on this server."""
    return "/" + urldefrag(path).url.lstrip("/\\")


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
