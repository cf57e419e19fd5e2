"""Tests written by `swe-agent test` without a model, compared with Pynguin's: coverage and detected mutants.

    python -m benchmarks.generated_tests --repos DIR --pynguin PYTHON [--seconds 60] [--only NAME,..] [--json OUT]

DIR holds the packages as git repositories, NAME or OWNER+NAME/repo. PYTHON is one with Pynguin, pytest and coverage;
both sides' tests are written for it, and run in it. Each side works on a checkout without the package's own tests, so
the initial coverage is zero. `--seconds` limits the total wall-clock time of our command, but only the search of
Pynguin, which has no other limit; the table shows the total seconds of both. Lines and branches are measured by
coverage.py. The mutants come from `benchmarks/_mutating.py` (published fix patterns, reversed), which neither side
knows. A test that does not pass twice on the unchanged code is not counted. A side that OUT already contains is not
measured again.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aci.repository.test_files import is_test
from benchmarks._mutating import mutants

SUBREAPER = 36
"""The `prctl` option PR_SET_CHILD_SUBREAPER of Linux: orphaned descendants become our children."""
MUTANTS, SEED = 40, "tests"
SCORING = Path(__file__).with_name("_scoring_tests.py")
SPARE = 600.0
"""Seconds that a side may take in addition to `--seconds`."""


@dataclass(frozen=True)
class Module:
    """A module of a package: its repository, its file, and the folder of the repository that is its import root."""

    package: str
    path: str
    folder: str = "."

    @property
    def name(self) -> str:
        path = self.path.removeprefix(f"{self.folder}/").removesuffix(".py").removesuffix("/__init__")
        return path.replace("/", ".")


MODULES = (
    Module("mahmoud+boltons", "boltons/mathutils.py"),
    Module("pytoolz+toolz", "toolz/dicttoolz.py"),
    Module("caesar0301+treelib", "treelib/node.py"),
    Module("grantjenks+python-sortedcontainers", "src/sortedcontainers/sorteddict.py", "src"),
    Module("tkem+cachetools", "src/cachetools/__init__.py", "src"),
    Module("pytoolz+toolz", "toolz/itertoolz.py"),
    Module("mahmoud+boltons", "boltons/listutils.py"),
    Module("astanin+python-tabulate", "tabulate/__init__.py"),
)


@dataclass(frozen=True)
class Side:
    """Results of one side.

    `coverage`: covered lines, lines, covered branches, branches. `trouble`: the reason if there are no tests.
    """

    tests: int = 0
    unsteady: int = 0
    coverage: tuple[int, int, int, int] = (0, 0, 0, 0)
    killed: int = 0
    mutants: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    trouble: str = ""

    def shares(self) -> list[float]:
        lines, every, branches, all_branches = self.coverage
        pairs = ((lines, every), (branches, all_branches), (self.killed, self.mutants))
        return [have / whole if whole else 0.0 for have, whole in pairs]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.generated_tests")
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--pynguin", type=Path, required=True, metavar="PYTHON")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path, metavar="OUT")
    options = parser.parse_args(arguments)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)
    known: dict[str, dict[str, Any]] = (
        json.loads(options.json.read_text()) if options.json and options.json.exists() else {}
    )
    rows: list[tuple[str, Side, Side]] = []
    for module in MODULES:
        if options.only and module.name not in options.only.split(","):
            continue
        sides = known.setdefault(module.name, {})
        for name, write in (("ours", _write_ours), ("pynguin", _write_pynguin)):
            if name not in sides:
                sides[name] = asdict(measure(module, write, options.repos, options.pynguin.absolute(), options.seconds))
                if options.json:
                    options.json.write_text(json.dumps(known, indent=1) + "\n")
        rows.append((module.name, Side(**sides["ours"]), Side(**sides["pynguin"])))
        print(_line(*rows[-1]), file=sys.stderr, flush=True)
    print(table(rows))
    return 0


Write = Callable[[Module, Path, Path, Path, float], tuple[list[str], str]]
"""Writes tests of a module into its checkout; returns (their paths, the reason if there are none)."""


def measure(module: Module, write: Write, repos: Path, python: Path, seconds: float) -> Side:
    """Measure one side, on a separate checkout."""
    source = next(one for one in (repos / module.package / "repo", repos / module.package) if one.is_dir())
    with tempfile.TemporaryDirectory(prefix="generated-") as name:
        place = Path(name)
        root = _checkout(source, place / "src")
        mutated = itertools.islice(mutants(module.path, (root / module.path).read_bytes(), SEED), MUTANTS)
        texts = [one.data.decode() for one in mutated]
        began, used = time.monotonic(), _cpu()
        tests, trouble = write(module, root, place, python, seconds)
        took, cpu = time.monotonic() - began, _cpu() - used
        scored = _score(module, root, place, python, tests, texts) if tests else {}
        return _build_side(scored, len(texts), took, cpu, trouble)


def _checkout(source: Path, root: Path) -> Path:
    """Copy the package without its tests and their configuration into a repository with one commit."""
    subprocess.run(["git", "clone", "-q", str(source), str(root)], check=True)
    for file in sorted(root.rglob("*.py")):
        if is_test(file.relative_to(root).as_posix()):
            file.unlink()
    for name in ("tox.ini", "pytest.ini", "setup.cfg", "conftest.py"):
        (root / name).unlink(missing_ok=True)
    shutil.rmtree(root / ".git")
    identity = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True)
    return root


def _write_ours(module: Module, root: Path, place: Path, python: Path, seconds: float) -> tuple[list[str], str]:
    state = {f"SWE_AGENT_{name}": str(place / name.lower()) for name in ("STATE", "CONFIG", "CACHE")}
    paths = {"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHONPATH": ""}
    # The program itself runs under our Python; in the workspace, PYTHON comes first on the path.
    arguments = [sys.executable, "-c", "from swe_agent import main; main()", "test", "--apply", "--json"]
    arguments += ["--repo", str(root), "--function", module.path, "--workspace", "local", "--max-time", str(seconds)]
    if module.folder != ".":
        arguments += ["--test", f"PYTHONPATH={module.folder} {python} -m pytest"]
    ran = subprocess.run(
        arguments,
        env={**os.environ, **state, **paths},
        capture_output=True,
        text=True,
        timeout=seconds + SPARE,
        check=False,
    )
    changed = subprocess.run(
        ["git", "-C", str(root), "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True
    )
    tests = [line[3:] for line in changed.stdout.splitlines() if line.endswith(".py")]
    return tests, "" if tests else (ran.stderr or ran.stdout).strip()[-200:]


def _write_pynguin(module: Module, root: Path, place: Path, python: Path, seconds: float) -> tuple[list[str], str]:
    out = root / "pynguin_tests"
    arguments = [str(python), "-m", "pynguin", "--project-path", str(root / module.folder), "--output-path", str(out)]
    arguments += ["--module-name", module.name, "--maximum-search-time", str(int(seconds)), "--seed", "1"]
    env = {**os.environ, "PYNGUIN_DANGER_AWARE": "1"}
    try:
        ran = subprocess.run(
            arguments, env=env, cwd=place, capture_output=True, text=True, timeout=seconds + SPARE, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"it did not end within {seconds + SPARE:.0f} s"
    tests = [one.relative_to(root).as_posix() for one in sorted(out.glob("test_*.py"))] if out.is_dir() else []
    return tests, "" if tests else " ".join((ran.stderr or ran.stdout).split())[-200:]


def _score(module: Module, root: Path, place: Path, python: Path, tests: list[str], texts: list[str]) -> dict[str, Any]:
    job = {"root": str(root), "path": module.path, "tests": tests, "mutants": texts}
    job["path_entries"] = [str(root / module.folder), str(root)]
    (place / "job.json").write_text(json.dumps(job))
    ran = subprocess.run(
        [str(python), str(SCORING), str(place / "job.json")], capture_output=True, text=True, timeout=3600, check=False
    )
    lines = ran.stdout.strip().splitlines()
    try:
        return dict(json.loads(lines[-1]))
    except (IndexError, ValueError):
        raise RuntimeError(f"The tests cannot be scored: {ran.stderr[-500:]}") from None


def _build_side(scored: dict[str, Any], count: int, seconds: float, cpu: float, trouble: str) -> Side:
    if not scored:
        return Side(mutants=count, seconds=seconds, cpu=cpu, trouble=trouble or "it wrote no tests")
    lines, every, branches, all_branches = scored["coverage"] or (0, 0, 0, 0)
    reach = lines, every, branches, all_branches
    return Side(scored["tests"], scored["unsteady"], reach, scored["killed"], count, seconds, cpu)


def _cpu() -> float:
    """CPU seconds of all terminated child processes, including adopted orphans."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


HEAD = (
    "| module | lines | branches | mutants detected | tests | seconds (CPU) | Pynguin: lines | branches "
    "| mutants detected | tests | seconds (CPU) |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def table(rows: Sequence[tuple[str, Side, Side]]) -> str:
    """Format the rows as a Markdown table."""
    lines = [HEAD, *(_line(*row) for row in rows)]
    if rows:
        sides = [ours for _, ours, _ in rows], [other for _, _, other in rows]
        means = [[sum(side.shares()[part] for side in each) / len(each) for part in range(3)] for each in sides]
        lines.append(
            "| mean | " + " | | | ".join(" | ".join(f"{one:.0%}" for one in side) for side in means) + " | | |"
        )
    return "\n".join(lines)


def _line(name: str, ours: Side, other: Side) -> str:
    return f"| {name} | {_cells(ours)} | {_cells(other)} |"


def _cells(side: Side) -> str:
    took = f"{side.seconds:.0f} ({side.cpu:.0f})"
    if side.trouble:
        return f"no tests: {side.trouble.replace('|', '/')} | | 0/{side.mutants} | 0 | {took}"
    lines, branches, killed = side.shares()
    tests = f"{side.tests}" + (f" (+{side.unsteady} that fail)" if side.unsteady else "")
    return f"{lines:.0%} | {branches:.0%} | {side.killed}/{side.mutants} ({killed:.0%}) | {tests} | {took}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
