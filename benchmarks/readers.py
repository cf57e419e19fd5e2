"""Whether other programs read what `export` writes: every format by the program that it is made for.

    python -m benchmarks.readers RUN... [--harbor PYTHON] [--swebench PYTHON] [--datasets PYTHON]
                                        [--swe-agent PYTHON --checkout DIR] [--json]

RUN is a run's folder, its name, or a file that `export` takes. Each option names a Python in which that reader is
installed: harbor (3.12 or newer), swebench, datasets (with trl), and for SWE-agent what its checkout requires. A reader
that is not there is named and passed over. It ends with 1 where one refuses a file, or nothing was read at all.
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
from agent.runs.run_export import export_runs, file_extension, write_export
from agent.runs.run_lookup import open_run
from trajectories.errors import SweAgentError
from trajectories.run_data import RunView

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
"""A format, and who reads it."""
SINGLE = frozenset({"atif", "swe-agent"})
LONGEST = 600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """`reader` with its version; `told` is what it read, or why it did not; `ok` is None where it was not asked."""

    format: str
    reader: str
    ok: bool | None
    told: str


def rows(runs: Sequence[RunView], pythons: dict[str, list[str]], folder: Path) -> Iterator[Row]:
    """Each pair's. `pythons` says how a reader is started, and what it is given before its files."""
    for form, reader in PAIRS:
        if reader not in pythons:
            yield Row(form, reader, None, "not named")
            continue
        place = folder / form
        place.mkdir(exist_ok=True)
        try:
            files = _exported(runs, form, place)
        except SweAgentError as error:
            yield Row(form, reader, None, error.message)
            continue
        python, *before = pythons[reader]
        command = [python, str(SCRIPT), reader, *before, *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False, cwd=folder)
        if done.returncode:
            yield Row(form, reader, False, (done.stderr.strip() or "it said nothing").splitlines()[-1])
        else:
            told = json.loads(done.stdout.splitlines()[-1])
            yield Row(form, told["reader"], True, told["read"])


def _exported(runs: Sequence[RunView], form: str, place: Path) -> list[Path]:
    groups = [[run] for run in runs] if form in SINGLE else [runs]
    files = [place / f"{number}.{file_extension(form)}" for number, _ in enumerate(groups)]
    for file, group in zip(files, groups, strict=True):
        write_export(export_runs(group, form, ()), file)
    return files


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.readers", description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="RUN")
    for reader in ("harbor", "swebench", "datasets", "swe-agent"):
        parser.add_argument(f"--{reader}", metavar="PYTHON", help=f"a Python that has {reader}")
    parser.add_argument("--checkout", metavar="DIR", help="SWE-agent's repository")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args(arguments)
    pythons = {"openai": [sys.executable]}
    pythons |= {name: [path] for name in ("harbor", "swebench", "datasets") if (path := getattr(given, name))}
    if given.swe_agent and given.checkout:
        pythons["swe_agent"] = [given.swe_agent, str(Path(given.checkout).absolute())]
    settings = load_settings()
    runs = [open_run(name, settings) for name in given.runs]
    with tempfile.TemporaryDirectory() as folder:
        found = list(rows(runs, pythons, Path(folder)))
    for run in runs:
        run.close()
    if given.json:
        print(json.dumps({"rows": [asdict(row) for row in found]}))
    else:
        for row in found:
            mark = {True: "read", False: "REFUSED", None: "not asked"}[row.ok]
            print(f"{row.format:12} {mark:10} {row.reader:28} {row.told}")
    return 0 if any(row.ok for row in found) and all(row.ok is not False for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
