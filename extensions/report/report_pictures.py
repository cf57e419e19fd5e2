"""Pictures of a report, embedded as data: URLs; each is embedded once, and all together up to a limit."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from extensions.report.report_text import Diff, ReportText
from trajectories.errors import UsageError
from trajectories.file_limits import read_limited
from trajectories.page_picture import ChangedPage
from trajectories.trajectory import RunView

ROOM = 24_000_000
"""Maximum number of characters of all pictures in a report together."""
LARGEST = 4_000_000
"""Maximum number of bytes of one picture."""
ISSUE_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*")


class ReportPictures:
    """The pictures of a run by the numbers of the stored outputs. `left_out` counts those that did not fit."""

    def __init__(self, material: RunView, words: ReportText, room: int) -> None:
        self._material, self._words, self._room = material, words, room
        self._left_out: set[int] = set()
        self.found: dict[str, dict[str, Any]] = {}

    @property
    def left_out(self) -> int:
        return len(self._left_out)

    def add(self, number: int | None) -> int | None:
        """Embed a picture and return its number; None if there is none, or no room for it."""
        if number is None or number in self._left_out:
            return None
        if str(number) not in self.found:
            data = self._read(number)
            size = self._words.picture_size(data)
            if size is None:
                return None
            url = f"data:image/png;base64,{b64encode(data).decode()}"
            if len(url) > self._room:
                self._left_out.add(number)
                return None
            self._room -= len(url)
            self.found[str(number)] = {"url": Diff(url), "width": size[0], "height": size[1]}
        return number

    def of_issue(self, urls: Iterable[str]) -> list[Diff]:
        """Return the `data:` URLs of the issue's own pictures that fit into a quarter of the room: pictures of the
        pages matter more."""
        found: list[Diff] = []
        room = self._room // 4
        for url in urls:
            if len(url) <= room and ISSUE_PICTURE.fullmatch(url):
                room -= len(url)
                found.append(Diff(url))
        self._room -= sum(map(len, found))
        return found

    def page(self, page: ChangedPage) -> dict[str, Any]:
        """Return a changed page with its pictures."""
        texts = {"title": page.title, "asked": page.asked, "unasked": page.unasked}
        return texts | {name: self.add(number) for name, number in page.pictures.items()}

    def _read(self, number: int) -> bytes:
        directory = self._material.directory
        if directory is None:
            return b""
        try:
            return read_limited(directory / "out" / str(number), LARGEST, inside=directory)
        except (OSError, UsageError):
            return b""
