"""What is planned before anything is built: the image to start from, the set-up, and the reason of each in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HOME = "/opt/swe-agent"
"""Where set-up puts what it installs for this repository: outside of it, and the same in each image."""

VENV = f"{HOME}/venv"


Files = Mapping[str, bytes]
"""A tree's regular files by path, read when they are asked for."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user's settings say. `image` and `setup` may be the repository's `.swe-agent.toml`'s: `named` tells.

    `images` maps a language, or a language with its version (`python3.9`), to an image. `hosts` are the names that
    set-up may reach, `certificates` is a file on the host, `set_up_environment` is there during set-up only. `seconds`
    is what the whole set-up may take. `version` is the last release before the base.
    """

    image: str = ""
    setup: str = ""
    test: str = ""
    named: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    hosts: Sequence[str] = ()
    certificates: str = ""
    set_up_environment: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 1800.0
    version: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """One set-up command, run by a shell in the repository, and why it is there. An `optional` one may fail."""

    text: str
    why: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """What `docker build` would be told; paths are the tree's."""

    path: str
    context: str = ""
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an environment is made. Nothing is built where `image` stands alone.

    `source` says where it was found, `variables` are in every session, `reasons` are sentences, and so is what was
    `refused`. `inputs` are the files that decide what is installed: while only others have uncommitted changes, the
    environment of the base's commit is used.
    """

    source: str
    image: str
    language: str = ""
    setup: tuple[Command, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    """Folders that come first on the PATH."""

    alternatives: tuple[str, ...] = ()
    """Images for other versions of the language, to be tried where this one turns out to be wrong."""

    reasons: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    folder: str = ""
    """Where the manifests lie, if not at the top."""

    instead: Plan | None = None
    """What is done where this cannot be built; none where somebody asked for this one."""

    @property
    def built(self) -> bool:
        """Whether there is anything to do beyond taking the image."""
        return bool(self.setup or self.variables or self.paths)
