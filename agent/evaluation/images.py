"""Where an instance's tests run: the image of its environment, or a venv of this machine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aci.environment import TreeFiles, environment_for
from aci.environments.images import DEFAULTS
from aci.workspace import Options
from agent.evaluation.specs import Way
from agent.evaluation.venvs import venv
from agent.settings import Settings
from agent.surroundings import wishes
from trajectories.errors import UsageError

_CONDA = "if [ -f /opt/miniconda3/bin/activate ]; then . /opt/miniconda3/bin/activate; conda activate testbed; fi"
"""In SWE-bench's images."""


def housed(way: Way, place: Options, settings: Settings, setup_commit: str) -> tuple[Options, tuple[str, ...]]:
    """The options with the image in which tests run, made if it is not there; and what a session is told first.

    Lists that the set-up reads are those of `setup_commit`, where the repository has it. Raises WorkspaceError for an
    environment that cannot be made.
    """
    image = settings.image or way.image
    setup = settings.setup or ("" if way.image or way.setup is None else way.setup(_files(place, setup_commit)))
    if settings.workspace != "docker":
        return place, venv(way.python, setup, place) if setup else ()
    wished = wishes(settings, {"setup": "the instance", "image": "the instance"})
    if way.python and not image:  # what is installed is written down: tests of the base cannot better it
        wished = replace(wished, images={"python": image_of_python(way.python, settings.images)}, test="true")
    else:
        wished = replace(wished, image=image, test=way.command)
    told = (_CONDA,) if way.image and not settings.image else ()
    return replace(place, image=environment_for(place, replace(wished, setup=setup))), told


def image_of_python(version: str, images: Mapping[str, str]) -> str:
    """The user's image for this version of Python, else the official one."""
    name = f"python{version}"
    return images.get(name) or DEFAULTS.get(name) or f"python:{version}"


def _files(place: Options, commit: str) -> TreeFiles:
    if commit:
        try:
            return TreeFiles(place.trees, place.repository.base(place.trees, commit).tree)
        except UsageError:
            place.say(f"The repository has no commit {commit[:12]}: its base says what is set up.")
    return TreeFiles(place.trees, place.base.tree)
