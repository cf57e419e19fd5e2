"""The plan of an environment: the image to start from, the set-up commands, and the reasons for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

HOME = "/opt/swe-agent"
"""The folder for what set-up installs: outside the repository, and the same in each image."""

VENV = f"{HOME}/venv"
MODULES = "/node_modules"
"""Where Node looks for packages last: tests find Playwright here if the project has no own."""

BROWSER_SETUP = "aci.environments.browser_setup"
"""The kind of the extension's module that adds a browser to a plan."""

OWN_FILES = "the repository's own files"
"""The source of plans that follow from manifests."""


Files = Mapping[str, bytes]
"""A tree's regular files by path, read on demand."""

SetupPlaceKind = Literal["container", "sandbox", "local"]
"""Where set-up runs: in a container of the plan's image, or in a sandbox or without isolation on this machine."""


@dataclass(frozen=True, slots=True)
class FailedSetup:
    """A set-up that no rule repairs: the commands that succeeded, in order, those that failed, and the last of these
    with its output, which is untrusted. `place` is where they ran."""

    image: str
    language: str
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    command: str
    log: str
    place: SetupPlaceKind = "container"


ProposeSteps = Callable[[FailedSetup], Sequence[str]]
"""Function that returns commands to run instead of the failed one, or none. It may raise Stop."""


@dataclass(frozen=True, slots=True)
class EnvironmentOptions:
    """The user's settings for environments.

    `image`, `setup` and `test` may come from the repository's `.swe-agent.toml`, and `test` from its AGENTS.md; `named`
    maps each to a description of its source. `images` maps a language, or a language with its version (`python3.9`), to
    an image. `hosts` are the host names that set-up may reach, `certificates` is a file on this machine, and
    `set_up_environment` holds variables for set-up only. `seconds` is the time limit of the whole set-up. `version` is
    the last release before the base.
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
    instructions: bool = True
    """Whether set-up commands that AGENTS.md and similar files document are used."""

    browser: bool | None = None
    """Whether a browser is added; None adds one if the repository has a front end, or `serves`."""

    serves: bool = False
    """Whether the settings name the command of the project's server, so that it has pages."""

    propose: ProposeSteps | None = None
    """Function that asks a model for set-up steps when no rule repairs a failure; None if no model may be asked."""


@dataclass(frozen=True, slots=True)
class Command:
    """A set-up command, run by a shell in the repository, and its reason. An `optional` command may fail."""

    text: str
    why: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for building an environment. If it has only an `image`, nothing is built.

    `source` names where the plan was found, and `variables` are set in every session. `reasons` and `refused` are lists
    of sentences: why the plan was chosen, and what is not used. `inputs` are the files that decide what is installed:
    while only other files have uncommitted changes, the environment of the base's commit is used.
    """

    source: str
    image: str
    language: str = ""
    setup: tuple[Command, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    """Folders that come first on the PATH."""

    alternatives: tuple[str, ...] = ()
    """Images with other versions of the language, which are tried if this one turns out to be wrong."""

    reasons: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    folder: str = ""
    """The folder of the manifests, if it is not the top folder."""

    serves_later_commits: bool = False
    """Whether the environment is also right for later commits with the same inputs: set-up copies and compiles nothing
    of the repository."""

    browser: str = ""
    """The command that adds a browser after `setup`, if the project has a front end. The environment is also built if
    it fails."""

    browser_recipe: str = ""
    """What decides how the browser is set up, for the hash of its environment."""

    instead: Plan | None = None
    """The plan to use if this one cannot be built; None if the settings name this one."""

    @property
    def built(self) -> bool:
        """Whether an image must be built, as opposed to using `image` as it is."""
        return bool(self.setup or self.variables or self.paths or self.browser)

    @property
    def commands(self) -> list[str]:
        """All commands, as users are shown them."""
        return [*(command.text for command in self.setup), *filter(None, [self.browser])]

    @property
    def recipe(self) -> dict[str, str]:
        """What the hash of its environment covers of the browser; nothing without one."""
        return {"browser": self.browser_recipe} if self.browser else {}
