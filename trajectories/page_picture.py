"""Pictures of pages in records, as PNG, and how the pages of a project differ without and with a patch, as a proof's
observation records it.

Pictures come from an untrusted program, so only their header is read here.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.journal import write_durably
from trajectories.records import PICTURE, Observation, Step
from trajectories.trajectory import Trajectory

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


PAGES = "pages"
"""The key in an observation's data of the pages that a patch changes."""
PICTURES = ("before", "after", "difference")
"""The pictures of a changed page: without the patch, with it, and where they differ."""
MOST, MOST_TEXTS, LONGEST = 50, 20, 400
"""Maximum number of pages of a proof and of texts of a page, and maximum number of characters of a text."""


@dataclass(frozen=True, slots=True)
class ChangedPage:
    """A page that a patch changes. `width` is that of the window in pixels; `asked` and `unasked` describe the changes
    that the issue asks for and the others; `pictures` maps names of PICTURES to numbers of stored outputs."""

    path: str
    width: int
    dark: bool
    asked: tuple[str, ...]
    unasked: tuple[str, ...]
    pictures: Mapping[str, int]

    @property
    def title(self) -> str:
        return f"{self.path} at {self.width} px{', dark mode' if self.dark else ''}"

    @property
    def summary(self) -> str:
        """What changed in one sentence, the changes that the issue does not ask for first."""
        unasked, asked = "; ".join(self.unasked), "; ".join(self.asked)
        parts = [f"not asked for: {unasked}" if unasked else "", f"as asked: {asked}" if asked else ""]
        return f"{self.title}, {'. '.join(filter(None, parts))}" if unasked or asked else self.title


def changed_pages(seen: Observation) -> list[ChangedPage]:
    """Return the pages in a proof's observation, those with unasked changes first. Anybody may have written the data,
    so entries of another form are left out."""
    given = seen.data.get(PAGES)
    pages = [_page(one) for one in given[:MOST] if isinstance(one, dict)] if isinstance(given, list) else []
    return sorted(filter(None, pages), key=lambda page: not page.unasked)


def pages_of_tree(trajectory: Trajectory, tree: str) -> list[ChangedPage]:
    """Return the pages that the last proof of this tree found changed."""
    proofs = (step for step in reversed(trajectory.all_steps()) if step.author == "proof" and step.tree == tree)
    return _pages(next(proofs, None))


def picture_number(seen: Observation) -> int | None:
    """Return the number of the stored output with the observation's picture, if it has one."""
    return _number(seen.data.get(PICTURE))


def _pages(step: Step | None) -> list[ChangedPage]:
    return changed_pages(step.observations[0]) if step and step.observations else []


def _page(one: dict[str, Any]) -> ChangedPage | None:
    path, width = one.get("path"), _number(one.get("width"))
    if not isinstance(path, str) or width is None:
        return None
    numbers = {name: _number(one.get(name)) for name in PICTURES}
    pictures = {name: number for name, number in numbers.items() if number is not None}
    texts = (_texts(one.get("asked")), _texts(one.get("unasked")))
    return ChangedPage(path[:LONGEST], width, one.get("dark") is True, *texts, pictures)


def _texts(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list | tuple) else ()
    return tuple(text[:LONGEST] for text in texts[:MOST_TEXTS] if isinstance(text, str))


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
