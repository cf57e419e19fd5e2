"""The list of planted bugs: seeded random bugs that a test of the package's suite detects and that do not hang."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate
from pathlib import Path

from benchmarks._planting import Package, git, git_folder, named, open_package, run_suite, sources
from benchmarks._planting_code import Code, Edit, Operator, Slip
from benchmarks._planting_equal import changed, normal
from benchmarks._planting_expressions import OPERATORS as IN_EXPRESSIONS
from benchmarks._planting_history import reverts
from benchmarks._planting_statements import OPERATORS as IN_STATEMENTS

HALVES = ("tuning", "held-out")
REVERTED = "history_revert"
MAX_REVERTS, MAX_TRIES = 2, 3
MAX_FAILING = 1 / 3
"""Share of the suite; a bug that breaks more tests would be noticed at the first import."""


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug in a file of a package, the operator and place, and the tests of the suite that it makes fail."""

    id: str
    package: str
    commit: str
    operator: str
    path: str
    function: str
    line: int
    what: str
    edits: tuple[Edit, ...]
    failing: tuple[str, ...] = ()

    def apply(self, data: bytes) -> bytes:
        return Slip(self.line, self.edits, self.what).apply(data)


def half_of(package: str, path: str, function: str) -> str:
    """Return the half of a function. Each function is in one half only, so that the halves are independent."""
    return HALVES[hashlib.sha256(f"{package}:{path}:{function}".encode()).digest()[0] % 2]


def make(repos: Path, package: Package, half: str, count: int) -> list[Bug]:
    """Return `count` bugs in a half of a package, at most one per function, from as many operators as possible."""
    files = sources(repos, package)
    rng = random.Random(f"{package.name} {half} 11")
    found: list[Bug] = []
    with open_package(repos, package, {}) as opened:
        workspace = opened.workspace
        before = [run_suite(workspace, package) for _ in range(2)]
        stable = set(before[0].passed) & set(before[1].passed)
        for bug in offered(repos, package, half, files, rng):
            if len(found) >= count:
                break
            if any(one.function == bug.function and one.path == bug.path for one in found):
                continue
            if bug.operator == REVERTED and sum(one.operator == REVERTED for one in found) >= MAX_REVERTS:
                continue
            if bug.operator != REVERTED and any(one.operator == bug.operator for one in found):
                continue
            workspace.write(bug.path, bug.apply(files[bug.path]))
            after = run_suite(workspace, package)
            workspace.write(bug.path, files[bug.path])
            failing = tuple(test for test in after.failed if test in stable)
            if after.complete and 0 < len(failing) <= MAX_FAILING * len(stable):
                found.append(replace(bug, id=f"{package.name}-{half}-{len(found) + 1}", failing=failing))
    return found


def offered(repos: Path, package: Package, half: str, files: dict[str, bytes], rng: random.Random) -> Iterator[Bug]:
    """Yield bugs to try: first reverts from the history, then a few slips of each operator.

    The same state of `rng` yields the same bugs.
    """
    for one in reverts(repos, package, files):
        names = _changed_functions(files[one.path], one.data)
        if names and all(half_of(package.name, one.path, name) == half for name in names):
            line = Code(one.path, files[one.path]).functions[names[0]].lineno
            edits = line_edits(files[one.path], one.data)
            yield Bug("", package.name, package.commit, REVERTED, one.path, names[0], line, one.what, edits)
    tests = _read_tests(repos, package)
    codes = [Code(path, data) for path, data in sorted(files.items())]
    places = [
        (code, name)
        for code in codes
        for name in code.functions
        if half_of(package.name, code.path, name) == half and _is_named(name, tests)
    ]
    operators = [*IN_STATEMENTS, *IN_EXPRESSIONS]
    rng.shuffle(operators)
    for operator in operators:
        yield from _slips(package, operator, places, rng)


def _slips(
    package: Package, operator: Operator, places: Sequence[tuple[Code, str]], rng: random.Random
) -> Iterator[Bug]:
    offered = 0
    for code, name in rng.sample(places, len(places)):
        slips = list(operator(code, code.functions[name]))
        if not slips:
            continue
        slip = rng.choice(slips)
        try:
            if normal(slip.apply(code.data)) == normal(code.data):
                continue
        except (SyntaxError, ValueError):
            continue
        kind = operator.__name__
        yield Bug("", package.name, package.commit, kind, code.path, name, slip.line, slip.what, slip.edits)
        offered += 1
        if offered >= MAX_TRIES:
            return


def _changed_functions(before: bytes, after: bytes) -> list[str]:
    """Return the functions that differ, or an empty list if something else differs, too."""
    try:
        names, elsewhere = changed(before, after)
    except (SyntaxError, ValueError):
        return []
    return [] if elsewhere else names


def line_edits(before: bytes, after: bytes) -> tuple[Edit, ...]:
    """Return an edit for each run of lines that differ."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most, tail = min(len(old), len(new)) - head, 0
    while tail < most and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    changed_old, changed_new = old[head : len(old) - tail], new[head : len(new) - tail]
    starts = list(accumulate(map(len, old), initial=0))
    return tuple(
        (starts[head + i], starts[head + j], b"".join(changed_new[k:m]).decode())
        for kind, i, j, k, m in SequenceMatcher(None, changed_old, changed_new, autojunk=False).get_opcodes()
        if kind != "equal"
    )


def _read_tests(repos: Path, package: Package) -> str:
    """Return the text of the suite."""
    folder = git_folder(repos, package)
    listed = git(folder, "ls-tree", "-r", "--name-only", package.commit, f"{package.tests}/").decode().splitlines()
    files = [git(folder, "show", f"{package.commit}:{path}") for path in listed if path.endswith(".py")]
    return b"\n".join(files).decode("utf-8", "replace")


def _is_named(name: str, tests: str) -> bool:
    """Return whether the suite names a function, or the class of a private one; it hardly ever runs others."""
    owner, _, last = name.rpartition(".")
    return last in tests if not last.startswith("_") else (not owner or owner in tests)


def write(file: Path, half: str, bugs: Sequence[Bug]) -> str:
    """Write a list of bugs and return its SHA-256."""
    text = json.dumps({"half": half, "bugs": [asdict(bug) for bug in bugs]}, indent=1)
    file.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def read(file: Path) -> list[Bug]:
    """Read a list of bugs. Raises UsageError for an unknown package."""
    found = []
    for one in json.loads(file.read_text())["bugs"]:
        named(one["package"])
        edits = tuple((start, end, text) for start, end, text in one["edits"])
        found.append(Bug(**one | {"edits": edits, "failing": tuple(one["failing"])}))
    return found
