"""Time to start the browser of a workspace and to do an action on a page, beside plain Playwright.

    python -m benchmarks.browser --image IMAGE [--n 20]

IMAGE has Chromium, Playwright for Python, and what `extensions/pages/browser_setup.py` sets up, such as the image that
`tests/extensions/pages/browser_image.py` makes. Both sides drive the same Chromium in the same container on the same
page, one after the other; each of our actions includes the description of the page that a model gets, and each of
Playwright's calls `aria_snapshot()`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from aci.runtime.workspace import Workspace
from benchmarks._peers import Ours, repository
from extensions.pages.browser.workspace_browser import WorkspaceBrowser, browser_of

ROWS = ("start, first page", "open a page", "click", "type", "picture")
PAGE = "<h1>Cart</h1>" + "".join(
    f"<h2>Lamp {n}</h2><button onclick='this.textContent++'>{n}</button><input aria-label='Note {n}'>"
    for n in range(40)
)
PLAIN = """\
import json, sys, time
from playwright.sync_api import sync_playwright
times, at = {name: [] for name in json.loads(sys.argv[1])}, time.monotonic()
def done(name):
    global at
    times[name].append(time.monotonic() - at)
    at = time.monotonic()
for _ in range(int(sys.argv[3])):
    at = time.monotonic()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch()
        page = browser.new_page()
        page.goto(sys.argv[2])
        page.locator("body").aria_snapshot()
        done("start, first page")
        for _ in range(5):
            page.goto(sys.argv[2]); page.locator("body").aria_snapshot(); done("open a page")
            page.locator("button").first.click(); page.locator("body").aria_snapshot(); done("click")
            page.locator("input").first.fill("x"); page.locator("body").aria_snapshot(); done("type")
            page.screenshot(); done("picture")
        browser.close()
print(json.dumps(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--n", type=int, default=20, help="starts; each is followed by five of the other actions")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours("docker", Path(folder), repository(Path(folder, "repo"), 50), options.image)
        ours.start()
        try:
            show(measure_ours(ours.workspace, options.n), measure_plain(ours.workspace, options.n))
        finally:
            ours.close()


def page_url() -> str:
    return f"data:text/html,{PAGE}"


def measure_ours(workspace: Workspace, count: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ROWS}

    def timed(name: str, act: Callable[[], dict[str, Any]]) -> None:
        began = time.monotonic()
        if act().get("ok") is not True:
            raise SystemExit(f"The action {name!r} failed.")
        times[name].append(time.monotonic() - began)

    programs = browser_of(workspace).programs
    if programs is None:
        raise SystemExit("The image has no browser.")
    for _ in range(count):
        browser = WorkspaceBrowser(programs)
        timed(ROWS[0], lambda: browser.ask(workspace, "open", url=page_url()))  # noqa: B023
        for _ in range(5):
            timed(ROWS[1], lambda: browser.ask(workspace, "open", url=page_url()))  # noqa: B023
            timed(ROWS[2], lambda: browser.ask(workspace, "click", target="button"))  # noqa: B023
            timed(ROWS[3], lambda: browser.ask(workspace, "type", target="input", text="x"))  # noqa: B023
            timed(ROWS[4], lambda: browser.ask(workspace, "look"))  # noqa: B023
        browser.close()
    return times


def measure_plain(workspace: Workspace, count: int) -> dict[str, list[float]]:
    program = f"{workspace.scratch}/plain.py"
    workspace.write(program, PLAIN.encode())
    ran = workspace.run(f"python3 {program} '{json.dumps(ROWS)}' \"{page_url()}\" {count}", timeout=1_200)
    if ran.code:
        raise SystemExit(f"Plain Playwright failed:\n{ran.text[-2_000:]}")
    times: dict[str, list[float]] = json.loads(ran.text)
    return times


def show(ours: dict[str, list[float]], plain: dict[str, list[float]]) -> None:
    table = Table("seconds, p50 / p95", "ours", "plain Playwright", "ratio of p50")
    for name in ROWS:
        sides = [(statistics.median(one), statistics.quantiles(one, n=20)[-1]) for one in (ours[name], plain[name])]
        cells = [f"{middle:.3f} / {high:.3f}" for middle, high in sides]
        table.add_row(name, *cells, f"{sides[0][0] / sides[1][0]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
