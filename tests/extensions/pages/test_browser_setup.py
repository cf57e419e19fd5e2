"""Plans with a browser, and the program that sets it up, with other programs in place of package managers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aci.environments.environment_plan import VENV, EnvironmentOptions, Plan
from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.environment_sources import plan_environment
from extensions.environments.host_environment import _find_plan, _relocated
from extensions.pages import browser_setup
from extensions.pages.browser_setup import COMMAND, FOLDER, VARIABLES, describe_result
from tests.conftest import MakeRepo, OpenWorkspace
from tests.extensions.environments.test_host_environment import MakeOptions, make_options
from tests.extensions.environments.test_setup_proposals import Folder, FolderSetup

__all__ = ["make_options"]

SETTINGS = EnvironmentOptions(images={"python": "py", "node": "js"})
PAGE = {"index.html": b"<script></script>"}
TOOLS = (
    *("sh", "sed", "grep", "tr", "sort", "head", "find", "cat", "ln", "mkdir", "rm", "cp", "chmod", "touch", "uname"),
    *("dirname", "env"),
)


@pytest.mark.parametrize(
    "files",
    [PAGE, PAGE | {"package.json": b"{}"}, PAGE | {"requirements.txt": b"six"}, PAGE | {"Dockerfile": b"FROM node:22"}],
)
def test_front_end_gets_browser_whatever_its_language_is(files: dict[str, bytes]) -> None:
    plan = plan_environment(files, SETTINGS)
    assert plan.browser == COMMAND
    assert plan.built
    assert plan.commands[-1] == COMMAND
    assert plan.variables.items() >= VARIABLES.items()
    assert plan.reasons[-1] == "There is index.html: a browser is added."
    assert plan.instead is None or plan.instead.browser == COMMAND


def test_project_without_front_end_pays_nothing() -> None:
    plan = plan_environment({"package.json": b"{}"}, SETTINGS)
    assert (plan.browser, plan.recipe) == ("", {})
    assert "PUPPETEER_EXECUTABLE_PATH" not in plan.variables
    assert not plan_environment({}, SETTINGS).built


@pytest.mark.parametrize(
    ("files", "settings", "is_added"),
    [
        (PAGE, {"browser": False}, False),
        ({}, {"browser": True}, True),
        (PAGE, {"image": "i"}, False),
        (PAGE, {"image": "i", "browser": True}, True),
        (PAGE, {"image": "i", "setup": "make"}, True),
    ],
)
def test_settings_decide(files: dict[str, bytes], settings: dict[str, object], is_added: bool) -> None:
    plan = plan_environment(files, replace(SETTINGS, **settings))  # type: ignore[arg-type]
    assert bool(plan.browser) == is_added


@pytest.mark.parametrize(
    ("code", "timed_out", "text"),
    [
        (0, False, "Chromium 1, Playwright 2"),
        (1, False, "no browser: Chromium 1, Playwright 2"),
        (124, True, "no browser: its set-up did not end within 9 s"),
    ],
)
def test_result_is_described(code: int, timed_out: bool, text: str) -> None:
    assert describe_result("a\nChromium 1, Playwright 2\n", code, 9.1 if timed_out else None) == text


def test_failure_is_only_reported_even_that_of_network(tmp_path: Path) -> None:
    said: list[str] = []
    options: Any = SimpleNamespace(say=said.append)
    fails = f"cat {tmp_path}/browser/set_up.sh >/dev/null && echo 'read timed out'; exit 1"
    made = FolderSetup(Plan("", "img", browser=fails), options, SETTINGS)
    made._add_browser(Folder(tmp_path), {})
    assert (tmp_path / "browser/set_up.sh").read_bytes() == program_source(browser_setup.PROGRAM)
    assert made.browser == "no browser: read timed out"
    assert said[-1] == "No browser: read timed out."


def host_plan(options: WorkspaceOptions, workspace: str) -> str:
    plan = _find_plan(options, SETTINGS, workspace)
    return plan.browser if plan else "none"


def test_sandbox_gets_browser_if_machine_has_chromium(
    make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = make_options({**PAGE, "requirements.txt": "surely-not-installed"})
    monkeypatch.setattr(browser_setup, "host_chromium", lambda: "/usr/bin/chromium")
    assert host_plan(options, "sandbox") == COMMAND
    assert host_plan(options, "local") == "", "a page's code would not be isolated"
    monkeypatch.setattr(browser_setup, "host_chromium", lambda: "")
    assert host_plan(options, "sandbox") == ""


def test_sandbox_sets_up_playwright_alone_for_other_languages(
    make_options: MakeOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = make_options({**PAGE, "package.json": "{}"})
    monkeypatch.setattr(browser_setup, "host_chromium", lambda: "/usr/bin/chromium")
    plan = _find_plan(options, SETTINGS, "sandbox")
    assert plan is not None
    moved = _relocated(plan, tmp_path)
    assert moved.commands == [
        f"python3 -m venv --system-site-packages {tmp_path}/venv",
        f"sh {tmp_path}/browser/set_up.sh {tmp_path}/browser",
    ]
    assert moved.variables["PLAYWRIGHT_BROWSERS_PATH"] == f"{tmp_path}/browser/installed"
    (options.repository.root / "node_modules/playwright-core").mkdir(parents=True)
    assert host_plan(options, "sandbox") == "none"


@pytest.mark.sandbox
def test_sandbox_shows_browser_of_its_environment(make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: Path) -> None:
    root, browser = make_repo({"a.py": ""}), tmp_path / "files/browser"
    (browser / "installed").mkdir(parents=True)
    environment = tmp_path / "files/venv"
    (environment / "bin").mkdir(parents=True)
    show = "ls /opt/swe-agent/browser; echo $PLAYWRIGHT_BROWSERS_PATH; touch /opt/swe-agent/browser/new"
    ran = open_ws("sandbox", root, environment=environment).run(show)
    assert ran.text.startswith(f"installed\n{FOLDER}/installed\n")
    assert ran.code != 0, "the next workspace gets the same files"
    browser.rename(tmp_path / "private")
    browser.symlink_to(tmp_path / "private")
    assert "installed" not in open_ws("sandbox", root, environment=environment).run(show).text


class Machine:
    """A machine on which only some programs exist; `programs` maps their names to shell scripts."""

    def __init__(self, folder: Path, programs: Mapping[str, str]) -> None:
        self.folder, self.browser, self.repository = folder, folder / "browser", folder / "repository"
        self.bin = folder / "bin"
        for each in (self.bin, self.repository):
            each.mkdir()
        for name in TOOLS:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        for name, text in ({"id": "echo 1000"} | dict(programs)).items():
            (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.bin / name).chmod(0o755)

    def set_up(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Return the exit code and the last line of the program of set-up."""
        program = self.folder / "set_up.sh"
        program.write_bytes(program_source(browser_setup.PROGRAM))
        words = ["sh", str(program), str(self.browser), *arguments]
        env = {"PATH": str(self.bin), **variables}
        ran = subprocess.run(words, env=env, cwd=self.repository, capture_output=True, text=True)
        return ran.returncode, ran.stdout.strip().rpartition("\n")[2]

    def links(self) -> list[str]:
        """Return the executables in which a Playwright finds the browser."""
        installed = self.browser / "installed"
        return sorted(
            str(path.relative_to(installed))
            for path in installed.rglob("*")
            if os.access(path, os.X_OK) and path.is_file()
        )


CHROMIUM = "[ $# -eq 0 ] || [ $1 = --version ] && echo 'Chromium 156.0 built on Debian' || echo \"$@\""
NODE, OLD_NODE = "echo 22", "echo 18"
BROWSERS = {
    "browsers": [{"name": name, "revision": "12"} for name in ("chromium", "chromium-headless-shell", "firefox")]
}
NPM = f"""\
echo "$@" >>"$0.log"
for each; do case $each in node-linux-*)
    mkdir -p node_modules/${{each%@*}}/bin; printf '#!/bin/sh\\necho 22\\n' >node_modules/${{each%@*}}/bin/node
    chmod 755 node_modules/${{each%@*}}/bin/node
esac; done
mkdir -p node_modules/playwright-core
echo '{json.dumps(BROWSERS)}' >node_modules/playwright-core/browsers.json
printf '{{\\n  "version": "1.65.1"\\n}}' >node_modules/playwright-core/package.json
"""


def test_npm_gives_playwright_and_newer_node(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"chromium": CHROMIUM, "node": OLD_NODE, "npm": NPM})
    assert machine.set_up() == (0, "Chromium 156.0, Playwright 1.65.1")
    assert "playwright-core@1.61 node-linux-" in (machine.bin / "npm.log").read_text()
    assert (machine.browser / "package/browsers.json").is_file()
    assert subprocess.run([machine.browser / "node"], capture_output=True).stdout == b"22\n"
    assert machine.set_up()[0] == 0
    assert len((machine.bin / "npm.log").read_text().splitlines()) == 1, "it is there already"


@pytest.mark.parametrize(("release", "core"), [(18, "playwright-core@1.61"), (22, "playwright-core")])
def test_tests_in_node_find_playwright(tmp_path: Path, release: int, core: str) -> None:
    machine = Machine(tmp_path, {"chromium": CHROMIUM, "node": f"echo {release}", "npm": NPM})
    modules = tmp_path / "modules"
    (modules / "playwright").mkdir(parents=True)
    assert machine.set_up(str(modules))[0] == 0
    assert core in (machine.bin / "npm.log").read_text().split()
    assert (modules / "playwright-core/browsers.json").is_file()
    assert not (modules / "playwright").is_symlink(), "the image's own is kept"


def test_each_installed_playwright_finds_chromium(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"chromium": CHROMIUM, "node": NODE})
    own = machine.repository / "node_modules/playwright-core"
    nested = machine.repository / "node_modules/@playwright/test/node_modules/playwright-core"
    for folder, revision in ((own, "12"), (nested, "900")):
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{\n  "version": "1.40.0"\n}')
        (folder / "browsers.json").write_text(json.dumps(BROWSERS).replace('"12"', f'"{revision}"'))
    assert machine.set_up() == (0, "Chromium 156.0, Playwright 1.40.0")
    assert machine.links() == sorted(
        f"{name}-{revision}/{place}"
        for revision in (12, 900)
        for name, places in {
            "chromium": ("chrome-linux/chrome", "chrome-linux64/chrome", "chrome-linux-arm64/chrome"),
            "chromium_headless_shell": (
                *("chrome-linux/headless_shell", "chrome-headless-shell-linux64/chrome-headless-shell"),
                "chrome-headless-shell-linux-arm64/chrome-headless-shell",
            ),
        }.items()
        for place in places
    )
    program = machine.browser / "installed/chromium-900/chrome-linux/chrome"
    ran = subprocess.run([program, "--headless=old", "a b"], capture_output=True, text=True)
    assert ran.stdout == "--disable-dev-shm-usage --headless a b\n"


PYTHON = """\
case "$*" in
    "-m pip freeze"*) echo flask==3.0; echo 'own @ file:///a' ;;
    "-m pip install"*) echo "$@" >>"$0.log"; exit {code} ;;
    *) exit 1 ;;
esac
"""


def test_packages_of_project_are_kept(tmp_path: Path) -> None:
    machine = Machine(tmp_path, {"chromium": CHROMIUM, "node": OLD_NODE, "npm": NPM, "python": PYTHON.format(code=1)})
    assert machine.set_up(VIRTUAL_ENV=VENV) == (0, "Chromium 156.0, Playwright 1.65.1"), "npm has it"
    constraints = machine.browser / "constraints.txt"
    assert constraints.read_text() == "flask==3.0\n"
    assert (machine.bin / "python.log").read_text() == f"-m pip install -q -c {constraints} playwright\n"


@pytest.mark.parametrize(
    ("programs", "reason"),
    [
        ({}, "This machine has no Chromium."),
        ({"chromium": "exit 1"}, "{bin}/chromium does not start."),
        ({"id": "echo 0", "apk": "exit 1"}, "apk cannot install Chromium."),
        ({"chromium": CHROMIUM, "npm": "exit 1"}, "Playwright cannot be installed from npm's or Python's registry."),
    ],
)
def test_last_line_says_why_there_is_no_browser(tmp_path: Path, programs: dict[str, str], reason: str) -> None:
    machine = Machine(tmp_path, programs)
    assert machine.set_up() == (1, reason.format(bin=machine.bin))
