"""How many candidates are tried in a CPU-minute: in one process, with a fork each, and with a pytest start each.

    python -m benchmarks.candidates --repo DIR [--limit N] [--programs a,b] [--docker IMAGE] [--json OUT]

DIR is a checkout of QuixBugs. Of each program the first candidates of its search are tried three ways in one run, the
host's making of them included in the first. CPU seconds are those of the host and of all processes of the tests. Where
the first way's verdicts differ from those of a fork each, that is told: there must be none but for time. With --docker
the same candidates are also tried in a container, for wall time beside `local`; --python names what runs pytest there.
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

from aci.repair.candidate_evaluator import Candidate, CandidateResult, Evaluator
from aci.repair.spectrum import trace_tests
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from agent.repair.analysis.source_file import Source
from agent.repair.analysis.suspicious_statements import find_suspects
from agent.repair.candidate_order import order_candidates
from agent.repair.repair_search import SearchRun
from agent.repair.search_progress import NoMemory, SearchProgress
from benchmarks.quixbugs import build, wanted
from trajectories.errors import SweAgentError
from trajectories.git_store.trees import Trees

SECONDS = 120.0
Tests = tuple[Sequence[str], Sequence[str]]


@dataclass
class Row:
    """One program: candidates a CPU-minute three ways, and how often the first way's verdicts differ from a fork's.

    `same` of `compared` verdicts are equal; `kinds` counts the verdicts. `local`, `docker`: wall and CPU seconds of
    the same candidates.
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
    """A program in a workspace, with what a search knows before it tries anything."""

    def __init__(self, evaluator: Evaluator, trees: Trees, tree: str, tests: Tests) -> None:
        self.evaluator, self.tests = evaluator, tests
        self.spectrum = trace_tests(evaluator, *tests, 30.0)
        self.hunt = SearchRun(evaluator, self.spectrum, 60.0, SearchProgress(NoMemory()))
        self.suspects = find_suspects(self.spectrum)
        paths = dict.fromkeys(suspect.path for suspect in self.suspects)
        self.sources = [Source(path, trees.read(tree, path)) for path in paths]
        self.tried(islice(self.stream(), 1))  # the process sees which tests are steady

    def stream(self) -> Iterator[Candidate]:
        return order_candidates(self.sources, self.suspects, self.spectrum)

    def tried(self, candidates: Iterator[Candidate]) -> list[CandidateResult]:
        hunt = self.hunt
        began = time.monotonic()

        def over() -> bool:
            return time.monotonic() - began > SECONDS

        found = self.evaluator.evaluate(candidates, hunt.failing, hunt.passing, hunt.limits, over, last=False)
        return list(found)


def measure(quixbugs: Path, program: str, asked: argparse.Namespace) -> Row:
    """One program, every way."""
    command = f"{sys.executable} -m pytest -q -p no:cacheprovider"
    with tempfile.TemporaryDirectory(prefix="swe-agent-candidates-") as home:
        folder = build(quixbugs, program, Path(home) / program)
        with opened("local", folder, Path(home), "", command) as bench:
            began, cpu = time.process_time(), bench.evaluator.cpu
            ours = bench.tried(islice(bench.stream(), asked.candidates))
            ours_cpu = time.process_time() - began + bench.evaluator.cpu - cpu
            final = {one.candidate: one.verdict for one in ours}
            few = list(final)[: asked.forks]
            forked, forked_cpu = alone(bench, few)
            starts = started(bench, command, folder, few[: asked.starts])
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
            if asked.docker:
                row.local = timed(bench, list(final))
        if asked.docker:
            inside = f"{asked.python} -m pytest -q -p no:cacheprovider"
            with opened("docker", folder, Path(home), asked.docker, inside, bench.tests) as boxed:
                row.docker = timed(boxed, list(final))
    return row


@contextmanager
def opened(
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


def alone(bench: Bench, candidates: list[Candidate]) -> tuple[dict[Candidate, str], float]:
    """Verdicts with a fork each, and the CPU seconds."""
    found, cpu = {}, bench.evaluator.cpu
    for candidate in candidates:
        for judged in bench.tried(iter([candidate])):
            found[judged.candidate] = judged.verdict
    return found, bench.evaluator.cpu - cpu


def started(bench: Bench, command: str, folder: Path, candidates: list[Candidate]) -> float:
    """Candidates a CPU-minute with a start of pytest each, which ends at the first failing test."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-candidates-") as home:
        copy = Path(shutil.copytree(folder, Path(home) / "copy"))
        before = _children()
        for candidate in candidates:
            file = copy / candidate.path
            data = file.read_bytes()
            file.write_bytes(candidate.apply(data))
            words = [*command.split(), "-x", "--timeout=5", *bench.hunt.failing, *bench.hunt.passing]
            subprocess.run(words, cwd=copy, env=_environment(copy), capture_output=True, check=False, timeout=SECONDS)
            file.write_bytes(data)
        return _rate(len(candidates), _children() - before)


def timed(bench: Bench, candidates: list[Candidate]) -> tuple[float, float]:
    """Wall and CPU seconds of trying them, the start of the process not counted."""
    began, cpu = time.monotonic(), bench.evaluator.cpu
    bench.tried(iter(candidates))
    return time.monotonic() - began, bench.evaluator.cpu - cpu


def _kind(verdict: str) -> str:
    """How late a candidate is hangs on the machine, and on when it was tried again."""
    return "late" if verdict in ("timeout", "slow") else verdict


def _environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rate(count: int, cpu: float) -> float:
    return round(60 * count / cpu, 1) if cpu > 0 else 0.0


def table(rows: list[Row]) -> str:
    """The rates of each program, and their medians with the ratios."""
    lines = [f"{'program':28} {'tried':>6} {'ours':>8} {'a fork':>8} {'a start':>8} {'same':>9}  verdicts"]
    for row in rows:
        same = f"{row.same}/{row.compared}"
        kinds = " ".join(f"{kind} {count}" for kind, count in row.kinds.items())
        wall = f"  local {_told(row.local)}, docker {_told(row.docker)}" if any(row.docker) else ""
        rates = f"{row.ours:8,.0f} {row.forks:8,.0f} {row.starts:8,.0f}"
        lines.append(f"{row.program:28} {row.tried:6} {rates} {same:>9}  {kinds}{wall}")
        lines += [f"    {text}" for text in row.differ]
    ours, forks, starts = (median(getattr(row, name) for row in rows) for name in ("ours", "forks", "starts"))
    lines.append(
        f"candidates a CPU-minute, median of {len(rows)}: {ours:,.0f} in one process; {forks:,.0f} with a fork each "
        f"({_ratio(ours, forks)}); {starts:,.0f} with a pytest start each ({_ratio(ours, starts)})"
    )
    for place, kind in enumerate(("wall", "CPU")):
        if shares := [row.docker[place] / row.local[place] for row in rows if row.local[place] and row.docker[place]]:
            lines.append(f"{kind} time in a container beside that on this machine, median: {median(shares):.2f}")
    return "\n".join(lines)


def _told(seconds: tuple[float, float]) -> str:
    return f"{seconds[0]:.2f} s ({seconds[1]:.2f} CPU)"


def _ratio(one: float, other: float) -> str:
    return f"{one / other:,.1f} times as many" if other else "none"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=0, help="so many programs only")
    parser.add_argument("--programs", default="")
    parser.add_argument("--candidates", type=int, default=2000)
    parser.add_argument("--forks", type=int, default=100, help="candidates that are tried with a fork each, too")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--docker", default="", help="an image with git, Python and pytest")
    parser.add_argument("--python", default="python3", help="in the container")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    try:
        rows = measured(asked)
    except (SweAgentError, subprocess.SubprocessError) as error:
        told = (error.message, error.fix) if isinstance(error, SweAgentError) else (str(error), "")
        print(*filter(None, told), file=sys.stderr)
        return 2
    print(table(rows))
    return 0


def measured(asked: argparse.Namespace) -> list[Row]:
    """The rows of all that is asked for, told and kept as they come."""
    quixbugs = asked.repo.resolve()
    rows: list[Row] = []
    for program in wanted(quixbugs, asked.programs, asked.limit):
        rows.append(measure(quixbugs, program, asked))
        print(table(rows[-1:]).splitlines()[1], flush=True)
        if asked.json:
            found: dict[str, Any] = {"programs": [asdict(row) for row in rows]}
            found["median"] = {name: median(getattr(row, name) for row in rows) for name in ("ours", "forks", "starts")}
            asked.json.write_text(json.dumps(found, indent=1))
    return rows


if __name__ == "__main__":
    sys.exit(main())
