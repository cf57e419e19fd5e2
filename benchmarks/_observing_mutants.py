"""Test results and traces of mutants of fetched packages, observed as by the search.

Each mutant runs in a separate process with the tests that reach the mutated function. The results are written to a
cache with one file for each package.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from benchmarks._archives import unpack_commit
from benchmarks._mutating import Mutant, mutants
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.spectrum import belongs_to_tests
from extensions.experiment.source.source_file import Definition, Source
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import GitFailed
from trajectories.git_store.trees import Trees

TESTS, TESTS_OF_MUTANT = 80, 12
"""Tests used of a package, and for one mutant: those that run the fewest lines besides the function."""
TEST_SECONDS, SECONDS = 0.3, 120.0
"""Time limits of one test and of all tests for a mutant."""
SLOW_TEST = 0.15
"""Seconds from which a test is not used."""
FLOWS = 3
"""Number of failing tests whose order of steps is stored."""
PYTEST = f"{sys.executable} -m pytest -q -p no:cacheprovider"


@dataclass(frozen=True, slots=True)
class Package:
    """A repository at a commit: `files` is the prefix of its source paths, `tests` are arguments of pytest."""

    repository: str
    commit: str
    files: str
    tests: str
    path: str = "."

    @property
    def name(self) -> str:
        return self.repository.partition("/")[2]

    @property
    def command(self) -> str:
        return f"PYTHONPATH={self.path} PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 {PYTEST} -o addopts= {self.tests}"


PACKAGES = (
    Package("more-itertools/more-itertools", "2fe1b2eeb9d75f994113fe3ac76d14b6bcd6fb10", "more_itertools/", "tests"),
    Package("jab/bidict", "77ade420ab2274b11e75d68fd45ec789b6ca0bc6", "bidict/", "tests/test_bidict.py"),
    Package("life4/textdistance", "c3aca916bd756a8cb71114688b469ec90ef5b232", "textdistance/", "tests"),
    Package(
        "executablebooks/markdown-it-py",
        "2c3f71ec46c4259ca375fb40c9cd47385c6c304e",
        "markdown_it/",
        "tests/test_api tests/test_cmark_spec tests/test_port",
    ),
    Package(
        "python-attrs/attrs",
        "c1dc5dcba16ed827aa6dcad896b41a3afedb4e32",
        "src/attr/",
        "tests/test_make.py tests/test_funcs.py tests/test_dunders.py tests/test_filters.py tests/test_converters.py "
        "tests/test_validators.py tests/test_cmp.py tests/test_setattr.py",
        "src",
    ),
    Package("jquast/wcwidth", "614156bc9cb54d5c552abec07a09d72b8df4f841", "wcwidth/", "tests"),
    Package("foutaise/texttable", "b4c00a68626a58944e9bf4d48b1e8d758efa6edb", "texttable.py", "tests.py"),
)
"""Well tested packages in pure Python, none of which `benchmarks.planted` uses."""
UNRUN = (
    Package("prettytable/prettytable", "d7fd98561d004dce1f508ce7c6d75e9900e7d944", "src/prettytable/", ""),
    Package("marshmallow-code/marshmallow", "341b927f219205704728c05cd61f04d7e9727523", "src/marshmallow/", ""),
)
"""More packages, whose tests have unavailable dependencies."""


def observe_mutants(package: Package, repos: Path, wanted: int, file: Path, report: Callable[[str], Any]) -> None:
    """Write `wanted` mutants of a package, with the results of their tests, to a file of the cache."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-mutants-") as folder:
        home = Path(folder)
        checkout = _checkout(package, repos, home / "package")
        with Trees(home / "trees.git") as trees:
            repository = Repository.open(checkout)
            base = repository.base(trees)
            workspace = open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda text: None))
            try:
                listing = workspace.run(f"{package.command} --collect-only", timeout=SECONDS).text
                names = re.findall(r"^(\S+?::.+?)\s*$", listing, re.MULTILINE)
                names = sorted(random.Random(package.name).sample(names, min(TESTS, len(names))))
                observer = Observer(package, checkout, workspace, names)
                rows = list(observer.rows(wanted))
                report(f"{package.name}: {len(rows)} mutants observed, {observer.cpu:.0f} CPU seconds")
            finally:
                workspace.close()
    part = file.with_suffix(".part")
    with gzip.open(part, "wt") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    part.replace(file)


class Observer:
    """Runs the tests of one package on its mutants."""

    def __init__(self, package: Package, checkout: Path, workspace: Workspace, names: Sequence[str]) -> None:
        self.package, self.checkout, self.workspace = package, checkout, workspace
        self.cpu = 0.0
        self.size: Counter[str] = Counter()
        self.reach: dict[tuple[str, int], list[str]] = defaultdict(list)
        for one in self._trace(names):
            if one["outcome"] == "passed" and one["seconds"] < SLOW_TEST:
                for path, lines in one["lines"].items():
                    if path.startswith(package.files) and not belongs_to_tests(path):
                        self.size[one["test"]] += len(lines)
                        for line in lines:
                            self.reach[path, line].append(one["test"])

    def rows(self, wanted: int) -> Iterator[dict[str, Any]]:
        for mutant in self._mutants(wanted):
            original = (self.checkout / mutant.path).read_bytes()
            self.workspace.write(mutant.path, mutant.data)
            try:
                answers = self._trace(self._tests(mutant, self._function(mutant, original)))
            except UsageError:
                continue  # importing the mutant fails
            finally:
                self.workspace.write(mutant.path, original)
            flows = 0
            for answer in answers:
                flows += "flow" in answer
                if flows > FLOWS:
                    answer.pop("flow", None), answer.pop("calls", None)
            texts = {"original": original.decode(), "mutated": mutant.data.decode()}
            yield {"package": self.package.name, "kind": mutant.kind, "path": mutant.path, "answers": answers, **texts}

    def _trace(self, names: Sequence[str]) -> list[dict[str, Any]]:
        job = {"mode": "trace", "tests": [[name, TEST_SECONDS] for name in names], "cpu": SECONDS}
        with Evaluator(self.workspace, self.package.command, names, Event()) as evaluator:
            answers = evaluator.ask(job, SECONDS)
            self.cpu += evaluator.cpu
        return answers

    def _mutants(self, wanted: int) -> Iterator[Mutant]:
        """Yield mutants whose line or one of the next two is run; a file's chance is its number of functions."""
        rng = random.Random(f"{self.package.name}/files")
        paths = sorted({path for path, _ in self.reach})
        files = {path: (self.checkout / path).read_bytes() for path in paths}
        functions = [len(Source(path, data).functions) for path, data in files.items()]
        if not files:
            raise UsageError(f"No test of {self.package.name} reaches its code.", "Check that its tests run here.")
        streams = [mutants(path, data, f"{self.package.name}/{path}") for path, data in files.items()]
        for _ in range(20 * wanted):
            (stream,) = rng.choices(streams, functions)
            mutant = next(stream, None)
            if mutant and any((mutant.path, line) in self.reach for line in range(mutant.line, mutant.line + 3)):
                yield mutant
                wanted -= 1
                if not wanted:
                    return

    def _function(self, mutant: Mutant, original: bytes) -> Definition:
        """Return the outermost function that contains the change."""
        (function,) = (
            node
            for _, node in Source(mutant.path, original).functions
            if node.lineno <= mutant.line <= (node.end_lineno or node.lineno)
        )
        return function

    def _tests(self, mutant: Mutant, node: Definition) -> list[str]:
        """Return the tests that run the mutated function, those first that run the fewest other lines."""
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        tests = dict.fromkeys(test for line in lines for test in self.reach.get((mutant.path, line), ()))
        return sorted(tests, key=lambda test: (self.size[test], test))[:TESTS_OF_MUTANT]


def _checkout(package: Package, repos: Path, folder: Path) -> Path:
    """Check out the package at its commit as a repository with one commit."""
    fetched = repos / package.repository.replace("/", "+") / "repo"
    try:
        unpack_commit(fetched, package.commit, folder)
    except GitFailed:
        raise UsageError(
            f"{fetched} has no commit {package.commit[:12]} of {package.repository}.",
            "Fetch the repository to that folder; it may be bare.",
        ) from None
    user = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A", "-f"], [*user, "commit", "-q", "-m", "Package"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
    return folder
