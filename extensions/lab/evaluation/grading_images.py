"""The environment of an instance's tests: an image, or a Python environment on this machine."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock

from aci.docker.docker_daemon import connect, docker_errors
from aci.environments.preparation import DEFAULT_IMAGES
from aci.environments.tree_files import TreeFiles
from aci.host.project_python import project_python
from aci.observation.activity_message import ActivityMessage
from aci.runtime.workspace import WorkspaceOptions
from agent.config.environment_options import environment_options
from agent.config.settings import Settings
from extensions.environments.environment import environment_for
from extensions.environments.host_environment import find_host_plan, set_up_environment
from extensions.lab.evaluation.grading_specs import GradingSpec
from extensions.lab.evaluation.grading_venvs import python_version, venv
from extensions.lab.instances.image_registry import ImageNotFound, official_image, pull
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError, WorkspaceError

UNREACHABLE = re.compile(
    r"no such host|connection refused|network is unreachable|no route to host|timeout|timed out|name resolution"
    r"|cannot be reached|TLS handshake|x509|proxyconnect",
    re.IGNORECASE,
)
"""Pattern of Docker's error messages that mean that no image can be pulled; other errors concern a single image."""
NEEDS_IMAGE = "Grade this instance in a container: --workspace docker."
_CONDA = "if [ -f /opt/miniconda3/bin/activate ]; then . /opt/miniconda3/bin/activate; conda activate testbed; fi"
"""Shell command that activates the environment in SWE-bench's images."""


class Registry:
    """The registry of SWE-bench's own images, each pulled once; if the registry is unreachable, no more pulls are
    tried.

    Thread-safe; a thread waits only for the image that it needs.
    """

    def __init__(self) -> None:
        self._reached = True
        self._known: dict[str, str] = {}
        self._lock = Lock()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def image(self, instance: Instance, way: GradingSpec, settings: Settings, say: Callable[[str], None]) -> str:
        """Pull the instance's image if necessary and return its name; "" if there is none or the settings do not use
        it."""
        name = (
            official_image(instance, way.publisher)
            if way.publisher and settings.workspace == "docker" and not settings.image
            else ""
        )
        if not name:
            return ""
        with self._lock:
            lock = self._locks[name]
        with lock:
            if name not in self._known:
                self._known[name] = name if self._here(name, say) else ""
            return self._known[name]

    def _here(self, name: str, say: Callable[[str], None]) -> bool:
        daemon = connect()
        try:
            with docker_errors():
                if daemon.client.api.images(name=name):
                    return True
            if not self._reached:
                return False
            say(ActivityMessage(f"Pulling the image {name}."))
            pull(daemon, name)
            return True
        except ImageNotFound:
            return False
        except WorkspaceError as error:
            if UNREACHABLE.search(error.message.replace(name, "")):
                self._reached = False
                say(f"{error.message} Environments are built instead of SWE-bench's own images.")
            else:
                say(f"{error.message} An environment is built instead.")
            return False
        finally:
            daemon.rest()


def with_test_image(
    way: GradingSpec, place: WorkspaceOptions, settings: Settings, setup_commit: str
) -> tuple[WorkspaceOptions, tuple[str, ...]]:
    """Return the options with the image for the tests, which is built if necessary, and the commands to run at the
    start of a session.

    Requirement lists are read from `setup_commit` if the repository has it. Raises WorkspaceError for an environment
    that cannot be built.
    """
    image = settings.image or way.image
    is_in_image = bool(way.image) and settings.workspace == "docker"
    setup = settings.setup or ("" if is_in_image or way.setup is None else way.setup(_files(place, setup_commit)))
    if settings.workspace == "local" and setup:
        return place, venv(way.python, setup, place)
    if settings.workspace != "docker":
        return _with_host_environment(way, place, settings, setup), ()
    wished = environment_options(settings, {"setup": "the instance", "image": "the instance"})
    if way.python and not image:  # the environment is fully specified, so no tests are run on the base to detect it
        wished = replace(wished, images={"python": image_of_python(way.python, settings.images)}, test="true")
    elif way.node and not image:
        named = image_of_node(way.node, settings.images)
        wished = replace(wished, images={"node": named}, test="true", browser=way.browser)
    else:
        wished = replace(wished, image=image, test=way.command)
    commands = (_CONDA,) if way.image and not settings.image else ()
    return replace(place, image=environment_for(place, replace(wished, setup=setup))), commands


def _with_host_environment(
    way: GradingSpec, place: WorkspaceOptions, settings: Settings, setup: str
) -> WorkspaceOptions:
    """Return the options with the environment that the repository's files imply, as `fix` uses it on this machine, or
    one made by `setup`. Raises WorkspaceError if the tests need another one."""
    if way.python and (version := python_version("python3")) != way.python:
        raise WorkspaceError(f"The tests need Python {way.python}, but python3 is {version or 'missing'}.", NEEDS_IMAGE)
    wished = environment_options(settings, {"setup": "the instance"})
    wished = replace(wished, image="", setup=setup, test="true" if way.python else way.command)
    if setup and find_host_plan(place, wished, settings.workspace) is None and not project_python(place):
        raise WorkspaceError("Only Python environments can be set up without a container.", NEEDS_IMAGE)
    return set_up_environment(place, wished, settings.workspace)


def image_of_python(version: str, images: Mapping[str, str]) -> str:
    """Return the user's image for this version of Python, else the official one."""
    name = f"python{version}"
    return images.get(name) or DEFAULT_IMAGES.get(name) or f"python:{version}"


def image_of_node(version: str, images: Mapping[str, str]) -> str:
    """Return the user's image for this version of Node, else the user's for any version, else the official one."""
    name = f"node{version}"
    return images.get(name) or images.get("node") or DEFAULT_IMAGES.get(name) or f"node:{version}"


def _files(place: WorkspaceOptions, commit: str) -> TreeFiles:
    if commit:
        try:
            return TreeFiles(place.trees, place.repository.base(place.trees, commit).tree)
        except UsageError:
            place.say(f"The repository has no commit {commit[:12]}: its base determines the set-up.")
    return TreeFiles(place.trees, place.base.tree)
