"""Verdicts on small cases: a repository, an issue and a patch each, with what a maintainer would say of the patch.

    python -m benchmarks.verdict_cases [FILE...] [--kinds a,b] [--names a,b] [--jobs 2] [--json OUT]

Each FILE is a JSON list of cases (`benchmarks/cases/*.json` if none is given): `name`, `kind`, `issue`, `base` and
`patch` (path to text; null deletes), `reproduction` (tests given by the user), `command` (empty: detected). Each patch
goes through the whole proof in a local workspace. A patch of kind `right` or `single-value` should be plausible, any
other should not. The rates are printed for each kind, with Wilson's 95 % interval. The authors of the cases had not
read the code of the proof.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from aci.proof.proof import prove
from benchmarks.quixbugs import opened
from extensions.lab.evaluation.confidence_intervals import wilson
from trajectories.errors import SweAgentError
from trajectories.facts import Fact
from trajectories.records import Issue
from trajectories.verdict import COMPLETE, Verdict

CASES = Path(__file__).parent / "cases"
RIGHT = ("right", "single-value")
SECONDS = 60.0


@dataclass(frozen=True)
class Row:
    """The verdict on a case, and its seconds of wall-clock time: in all, and by part of the proof."""

    name: str
    kind: str
    verdict: str
    generality: str
    seconds: float
    parts: dict[str, float]
    notes: tuple[str, ...]

    @property
    def claim(self) -> str:
        return f"plausible, {self.generality or 'no experiment'}" if self.verdict in COMPLETE else "unproven"

    @property
    def is_as_wanted(self) -> bool:
        return (self.verdict in COMPLETE) == (self.kind in RIGHT)


def create_repository(folder: Path, files: Mapping[str, str]) -> None:
    """Create a git repository with one commit of these files."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    for command in (["init", "-q"], ["add", "-A", "-f"], [*identity, "commit", "-qm", "Start"]):
        subprocess.run(["git", *command], cwd=folder, check=True)


def judge(case: Mapping[str, Any]) -> Row:
    """Return the verdict of the proof on a case."""
    title, _, body = str(case["issue"]).strip().partition("\n")
    times: list[tuple[float, str]] = []
    with tempfile.TemporaryDirectory(prefix="swe-agent-case-") as home:
        folder = Path(home) / "project"
        folder.mkdir()
        create_repository(folder, case["base"])
        with opened(folder, Path(home)) as (workspace, trees, base):
            patch = {path: None if text is None else text.encode() for path, text in case["patch"].items()}
            tree = trees.write(patch, base)
            started = time.monotonic()
            try:
                verdict = prove(
                    workspace.fork,
                    trees,
                    base,
                    tree,
                    issue=Issue(title, body.strip()),
                    command=case.get("command", ""),
                    reproduction=case.get("reproduction", ()),
                    timeout=SECONDS,
                    say=lambda line: times.append((time.monotonic() - started, line)),
                )
            except SweAgentError as error:
                verdict = Verdict(facts=(Fact("limit", error.message),))
            times.append((time.monotonic() - started, ""))
    parts = {line: round(after - begun, 2) for (begun, line), (after, _) in pairwise(times)}
    return Row(case["name"], case["kind"], verdict.kind, verdict.generality, times[-1][0], parts, verdict.notes)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table with the rates of each kind."""
    claims = ("plausible, shown", "plausible, undecided", "plausible, no experiment", "unproven")
    yield f"| kind | n | {' | '.join(claims)} |"
    yield "|---" * (len(claims) + 2) + "|"
    for kind in dict.fromkeys(row.kind for row in rows):
        group = [row for row in rows if row.kind == kind]
        counts = Counter(row.claim for row in group)
        cells = []
        for claim in claims:
            bound = wilson(counts[claim], len(group))
            cells.append(f"{counts[claim]} ({bound.low:.1%}-{bound.high:.1%})")
        yield f"| {kind} | {len(group)} | {' | '.join(cells)} |"


def times(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table with the seconds of each part of the proof."""
    yield "| part | n | seconds, median | most |"
    yield "|---|---|---|---|"
    for part in dict.fromkeys(part for row in rows for part in row.parts):
        seconds = [row.parts[part] for row in rows if part in row.parts]
        yield f"| {part} | {len(seconds)} | {median(seconds):.2f} | {max(seconds):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--kinds", default="", help="only these kinds, separated by commas")
    parser.add_argument("--names", default="", help="only these cases")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kinds, names = ([part for part in text.split(",") if part] for text in (options.kinds, options.names))
    everything: list[Row] = []
    for file in options.files or sorted(CASES.glob("*.json")):
        cases = json.loads(file.read_text())
        cases = [case for case in cases if case["kind"] in (kinds or [case["kind"]])]
        cases = [case for case in cases if case["name"] in (names or [case["name"]])]
        rows = []
        with ProcessPoolExecutor(options.jobs) as pool:
            for row in pool.map(judge, cases):
                rows.append(row)
                mark = " " if row.is_as_wanted else "!"
                print(f"{mark} {row.kind:16} {row.name:44} {row.claim:24} {row.seconds:6.1f} s", flush=True)
        print(f"\n{file.stem}\n\n" + "\n".join([*summary(rows), "", *times(rows)]) + "\n", flush=True)
        everything += rows
        if options.json:
            options.json.write_text(json.dumps([asdict(row) for row in everything], indent=1))


if __name__ == "__main__":
    main()
