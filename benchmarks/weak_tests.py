"""False proofs with weak tests: QuixBugs programs whose tests are reduced to one or two cases.

    python -m benchmarks.weak_tests --repo DIR [--limit N] [--programs a,b] [--seed S] [--seconds C] [--fix] [--json F]

DIR is a checkout of QuixBugs. For each program whose cases are in a file, one failing case is kept and, for every other
program, one more, by seed. Then the search runs as in `benchmarks.quixbugs`. An edit that it would propose for proof
without a doubt counts as `verified`. `WRONG`: verified, but the behaviour differs from the reference; this should not
happen. `right`: verified, with the behaviour of the reference. For the others, `shown` means that one of the behaviours
offered to the user is that of the reference. With `--fix` the whole `swe-agent fix` also runs, whatever the search
finds, and its verdict is compared with its patch: this is the result that a user gets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from benchmarks.quixbugs import COMMAND, build, programs, score
from extensions.repair.edit_selection import SHOWN
from extensions.repair.repair_search import RepairTask, search
from trajectories.git_store.trees import Trees
from trajectories.verdict import COMPLETE

CPU_SECONDS = 30.0
FIX_SECONDS = 600.0
"""Wall-clock time after which a whole `fix` is an error."""


@dataclass(frozen=True)
class Row:
    """Result of one program with `cases` of its tests, of which `failing` failed."""

    program: str
    cases: int
    failing: int
    behaviours: int
    verified: bool
    correct: bool
    shown: bool
    cpu: float
    doubt: str = ""
    edit: str = ""
    verdict: str = ""
    """The verdict of `swe-agent fix`, or "" if it was not run."""
    fixed: bool = False
    """Whether the patch of `swe-agent fix` has the behaviour of the reference."""

    @property
    def fix_outcome(self) -> str:
        """The verdict of `swe-agent fix`; if its proof is complete, also whether the patch is right."""
        if self.verdict not in COMPLETE:
            return self.verdict
        return f"{self.verdict} right" if self.fixed else f"{self.verdict} WRONG"

    @property
    def search_outcome(self) -> str:
        """The result of the search."""
        if not self.behaviours:
            return "nothing found"
        if self.verified:
            return "right" if self.correct else "WRONG"
        return "doubted, shown" if self.shown else "doubted"


def cases(folder: Path) -> list[str]:
    """Names of the tests, in the order of the cases in the file."""
    command = [*shlex.split(COMMAND), "--collect-only"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [line for line in ran.stdout.splitlines() if "::" in line]


def cut(folder: Path, program: str, failing: list[int], count: int, chance: random.Random) -> None:
    """Reduce the program's cases to `count`, including a failing one, and commit."""
    file = folder / "json_testcases" / f"{program}.json"
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    remaining = {chance.choice(failing)}
    rest = [number for number in range(len(lines)) if number not in remaining]
    remaining |= set(chance.sample(rest, min(len(rest), count - 1)))
    file.write_text("".join(f"{lines[number]}\n" for number in sorted(remaining)))
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    subprocess.run(["git", "-C", str(folder), *person, "commit", "-qam", "Fewer tests", "--allow-empty"], check=True)


def open_program(folder: Path, trees: Trees) -> tuple[Workspace, str]:
    """Open a local workspace at the folder's last commit; return it and the commit's tree."""
    repository = Repository.open(folder)
    base = repository.base(trees)
    return open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda text: None)), base.tree


def measure(quixbugs: Path, program: str, count: int, seed: int, cpu_seconds: float, fix: bool) -> Row | None:
    """Measure one program; None if none of its cases fails."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-weak-") as home:
        folder = build(quixbugs, program, Path(home) / program)
        with Trees(Path(home) / "whole.git") as trees:
            workspace, _ = open_program(folder, trees)
            failed = run_tests(workspace, COMMAND).failed
            workspace.close()
        numbers = [number for number, test in enumerate(cases(folder)) if test in failed]
        if not numbers:
            return None
        cut(folder, program, numbers, count, random.Random(f"{program} {seed}"))
        with Trees(Path(home) / "cut.git") as trees:
            workspace, tree = open_program(folder, trees)
            try:
                report = run_tests(workspace, COMMAND)
                task = RepairTask(workspace, trees, tree, report.failed, report.passed, COMMAND)
                found = search(task, cpu_seconds, Event())
            finally:
                workspace.close()
        behaviours, doubt = found.choice.behaviours, found.choice.doubt
        right = [_is_right(quixbugs, program, found.new_text(one.candidate)) for one in behaviours[:SHOWN]]
        verdict, text = _run_fix(folder, program, Path(home) / "state") if fix else ("", "")
        return Row(
            program=program,
            cases=count,
            failing=len(report.failed),
            behaviours=len(behaviours),
            verified=bool(behaviours) and not doubt,
            correct=any(right[:1]),
            shown=any(right),
            cpu=round(found.cpu, 1),
            doubt=doubt,
            edit=f"{behaviours[0].candidate.line}: {behaviours[0].candidate.description}" if behaviours else "",
            verdict=verdict,
            fixed=bool(text) and _is_right(quixbugs, program, text),
        )


def _is_right(quixbugs: Path, program: str, text: str) -> bool:
    checked = score(quixbugs, program, text)
    return bool(0 < checked["inputs"] == checked["agree"])


def _run_fix(folder: Path, program: str, state: Path) -> tuple[str, str]:
    """Run `swe-agent fix --json` without an API key; return its verdict and the patched program.

    The program's text is empty if there is no patch or if the command does not end in time.
    """
    command = [sys.executable, "-c", "from swe_agent import main; main()", "fix", "--repo", str(folder), "--json"]
    command += ["--strategy", "templates", "--workspace", "local", "--test", COMMAND, "--text", "Tests fail"]
    env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    env["SWE_AGENT_STATE"] = str(state)
    try:
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=FIX_SECONDS)
        answer: dict[str, Any] = json.loads(ran.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return "error", ""
    kind = str(answer.get("verdict", {}).get("kind", "error"))
    return kind, patched(folder, answer.get("patch", ""), f"python_programs/{program}.py")


def patched(folder: Path, patch: str, path: str) -> str:
    """Apply the patch to the repository and return the text of a file; "" without a patch."""
    if not patch:
        return ""
    subprocess.run(["git", "-C", str(folder), "apply"], input=patch, text=True, check=True)
    return (folder / path).read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a checkout of QuixBugs")
    parser.add_argument("--limit", type=int, default=None, help="only the first N programs of the seed's order")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=CPU_SECONDS, help="CPU seconds for each search")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fix", action="store_true", help="also run the whole `swe-agent fix`, and score its patch")
    options = parser.parse_args()
    quixbugs = options.repo.resolve()
    chosen = options.programs.split(",") if options.programs else programs(quixbugs)
    chosen = [one for one in chosen if (quixbugs / "json_testcases" / f"{one}.json").exists()]
    random.Random(options.seed).shuffle(chosen)
    rows: list[Row] = []
    for number, program in enumerate(chosen[: options.limit]):
        row = measure(quixbugs, program, 1 + number % 2, options.seed, options.seconds, options.fix)
        if row is None:
            continue
        rows.append(row)
        head = f"{program:28} {row.cases} cases, {row.failing} failing, {row.behaviours:3} behaviours, {row.cpu:5.1f} s"
        print(f"{head}: {row.search_outcome:15} {row.fix_outcome} {row.edit}", flush=True)
        if options.json:
            table = [{**asdict(one), "told": one.search_outcome, "sold": one.fix_outcome} for one in rows]
            options.json.write_text(json.dumps(table, indent=1))
    print(f"{len(rows)} programs with weak tests: {format_counts([row.search_outcome for row in rows])}")
    if options.fix:
        print(f"Verdicts of `swe-agent fix`: {format_counts([row.fix_outcome for row in rows])}")


def format_counts(kinds: Sequence[str]) -> str:
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))


if __name__ == "__main__":
    main()
