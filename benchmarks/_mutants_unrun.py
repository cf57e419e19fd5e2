"""Mutants whose tests are not run; they show which template restores the original at the changed place."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks._mutating import mutants
from benchmarks._observing_mutants import PACKAGES, UNRUN, Package
from benchmarks._template_streams import Case, unrun
from extensions.experiment.evaluator.spectrum import belongs_to_tests
from extensions.experiment.source.source_file import Source
from trajectories.errors import UsageError

LARGEST = 120_000
"""Bytes of a file; the templates are slow in larger ones."""


def unrun_cases(repos: Path, wanted: int, held: Sequence[str]) -> Iterator[Case]:
    """Yield `wanted` mutants of each package that is not held out; a file's chance is its number of functions."""
    for package in (*PACKAGES, *UNRUN):
        if package.name in held:
            continue
        files = list(_files(package, repos / package.repository.replace("/", "+") / "repo"))
        rng = random.Random(package.repository)
        for number in range(wanted):
            ((_, path, data),) = rng.choices(files, [functions for functions, _, _ in files])
            mutant = next(mutants(path, data, f"{package.repository}/{path}/{number}"), None)
            if mutant is not None:
                yield unrun(package.name, path, data, mutant.data, mutant.kind)


def _files(package: Package, folder: Path) -> Iterator[tuple[int, str, bytes]]:
    """Yield the number of functions, the path and the text of each file."""
    for path in _git(folder, "ls-tree", "-r", "--name-only", package.commit).decode().split():
        if path.startswith(package.files) and path.endswith(".py") and not belongs_to_tests(path):
            data = _git(folder, "show", f"{package.commit}:{path}")
            functions = len(Source(path, data).functions)
            if functions and len(data) < LARGEST:
                yield functions, path, data


def _git(folder: Path, *words: str) -> bytes:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
    if done.returncode:
        raise UsageError(f"{folder}: {done.stderr.decode(errors='replace').strip()}", "Fetch the repository there.")
    return done.stdout
