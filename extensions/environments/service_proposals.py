"""Services that a repository's own files ask for. They are proposed to the user; none starts without approval.

Of Compose files and workflows, only the names under `services:` and their images are read, line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aci.environments.environment_plan import Files
from aci.environments.registries import image_refusal

_FILES = re.compile(
    r"(?:[\w-]+/)?(?:docker-)?compose(?:[.-][\w.-]*)?\.ya?ml|\.devcontainer/.*compose[\w.-]*\.ya?ml"
    r"|\.github/workflows/[\w.-]+\.ya?ml"
)
_KEY = re.compile(r"([ ]*)(?:- )?['\"]?([A-Za-z0-9_][\w.-]*)['\"]?:[ ]*(.*)")
_DEFAULT = re.compile(r"\$\{[A-Za-z_]\w*:?-([^}]*)\}")
_MOST = 8
_NO_HOST = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class ServiceProposal:
    """A service called `name` that runs `image`, requested by the file at `path`."""

    name: str
    image: str
    path: str

    def __str__(self) -> str:
        return (
            f"{self.path} asks for the service {self.name} ({self.image}). It is not started unless you approve it "
            f"with `swe-agent config set services.{self.name}.image {self.image}`."
        )


def find_proposals(files: Files) -> list[ServiceProposal]:
    """Return one proposal for each image, from the first file that names it. Images that the repository builds are left
    out."""
    found: dict[str, ServiceProposal] = {}
    for path in sorted(path for path in files if _FILES.fullmatch(path)):
        for name, image in _services(files[path].decode("utf-8", "replace")):
            plain = _NO_HOST.sub("-", name.lower()).strip("-")
            if plain and not image_refusal(image):
                found.setdefault(image.partition(":")[0], ServiceProposal(plain[:63], image, path))
    return list(found.values())[:_MOST]


def _services(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and image of each service under each `services:` key."""
    under, child, inner, name = -1, -1, -1, ""
    for line in text.splitlines()[:5000]:
        match = _KEY.fullmatch(line.partition(" #")[0].rstrip()[:1000])
        if not match:
            continue
        indent, key, value = len(match[1]), match[2], match[3].strip().strip("'\"")
        if indent <= under:
            under = -1
        if under < 0:
            if key == "services" and not value:
                under, child, name = indent, -1, ""
            continue
        if child in (-1, indent):
            child, inner, name = indent, -1, key
            continue
        if inner < 0 and indent > child:
            inner = indent
        if key == "image" and indent == inner:
            yield name, _DEFAULT.sub(r"\1", value)
