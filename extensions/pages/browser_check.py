"""The browser of a repository's environment, for `doctor`: whether there is one, and how to get one."""

from __future__ import annotations

from pathlib import Path

from agent.cli.health_finding import Finding
from extensions.pages import browser_setup

ANOTHER_IMAGE = "Name an image that has Chromium, or one based on Debian, with `images` in your settings."
PACKAGE = "Install `chromium` of your distribution, or use `--workspace docker`."
DRIVER = (
    "Run `npm install --no-save playwright-core` in the repository, with Node 20 or later, or use `--workspace docker`."
)


def check_browser(root: Path, image: str, workspace: str, state: str | None) -> Finding:
    """Report the browser that `fix` uses for the repository at `root`.

    `state` describes the browser of its environment: "" if it is not set up yet, None if none comes with it. `image`
    is the one that the settings name.
    """
    if workspace == "local":
        return _warning("none, since nothing isolates a page's code here", "Use `--workspace docker` or `sandbox`.")
    if workspace == "sandbox":
        return _check_sandbox(root, state)
    if state is None:
        return Finding("browser", True, f"that of {image}, if it has Chromium, Node 20 and playwright-core")
    if state.startswith("no browser"):
        return _warning(state, ANOTHER_IMAGE)
    return Finding("browser", True, state or "not set up yet; it comes with the environment")


def _check_sandbox(root: Path, state: str | None) -> Finding:
    chromium = browser_setup.host_chromium()
    if not chromium:
        return _warning("this machine has no Chromium", PACKAGE)
    if state is not None:
        if state.startswith("no browser"):
            return _warning(state, DRIVER)
        return Finding("browser", True, state or f"{chromium}; Playwright comes with the environment")
    if (root / "node_modules/playwright-core").is_dir():
        return Finding("browser", True, f"{chromium}, with playwright-core of the repository's node_modules")
    return _warning(f"{chromium}, but no Playwright to drive it", DRIVER)


def _warning(found: str, fix: str) -> Finding:
    return Finding("browser", True, found, fix, warning=True)
