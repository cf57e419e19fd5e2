"""Repair of bugs planted in well-tested packages, without a model: how many pass the suite, how many are as before.

    python -m benchmarks.planted --repos DIR --half tuning --bugs FILE [--limit N] [--only ID,..] [--json OUT]
    python -m benchmarks.planted --repos DIR --half held-out --bugs FILE --make

DIR holds the packages of `benchmarks/_planting.py` as git repositories, NAME or OWNER+NAME/repo. FILE is the list of
bugs; `--make`, or a FILE that is not there yet, makes it, by seed, and says its SHA-256 and nothing of what is in it.
A function belongs to one half only. For each bug the search runs on a copy without a history; its first plausible
edits, one of each behaviour, are put to the package's whole suite in a fresh process, as the strategy does, and the
first that passes is compared with the original: the same tree, or the same answers to at least 200 calls recorded
from the suite and varied. Rows that OUT has already are not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from agent.repair.repair_search import RepairTask, SearchResult, search
from benchmarks._planting import PACKAGES, Room, named, room, run_suite, sources
from benchmarks._planting_equal import agreement, normal
from benchmarks._planting_make import HALVES, Bug, make, read, write
from trajectories.errors import SweAgentError, UsageError

if TYPE_CHECKING:
    from aci.repair.candidate_evaluator import Candidate

SECONDS = 60.0
PROOFS = 4
"""Behaviours that are put to the suite, as the strategy does."""


@dataclass(frozen=True)
class Row:
    """What came of one bug. `plausible` edits passed in the search; `chosen` is the behaviour that passed the suite,
    1 the first, 0 none. `equal`: how the chosen one was compared (see `Agreement`), over so many `inputs`.

    `any_equal`: whether one of the plausible edits gives the original's tree. `cpu` in seconds of the target.
    """

    id: str
    package: str
    operator: str
    what: str
    failing: int
    plausible: int = 0
    chosen: int = 0
    equal: str = ""
    inputs: int = 0
    any_equal: bool = False
    tried: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    suspect: int = 0
    """Rank of the first suspected line that the bug's edit touches; 0 if none is."""
    template: str = ""
    edit: str = ""
    why: str = ""

    @property
    def is_repaired(self) -> bool:
        return self.chosen > 0

    @property
    def is_equal(self) -> bool:
        return self.equal in ("tree", "inputs")


def measure(repos: Path, bug: Bug, cpu_seconds: float) -> Row:
    """Plant a bug, search, and judge what was found."""
    package = named(bug.package)
    original = sources(repos, package)[bug.path]
    with room(repos, package, {bug.path: bug.apply(original)}) as place:
        before = run_suite(place.workspace, package)
        failing = [test for test in before.failed if test in bug.failing]
        row = Row(bug.id, bug.package, bug.operator, bug.what, len(failing))
        question = RepairTask(place.workspace, place.trees, place.tree, failing, before.passed, package.command)
        try:
            found = search(question, cpu_seconds, Event())
        except SweAgentError as error:
            return replace(row, why=error.message)
        hits = [one for each in found.choice.behaviours for one in (each.candidate, *each.alike)]
        row = replace(
            row,
            plausible=len(hits),
            any_equal=any(_gives(found, hit, bug.path, original) for hit in hits),
            tried=found.tried,
            cpu=round(found.cpu, 1),
            seconds=round(found.seconds, 1),
            suspect=_rank(found, bug, original),
            why=found.why,
        )
        return _proven(place, found, bug, original, {*failing, *before.passed}, row)


def _proven(place: Room, found: SearchResult, bug: Bug, original: bytes, wanted: set[str], row: Row) -> Row:
    """Put behaviours to the whole suite; the first that passes is compared with the original."""
    package, workspace = named(bug.package), place.workspace
    for number, behaviour in enumerate(found.choice.behaviours[:PROOFS], 1):
        hit = behaviour.candidate
        old, new = workspace.read(hit.path), found.new_text(hit).encode()
        workspace.write(hit.path, new)
        after = run_suite(workspace, package)
        workspace.write(hit.path, old)
        if wanted <= set(after.passed):
            row = replace(row, chosen=number, template=hit.template, edit=hit.description)
            if hit.path != bug.path:
                return replace(row, equal="unknown", why=f"{hit.path} is edited")
            same = agreement(workspace, package.command, bug.path, original, new, [bug.function])
            return replace(row, equal=same.how, inputs=same.inputs, why=same.told)
    return row


def _gives(found: SearchResult, hit: Candidate, path: str, original: bytes) -> bool:
    try:
        return hit.path == path and normal(found.new_text(hit).encode()) == normal(original)
    except (SyntaxError, ValueError):
        return False


def _rank(found: SearchResult, bug: Bug, original: bytes) -> int:
    """The rank among suspected lines of the first that the bug is at, as the planted file numbers them."""
    lines: set[int] = set()
    grown = 0
    for start, end, text in sorted(bug.edits):
        first = original.count(b"\n", 0, start) + 1 + grown
        lines |= set(range(first, first + max(1, text.count("\n"))))
        grown += text.count("\n") - original.count(b"\n", start, end)
    places = ((one.path, one.line) for one in found.suspects)
    return next((rank for rank, (path, line) in enumerate(places, 1) if path == bug.path and line in lines), 0)


def report(rows: Sequence[Row]) -> str:
    """Tables by package and by operator, and the sums."""
    text = []
    by: tuple[tuple[str, Callable[[Row], str]], ...] = (
        ("package", lambda row: row.package),
        ("operator", lambda row: row.operator),
    )
    for title, key in by:
        text.append(f"\n| {title} | bugs | plausible | pass the suite | equal | any equal | median CPU s |")
        text.append("|---|---|---|---|---|---|---|")
        for name in (*sorted({key(row) for row in rows}), "all"):
            some = [row for row in rows if name in (key(row), "all")]
            cpu = sorted(row.cpu for row in some)[len(some) // 2] if some else 0.0
            counts = (
                len(some),
                sum(row.plausible > 0 for row in some),
                sum(row.is_repaired for row in some),
                sum(row.is_equal for row in some),
                sum(row.any_equal or row.is_equal for row in some),
            )
            text.append(f"| {name} | {' | '.join(map(str, counts))} | {cpu:.1f} |")
    return "\n".join(text)


def _line(row: Row) -> str:
    said = f"{row.id:30} {row.operator:20} {row.failing:3} failing {row.plausible:3} plausible"
    said += f" {'suite' if row.is_repaired else '-':5} {row.equal or '-':8} {row.inputs:4}"
    said += f" {row.tried:7} tried {row.cpu:6.1f} s, suspect {row.suspect:3}"
    return f"{said}  {row.template} {row.edit} {row.why}"


def _made(repos: Path, half: str, count: int, names: Sequence[str], file: Path) -> None:
    """Add the bugs of the packages that the list has none of, and say what it hashes to."""
    bugs = read(file) if file.exists() else []
    for package in PACKAGES:
        if package.name in names and not any(bug.package == package.name for bug in bugs):
            bugs += make(repos, package, half, count)
            bugs.sort(key=lambda bug: [one.name for one in PACKAGES].index(bug.package))
            sum_of_it = write(file, half, bugs)
            print(f"{package.name}: {len(bugs)} bugs, SHA-256 {sum_of_it}", flush=True)


def _sample(bugs: Sequence[Bug], limit: int) -> list[Bug]:
    """So many bugs, of each package as many as of the others."""
    if not limit:
        return list(bugs)
    seats = {package.name: [bug for bug in bugs if bug.package == package.name] for package in PACKAGES}
    dealt = [bug for turn in range(len(bugs)) for one in seats.values() for bug in one[turn : turn + 1]]
    return dealt[:limit]


def _rows(file: Path | None) -> dict[str, Row]:
    """What an earlier run has come to, by the bug."""
    found = json.loads(file.read_text())["rows"] if file and file.exists() else []
    return {one["id"]: Row(**one) for one in found}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repos", type=Path, required=True)
    parser.add_argument("--half", choices=HALVES, required=True)
    parser.add_argument("--bugs", type=Path, required=True, metavar="FILE")
    parser.add_argument("--make", action="store_true", help="only make the list")
    parser.add_argument("--each", type=int, default=6, metavar="N", help="bugs to make in each package")
    parser.add_argument("--packages", default=",".join(one.name for one in PACKAGES), metavar="NAME,..")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of the target's CPU, for each search")
    parser.add_argument("--limit", type=int, default=0, metavar="N")
    parser.add_argument("--only", default="", metavar="ID,..")
    parser.add_argument("--json", type=Path, metavar="OUT")
    asked = parser.parse_args(arguments)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    try:
        rows = _measured(asked)
    except (SweAgentError, OSError) as error:
        told = (error.message, error.fix) if isinstance(error, SweAgentError) else (str(error),)
        print(*told, file=sys.stderr)
        return 2
    if not asked.make:
        print(report(rows))
    return 0


def _measured(asked: argparse.Namespace) -> list[Row]:
    """The rows of all bugs that are asked for, told and kept as they come; none where only the list is made."""
    repos, names = asked.repos.resolve(), asked.packages.split(",")
    for name in names:
        named(name)
    if asked.make or not asked.bugs.exists():
        _made(repos, asked.half, asked.each, names, asked.bugs)
    if asked.make:
        return []
    if json.loads(asked.bugs.read_text())["half"] != asked.half:
        raise UsageError(f"{asked.bugs} is not the {asked.half} half.", "Name the other file, or the other half.")
    listed = [bug for bug in read(asked.bugs) if bug.package in names]
    only = asked.only.split(",") if asked.only else [bug.id for bug in listed]
    if strange := set(only) - {bug.id for bug in listed}:
        raise UsageError(f"{asked.bugs} has no bug {min(strange)!r} of these packages.", "See the list for its names.")
    done = _rows(asked.json)
    rows: list[Row] = []
    for bug in _sample([bug for bug in listed if bug.id in only], asked.limit):
        rows.append(done.pop(bug.id) if bug.id in done else measure(repos, bug, asked.seconds))
        print(_line(rows[-1]), flush=True)
        if asked.json:
            kept = {"half": asked.half, "rows": [asdict(one) for one in (*rows, *done.values())]}
            asked.json.write_text(json.dumps(kept, indent=1))
    return rows


if __name__ == "__main__":
    sys.exit(main())
