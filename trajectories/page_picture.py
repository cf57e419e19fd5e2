"""Pictures of pages in records, as PNG. They come from an untrusted program, so only their header is read here."""

from __future__ import annotations

import base64
import struct
from pathlib import Path

from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.journal import write_durably

MOST_BYTES = 4_000_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a PNG file in pixels; None if it is none."""
    if not data.startswith(_SIGNATURE) or len(data) < 24 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if 0 < width <= 10_000 and 0 < height <= 10_000 else None


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def picture_file(run: Path, number: int) -> Path | None:
    """Return the file `pictures/N.png` in a run's folder, which other programs can open. It is copied from the stored
    output N if it is missing; None if that is no picture or the file cannot be written."""
    source, target = run / "out" / str(number), run / "pictures" / f"{number}.png"
    try:
        if target.is_file():
            return target
        data = read_limited(source, MOST_BYTES, inside=run)
        if not picture_size(data):
            return None
        target.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(target, data)
    except (OSError, UsageError):
        return None
    return target
