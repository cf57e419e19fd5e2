"""Disk usage of images, with each layer counted once, and the images built from an image; both are determined from
image histories."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress

from aci.docker.docker_daemon import LABEL, Daemon


class Layers:
    """The layers of a daemon's images. A layer is identified by its history, so a layer that two images share is
    counted once."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._known: dict[str, dict[str, int]] = {}

    def size(self, images: Iterable[str]) -> int:
        """Return the total size of these images in bytes."""
        layers: dict[str, int] = {}
        for image in images:
            layers |= self.of(image)
        return sum(layers.values())

    def derived_images(self, image: str) -> list[str]:
        """Return the ids of environments and base images built from an image, newest first."""
        top = next(reversed(self.of(image)), None)
        ours = self._daemon.client.api.images(filters={"label": LABEL}) if top else []
        newest = sorted(ours, key=lambda each: int(each["Created"]), reverse=True)
        return [each["Id"] for each in newest if each["Id"] != image and top in self.of(each["Id"])]

    def of(self, image: str) -> dict[str, int]:
        """Return the size of each layer of an image in bytes, bottom layer first; {} if the image does not exist."""
        from docker.errors import APIError

        if image not in self._known:
            with suppress(APIError):
                found = self._daemon.client.images.get(image)
                first = str((found.attrs["RootFS"].get("Layers") or [""])[0])
                self._known[image] = _chained(first, found.history())
        return self._known.get(image, {})


def _chained(first: str, history: list[dict[str, object]]) -> dict[str, int]:
    layers = {}
    chain = hashlib.sha256(first.encode())
    for step in reversed(history):
        chain.update(repr((step["Created"], step["CreatedBy"], step["Size"])).encode())
        layers[chain.hexdigest()] = int(str(step["Size"]))
    return layers
