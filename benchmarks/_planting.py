"""Packages for planted bugs, which must be fetched beforehand, and workspaces with one package and its test suite."""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aci.repository.user_repository import Repository
from aci.runtime.workspace import Workspace, WorkspaceOptions, open_workspace
from aci.testing.suite_run import run_tests
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

PERSON = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
SUITE_CPU, SUITE_SECONDS = 60, 900.0
"""CPU and wall-clock seconds after which a suite counts as hanging; each suite takes less than ten CPU seconds."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package in pure Python on GitHub at a commit, with the folders of its source and its test suite."""

    name: str
    repository: str
    commit: str
    source: str
    tests: str

    @property
    def command(self) -> str:
        python = shlex.quote(sys.executable)
        return f"PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 {python} -m pytest -q -p no:cacheprovider {self.tests}"


PACKAGES = (
    Package("toolz", "pytoolz/toolz", "568c2b8393973cd172a466546c9d95779c452438", "toolz", "toolz/tests"),
    Package("boltons", "mahmoud/boltons", "967864f89791509f9eb36b22b4579d36b72a6df2", "boltons", "tests"),
    Package("cachetools", "tkem/cachetools", "28d4506f2a49d781ffbcecb095fa7aba5bb80aff", "src/cachetools", "tests"),
    Package("treelib", "caesar0301/treelib", "f3b9c9dd69cc4548928dd6508d021fc0c4f1ca04", "treelib", "tests"),
    Package("tabulate", "astanin/python-tabulate", "268615a5c27dc40e5c22454c07b44d5c50410da0", "tabulate", "test"),
    Package(
        "sortedcontainers",
        "grantjenks/python-sortedcontainers",
        "3ac358631f58c1347f1d6d2d92784117db0f38ed",
        "src/sortedcontainers",
        "tests",
    ),
)


@dataclass(frozen=True, slots=True)
class Suite:
    """The result of a run of a package's suite: names of tests, and whether all of them finished in time."""

    failed: tuple[str, ...]
    passed: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class PackageWorkspace:
    """A local workspace with a package, and its base tree."""

    workspace: Workspace
    trees: Trees
    tree: str


def named(name: str) -> Package:
    """Return the package with this name. Raises UsageError if it is unknown."""
    for package in PACKAGES:
        if package.name == name:
            return package
    raise UsageError(f"Unknown package {name!r}.", f"Known packages: {', '.join(one.name for one in PACKAGES)}.")


def git_folder(repos: Path, package: Package) -> Path:
    """Return the package's git repository: OWNER+NAME/repo or NAME in the folder. Raises UsageError if missing."""
    for folder in (repos / package.repository.replace("/", "+") / "repo", repos / package.repository.split("/")[1]):
        if folder.exists():
            return folder
    raise UsageError(f"{package.name} was not found in {repos}.", f"git clone https://github.com/{package.repository}")


def git(folder: Path, *arguments: str) -> bytes:
    """Run git and return its output. Raises subprocess.CalledProcessError."""
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True).stdout


def sources(repos: Path, package: Package) -> dict[str, bytes]:
    """Return the package's Python files at its commit by path, without tests."""
    folder = git_folder(repos, package)
    listed = git(folder, "ls-tree", "-r", "--name-only", package.commit, f"{package.source}/").decode().splitlines()
    paths = [path for path in listed if path.endswith(".py") and "/tests/" not in path]
    return {path: git(folder, "show", f"{package.commit}:{path}") for path in paths}


@contextmanager
def planted(repos: Path, package: Package, files: Mapping[str, bytes]) -> Iterator[Path]:
    """Create a repository with one commit in a temporary folder: the package at its commit with changed files."""
    with tempfile.TemporaryDirectory(prefix="swe-agent-planted-") as home:
        repo = Path(home) / package.name
        repo.mkdir()
        archive = git(git_folder(repos, package), "archive", package.commit)
        subprocess.run(["tar", "-x", "-C", str(repo)], input=archive, check=True)
        for path, data in files.items():
            (repo / path).write_bytes(data)
        for arguments in (["init", "-q"], ["add", "-A"], [*PERSON, "commit", "-q", "-m", package.name]):
            git(repo, *arguments)
        yield repo


@contextmanager
def open_package(repos: Path, package: Package, files: Mapping[str, bytes]) -> Iterator[PackageWorkspace]:
    """Open a local workspace with the repository that `planted` creates."""
    with planted(repos, package, files) as repo:
        trees = Trees(repo.parent / "trees.git")
        repository = Repository.open(repo)
        base = repository.base(trees)
        workspace = open_workspace("local", WorkspaceOptions(repository, base, trees, say=lambda _: None))
        try:
            yield PackageWorkspace(workspace, trees, base.tree)
        finally:
            workspace.close()
            trees.close()


def run_suite(workspace: Workspace, package: Package) -> Suite:
    """Run the whole suite in a new process."""
    report = run_tests(workspace, f"ulimit -t {SUITE_CPU}; {package.command}", (), SUITE_SECONDS)
    return Suite(report.failed, report.passed, report.complete and not report.timed_out)
