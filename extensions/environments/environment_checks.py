"""The checks of `doctor` on the environment of a repository: its set-up, its browser, and whether its tests collect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from aci.environments.environment_plan import EnvironmentOptions, Plan
from aci.environments.front_end import has_front_end
from aci.environments.tree_files import TreeFiles
from aci.runtime.workspace import HARNESS_SESSION, Workspace, WorkspaceOptions
from aci.testing.command_files import PYTEST
from aci.testing.suite_command import NeedsPytest, detect_command
from agent.cli.health_finding import Finding, Notify
from agent.engine.base_workspace import open_in_environment
from agent.run_state.progress_event import ProgressEvent
from extensions.environments.browser_record import recorded_browser
from extensions.environments.environment import find_environment, plan_for
from extensions.environments.host_environment import find_host_plan, needs_set_up
from extensions.environments.setup_container import SetupResult
from extensions.environments.smoke_check import collect_tests
from trajectories.errors import SweAgentError, UsageError
from trajectories.plugins import installed_module

COLLECT = "`swe-agent doctor --collect` collects them"


def check_host(
    options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str, collect: bool, notify: Notify
) -> Iterator[Finding]:
    """Check the environment of a workspace on this machine, and its tests."""
    yield from _browser(options, environment, workspace)
    if not collect and workspace == "local":
        yield _uncollected("this runs the repository's code without isolation")
    elif not collect and needs_set_up(options, environment, workspace):
        yield _uncollected("the environment is set up first, once")
    else:
        yield _tests(options, environment, workspace, notify)


def check_container(
    check_image: Callable[..., Iterator[Finding]],
    options: WorkspaceOptions,
    environment: EnvironmentOptions,
    collect: bool,
    notify: Notify,
) -> Iterator[Finding]:
    """Check the image of the repository's environment, its set-up and its tests. `check_image` takes the image, and the
    reason why it was chosen."""
    plan = plan_for(options, environment)
    yield from check_image(plan.image, *plan.reasons[:1])
    found = find_environment(options, environment)
    if plan.built:
        yield Finding("environment", True, found or _describe_setup(plan))
    yield from _browser(options, environment, "docker")
    if found or collect:
        yield _tests(options, environment, "docker", notify)
    else:
        yield _uncollected("the image is pulled or set up first, once")


def _browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> Iterator[Finding]:
    """Check the browser that `fix` uses, if the repository needs one."""
    is_needed = environment.browser
    if is_needed is None:
        is_needed = environment.serves or has_front_end(TreeFiles(options.trees, options.base.tree))
    if not is_needed:
        return
    if checks := installed_module("extensions.environments.browser_check"):
        planned = _plans_browser(options, environment, workspace)
        state = recorded_browser(options, environment, workspace) if planned else None
        yield checks.check_browser(options.repository.root, environment.image, workspace, state)
    else:
        yield Finding("browser", True, "the extension pages is not installed", "Install swe-agent again.", warning=True)


def _plans_browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> bool:
    """Return whether the environment comes with a browser, if one can be set up."""
    if workspace == "docker":
        return bool(plan_for(options, environment).browser)
    return workspace == "sandbox" and find_host_plan(options, environment, workspace) is not None


def _describe_setup(plan: Plan) -> str:
    number = len(plan.commands)
    commands = "1 command" if number == 1 else f"{number} commands"
    return f"not set up yet; `fix` does it, once, with {commands} (`swe-agent env why` lists them)"


def _uncollected(why: str) -> Finding:
    return Finding("tests", True, f"not collected, because {why}; {COLLECT}")


def _tests(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str, notify: Notify) -> Finding:
    """Open the workspace and collect the tests."""
    notify(ProgressEvent("action", "main", "opening the workspace"))
    try:
        with closing(open_in_environment(workspace, options, environment)) as opened:
            notify(ProgressEvent("action", "main", "collecting the tests"))
            return _collect(opened, environment.test, environment.named.get("test", ""))
    except SweAgentError as error:
        return Finding("tests", False, error.message, error.fix, error.code)


def _collect(workspace: Workspace, command: str, origin: str) -> Finding:
    """Collect the tests of a command, which comes from `origin` ("" if it is detected or not known)."""

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
