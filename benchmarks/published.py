"""Published trajectories of SWE-agent and mini-swe-agent, read and rendered: failures and time.

git clone --depth 1 https://github.com/SWE-agent/SWE-agent
python -m benchmarks.published SWE-agent/trajectories
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from extensions.report.report_page import page
from extensions.report.run_report import report_document
from extensions.run_views.commands.show import command as show
from trajectories.errors import SweAgentError
from trajectories.importers import ENDINGS, load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="folder with .traj and .traj.json files"
    )
    found: Counter[str] = Counter()
    slowest, failed = (0.0, ""), []
    for path in _find_files(parser.parse_args().folders):
        started = time.perf_counter()
        try:
            found[_render(path)] += 1
        except SweAgentError as error:
            failed.append(error.message)
        slowest = max(slowest, (time.perf_counter() - started, str(path)))
    print(", ".join(f"{count} of {program}" for program, count in sorted(found.items())), "read and rendered")
    print(f"slowest: {slowest[0]:.2f} s, {slowest[1]}")
    print("\n".join([f"{len(failed)} refused", *failed]))


def _find_files(folders: list[Path]) -> Iterator[Path]:
    return (path for folder in folders for path in sorted(folder.rglob("*.traj*")) if path.name.endswith(ENDINGS))


def _render(path: Path) -> str:
    """Render the trajectory as a page and on the terminal; return the program that recorded it."""
    run = load(path)
    page(report_document([run]))
    with redirect_stdout(io.StringIO()):
        show(str(path))
    return run.trajectory.turns[0].strategy


if __name__ == "__main__":
    main()
