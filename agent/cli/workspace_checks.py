"""The checks of `doctor` on the workspace: what it is, which image or Python it uses, and whether tests collect."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.docker.base_image import DEFAULT_IMAGE
from agent.cli.health_finding import Finding
from agent.config.settings import Settings
from agent.run_state.progress_event import ProgressEvent
from trajectories.errors import SweAgentError, UsageError, WorkspaceError
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.docker.docker_daemon import Daemon
    from aci.environments.environment_plan import EnvironmentOptions, Plan
    from aci.host.project_python import ProjectPython
    from aci.repository.user_repository import Repository
    from aci.runtime.workspace import Workspace, WorkspaceOptions

Notify = Callable[[ProgressEvent], object]
COLLECT = "`swe-agent doctor --collect` collects them"


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
    """Check the Python of the repository, and its tests."""
    from aci.environments.host_environment import needs_set_up
    from aci.host.project_python import project_python
    from agent.engine.base_workspace import open_base

    with open_base(source, None, settings, _printer(notify)) as (options, environment):
        yield _python(project_python(options))
        yield from _browser(options, environment, settings.workspace)
        if not collect and settings.workspace == "local":
            yield _uncollected("this runs the repository's code without isolation")
        elif not collect and needs_set_up(options, environment, settings.workspace):
            yield _uncollected("the environment is set up first, once")
        else:
            yield _tests(settings, options, environment, notify)


def _python(found: ProjectPython | None) -> Finding:
    """Report the Python that runs tests without a container: that of the project, if one was `found`."""
    from aci.host.sandbox_process import sandbox_error

    if found:
        return Finding("python", True, f"{found.version} of {found.prefix}: {found.reason}".strip())
    program = shutil.which("python3") or shutil.which("python") or ""
    is_made = bool(program) and not sandbox_error()
    made = "; a project without an environment gets one, which is set up once" if is_made else ""
    return Finding("python", bool(program), (program or "no python3 on the PATH") + made, "Install Python.")


def _sandbox() -> Finding:
    """Report whether a sandbox works here, and which limits it does not have."""
    from aci.host.sandbox_process import sandbox_error
    from aci.host.systemd_scope import systemd_run

    if error := sandbox_error():
        return Finding("workspace", False, error.message, error.fix)
    limits = "memory is limited for each process, not in total; CPU time is not limited; files by their total size"
    if systemd_run():
        limits = "memory, processes and CPUs are limited in total by a systemd scope; files by their total size"
    return Finding("workspace", True, f"bubblewrap sandbox: {limits}")


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
    """Check the image of the repository's environment, its set-up and its tests."""
    from aci.environments.environment import find_environment, plan_for
    from agent.engine.base_workspace import open_base

    with open_base(source, None, settings, _printer(notify)) as (options, environment):
        plan = plan_for(options, environment)
        image, is_present = _image(daemon, plan.image, *plan.reasons[:1])
        yield image
        if not is_present and not daemon.is_podman():  # Podman cannot ask a registry without pulling
            notify(ProgressEvent("action", "main", "asking the registry"))
            yield _registry(daemon, plan.image)
        found = find_environment(options, environment)
        if plan.built:
            yield Finding("environment", True, found or _describe_setup(plan))
        yield from _browser(options, environment, settings.workspace)
        if found or collect:
            yield _tests(settings, options, environment, notify)
        else:
            yield _uncollected("the image is pulled or set up first, once")


def _browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> Iterator[Finding]:
    """Check the browser that `fix` uses, if the repository needs one."""
    from aci.environments.front_end import has_front_end
    from aci.environments.tree_files import TreeFiles

    is_needed = environment.browser
    if is_needed is None:
        is_needed = has_front_end(TreeFiles(options.trees, options.base.tree))
    if not is_needed:
        return
    if checks := installed_module("agent.cli.browser_check"):
        yield checks.check_browser(options, environment, workspace)
    else:
        yield Finding("browser", True, "the extension pages is not installed", "Install swe-agent again.", warning=True)


def _describe_setup(plan: Plan) -> str:
    number = len(plan.commands)
    commands = "1 command" if number == 1 else f"{number} commands"
    return f"not set up yet; `fix` does it, once, with {commands} (`swe-agent env why` lists them)"


def _image(daemon: Daemon, image: str, reason: str = "") -> tuple[Finding, bool]:
    """Report an image, and whether it is present."""
    from docker.errors import ImageNotFound

    try:
        daemon.client.images.get(image)
    except ImageNotFound:
        return Finding("image", True, f"{image} is not present; `fix` pulls it. {reason}".strip()), False
    return Finding("image", True, f"{image} is present. {reason}".strip()), True


def _registry(daemon: Daemon, image: str) -> Finding:
    from aci.docker.image_availability import alternatives, registry_error

    if error := registry_error(daemon, image):
        return Finding("registry", False, f"{image} cannot be pulled: {error}", alternatives(daemon, image))
    return Finding("registry", True, f"{image} can be pulled")


def _uncollected(why: str) -> Finding:
    return Finding("tests", True, f"not collected, because {why}; {COLLECT}")


def _tests(settings: Settings, options: WorkspaceOptions, environment: EnvironmentOptions, notify: Notify) -> Finding:
    """Open the workspace and collect the tests."""
    from agent.engine.base_workspace import open_in_environment

    notify(ProgressEvent("action", "main", "opening the workspace"))
    try:
        with closing(open_in_environment(settings.workspace, options, environment)) as workspace:
            notify(ProgressEvent("action", "main", "collecting the tests"))
            return _collect(workspace, environment.test, environment.named.get("test", ""))
    except SweAgentError as error:
        return Finding("tests", False, error.message, error.fix, error.code)


def _collect(workspace: Workspace, command: str, origin: str) -> Finding:
    """Collect the tests of a command, which comes from `origin` ("" if it is detected or not known)."""
    from aci.environments.setup_container import SetupResult
    from aci.environments.smoke_check import collect_tests
    from aci.runtime.workspace import HARNESS_SESSION
    from aci.testing.command_files import PYTEST
    from aci.testing.suite_command import NeedsPytest, detect_command

    def run(line: str, seconds: float) -> SetupResult:
        done = workspace.run(line, seconds, HARNESS_SESSION)
        return SetupResult(line, done.code, done.text, done.seconds, done.timed_out)

    try:
        command = command or detect_command(workspace)
    except NeedsPytest as error:
        return Finding("tests", True, error.message, error.fix, warning=True)
    except UsageError as error:  # a repository without tests can be worked on
        return Finding("tests", True, f"{error.message} {error.fix}")
    source = f", from {origin}" if origin else ""
    if not PYTEST.match(command):
        return Finding("tests", True, f"`{command}`{source} runs them; only pytest can list them without running them")
    found = collect_tests(run, command)
    first = next((line for line in found.lacking.splitlines() if line.startswith("E  ")), "")
    why = f": {first[1:].strip()}" if first else ""
    fix = f"`{found.command}` shows why; name what is missing with `setup`, or an --image that has it."
    is_partial = found.failing and found.collected > 0
    is_ok = is_partial or not found.failing
    return Finding("tests", is_ok, f"{found.summary}{why} (`{command}`{source})", fix, warning=is_partial)


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
