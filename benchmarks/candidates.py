"""Candidates evaluated per CPU minute: in one process, with one fork each, and with one pytest start each.

    python -m benchmarks.candidates --repo DIR [--limit N] [--programs a,b] [--docker IMAGE] [--json OUT]

DIR is a checkout of QuixBugs. For each program the first candidates of its search are evaluated in these three ways in
one run; the first way includes generating them on the host. CPU seconds are those of the host and of all test
processes. Verdicts of the first way that differ from those with one fork each are reported; only timeouts may differ.
With --docker the same candidates are also evaluated in a container, to compare the wall time with `local`; --python is
the interpreter that runs pytest there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from benchmarks.quixbugs import build, wanted
from extensions.experiment.evaluator.candidate_evaluator import Candidate, CandidateResult, Evaluator
from extensions.experiment.evaluator.spectrum import trace_tests
from extensions.experiment.source.source_file import Source
from extensions.repair.analysis.suspicious_statements import find_suspects
from extensions.repair.candidate_order import order_candidates
from extensions.repair.repair_search import SearchRun
from extensions.repair.search_progress import NoMemory, SearchProgress
from trajectories.errors import SweAgentError
from trajectories.git_store.trees import Trees

SECONDS = 120.0
Tests = tuple[Sequence[str], Sequence[str]]


@dataclass
class Row:
    """One program: candidates per CPU minute in each of the three ways, and a comparison of the verdicts.

    `same` of `compared` verdicts are the same with one fork each; `kinds` counts the verdicts. `local`, `docker`: wall
    and CPU seconds of the same candidates.
    """

    program: str
    tried: int
    ours: float
    forks: float
    starts: float
    compared: int
    same: int
    kinds: dict[str, int]
    differ: list[str]
    local: tuple[float, float] = (0.0, 0.0)
    docker: tuple[float, float] = (0.0, 0.0)


class Bench:
    """A program in a workspace, prepared for evaluating the candidates of its search."""

    def __init__(self, evaluator: Evaluator, trees: Trees, tree: str, tests: Tests) -> None:
        self.evaluator, self.tests = evaluator, tests
        self.spectrum = trace_tests(evaluator, *tests, 30.0)
        self.search_run = SearchRun(evaluator, self.spectrum, 60.0, SearchProgress(NoMemory()))
        self.suspects = find_suspects(self.spectrum)
        paths = dict.fromkeys(suspect.path for suspect in self.suspects)
        self.sources = [Source(path, trees.read(tree, path)) for path in paths]
        self.evaluate(islice(self.stream(), 1))  # lets the process find out which tests are stable

    def stream(self) -> Iterator[Candidate]:
        return order_candidates(self.sources, self.suspects, self.spectrum)

    def evaluate(self, candidates: Iterator[Candidate]) -> list[CandidateResult]:
        search_run = self.search_run
        began = time.monotonic()

        def over() -> bool:
            return time.monotonic() - began > SECONDS

        found = self.evaluator.evaluate(
            candidates, search_run.failing, search_run.passing, search_run.limits, over, last=False
        )
        return list(found)


def measure(quixbugs: Path, program: str, options: argparse.Namespace) -> Row:
    """Measure one program in all ways."""
    command = f"{sys.executable} -m pytest -q -p no:cacheprovider"
    with tempfile.TemporaryDirectory(prefix="swe-agent-candidates-") as home:
        folder = build(quixbugs, program, Path(home) / program)
        with open_bench("local", folder, Path(home), "", command) as bench:
            began, cpu = time.process_time(), bench.evaluator.cpu
            ours = bench.evaluate(islice(bench.stream(), options.candidates))
            ours_cpu = time.process_time() - began + bench.evaluator.cpu - cpu
            final = {one.candidate: one.verdict for one in ours}
            few = list(final)[: options.forks]
            forked, forked_cpu = evaluate_alone(bench, few)
            starts = pytest_start_rate(bench, command, folder, few[: options.starts])
            differ = [
                f"{one.path}:{one.line} {one.description}: {final[one]}, alone {forked[one]}"
                for one in few
                if one in forked and _kind(forked[one]) != _kind(final[one])
            ]
            row = Row(
                program,
                len(final),
                _rate(len(final), ours_cpu),
                _rate(len(forked), forked_cpu),
                starts,
                len(forked),
                len(forked) - len(differ),
                {kind: list(final.values()).count(kind) for kind in sorted(set(final.values()))},
                differ,
            )
            if options.docker:
                row.local = time_candidates(bench, list(final))
        if options.docker:
            inside = f"{options.python} -m pytest -q -p no:cacheprovider"
            with open_bench("docker", folder, Path(home), options.docker, inside, bench.tests) as boxed:
                row.docker = time_candidates(boxed, list(final))
    return row


@contextmanager
def open_bench(
    kind: str, folder: Path, home: Path, image: str, command: str, tests: Tests | None = None
) -> Iterator[Bench]:
    with Trees(home / f"{kind}.git") as trees:
        repository = Repository.open(folder)
        base = repository.base(trees)
        options = WorkspaceOptions(repository, base, trees, image=image, say=lambda text: None)
        workspace = open_workspace(kind, options)
        try:
            if tests is None:
                report = run_tests(workspace, f"{command} --timeout=5")
                tests = report.failed, report.passed
            with Evaluator(workspace, command, [*tests[0], *tests[1]], Event()) as evaluator:
                yield Bench(evaluator, trees, base.tree, tests)
        finally:
            workspace.close()


def evaluate_alone(bench: Bench, candidates: list[Candidate]) -> tuple[dict[Candidate, str], float]:
    """Evaluate candidates with one fork each; return their verdicts and the CPU seconds."""
    found, cpu = {}, bench.evaluator.cpu
    for candidate in candidates:
        for result in bench.evaluate(iter([candidate])):
            found[result.candidate] = result.verdict
    return found, bench.evaluator.cpu - cpu


def pytest_start_rate(bench: Bench, command: str, folder: Path, candidates: list[Candidate]) -> float:
    """Candidates per CPU minute with one pytest start each; pytest stops at the first failing test."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-candidates-") as home:
        copy = Path(shutil.copytree(folder, Path(home) / "copy"))
        before = _children()
        for candidate in candidates:
            file = copy / candidate.path
            data = file.read_bytes()
            file.write_bytes(candidate.apply(data))
            arguments = [*command.split(), "-x", "--timeout=5", *bench.search_run.failing, *bench.search_run.passing]
            subprocess.run(
                arguments, cwd=copy, env=_environment(copy), capture_output=True, check=False, timeout=SECONDS
            )
            file.write_bytes(data)
        return _rate(len(candidates), _children() - before)


def time_candidates(bench: Bench, candidates: list[Candidate]) -> tuple[float, float]:
    """Wall and CPU seconds of evaluating candidates, without the start of the process."""
    began, cpu = time.monotonic(), bench.evaluator.cpu
    bench.evaluate(iter(candidates))
    return time.monotonic() - began, bench.evaluator.cpu - cpu


def _kind(verdict: str) -> str:
    """Whether a candidate is slow or times out depends on the machine, so the two count as the same verdict."""
    return "late" if verdict in ("timeout", "slow") else verdict


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rate(count: int, cpu: float) -> float:
    return round(60 * count / cpu, 1) if cpu > 0 else 0.0


def table(rows: list[Row]) -> str:
    """Format the rates of each program, and their medians with the ratios."""
    lines = [f"{'program':28} {'tried':>6} {'ours':>8} {'a fork':>8} {'a start':>8} {'same':>9}  verdicts"]
    for row in rows:
        same = f"{row.same}/{row.compared}"
        kinds = " ".join(f"{kind} {count}" for kind, count in row.kinds.items())
        wall = f"  local {_format_seconds(row.local)}, docker {_format_seconds(row.docker)}" if any(row.docker) else ""
        rates = f"{row.ours:8,.0f} {row.forks:8,.0f} {row.starts:8,.0f}"
        lines.append(f"{row.program:28} {row.tried:6} {rates} {same:>9}  {kinds}{wall}")
        lines += [f"    {text}" for text in row.differ]
    ours, forks, starts = (median(getattr(row, name) for row in rows) for name in ("ours", "forks", "starts"))
    lines.append(
        f"candidates per CPU minute, median of {len(rows)}: {ours:,.0f} in one process; {forks:,.0f} with a fork each "
        f"({_ratio(ours, forks)}); {starts:,.0f} with a pytest start each ({_ratio(ours, starts)})"
    )
    for place, kind in enumerate(("wall", "CPU")):
        if shares := [row.docker[place] / row.local[place] for row in rows if row.local[place] and row.docker[place]]:
            lines.append(f"{kind} time in a container / on this machine, median: {median(shares):.2f}")
    return "\n".join(lines)


def _format_seconds(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f} CPU)"


def _ratio(one: float, other: float) -> str:
    return f"{one / other:,.1f} times as many" if other else "none"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of QuixBugs")
    parser.add_argument("--limit", type=int, default=0, help="only the first N programs")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--candidates", type=int, default=2000, help="candidates of each program")
    parser.add_argument("--forks", type=int, default=100, help="candidates to evaluate with one fork each")
    parser.add_argument("--starts", type=int, default=3, help="candidates to evaluate with one pytest start each")
    parser.add_argument("--docker", default="", help="an image with git, Python and pytest")
    parser.add_argument("--python", default="python3", help="Python in the container")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    try:
        rows = measure_programs(options)
    except (SweAgentError, subprocess.SubprocessError) as error:
        texts = (error.message, error.fix) if isinstance(error, SweAgentError) else (str(error), "")
        print(*filter(None, texts), file=sys.stderr)
        return 2
    print(table(rows))
    return 0


def measure_programs(options: argparse.Namespace) -> list[Row]:
    """Measure the selected programs; print each row, and write it to the JSON file, as soon as it is measured."""
    quixbugs = options.repo.resolve()
    rows: list[Row] = []
    for program in wanted(quixbugs, options.programs, options.limit):
        rows.append(measure(quixbugs, program, options))
        print(table(rows[-1:]).splitlines()[1], flush=True)
        if options.json:
            found: dict[str, Any] = {"programs": [asdict(row) for row in rows]}
            found["median"] = {name: median(getattr(row, name) for row in rows) for name in ("ours", "forks", "starts")}
            options.json.write_text(json.dumps(found, indent=1))
    return rows


if __name__ == "__main__":
    sys.exit(main())
