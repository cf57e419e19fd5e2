"""Compatibility of `export`: whether the programs that the formats are made for can read them.

    python -m benchmarks.readers RUN... [--harbor PYTHON] [--swebench PYTHON] [--datasets PYTHON]
                                        [--swe-agent PYTHON --checkout DIR] [--json]

RUN is a run's folder, its name, or a file that `export` accepts. Each option names a Python in which that reader is
installed: harbor (3.12 or newer), swebench, datasets (with trl), and for SWE-agent the requirements of its checkout.
Readers that are not given are listed and skipped. Exits with 1 if a reader refuses a file, or if nothing was read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.config.settings import load_settings
from agent.runs.run_lookup import open_run
from extensions.lab.run_export import export_runs, file_extension, write_export
from trajectories.errors import SweAgentError
from trajectories.trajectory import RunView

SCRIPT = Path(__file__).with_name("_reading.py")
PAIRS = (
    ("atif", "harbor"),
    ("swe-agent", "swe_agent"),
    ("predictions", "swebench"),
    ("chat", "openai"),
    ("chat", "datasets"),
    ("sft", "datasets"),
    ("dpo", "datasets"),
    ("rloo", "datasets"),
)
"""Pairs of a format and a reader."""
SINGLE = frozenset({"atif", "swe-agent"})
TIMEOUT = 600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """`reader` with its version; `told` describes what it read or its error; `ok` is None if it was not run."""

    format: str
    reader: str
    ok: bool | None
    told: str


def rows(runs: Sequence[RunView], pythons: dict[str, list[str]], folder: Path) -> Iterator[Row]:
    """Run each pair. `pythons` has each reader's interpreter and the arguments before its files."""
    for form, reader in PAIRS:
        if reader not in pythons:
            yield Row(form, reader, None, "not given")
            continue
        place = folder / form
        place.mkdir(exist_ok=True)
        try:
            files = _export(runs, form, place)
        except SweAgentError as error:
            yield Row(form, reader, None, error.message)
            continue
        python, *before = pythons[reader]
        command = [python, str(SCRIPT), reader, *before, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False, cwd=folder)
        if done.returncode:
            yield Row(form, reader, False, (done.stderr.strip() or "no error message").splitlines()[-1])
        else:
            answer = json.loads(done.stdout.splitlines()[-1])
            yield Row(form, answer["reader"], True, answer["read"])


def _export(runs: Sequence[RunView], form: str, place: Path) -> list[Path]:
    groups = [[run] for run in runs] if form in SINGLE else [runs]
    files = [place / f"{number}.{file_extension(form)}" for number, _ in enumerate(groups)]
    for file, group in zip(files, groups, strict=True):
        write_export(export_runs(group, form, ()), file)
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    for reader in ("harbor", "swebench", "datasets", "swe-agent"):
        parser.add_argument(f"--{reader}", metavar="PYTHON", help=f"a Python with {reader}")
    parser.add_argument("--checkout", metavar="DIR", help="a checkout of SWE-agent")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    pythons = {"openai": [sys.executable]}
    pythons |= {name: [path] for name in ("harbor", "swebench", "datasets") if (path := getattr(options, name))}
    if options.swe_agent and options.checkout:
        pythons["swe_agent"] = [options.swe_agent, str(Path(options.checkout).absolute())]
    settings = load_settings()
    runs = [open_run(name, settings) for name in options.runs]
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(runs, pythons, Path(folder)))
    for run in runs:
        run.close()
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in found]}))
    else:
        for row in found:
            mark = {True: "read", False: "REFUSED", None: "not run"}[row.ok]
            print(f"{row.format:12} {mark:10} {row.reader:28} {row.told}")
    return 0 if any(row.ok for row in found) and all(row.ok is not False for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
