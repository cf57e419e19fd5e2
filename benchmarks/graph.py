"""Cost of the code graph and of `swe-agent locate`: CPU seconds, wall seconds and memory of whole processes, compared
with other tools.

    python -m benchmarks.graph --repos DIR [--runs 3] [--project sympy/sympy@COMMIT:FUNCTION …]
                               [--visit owner/name …] [--aider PYTHON] [--locagent build_graph.py] [--json]

A project's git directory is `DIR/owner+name/repo`, without a work tree. The sides of a comparison run in turn, each in
a separate process. Medians are of CPU seconds, user and system, including child processes. The peers need a work tree,
which is unpacked into a temporary folder: `--aider` is a Python in which aider is installed, `--locagent` a file of
LocAgent. A peer that is not given is not measured. Our own bytecode is cached beforehand, as that of an installed
package is.

One more process localizes in several trees of each repository in `--visit`, one after the other. Its peak memory must
be about that of the largest tree.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks._archives import unpack_commit
from benchmarks.graph_sides import AIDER, LOCAGENT

PROJECTS = (
    "django/django@4142739af1cda53581af4169dbe16d6cd5e26948:force_str",
    "sympy/sympy@HEAD:sympify",
)
STEPS = 5
"""Number of consecutive commits; each is queried once."""
VISITED = ("django/django", "sympy/sympy", "sphinx-doc/sphinx", "pytest-dev/pytest", "pallets/flask")
TREES, APART = 3, 500
"""Number of trees of each visited repository, and of commits between them."""
OWN_PACKAGES = ("extensions", "agent", "aci", "tools", "trajectories", "swe_agent", "benchmarks")
OWN_MODULES = (
    "extensions",
    "agent",
    "aci",
    "tools",
    "trajectories",
    "benchmarks",
    "swe_agent",
    "__main__",
    "_",
    "site",
    "encodings",
)
WITH_BYTECODE = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
ISSUE = "The message is wrong when a model's field has no default\n\nSaving raises a TypeError in get_default().\n"


@dataclass(frozen=True)
class Cost:
    cpu: float
    wall: float
    megabytes: float
    """Peak memory of one process, in MiB."""


class Project(NamedTuple):
    name: str
    git_dir: Path
    commit: str
    function: str


class Row(NamedTuple):
    what: str
    cost: Cost | None
    against: str
    ratio: float | None
    goal: str


def cost(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Cost:
    """Measure a whole process and its children. Raises RuntimeError if it fails."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)),
            env={**WITH_BYTECODE, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(f"{command[:4]} ended with {process.returncode}: {errors.read()[-800:]!r}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def median(costs: Sequence[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*(asdict(one).values() for one in costs), strict=True)))


def measure_in_turn(sides: Mapping[str, Callable[[], Cost]], runs: int) -> dict[str, Cost]:
    """Measure several sides round by round; return the median of each."""
    taken: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(runs):
        for name, side in sides.items():
            taken[name].append(side())
    return {name: median(costs) for name, costs in taken.items()}


def side(name: str, *arguments: str | Path) -> Cost:
    return cost([sys.executable, "-m", "benchmarks.graph_sides", name, *arguments])


def cold(project: Project, folder: Path) -> Cost:
    """Build the graph on disk, without a cache."""
    shutil.rmtree(folder, ignore_errors=True)
    return side("build", project.git_dir, project.commit, folder)


def first_parents(git_dir: Path, commit: str, most: int) -> list[str]:
    """Return a commit and its first-parent ancestors, newest first."""
    git = ["git", "--git-dir", str(git_dir), "rev-list", "--first-parent", f"--max-count={most}", commit]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.split()


def next_commits(project: Project, folder: Path) -> Cost:
    """For consecutive commits, query the callers of a function; the previous commit's graph is cached."""
    shutil.rmtree(folder, ignore_errors=True)
    commits = first_parents(project.git_dir, project.commit, STEPS + 1)[::-1]
    side("build", project.git_dir, commits[0], folder)
    return median([side("callers", project.git_dir, commit, folder, project.function) for commit in commits[1:]])


def locate(project: Project, commit: str, issue: Path, *options: str) -> list[str | Path]:
    program = "import sys; from swe_agent import main; sys.exit(main())"
    flags = ("--repo", project.git_dir, "--base", commit, "--issue-file", issue, "--json")
    return [sys.executable, *options, "-c", program, "locate", *flags]


def locate_from_cold(project: Project, folder: Path, runs: int) -> dict[str, Cost]:
    """`swe-agent locate` with an empty cache, and at the commits that follow."""
    oldest, *later = first_parents(project.git_dir, project.commit, STEPS + 1)[::-1]
    issue, environment = issue_file(folder), {"SWE_AGENT_CACHE": str(folder)}
    firsts = []
    for _ in range(runs):
        shutil.rmtree(folder, ignore_errors=True)
        firsts.append(cost(locate(project, oldest, issue), environment))
    nexts = [cost(locate(project, commit, issue), environment) for commit in later]
    return {"first": median(firsts), "step": median(nexts)} if nexts else {"first": median(firsts)}


def issue_file(folder: Path) -> Path:
    """Write an issue beside a folder and return its path."""
    issue = folder.parent / "issue.md"
    issue.write_text(ISSUE, "utf-8")
    return issue


def libraries(command: Sequence[str | Path], environment: Mapping[str, str]) -> list[str]:
    """The third-party modules that a command imports, as reported by `-X importtime`."""
    ran = subprocess.run(
        list(map(str, command)), env={**WITH_BYTECODE, **environment}, capture_output=True, text=True, check=True
    )
    found = re.findall(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", ran.stderr, re.M)
    return [name for name in dict.fromkeys(found) if not name.startswith(OWN_MODULES)]


def warm_locate(project: Project, folder: Path, runs: int) -> dict[str, Cost]:
    """`swe-agent locate` with a cached graph, and a process that imports the same modules and opens the database."""
    environment = {"SWE_AGENT_CACHE": str(folder)}
    issue = issue_file(folder)
    cost(locate(project, project.commit, issue), environment)
    modules = libraries(locate(project, project.commit, issue, "-X", "importtime"), environment)
    sides = {
        "locate": lambda: cost(locate(project, project.commit, issue), environment),
        "bare": lambda: side("bare", folder, *modules),
    }
    return measure_in_turn(sides, runs)


def unpack(project: Project, folder: Path) -> Path:
    """Unpack the files of the commit, for peers that need a work tree."""
    unpack_commit(project.git_dir, project.commit, folder / "files")
    return folder / "files"


def peers(project: Project, folder: Path, aider: str, locagent: str) -> dict[str, Cost]:
    """Measure the given peers, once each because they are slow."""
    found = {}
    if aider or locagent:
        files = unpack(project, folder)
        if aider:
            found["aider's repo map"] = cost([aider, "-c", AIDER, files], {"HOME": str(folder)})
        if locagent:
            found["LocAgent's graph"] = cost([sys.executable, "-c", LOCAGENT, files, locagent])
    return found


def measure(project: Project, runs: int, aider: str, locagent: str) -> list[Row]:
    is_django = project.name.endswith("django")
    with tempfile.TemporaryDirectory(prefix="swe-agent-graph-") as name:
        folder = Path(name)
        sides = {
            "ours": lambda: cold(project, folder / "cold"),
            "parse": lambda: side("parse_and_query", project.git_dir, project.commit),
        }
        costs = measure_in_turn(sides, runs)
        costs |= {"next": next_commits(project, folder / "next")}
        costs |= {"query": side("callers", project.git_dir, project.commit, folder / "cold", project.function)}
        costs |= locate_from_cold(project, folder / "first", runs)
        costs |= warm_locate(project, folder / "cold", runs)
        costs |= peers(project, folder, aider, locagent)
    ours = costs["ours"]

    def row(what: str, key: str, against: str, goal: str = "") -> Row:
        one, other = costs.get(key), costs.get(against)
        ratio = one.cpu / other.cpu if one and other else None
        return Row(what, one, f"of {against}" if against != "ours" else "of cold", ratio, goal)

    return [
        Row("parse and query", costs["parse"], "", None, ""),
        Row("cold graph on disk", ours, "of parse and query", ours.cpu / costs["parse"].cpu, "at most 3"),
        row("aider's repo map, cold", "aider's repo map", "ours", f"at least {2.5 if is_django else 1.5}"),
        row("LocAgent's graph", "LocAgent's graph", "ours", "at least 30" if is_django else ""),
        row("next commit and a query", "next", "ours", "at most 0.05"),
        row("callers, warm", "query", "ours"),
        row("locate, empty cache", "first", "parse", "at most 10 s" if is_django else ""),
        row("locate, next commit", "step", "ours", "at most 1 s"),
        row("locate, warm", "locate", "bare", "at most 0.3 s"),
        row("the same imports, database open", "bare", "ours"),
    ]


def visit(names: Sequence[str], repos: Path) -> list[Row]:
    """Localize in several trees of each repository in one process, and in the first tree alone."""
    trees = [tree for name in names for tree in trees_of(project_of(name, repos))]
    if not trees:
        return []
    with tempfile.TemporaryDirectory(prefix="swe-agent-graph-") as name:
        alone = side("localize", Path(name, "alone"), ISSUE, *trees[0])
        together = side("localize", Path(name, "together"), ISSUE, *(part for tree in trees for part in tree))
    what = f"{len(trees)} trees, one process"
    return [
        Row("first tree, one process", alone, "", None, ""),
        Row(what, together, "of the first's memory", together.megabytes / alone.megabytes, "at most 1.5"),
    ]


def trees_of(project: Project) -> list[tuple[str, str]]:
    """Return the git directory and the commit of the trees to visit; none if the repository is not there."""
    if not project.git_dir.is_dir():
        return []
    commits = first_parents(project.git_dir, project.commit or "HEAD", TREES * APART)[::APART]
    return [(str(project.git_dir), commit) for commit in commits]


def project_of(text: str, repos: Path) -> Project:
    """Parse `owner/name@commit:function`."""
    name, _, rest = text.partition("@")
    commit, _, function = rest.partition(":")
    candidates = [repos / name.replace("/", "+") / "repo", *repos.glob(f"*+{name.partition('/')[2]}/repo")]
    found = next((path for path in candidates if path.is_dir()), candidates[0])
    return Project(name, found, commit, function)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description="Cost of the code graph.")
    parser.add_argument("--repos", type=Path, required=True, help="folder with the git directories")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side; the median counts (default: 3)")
    parser.add_argument("--project", action="append", help=f"default: {' '.join(PROJECTS)}")
    parser.add_argument("--visit", action="append", help=f"default: {' '.join(VISITED)}")
    parser.add_argument("--aider", default="", help="a Python in which aider is installed")
    parser.add_argument("--locagent", default="", help="LocAgent's dependency_graph/build_graph.py")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs must be at least 1")
    root = Path(__file__).parents[1]
    cost([sys.executable, "-m", "compileall", "-q", *(root / package for package in OWN_PACKAGES)])
    tables = {}
    for text in options.project or PROJECTS:
        project = project_of(text, options.repos)
        rows = measure(project, options.runs, options.aider, options.locagent)
        tables[project.name] = rows
        if not options.json:
            show(text, rows)
    if rows := visit(options.visit or VISITED, options.repos):
        tables["memory"] = rows
        if not options.json:
            show("Several repositories", rows)
    if options.json:
        print(json.dumps({name: [_plain(row) for row in rows] for name, rows in tables.items()}))
    return 0


def _plain(row: Row) -> dict[str, object]:
    return {**row._asdict(), "cost": asdict(row.cost) if row.cost else None}


def show(title: str, rows: Sequence[Row]) -> None:
    print(f"{title}\n  {'':32} {'CPU s':>8} {'wall s':>8} {'MiB':>7}")
    for what, cost, against, ratio, goal in rows:
        if cost is None:
            print(f"  {what:32} not measured")
            continue
        figures = f"{cost.cpu:8.2f} {cost.wall:8.2f} {cost.megabytes:7.0f}"
        compared = f"  {ratio:7.3f} {against}" if ratio is not None else ""
        print(f"  {what:32} {figures}{compared}{f' (goal: {goal})' if goal else ''}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
