"""Mutants of fetched packages with the results of their tests, as the search sees them, from a cache."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks._observing_mutants import PACKAGES, observe_mutants
from extensions.experiment.evaluator.spectrum import Spectrum, build_spectrum
from extensions.repair.analysis.suspicious_statements import Read, Suspect, find_suspects
from trajectories.errors import UsageError


@dataclass(frozen=True, slots=True)
class Observed:
    """A mutant of a package, its original, and the spectrum and suspects from its tests."""

    package: str
    operator: str
    path: str
    original: bytes
    mutated: bytes
    spectrum: Spectrum
    suspects: list[Suspect]
    read: Read


def observed(
    repos: Path, cache: Path, wanted: int, packages: Sequence[str], report: Callable[[str], Any]
) -> list[Observed]:
    """Return those of `wanted` mutants of each package that some test detects.

    Runs the tests of packages that have no file in the cache. Raises UsageError for an unknown package.
    """
    if unknown := set(packages) - {package.name for package in PACKAGES}:
        known = ", ".join(package.name for package in PACKAGES)
        raise UsageError(f"Unknown package {min(unknown)!r}.", f"Known packages: {known}.")
    cache.mkdir(parents=True, exist_ok=True)
    found: list[Observed] = []
    for package in PACKAGES:
        if not packages or package.name in packages:
            file = cache / f"{package.name}.jsonl.gz"
            if not file.exists():
                observe_mutants(package, repos, wanted, file, report)
            repository = repos / package.repository.replace("/", "+") / "repo"
            found += read_cache(file, _file_reader(repository, package.commit))
    return found


def _file_reader(folder: Path, commit: str) -> Read:
    """Return a function that reads the files of a package at a commit, tests included."""

    @cache
    def read(path: str) -> bytes | None:
        done = subprocess.run(["git", "-C", folder, "show", f"{commit}:{path}"], capture_output=True, check=False)
        return None if done.returncode else done.stdout

    return read


def read_cache(file: Path, base: Read) -> Iterator[Observed]:
    """Yield the mutants in a cache file that some test detects; `base` reads the unchanged files."""
    with gzip.open(file, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            failing = [one["test"] for one in row["answers"] if one["outcome"] != "passed"]
            spectrum = build_spectrum(row["answers"], failing)
            original, mutated = row["original"].encode(), row["mutated"].encode()
            if spectrum.failing:
                read = partial(_read, {row["path"]: mutated}, base)
                found = find_suspects(spectrum, read)
                yield Observed(row["package"], row["kind"], row["path"], original, mutated, spectrum, found, read)


def _read(changed: dict[str, bytes], base: Read, path: str) -> bytes | None:
    return changed[path] if path in changed else base(path)
