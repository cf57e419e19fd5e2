"""Mutants of fetched packages as the search would see them, from what was kept of their tests."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from aci.repair.spectrum import Spectrum, build_spectrum
from agent.repair.analysis.suspicious_statements import Read, Suspect, find_suspects
from benchmarks._observing_mutants import PACKAGES, watch
from trajectories.errors import UsageError


@dataclass(frozen=True, slots=True)
class Observed:
    """A mutant of a package, what its tests showed, and its original."""

    package: str
    operator: str
    path: str
    original: bytes
    mutated: bytes
    spectrum: Spectrum
    suspects: list[Suspect]
    read: Read


def observed(
    repos: Path, cache: Path, wanted: int, packages: Sequence[str], tell: Callable[[str], Any]
) -> list[Observed]:
    """The noticed ones of so many mutants of each package; those without a file in the cache are watched now.

    Raises UsageError if no package is called so.
    """
    if strange := set(packages) - {package.name for package in PACKAGES}:
        known = ", ".join(package.name for package in PACKAGES)
        raise UsageError(f"No package is called {min(strange)!r}.", f"Name some of {known}.")
    cache.mkdir(parents=True, exist_ok=True)
    found: list[Observed] = []
    for package in PACKAGES:
        if not packages or package.name in packages:
            file = cache / f"{package.name}.jsonl.gz"
            if not file.exists():
                watch(package, repos, wanted, file, tell)
            found += kept(file, _base(repos / package.repository.replace("/", "+") / "repo", package.commit))
    return found


def _base(folder: Path, commit: str) -> Read:
    """Reads a package's files, its tests too."""

    @cache
    def read(path: str) -> bytes | None:
        done = subprocess.run(["git", "-C", folder, "show", f"{commit}:{path}"], capture_output=True, check=False)
        return None if done.returncode else done.stdout

    return read


def kept(file: Path, base: Read) -> Iterator[Observed]:
    """The mutants in a cache's file that some test noticed; `base` has the other files."""
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
