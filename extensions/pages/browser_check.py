"""The browser of a repository's environment, for `doctor` and `env why`: whether there is one, and how to get one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.health_finding import Finding

if TYPE_CHECKING:
    from aci.environments.environment_plan import EnvironmentOptions
    from aci.runtime.workspace import WorkspaceOptions

ANOTHER_IMAGE = "Name an image that has Chromium, or one based on Debian, with `images` in your settings."
PACKAGE = "Install `chromium` of your distribution, or use `--workspace docker`."
DRIVER = (
    "Run `npm install --no-save playwright-core` in the repository, with Node 20 or later, or use `--workspace docker`."
)


def check_browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> Finding:
    """Report the browser of the environment that `fix` uses."""
    from aci.environments.environment import plan_for

    if workspace == "local":
        return _warning("none, since nothing isolates a page's code here", "Use `--workspace docker` or `sandbox`.")
    if workspace == "sandbox":
        return _check_sandbox(options, environment)
    if not plan_for(options, environment).browser:
        return Finding("browser", True, f"that of {environment.image}, if it has Chromium, Node 20 and playwright-core")
    state = recorded_browser(options, environment, workspace)
    if state.startswith("no browser"):
        return _warning(state, ANOTHER_IMAGE)
    return Finding("browser", True, state or "not set up yet; it comes with the environment")


def recorded_browser(options: WorkspaceOptions, environment: EnvironmentOptions, workspace: str) -> str:
    """Return which browser the existing environment has, or why it has none; "" if the environment does not exist.

    Raises WorkspaceError if Docker does not answer.
    """
    from aci.docker.docker_daemon import connect
    from aci.environments.environment import find_environment, list_environments
    from aci.environments.environment_records import READY, read_object
    from aci.environments.host_environment import find_host_plan

    if workspace != "docker":
        found = find_host_plan(options, environment, workspace)
        return str(read_object(found[1] / READY).get("browser", "")) if found else ""
    image = find_environment(options, environment)
    daemon = connect()
    try:
        about = next((one.about for one in list_environments(daemon) if one.image == image), {})
    finally:
        daemon.rest()
    return str(about.get("browser", ""))


def _check_sandbox(options: WorkspaceOptions, environment: EnvironmentOptions) -> Finding:
    from aci.environments.host_environment import find_host_plan
    from extensions.pages.browser_setup import host_chromium

    chromium = host_chromium()
    if not chromium:
        return _warning("this machine has no Chromium", PACKAGE)
    if find_host_plan(options, environment, "sandbox"):
        state = recorded_browser(options, environment, "sandbox")
        if state.startswith("no browser"):
            return _warning(state, DRIVER)
        return Finding("browser", True, state or f"{chromium}; Playwright comes with the environment")
    if (options.repository.root / "node_modules/playwright-core").is_dir():
        return Finding("browser", True, f"{chromium}, with playwright-core of the repository's node_modules")
    return _warning(f"{chromium}, but no Playwright to drive it", DRIVER)


def _warning(found: str, fix: str) -> Finding:
    return Finding("browser", True, found, fix, warning=True)
