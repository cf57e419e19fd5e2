"""Three-way merges of whole trees in a run's `trees.git`.

Text is merged by `git merge-file`, which uses the three-way merge of RCS and diff3 (Khanna, Kunal and Pierce 2007).
Additions, deletions, modes, links, submodules and binary files are each taken whole from one side. If both sides
changed the same place, the file is reported as a conflict and keeps its version in `ours`; conflict markers are never
written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aci.observation.file_contents import BINARY_HEAD
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import OWN, GitFailed, environment, git
from trajectories.git_store.trees import Change, Entry, Trees
from trajectories.temporary_folders import temporary_folder

LARGEST = 20_000_000
"""Size limit in bytes of files that are merged line by line."""
MOST_CONFLICTS = 127
"""Maximum number of conflicts that `git merge-file` reports; a higher exit status is a failure."""
FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that could not be merged, and the reason, phrased as a clause."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path} ({self.why})"


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The merged tree; each file in `conflicts` has its version from `ours`."""

    tree: str
    conflicts: tuple[Conflict, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the conflicts."""
        return tuple(conflict.path for conflict in self.conflicts)


class Unmergeable(Exception):
    """Two versions of a file cannot be merged; the message is the reason, phrased as a clause."""


def merge_trees(trees: Trees, base: str, ours: str, theirs: str) -> MergeResult:
    """Return a tree that contains the changes of both sides relative to `base`. Raises RunBroken for a missing tree."""
    if ours == theirs or base == theirs:
        return MergeResult(ours)
    if base == ours:
        return MergeResult(theirs)
    return _Merge(trees, base, ours, theirs).result()


class _Merge:
    def __init__(self, trees: Trees, base: str, ours: str, theirs: str) -> None:
        self.trees, self.ours, self.theirs = trees, ours, theirs
        self.of_base, self.of_ours, self.of_theirs = (trees.files(tree) for tree in (base, ours, theirs))
        self.mine = _paths(trees.changed(base, ours))
        self.taken: set[str] = set()
        """Paths that are taken from `theirs`."""
        self.merged: dict[str, bytes] = {}
        self.conflicts: dict[str, str] = {}
        for path in sorted(_paths(trees.changed(base, theirs))):
            self._decide(path)

    def result(self) -> MergeResult:
        self._settle_folders()
        tree = self.trees.overlay(self.ours, self.theirs, sorted(self.taken)) if self.taken else self.ours
        if self.merged:
            tree = self.trees.write(self.merged, tree)
        return MergeResult(tree, tuple(Conflict(path, why) for path, why in sorted(self.conflicts.items())))

    def _decide(self, path: str) -> None:
        base, ours, theirs = (files.get(path) for files in (self.of_base, self.of_ours, self.of_theirs))
        if ours == theirs:
            return
        if path not in self.mine:
            self.taken.add(path)
        elif why := _obstacle(base, ours, theirs):
            self.conflicts[path] = why
        elif base and ours and theirs:
            self._combine(path, base, ours, theirs)

    def _combine(self, path: str, base: Entry, ours: Entry, theirs: Entry) -> None:
        """Merge a file that both sides changed: its mode and its lines, each separately."""
        if theirs.id in (base.id, ours.id):
            lines = self.trees.read_blob(ours.id)
        elif ours.id == base.id:
            lines = self.trees.read_blob(theirs.id)
        else:
            try:
                lines = merge_lines(*(self.trees.read_blob(entry.id, LARGEST) for entry in (base, ours, theirs)))
            except Unmergeable as error:
                self.conflicts[path] = str(error)
                return
            except UsageError:
                self.conflicts[path] = "too large to merge"
                return
        if ours.mode == base.mode != theirs.mode:
            self.taken.add(path)
        self.merged[path] = lines

    def _settle_folders(self) -> None:
        """Record a conflict for each path that is a file on one side and a folder on the other."""
        while found := self._collisions():
            for path in found:
                self.taken.discard(path)
                self.merged.pop(path, None)
                self.conflicts[path] = "a file on one side, a folder on the other"

    def _collisions(self) -> list[str]:
        result = (set(self.of_ours) - self.taken) | {path for path in self.taken if path in self.of_theirs}
        above = {path[:at] for path in result for at, char in enumerate(path) if char == "/"}
        files = result & above
        return [
            path
            for path in self.taken
            if path in self.of_theirs
            and (path in files or any(path[:at] in files for at, char in enumerate(path) if char == "/"))
        ]


def _paths(changes: list[Change]) -> set[str]:
    return {change.path for change in changes}


def _obstacle(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> str:
    """Return why two changes of one path cannot be merged line by line, or "" if they can."""
    if base is None:
        return "added on both sides"
    if ours is None or theirs is None:
        return "changed on one side, deleted on the other"
    if any(entry.mode not in FILES for entry in (base, ours, theirs)):
        return "a link or a submodule, changed on both sides"
    return ""


def merge_lines(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Return the merged text with the changes of both sides. Raises Unmergeable."""
    if any(b"\0" in data[:BINARY_HEAD] for data in (base, ours, theirs)):
        raise Unmergeable("binary, changed on both sides")
    with temporary_folder() as folder:
        files = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for file, data in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(data)
        try:
            return git("merge-file", "-p", "-q", *map(str, files), env=environment(OWN), cwd=Path(folder))
        except GitFailed as error:
            if 0 < error.status <= MOST_CONFLICTS:
                raise Unmergeable("the same lines changed on both sides") from None
            raise RunBroken(f"Two versions of a file cannot be merged: {error.reason}.") from error
