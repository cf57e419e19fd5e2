"""Clean-up of a run's folder: outputs that no record refers to, unfinished files left by a crash, large numbers of
packs. No other process may work on the run during the clean-up.

No tree is ever removed: packing keeps every object, reachable or not, because the trees are referenced by records, not
by git references.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trajectories.file_limits import is_in
from trajectories.git_store.git_commands import check_objects, create_store, git, git_environ, sync_folder
from trajectories.records import Note, Observation, Once, Record, Reply, Step
from trajectories.temporary_folders import temporary_folder

MANY_PACKS, MANY_LOOSE = 8, 64
"""Maximum number of packs, and of loose objects; if either is exceeded, all objects are merged into one pack, since
each git command opens every pack."""
ADDRESS = re.compile(r"\bout:(\d{1,12})\b")
HALF_DONE = (
    "out/.*.new",
    ".*.new",
    "trees.git/new-*",
    "trees.git/objects/pack/tmp_*",
    "trees.git/objects/pack/.tmp-*",
    "trees.git/objects/??/tmp_*",
)
"""Patterns of temporary files, which are left behind only by a crash."""


class DiskUsage:
    """Counts the disk space that removing files would free. Removing files shared with other runs (hard links) frees no
    space."""

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


def removable_files(directory: Path, records: Iterable[Record]) -> list[Path]:
    """Return the files that may be removed: files left by a crash, and outputs whose number occurs in no record. Files
    outside the run's folder are never included, even if links in a folder from someone else point to them."""
    found = [path for pattern in HALF_DONE for path in directory.glob(pattern)]
    needed = {str(number) for number in referenced_outputs(records)}
    outputs = directory / "out"
    if outputs.is_dir():
        found += [file for file in outputs.iterdir() if file.name.isdecimal() and file.name not in needed]
    return sorted(path for path in found if is_in(path.parent, directory))


def referenced_outputs(records: Iterable[Record]) -> set[int]:
    """Return the numbers that may refer to outputs: references such as `out:17`, and every integer in data that is
    meant for programs."""
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
    """Remove files and folders. Raises OSError."""
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def needs_packing(store: Path) -> bool:
    """Whether a run's trees are spread over so many files that merging them into one pack is worthwhile. Packs shared
    with another run are left alone: a separate copy would take more space."""
    folder = store / "objects" / "pack"
    if store.is_symlink() or not is_in(folder, store):
        return False
    packs = list(folder.glob("*.pack"))
    loose = sum(1 for _ in (store / "objects").glob("[0-9a-f][0-9a-f]/*"))
    shared = any(pack.stat().st_nlink > 1 for pack in packs) or (store / "objects" / "info" / "alternates").exists()
    return (len(packs) > MANY_PACKS or loose > MANY_LOOSE) and not shared


def merge_packs(store: Path) -> None:
    """Merge all objects into one pack; none is lost, even if the machine crashes meanwhile.

    git uses a configuration of this program, since that of a store from someone else may name commands. The old packs
    are removed only when the new one and its name are on disk, which `git repack` does not wait for. Raises GitFailed,
    OSError, and RunBroken for a store with links: git would remove the objects that they point to.
    """
    check_objects(store)
    folder = store / "objects" / "pack"
    with temporary_folder() as own:
        create_store(Path(own) / "git")
        where = {"GIT_DIR": f"{own}/git", "GIT_OBJECT_DIRECTORY": str(store / "objects")}
        env = git_environ(where)
        old = [file for file in folder.iterdir() if file.name.startswith("pack-")]
        objects = git("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)", env=env)
        name = f"pack-{git('pack-objects', '-q', str(folder / 'pack'), env=env, input=objects).decode().strip()}"
        sync_folder(folder)
        remove(folder.glob("multi-pack-index*"))
        remove(file for file in sorted(old) if file.stem != name)  # sorted: an index is removed before its pack
        git("prune-packed", "-q", env=env)
