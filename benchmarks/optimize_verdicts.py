"""Verdicts of `optimize` on candidates that are known to be right, subtly wrong, or cheats.

    python -m benchmarks.optimize_verdicts [CASES] [--only NAME,..] [--candidates right,wrong,cheat,rewrites] [--jobs 1]
        [--json OUT]

CASES is a JSON list of cases (`benchmarks/optimize_cases/known.json` if it is not given), or a folder with a folder for
each case. A case has `subject.py` with a slow function, `test_subject.py` (the workload), `right.py`, `wrong.py` and
`cheat.py` (the module with another version of the function), and `case.json` with `function`, `why_wrong` and `cheat`.
In the JSON list, the files' texts are values of the same names.

For each candidate the strategy `optimize` runs in a new repository with these two files, in a local workspace. A
scripted model writes the candidate; the built-in rewrites are off, so that it is the candidate that is judged. The kind
`rewrites`, which has to be named, is a run without a model. With --json an interrupted benchmark is resumed. Local
workspaces do not isolate the code of the cases.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from unittest.mock import patch

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.run_result import Result
from benchmarks._process_cpu import adopt_orphans, cpu_seconds
from benchmarks.verdict_cases import create_repository
from extensions.lab.evaluation.confidence_intervals import wilson
from extensions.optimize import candidate_benchmark, optimization_workflow
from extensions.optimize.measurement.equivalence import Answer, describe_differences
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Issue, Step
from trajectories.trajectory import Trajectory

CASES = Path(__file__).parent / "optimize_cases" / "known.json"
KINDS = ("right", "wrong", "cheat")
WITHOUT_MODEL = "rewrites"
PLURALS = {"right": "right", "wrong": "wrong", "cheat": "cheats", WITHOUT_MODEL: "rewrites"}
FILES = ("subject.py", "test_subject.py", *(f"{kind}.py" for kind in KINDS))
SUBJECT, TESTS = FILES[:2]


@dataclass(frozen=True)
class Row:
    """The verdict on a candidate. `differing` is the number of calls that it answered differently in the last
    comparison, `ratio` the quotient of instructions before and after (0.0 if it was not counted). `seconds` and `cpu`
    are the wall-clock and the processor time of the whole run."""

    name: str
    kind: str
    is_accepted: bool
    why: str
    differing: int
    ratio: float
    seconds: float
    cpu: float

    @property
    def line(self) -> str:
        wanted = self.kind == WITHOUT_MODEL or self.is_accepted == (self.kind == "right")
        outcome = "accepted" if self.is_accepted else f"refused, {self.differing} calls differ: {self.why}"
        figures = f"{self.ratio:8.1f}x {self.seconds:6.1f} s ({self.cpu:.1f} s CPU)"
        return f"{' ' if wanted else '!'} {self.name:12} {self.kind:5} {figures} {outcome[:300]}"


def read_cases(path: Path) -> list[dict[str, str]]:
    """Return the cases of a JSON file or of a folder. Raises UsageError if there are none, or if a part is missing."""
    try:
        if path.is_dir():
            cases = [_case_in(file.parent) for file in sorted(path.glob("*/case.json"))]
        else:
            cases = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"The cases cannot be read: {error}.", "Name a folder of cases or a JSON file.") from None
    if not cases:
        raise UsageError(f"{path} has no case.", "Name a folder that has NAME/case.json.")
    for case in cases:
        if missing := {"name", "function", *FILES} - set(case):
            raise UsageError(f"A case of {path} has no {min(missing)}.", "Add it to the case.")
    return cases


def _case_in(folder: Path) -> dict[str, str]:
    about = json.loads((folder / "case.json").read_text())
    return {"name": folder.name, **about, **{name: (folder / name).read_text() for name in FILES}}


def judge(case: Mapping[str, str], kind: str) -> Row:
    """Return the verdict of `optimize` on one candidate."""
    adopt_orphans()
    used, started = cpu_seconds(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="swe-agent-optimize-") as home, counted_differences() as counts:
        try:
            result, trajectory = _optimize(case, kind, Path(home))
            accepted, why = bool(result.patch.diff), refusal(result, trajectory)
            ratio = _ratio(trajectory, case["function"])
        except SweAgentError as error:
            accepted, why, ratio = False, f"not run: {error.message}", 0.0
    seconds, cpu = time.monotonic() - started, cpu_seconds() - used
    differing = 0 if accepted else counts[-1]
    why = "" if accepted else " ".join(why.split())
    return Row(case["name"], kind, accepted, why, differing, round(ratio, 2), round(seconds, 1), round(cpu, 1))


def _optimize(case: Mapping[str, str], kind: str, home: Path) -> tuple[Result, Trajectory]:
    """Run the strategy, with a model that writes the candidate and submits it, or without a model."""
    folder, has_model = home / "project", kind != WITHOUT_MODEL
    folder.mkdir()
    create_repository(folder, {SUBJECT: case[SUBJECT], TESTS: case[TESTS]})
    settings = Settings(
        strategy="optimize",
        model=f"scripted:{_script(case[f'{kind}.py'], home)}" if has_model else "",
        function=case["function"],
        workspace="local",
        state=home / "state",
        rounds=1,
        experience=False,
    )
    issue = Issue(f"Make {case['function']} faster", "The workload is the tests.")
    directory = begin(issue, Repository.open(folder), settings)
    rewrites = 0 if has_model else optimization_workflow.REWRITES
    with (
        patch.object(optimization_workflow, "REWRITES", rewrites),
        closing(reopen(directory, settings.state)) as engine,
    ):
        return run_to_end(solve(engine)), engine.trajectory


def run_to_end(running: Generator[Step, None, Result]) -> Result:
    """Take all steps of a run and return its result."""
    while True:
        try:
            next(running)
        except StopIteration as end:
            result: Result = end.value
            return result


def _script(candidate: str, home: Path) -> Path:
    """Write the script of a model that writes this candidate and submits it."""
    write = {"command": f"printf %s {shlex.quote(candidate)} > {SUBJECT}"}
    actions = [{"tool": "shell", "arguments": write}, {"tool": "submit", "arguments": {"summary": "Faster."}}]
    script = home / "model.jsonl"
    script.write_text(json.dumps({"reply": {"text": "I rewrite the function.", "actions": actions}}))
    return script


@contextmanager
def counted_differences() -> Iterator[list[int]]:
    """Record for each comparison of a candidate how many calls differ; its descriptions are only of the first ones."""
    counts = [0]

    def compare(before: Sequence[Answer], after: Sequence[Answer], tolerance: float = 0.0) -> list[str]:
        if len(before) > 1:
            pairs = zip(before, after, strict=False)
            counts.append(sum(bool(describe_differences([old], [new], tolerance)) for old, new in pairs))
        return describe_differences(before, after, tolerance)

    with patch.object(candidate_benchmark, "describe_differences", compare):
        yield counts


def refusal(result: Result, trajectory: Trajectory) -> str:
    """Return why the candidate was refused: the notes on it, or else the closing message."""
    return "; ".join(note.text for note in trajectory.notes if note.kind == "prune") or result.word


def _ratio(trajectory: Trajectory, function: str) -> float:
    """Return the quotient of the instructions before and after, or 0.0 if the candidate was not counted."""
    found = {name: kept.value for (_, name), kept in trajectory.results.items()}
    before = found.get(f"baseline {function}", {}).get("cost", 0)
    costs = [value["cost"] for name, value in found.items() if name.startswith(f"judge {function} ")]
    return float(before / costs[-1]) if costs and costs[-1] else 0.0


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table with the rates of each kind, and a closing sentence."""
    yield "| candidates | n | accepted | 95 % interval | calls that differ, where refused: fewest, median |"
    yield "|---|---|---|---|---|"
    closing_words = []
    for kind, plural in PLURALS.items():
        group = [row for row in rows if row.kind == kind]
        accepted = sum(row.is_accepted for row in group)
        if group:
            closing_words.append(f"{plural} accepted {accepted}/{len(group)}")
            bound = wilson(accepted, len(group))
            different = [row.differing for row in group if row.differing]
            margin = f"{min(different)}, {median(different):g}" if different else "-"
            yield f"| {plural} | {len(group)} | {accepted} | {bound.low:.0%}-{bound.high:.0%} | {margin} |"
    seconds, cpu = (median(values) for values in ([row.seconds for row in rows], [row.cpu for row in rows]))
    yield f"{', '.join(closing_words)}, median seconds per run {seconds:.0f} ({cpu:.0f} of processor time)"


def _kept(file: Path | None) -> list[Row]:
    """The rows of an interrupted benchmark."""
    return [Row(**one) for one in json.loads(file.read_text())] if file and file.exists() else []


def _wanted(parser: argparse.ArgumentParser, text: str, default: Sequence[str], known: Sequence[str] = ()) -> list[str]:
    names = [name for name in text.split(",") if name] or list(default)
    if unknown := sorted(set(names) - set(known or default)):
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(known or default)}")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path, nargs="?", default=CASES, metavar="CASES")
    parser.add_argument("--only", default="", metavar="NAME,..")
    parser.add_argument("--candidates", default="", metavar="KIND,..", help=f"only these of {', '.join(PLURALS)}")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    try:
        cases = read_cases(options.cases)
    except UsageError as error:
        parser.error(f"{error.message} {error.fix}")
    names = _wanted(parser, options.only, [case["name"] for case in cases])
    kinds = _wanted(parser, options.candidates, KINDS, tuple(PLURALS))
    rows = _kept(options.json)
    done = {(row.name, row.kind) for row in rows}
    jobs = [(case, kind) for case in cases if case["name"] in names for kind in kinds]
    jobs = [(case, kind) for case, kind in jobs if (case["name"], kind) not in done]
    # A process for each run: a run's settings and patched functions do not reach another one.
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        for row in pool.map(judge, *zip(*jobs, strict=True)) if jobs else ():
            rows.append(row)
            print(row.line, flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    print(*summary(rows), sep="\n")
    is_wrong = any(row.is_accepted for row in rows if row.kind in ("wrong", "cheat"))
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
