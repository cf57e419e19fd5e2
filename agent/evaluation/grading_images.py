"""Where an instance's tests run: the image of its environment, or a venv of this machine's."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import Lock

from aci.daemon import connect, trouble
from aci.environment import TreeFiles, environment_for
from aci.environments.images import DEFAULTS
from aci.workspace import Options
from agent.batch.place import Instance
from agent.batch.pulling import Missing, official, pull
from agent.evaluation.specs import Way
from agent.evaluation.venvs import venv
from agent.settings import Settings
from agent.surroundings import wishes
from trajectories.errors import UsageError, WorkspaceError

UNREACHABLE = re.compile(
    r"no such host|connection refused|network is unreachable|no route to host|timeout|timed out|name resolution"
    r"|cannot be reached|TLS handshake|x509|proxyconnect",
    re.IGNORECASE,
)
"""What the daemon says where no image could be pulled; all else is of one image alone."""
_CONDA = "if [ -f /opt/miniconda3/bin/activate ]; then . /opt/miniconda3/bin/activate; conda activate testbed; fi"
"""In SWE-bench's images."""


class Registry:
    """SWE-bench's own images, each asked for once; none any more once the registry cannot be reached.

    Safe to share between threads, which wait only for the image that they need.
    """

    def __init__(self) -> None:
        self._reached = True
        self._known: dict[str, str] = {}
        self._lock = Lock()
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def image(self, instance: Instance, way: Way, settings: Settings, say: Callable[[str], None]) -> str:
        """The name of the instance's image, which is here now; "" where there is none, or none is asked for."""
        name = official(instance) if way.published and settings.workspace == "docker" and not settings.image else ""
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
            with trouble():
                if daemon.client.api.images(name=name):
                    return True
            if not self._reached:
                return False
            say(f"Pulling the image {name}.")
            pull(daemon, name)
            return True
        except Missing:
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
