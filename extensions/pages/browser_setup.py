"""The browser of an environment: Chromium and Playwright, added for projects with a front end."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from dataclasses import replace

from aci.environments.environment_plan import HOME, MODULES, VENV, Command, EnvironmentOptions, Files, Plan
from aci.environments.front_end import find_front_end
from aci.runtime.guest_programs import program_source

FOLDER = f"{HOME}/browser"
"""The folder with `package` (playwright-core), `node` if the image's is too old, and `installed`."""

CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Names of the program. The headless shell, which has no user interface, starts and draws in half the time."""
VARIABLES = {
    "PLAYWRIGHT_BROWSERS_PATH": f"{FOLDER}/installed",
    "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1",
    "PUPPETEER_EXECUTABLE_PATH": f"{FOLDER}/chromium",
    "PUPPETEER_SKIP_DOWNLOAD": "1",
    "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD": "1",
}
"""Variables with which the project's own Playwright and Puppeteer find Chromium, and download none when installed."""

PROGRAM = "pages/set_up.sh"
COMMAND = f"sh {FOLDER}/set_up.sh {FOLDER} {MODULES}"
_LONGEST = 300


def add_browser(plan: Plan, files: Files, settings: EnvironmentOptions) -> Plan:
    """Return the plan with a browser if the repository has a front end, or if the settings ask for one or serve it."""
    is_image_alone = bool(settings.image) and not settings.setup
    if settings.browser is False or (is_image_alone and not settings.browser):
        return plan
    asked = "The setting `browser` asks for one" if settings.browser else ""
    evidence = find_front_end(files) or asked or ("The setting `serve` starts a server" if settings.serves else "")
    if not evidence:
        return plan
    return _with_browser(plan, f"{evidence}: a browser is added.")


def _with_browser(plan: Plan, reason: str) -> Plan:
    return replace(
        plan,
        browser=COMMAND,
        browser_recipe=COMMAND + hashlib.sha256(program_source(PROGRAM)).hexdigest(),
        variables={**VARIABLES, **plan.variables},
        reasons=(*plan.reasons, reason),
        instead=plan.instead and _with_browser(plan.instead, reason),
    )


def host_plan(plan: Plan, workspace: str) -> Plan:
    """Return the plan for a workspace on this machine: without the browser, if there is no Chromium or no isolation of
    a page's code."""
    if workspace == "local" or not host_chromium():
        variables = {name: value for name, value in plan.variables.items() if VARIABLES.get(name) != value}
        return replace(plan, browser="", variables=variables)
    return plan


def browser_only(plan: Plan) -> Plan:
    """Return a plan for the browser alone, which needs a Python environment for Playwright, whatever the project's
    language is."""
    command = Command(
        f"python3 -m venv --system-site-packages {VENV}", "Playwright goes into an environment of its own"
    )
    return replace(
        plan, language="", setup=(command,), paths=(f"{VENV}/bin",), variables=VARIABLES, serves_later_commits=True
    )


def program_file(command: str) -> tuple[str, bytes]:
    """Return the path of the program of `Plan.browser`, which is another one on the user's machine, and its content."""
    return shlex.split(command)[1], program_source(PROGRAM)


def describe_result(output: str, code: int, timeout: float | None) -> str:
    """Return the versions that were set up, or `no browser` and the reason. `timeout` is the number of seconds after
    which the program was ended; None if it ended."""
    last = output.strip().rpartition("\n")[2].strip()[:_LONGEST]
    if timeout is not None:
        return f"no browser: its set-up did not end within {timeout:.0f} s"
    return f"no browser: {last.removesuffix('.')}" if code else last


def host_chromium() -> str:
    """Return the path of Chromium on this machine; "" if there is none."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), "")
