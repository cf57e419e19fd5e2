"""Make the pictures of the README and the documentation from real runs.

    .venv/bin/python scripts/pictures [NAME ...] [--out FOLDER]

The runs use the examples of this repository, a scripted model or none, and Docker if it answers. `report` and `graph`
are pages, so they need Chromium. SVG files follow the reader's light or dark colour scheme; a PNG has a second file.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from bars import draw_bars
from runs import ROOT, Desk, workspace
from terminal import Recording, animation, frames, record, still

SNAPSHOTS = ROOT / "tests" / "extensions" / "interactive" / "tui" / "__snapshots__" / "test_screen_snapshots"
PEERS = ROOT / "benchmarks" / "peers.json"
COLUMNS, ROWS = 86, 27
SCHEMES: tuple[Literal["light", "dark"], ...] = "light", "dark"
PROVEN = "all tests that passed before still pass"


def draw_demo(desk: Desk, out: Path) -> None:
    """Draw `swe-agent fix` on an example, up to the table of the proof: without a model, but with the recorded tests of
    an examiner."""
    repository = desk.example("invoices")
    shutil.copy(ROOT / "examples" / "invoices" / "ISSUE.md", desk.folder / "bug.md")
    arguments = ["swe-agent", "fix", "--issue-file", "../bug.md"]
    roles = {"examiner": f"scripted:{ROOT / 'examples' / 'invoices' / 'examiner.jsonl'}"}
    environment = desk.environment | workspace() | {"SWE_AGENT_ROLES": json.dumps(roles)}
    recording = record(arguments, repository, COLUMNS, ROWS, environment)
    recording = shorten(recording, str(desk.folder), PROVEN)
    recording.events.insert(0, (0.0, f"$ {' '.join(arguments)}\r\n"))
    shown = frames(recording, ROWS)
    said = "swe-agent fixes an example without a model: it runs the tests, finds an edit, and proves it"
    (out / "demo.svg").write_text(animation(shown, COLUMNS, "swe-agent fix", said))


def shorten(recording: Recording, folder: str, last: str = "") -> Recording:
    """Return the recording with short names for the temporary folder and this project, up to the line with the text
    `last`."""
    events = []
    for at, text in recording.events:
        text = text.replace(f"{folder}/", "~/").replace(f"{ROOT}/", "~/swe-agent/")
        whole, found, rest = text.partition(last) if last else (text, "", "")
        events.append((at, whole + found + rest.partition("\n")[0] if found else whole))
        if found:
            break
    return Recording(recording.columns, events)


def draw_session(_: Desk, out: Path) -> None:
    """Copy a screen of a recorded session from the snapshots of the tests, without the addresses of a font."""
    for scheme, suffix in (("light", "-light"), ("dark", "")):
        svg = (SNAPSHOTS / f"test_screen_matches_snapshot[working-100x30{suffix}].svg").read_text()
        (out / f"session-{scheme}.svg").write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))


def draw_report(desk: Desk, out: Path) -> None:
    """Draw the beginning of the report of a run with a scripted model."""
    repository = desk.example("invoices")
    issue = ROOT / "examples" / "invoices" / "ISSUE.md"
    desk.run("fix", "--repo", repository, "--issue-file", issue, "--model", desk.model(), *flags(), "--json")
    page = desk.folder / "report.html"
    run = next((desk.folder / "state" / "runs").iterdir()).name
    desk.run("report", run, "--out", page)
    page.write_text(page.read_text().replace(str(desk.folder), "~"))
    photograph(page, out / "report", (1100, 560))


def draw_graph(desk: Desk, out: Path) -> None:
    """Draw what calls a function of an example and what it calls."""
    repository = desk.example("planner")
    page = desk.folder / "graph.html"
    desk.run("graph", "planner/passes.py:latest", "--html", page, folder=repository)
    photograph(page, out / "graph", (1100, 490))


def draw_growth(desk: Desk, out: Path) -> None:
    """Copy the chart that `swe-agent optimize` draws for a function with quadratic growth."""
    desk.run("optimize", "--repo", desk.shop(), "--function", "shop/orders.py:unique", *flags(), "--json")
    (chart,) = (desk.folder / "state" / "runs").glob("*/optimize.svg")
    shutil.copy(chart, out / "growth.svg")


def draw_batch(desk: Desk, out: Path) -> None:
    """Draw the dashboard of a batch in the middle of its work."""
    rows = []
    for name in ("invoices", "textreport", "planner"):
        issue = (ROOT / "examples" / name / "ISSUE.md").read_text()
        rows.append({"id": name, "repo": str(desk.example(name)), "issue": issue})
    (desk.folder / "issues.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["batch", "--instances", "issues.jsonl", "--out", "night", "--model", desk.model(), "--total", "20"]
    arguments += ["--repeat", "3", "--workers", "3"]
    recording = record(["swe-agent", *arguments], desk.folder, 108, 24, desk.environment | workspace())
    screens = [screen for _, screen in frames(shorten(recording, str(desk.folder)), 24)]
    middle = max(screens, key=lambda screen: ("5/9" in str(screen), len(screen)))
    (out / "batch.svg").write_text(still(middle, 108, "swe-agent batch", "A batch: results, and what each run does"))


def draw_peers(_: Desk, out: Path) -> None:
    """Draw the figures of the benchmarks beside those of the peers."""
    (out / "peers.svg").write_text(draw_bars(json.loads(PEERS.read_text())))


def flags() -> list[str]:
    return [word for name, value in workspace().items() for word in (f"--{name[10:].lower()}", value)]


def photograph(page: Path, target: Path, size: tuple[int, int]) -> None:
    """Write TARGET-light.png and TARGET-dark.png of the top of a page in a window of this size."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in SCHEMES:
            tab = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
            tab.goto(page.as_uri())
            tab.screenshot(path=f"{target}-{scheme}.png")
        browser.close()


PICTURES: dict[str, Callable[[Desk, Path], None]] = {
    "demo": draw_demo,
    "session": draw_session,
    "report": draw_report,
    "graph": draw_graph,
    "growth": draw_growth,
    "batch": draw_batch,
    "peers": draw_peers,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="pictures", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(PICTURES)}; default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - PICTURES.keys()):
        parser.error(f"there is no picture {unknown[0]!r}; choose from {', '.join(PICTURES)}")
    options.out.mkdir(exist_ok=True)
    for name in options.names or PICTURES:
        with tempfile.TemporaryDirectory(prefix="swe-agent-pictures-") as folder:
            PICTURES[name](Desk(Path(folder)), options.out)
        print(f"{name}: done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
