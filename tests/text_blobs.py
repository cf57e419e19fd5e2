"""File contents for tests of the code graph, without a repository."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aci.repository.file_blobs import LARGEST, File
from trajectories.git_store.git_commands import encode


class TextBlobs:
    """File contents by path, without a repository."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        data = {path: text.encode("utf-8", "surrogateescape") for path, text in texts.items()}
        self._ids = {path: hashlib.sha1(b"blob %d\0" % len(one) + one).hexdigest() for path, one in data.items()}
        self._data = {self._ids[path]: one for path, one in data.items()}
        self.absent: set[str] = set()
        self.key = hashlib.sha256(
            encode("\0".join(f"{path}\n{id}" for path, id in sorted(self._ids.items())))
        ).hexdigest()

    def files(self) -> Iterable[File]:
        return (File(path, "100644", id) for path, id in sorted(self._ids.items()))

    def read(self, ids: Sequence[str]) -> Iterator[bytes | None]:
        return (data if len(data := self._data[id]) <= LARGEST else None for id in ids)
