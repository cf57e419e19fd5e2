"""The checks of `doctor` on the workspace: what it is, which image or Python it uses, and whether tests collect."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.docker.base_image import DEFAULT_IMAGE
from aci.environments.preparation import EXTENSION
from agent.cli.health_finding import Finding, Notify
from agent.config.settings import Settings
from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import SweAgentError, WorkspaceError
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.docker.docker_daemon import Daemon
    from aci.host.project_python import ProjectPython
    from aci.repository.user_repository import Repository

ENVIRONMENT_CHECKS = "extensions.housekeeping.environment_checks"
"""The kind of the module, of another extension, that checks the environment of a repository and collects its tests."""

MISSING = Finding(
    "environment", True, f"the extension {EXTENSION} is not installed", "Install swe-agent again.", warning=True
)

PATIENCE = 5
"""Seconds to wait for a registry's answer."""

LOCAL = Finding("workspace", True, "local, which isolates nothing: commands run as you, without limits")


def check_workspace(settings: Settings, source: Repository | None, collect: bool, notify: Notify) -> Iterator[Finding]:
    """Check the workspace that `fix` would use: with a repository its environment, and whether its tests can be
    collected.

    Collecting imports the tests. They are collected at once where this is isolated and needs no set-up or download;
    with `collect` in any case.
    """
    if settings.workspace == "docker":
        yield from _docker(settings, source, collect, notify)
        return
    yield _sandbox() if settings.workspace == "sandbox" else LOCAL
    if source is None:
        yield _python(None)
        return
    try:
        yield from _host_environment(settings, source, collect, notify)
    except SweAgentError as error:
        yield Finding("environment", False, error.message, error.fix, error.code)


def _printer(notify: Notify) -> Callable[[str], None]:
    """Return a function for the messages of a workspace."""

    def say(text: str) -> None:
        notify(ProgressEvent("say", "main", text))

    return say


def _host_environment(settings: Settings, source: Repository, collect: bool, notify: Notify) -> Iterator[Finding]:
    """Check the Python of the repository, and its environment."""
    from aci.host.project_python import project_python
    from agent.engine.base_workspace import open_base

    with open_base(source, None, settings, _printer(notify)) as (options, environment):
        yield _python(project_python(options))
        if checks := installed_module(ENVIRONMENT_CHECKS):
            yield from checks.check_host(options, environment, settings.workspace, collect, notify)
        else:
            yield MISSING


def _python(found: ProjectPython | None) -> Finding:
    """Report the Python that runs tests without a container: that of the project, if one was `found`."""
    from aci.runtime.sandbox_availability import sandbox_error

    if found:
        return Finding("python", True, f"{found.version} of {found.prefix}: {found.reason}".strip())
    program = shutil.which("python3") or shutil.which("python") or ""
    is_made = bool(program) and not sandbox_error() and installed_module(ENVIRONMENT_CHECKS) is not None
    made = "; a project without an environment gets one, which is set up once" if is_made else ""
    return Finding("python", bool(program), (program or "no python3 on the PATH") + made, "Install Python.")


def _sandbox() -> Finding:
    """Report whether a sandbox works here, and which limits it does not have."""
    from aci.runtime.sandbox_availability import sandbox_error, sandbox_module

    if error := sandbox_error():
        return Finding("workspace", False, error.message, error.fix)
    return Finding("workspace", True, f"bubblewrap sandbox: {sandbox_module().describe_limits()}")


def _docker(settings: Settings, source: Repository | None, collect: bool, notify: Notify) -> Iterator[Finding]:

    from aci.docker.docker_daemon import connect, docker_errors

    try:
        daemon = connect()
    except WorkspaceError as error:
        yield Finding("docker", False, error.message, error.fix)
        return
    yield Finding("docker", True, f"daemon {daemon.client.version()['Version']} at {daemon.address}")
    try:
        with docker_errors("Name another image with --image."):
            yield _seccomp(daemon.client.info(), daemon.is_podman())
            if source is None:
                yield _image(daemon, settings.image or settings.images.get("python", DEFAULT_IMAGE))[0]
            else:
                yield from _environment(daemon, settings, source, collect, notify)
    except SweAgentError as error:
        yield Finding("environment", False, error.message, error.fix, error.code)
    finally:
        daemon.client.close()


def _environment(
    daemon: Daemon, settings: Settings, source: Repository, collect: bool, notify: Notify
) -> Iterator[Finding]:
    """Check the image of the repository, and its environment."""
    from aci.environments.preparation import image_without_set_up
    from agent.engine.base_workspace import open_base

    with open_base(source, None, settings, _printer(notify)) as (options, environment):
        if checks := installed_module(ENVIRONMENT_CHECKS):
            image_checks = partial(check_image, daemon, notify)
            yield from checks.check_container(image_checks, options, environment, collect, notify)
        else:
            yield from check_image(daemon, notify, image_without_set_up(options, environment))
            yield MISSING


def check_image(daemon: Daemon, notify: Notify, image: str, reason: str = "") -> Iterator[Finding]:
    """Report an image, and whether a registry has it if it is not present."""
    found, is_present = _image(daemon, image, reason)
    yield found
    if not is_present and not daemon.is_podman():  # Podman cannot ask a registry without pulling
        notify(ProgressEvent("action", "main", "asking the registry"))
        yield _registry(daemon, image)


def _image(daemon: Daemon, image: str, reason: str = "") -> tuple[Finding, bool]:
    """Report an image, and whether it is present."""
    from docker.errors import ImageNotFound

    try:
        daemon.client.images.get(image)
    except ImageNotFound:
        return Finding("image", True, f"{image} is not present; `fix` pulls it. {reason}".strip()), False
    return Finding("image", True, f"{image} is present. {reason}".strip()), True


def _registry(daemon: Daemon, image: str) -> Finding:
    from aci.docker.base_image import alternatives

    if error := registry_error(daemon, image):
        return Finding("registry", False, f"{image} cannot be pulled: {error}", alternatives(daemon, image))
    return Finding("registry", True, f"{image} can be pulled")


def registry_error(daemon: Daemon, image: str) -> str:
    """Return why the daemon cannot find an image in its registry; empty if it can. Nothing is pulled."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException, Timeout

    from aci.docker.docker_daemon import error_message

    other = daemon.again()
    other.client.api.timeout = PATIENCE
    try:
        other.client.images.get_registry_data(image)
    except Timeout:
        return f"no answer within {PATIENCE} s"
    except (DockerException, RequestException) as error:
        return error_message(error)
    finally:
        other.rest()
    return ""


def _seccomp(info: Mapping[str, Any], is_podman: bool) -> Finding:
    """Report the seccomp profile of containers; a daemon that accepts no profile uses its own."""
    from aci.docker.container_limits import has_seccomp_profile

    if not any(str(option).startswith("name=seccomp") for option in info.get("SecurityOptions") or ()):
        fix = "Use a kernel and a daemon with seccomp support."
        return Finding("seccomp", False, "the daemon does not filter system calls of containers", fix)
    own = "the daemon's own profile, which may allow AF_VSOCK, AF_ALG and io_uring"
    if is_podman:
        return Finding("seccomp", True, f"{own}: Podman accepts no profile from its clients")
    if not has_seccomp_profile():
        return Finding("seccomp", True, f"{own}: the profile of swe-agent is for x86-64 and ARM64")
    return Finding("seccomp", True, "the profile of swe-agent: no AF_VSOCK, AF_ALG, io_uring")
