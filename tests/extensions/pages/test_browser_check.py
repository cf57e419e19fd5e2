"""What `doctor` says about the browser of a repository's environment."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from aci.environments.environment_records import READY
from extensions.environments import host_environment
from extensions.environments.environment_checks import _browser
from extensions.environments.host_environment import find_host_plan
from extensions.pages import browser_setup
from extensions.pages.browser_check import ANOTHER_IMAGE, DRIVER, PACKAGE, check_browser
from tests.extensions.environments.test_host_environment import MakeOptions, make_options
from trajectories import plugins

__all__ = ["make_options"]

SETTINGS = EnvironmentOptions(images={"python": "py", "node": "js"})
PAGE: dict[str, str | bytes] = {"index.html": "<script></script>"}
WITHOUT = "no browser: apt-get cannot install Chromium"


@pytest.fixture(autouse=True)
def chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_setup, "host_chromium", lambda: "/usr/bin/chromium")


def test_other_projects_need_none(make_options: MakeOptions) -> None:
    assert not list(_browser(make_options({"a.py": ""}), SETTINGS, "sandbox"))
    assert not list(_browser(make_options(PAGE), replace(SETTINGS, browser=False), "local"))


def test_missing_extension_is_a_warning(make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [found.found for found in _browser(make_options(PAGE), SETTINGS, "local")] == [
        "none, since nothing isolates a page's code here"
    ]
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    (found,) = _browser(make_options(PAGE), SETTINGS, "local")
    assert (found.found, found.warning) == ("the extension pages is not installed", True)


def test_workspace_without_isolation_has_none(tmp_path: Path) -> None:
    found = check_browser(tmp_path, "", "local", None)
    assert (found.ok, found.warning, found.found) == (True, True, "none, since nothing isolates a page's code here")


@pytest.mark.parametrize(
    ("state", "found", "fix"),
    [
        ("", "not set up yet; it comes with the environment", ""),
        ("Chromium 1, Playwright 2", "Chromium 1, Playwright 2", ""),
        (WITHOUT, WITHOUT, ANOTHER_IMAGE),
    ],
)
def test_state_of_image_is_shown(tmp_path: Path, state: str, found: str, fix: str) -> None:
    finding = check_browser(tmp_path, "", "docker", state)
    assert (finding.found, finding.fix, finding.warning) == (found, fix, bool(fix))


def test_named_image_is_not_changed(make_options: MakeOptions) -> None:
    (finding,) = _browser(make_options(PAGE), replace(SETTINGS, image="own:1", browser=None), "docker")
    assert finding.found == "that of own:1, if it has Chromium, Node 20 and playwright-core"


def test_sandbox_needs_chromium_of_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_setup, "host_chromium", lambda: "")
    finding = check_browser(tmp_path, "", "sandbox", None)
    assert (finding.found, finding.fix, finding.warning) == ("this machine has no Chromium", PACKAGE, True)


def test_sandbox_shows_state_of_its_environment(make_options: MakeOptions) -> None:
    options = make_options(PAGE)
    found = find_host_plan(options, SETTINGS, "sandbox")
    assert found is not None

    def check() -> tuple[str, str]:
        (finding,) = _browser(options, SETTINGS, "sandbox")
        return (finding.found, finding.fix)

    assert check() == ("/usr/bin/chromium; Playwright comes with the environment", "")
    found[1].mkdir(parents=True)
    (found[1] / READY).write_text(json.dumps({"browser": WITHOUT}))
    assert check() == (WITHOUT, DRIVER)


def test_project_with_own_python_needs_playwright_in_node_modules(
    make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_environment, "project_python", lambda options: Path("venv"))
    options = make_options(PAGE)
    (finding,) = _browser(options, SETTINGS, "sandbox")
    assert (finding.found, finding.fix) == ("/usr/bin/chromium, but no Playwright to drive it", DRIVER)
    (options.repository.root / "node_modules/playwright-core").mkdir(parents=True)
    (finding,) = _browser(options, SETTINGS, "sandbox")
    assert not finding.warning
