"""Time of `--help` in a whole process: this program, a typer hello world, and two peers.

    python -m benchmarks.startup [--runs 21] [--mini /path/to/mini] [--aider /path/to/aider] [--json]

The commands alternate, so that other load on the machine affects all of them alike. The first round is not counted,
because it writes .pyc files. Peers are looked up on PATH unless their path is given; those not found are skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELLO = """\
import typer


def main(name: str = "world") -> None:
    print(f"hello {name}")


typer.run(main)
"""
BASELINE = "typer hello world"
MAX_RATIO = 1.5
"""`swe-agent --help` should take at most this many times as long as the baseline."""


def seconds(command: list[str]) -> float:
    """Wall-clock seconds of one whole process. Raises RuntimeError if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment)
    took = time.perf_counter() - start
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr[-500:]!r}")
    return took


def measure(commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Seconds of each command in `runs` alternating rounds, after one round that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for round_number in range(runs + 1):
        for name, command in commands.items():
            took = seconds(command)
            if round_number:
                taken[name].append(took)
    return taken


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="Compare start-up times.")
    parser.add_argument("--runs", type=int, default=21, help="number of counted rounds (default: 21)")
    parser.add_argument("--mini", default=shutil.which("mini"), help="path of mini-swe-agent's command")
    parser.add_argument("--aider", default=shutil.which("aider"), help="path of aider's command")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")

    with tempfile.TemporaryDirectory(prefix="swe-agent-startup-") as folder:
        hello = Path(folder) / "hello.py"
        hello.write_text(HELLO, "utf-8")
        ours = Path(sys.executable).with_name("swe-agent")
        commands = {
            BASELINE: [sys.executable, str(hello), "--help"],
            "swe-agent --help": [str(ours), "--help"],
            "mini --help": [options.mini, "--help"] if options.mini else [],
            "aider --help": [options.aider, "--help"] if options.aider else [],
        }
        medians = {
            name: statistics.median(taken)
            for name, taken in measure(
                {name: command for name, command in commands.items() if command}, options.runs
            ).items()
        }

    ratios = {name: median / medians[BASELINE] for name, median in medians.items()}
    if options.json:
        rows = {name: {"seconds": medians.get(name), "ratio": ratios.get(name)} for name in commands}
        print(json.dumps({"runs": options.runs, "python": sys.version.split()[0], "rows": rows}))
    else:
        print(f"median of {options.runs} alternating runs, Python {sys.version.split()[0]}")
        for name in commands:
            figures = f"{medians[name]:7.3f} s {ratios[name]:6.2f}x" if name in medians else "missing"
            print(f"  {name:20} {figures}")
    return 0 if ratios["swe-agent --help"] <= MAX_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
