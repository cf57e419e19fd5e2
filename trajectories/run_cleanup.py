"""A run's folder without what nothing on its record needs: outputs that no record names, what a crash left half done,
packs by the hundred. Nobody may work on the run meanwhile.

No tree is ever given up: packing keeps every object there is, reachable or not, since only the record knows which trees
it names and no reference of git's does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trajectories.limits import is_in
from trajectories.plumbing import OWN, create_store, environment, git, sync_folder
from trajectories.read_only_store import check_objects
from trajectories.records import Note, Observation, Once, Record, Reply, Step

MANY_PACKS, MANY_LOOSE = 8, 64
"""More of them are made one pack: each git command opens them all."""
ADDRESS = re.compile(r"\bout:(\d{1,12})\b")
HALF_DONE = (
    "out/.*.new",
    ".*.new",
    "trees.git/new-*",
    "trees.git/objects/pack/tmp_*",
    "trees.git/objects/pack/.tmp-*",
    "trees.git/objects/??/tmp_*",
)
"""What is renamed once it is whole, or removed at its end."""


class Weight:
    """Bytes on the disk that are free once these files are gone; what other runs share (hard links) is not."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[int, int]] = Counter()

    def of(self, *paths: Path) -> int:
        total = 0
        for path in paths:
            for file in _files(path):
                about = file.lstat()
                self._seen[about.st_dev, about.st_ino] += 1
                if self._seen[about.st_dev, about.st_ino] >= about.st_nlink:
                    total += about.st_blocks * 512
        return total


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def unneeded(directory: Path, records: Iterable[Record]) -> list[Path]:
    """What may go: what a crash left, and outputs whose number stands in no record. Nothing that lies elsewhere, where
    a folder that somebody sent has links."""
    found = [path for pattern in HALF_DONE for path in directory.glob(pattern)]
    needed = {str(number) for number in outputs_named(records)}
    outputs = directory / "out"
    if outputs.is_dir():
        found += [file for file in outputs.iterdir() if file.name.isdecimal() and file.name not in needed]
    return sorted(path for path in found if is_in(path.parent, directory))


def outputs_named(records: Iterable[Record]) -> set[int]:
    """The numbers that may be those of outputs: addresses, and every whole number that programs left for programs."""
    found: set[int] = set()
    for record in records:
        match record:
            case Step():
                for seen in record.observations:
                    found |= _named(seen)
                found |= set(_numbers([action.arguments for action in record.actions]))
            case Reply():
                found |= {*_addresses(record.text), *_numbers([action.arguments for action in record.actions])}
            case Note():
                found |= _addresses(record.text) | set(_numbers(record.data))
            case Once():
                found |= set(_numbers(record.value))
            case _:
                pass
    return found


def _named(seen: Observation) -> set[int]:
    return {*_addresses(seen.text), *_numbers(seen.data), *([] if seen.out is None else [seen.out])}


def _addresses(text: str) -> set[int]:
    return {int(number) for number in ADDRESS.findall(text)}


def _numbers(value: Any) -> Iterator[int]:
    left = [value]
    while left:
        match left.pop():
            case bool():
                pass
            case int() as number:
                yield number
            case str() as text:
                yield from _addresses(text)
            case dict() as inner:
                left += inner.values()
            case list() | tuple() as inner:
                left += inner
            case _:
                pass


def remove(paths: Iterable[Path]) -> None:
    """Raises OSError."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def is_scattered(store: Path) -> bool:
    """Whether a run's trees lie in so many files that one pack is worth it. Packs that another run has too stay: a copy
    of its own would take more room."""
    folder = store / "objects" / "pack"
    if store.is_symlink() or not is_in(folder, store):
        return False
    packs = list(folder.glob("*.pack"))
    loose = sum(1 for _ in (store / "objects").glob("[0-9a-f][0-9a-f]/*"))
    shared = any(pack.stat().st_nlink > 1 for pack in packs) or (store / "objects" / "info" / "alternates").exists()
    return (len(packs) > MANY_PACKS or loose > MANY_LOOSE) and not shared


def pack(store: Path) -> None:
    """All objects in one pack, none of them lost, whenever the machine stops. Raises GitFailed, OSError, and RunBroken
    for a store with links: git would remove the objects that they lead to.

    git reads a configuration of ours, since that of a store which somebody sent may name commands. What is packed anew
    goes only when the new pack and its name are on the disk, which `git repack` does not wait for.
    """
    check_objects(store)
    folder = store / "objects" / "pack"
    with TemporaryDirectory(prefix="swe-agent-") as own:
        create_store(Path(own) / "git")
        where = {"GIT_DIR": f"{own}/git", "GIT_OBJECT_DIRECTORY": str(store / "objects")}
        env = environment({**OWN, **where})
        old = [file for file in folder.iterdir() if file.name.startswith("pack-")]
        objects = git("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)", env=env)
        name = f"pack-{git('pack-objects', '-q', str(folder / 'pack'), env=env, input=objects).decode().strip()}"
        sync_folder(folder)
        remove(folder.glob("multi-pack-index*"))
        remove(file for file in sorted(old) if file.stem != name)  # an index goes before its pack
        git("prune-packed", "-q", env=env)
