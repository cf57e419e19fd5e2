"""Is a false fix sold where tests are too weak? QuixBugs programs with their tests cut down to one or two cases.

    python -m benchmarks.weak_tests --repo DIR [--limit N] [--programs a,b] [--seed S] [--seconds C] [--fix] [--json F]

DIR is a checkout of QuixBugs. Of each program that has its cases in a file, one failing case is kept and, for every
other program, one more, by seed; then the search runs as in `benchmarks.quixbugs`. What it would put to the proof
without a doubt counts as `verified`. `WRONG`: verified, and not the reference's behaviour; that should be none.
`right`: verified, and the reference's. Of the others, `shown` says whether one of the behaviours that the user may
choose from is the reference's. With `--fix` the whole `swe-agent fix` runs as well, whatever the search says, and its
own verdict is set beside its own patch: that is what a user is sold.
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
from agent.repair.edit_selection import SHOWN
from agent.repair.repair_search import RepairTask, search
from benchmarks.quixbugs import COMMAND, build, programs, score
from trajectories.git_store.trees import Trees

CPU_SECONDS = 30.0
FIX_SECONDS = 600.0
"""After which a whole `fix`, by the clock, is an error."""


@dataclass(frozen=True)
class Row:
    """What came of one program with `cases` of its tests, of which `failing` failed."""

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
    """What `swe-agent fix` says, "" where it was not run; `fixed`: its patch has the reference's behaviour."""
    fixed: bool = False

    @property
    def sold(self) -> str:
        """The verdict of `swe-agent fix`, and whether it is to be believed where it says `verified`."""
        if self.verdict != "verified":
            return self.verdict
        return "verified right" if self.fixed else "verified WRONG"

    @property
    def told(self) -> str:
        if not self.behaviours:
            return "nothing found"
        if self.verified:
            return "right" if self.correct else "WRONG"
        return "doubted, shown" if self.shown else "doubted"


def cases(folder: Path) -> list[str]:
    """The names of the tests, in the order of the cases in the file."""
    command = [*shlex.split(COMMAND), "--collect-only"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [line for line in ran.stdout.splitlines() if "::" in line]


def cut(folder: Path, program: str, failing: list[int], count: int, chance: random.Random) -> None:
    """Leave so many of the program's cases, one of the failing ones among them, and commit."""
    file = folder / "json_testcases" / f"{program}.json"
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    kept = {chance.choice(failing)}
    rest = [number for number in range(len(lines)) if number not in kept]
    kept |= set(chance.sample(rest, min(len(rest), count - 1)))
    file.write_text("".join(f"{lines[number]}\n" for number in sorted(kept)))
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    subprocess.run(["git", "-C", str(folder), *person, "commit", "-qam", "Fewer tests", "--allow-empty"], check=True)


def opened(folder: Path, trees: Trees) -> tuple[Workspace, str]:
    repository = Repository.open(folder)
    base = repository.base(trees)
    return open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda text: None)), base.tree


def measure(quixbugs: Path, program: str, count: int, seed: int, cpu_seconds: float, fix: bool) -> Row | None:
    """None where no case of the program fails."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-weak-") as home:
        folder = build(quixbugs, program, Path(home) / program)
        with Trees(Path(home) / "whole.git") as trees:
            workspace, _ = opened(folder, trees)
            failed = run_tests(workspace, COMMAND).failed
            workspace.close()
        numbers = [number for number, test in enumerate(cases(folder)) if test in failed]
        if not numbers:
            return None
        cut(folder, program, numbers, count, random.Random(f"{program} {seed}"))
        with Trees(Path(home) / "cut.git") as trees:
            workspace, tree = opened(folder, trees)
            try:
                report = run_tests(workspace, COMMAND)
                question = RepairTask(workspace, trees, tree, report.failed, report.passed, COMMAND)
                found = search(question, cpu_seconds, Event())
            finally:
                workspace.close()
        behaviours, doubt = found.choice.behaviours, found.choice.doubt
        right = [_is_right(quixbugs, program, found.new_text(one.candidate)) for one in behaviours[:SHOWN]]
        verdict, text = _fixed(folder, program, Path(home) / "state") if fix else ("", "")
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


def _fixed(folder: Path, program: str, state: Path) -> tuple[str, str]:
    """The kind of verdict of `swe-agent fix --json` without a key, and the program's text with its patch, "" where it
    has none or does not end."""
    command = [sys.executable, "-c", "from swe_agent import main; main()", "fix", "--repo", str(folder), "--json"]
    command += ["--strategy", "templates", "--workspace", "local", "--test", COMMAND, "--text", "Tests fail"]
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    kept["SWE_AGENT_STATE"] = str(state)
    try:
        ran = subprocess.run(command, env=kept, capture_output=True, text=True, check=False, timeout=FIX_SECONDS)
        answer: dict[str, Any] = json.loads(ran.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return "error", ""
    kind = str(answer.get("verdict", {}).get("kind", "error"))
    return kind, patched(folder, answer.get("patch", ""), f"python_programs/{program}.py")


def patched(folder: Path, patch: str, path: str) -> str:
    """The text of a file once the patch is applied to the repository; "" without one."""
    if not patch:
        return ""
    subprocess.run(["git", "-C", str(folder), "apply"], input=patch, text=True, check=True)
    return (folder / path).read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=None, help="only the first N programs of the seed's order")
    parser.add_argument("--programs", default="", help="only these, separated by commas")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=CPU_SECONDS, help="CPU seconds of a search")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--fix", action="store_true", help="run the whole command too, and score its patch")
    asked = parser.parse_args()
    quixbugs = asked.repo.resolve()
    chosen = asked.programs.split(",") if asked.programs else programs(quixbugs)
    chosen = [one for one in chosen if (quixbugs / "json_testcases" / f"{one}.json").exists()]
    random.Random(asked.seed).shuffle(chosen)
    rows: list[Row] = []
    for number, program in enumerate(chosen[: asked.limit]):
        row = measure(quixbugs, program, 1 + number % 2, asked.seed, asked.seconds, asked.fix)
        if row is None:
            continue
        rows.append(row)
        head = f"{program:28} {row.cases} cases, {row.failing} failing, {row.behaviours:3} behaviours, {row.cpu:5.1f} s"
        print(f"{head}: {row.told:15} {row.sold} {row.edit}", flush=True)
        if asked.json:
            table = [{**asdict(one), "told": one.told, "sold": one.sold} for one in rows]
            asked.json.write_text(json.dumps(table, indent=1))
    print(f"{len(rows)} programs with too weak tests: {counted([row.told for row in rows])}")
    if asked.fix:
        print(f"What `swe-agent fix` says of them: {counted([row.sold for row in rows])}")


def counted(told: Sequence[str]) -> str:
    return ", ".join(f"{told.count(kind)} {kind}" for kind in sorted(set(told)))


if __name__ == "__main__":
    main()
