"""Three-way merges of whole trees, in a run's `trees.git`: two sides that went their ways since a common base.

Text is merged as `git merge-file` does (the three-way merge of RCS and diff3, Khanna, Kunal and Pierce 2007); what is
added, deleted, executable, a link, a submodule or binary is decided whole. What both sides changed in the same place is
a conflict: it is named, the file stays as it is in `ours`, and no marker is ever written.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from trajectories.errors import RunBroken, UsageError
from trajectories.plumbing import OWN, GitFailed, environment, git
from trajectories.trees import Change, Entry, Trees

LARGEST = 20_000_000
"""Bytes of a file that is still merged line by line."""
BINARY_HEAD = 8_000
"""Bytes in which git looks for a NUL to tell binary files."""
MOST_CONFLICTS = 127
"""Above this, what `git merge-file` answers is no count of conflicts but a failure."""
FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file that could not be merged, and why, as the end of a sentence."""

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path} ({self.why})"


@dataclass(frozen=True, slots=True)
class Merged:
    """`tree` holds all that could be merged; the files of `conflicts` are in it as `ours` has them."""

    tree: str
    conflicts: tuple[Conflict, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the conflicts."""
        return tuple(conflict.path for conflict in self.conflicts)


class Unmergeable(Exception):
    """Why two versions of a text cannot be merged, as the end of a sentence."""


def merge(trees: Trees, base: str, ours: str, theirs: str) -> Merged:
    """What both sides did to `base`, in one tree. Raises RunBroken for a tree that is not there."""
    if ours == theirs or base == theirs:
        return Merged(ours)
    if base == ours:
        return Merged(theirs)
    return _Merge(trees, base, ours, theirs).done()


class _Merge:
    def __init__(self, trees: Trees, base: str, ours: str, theirs: str) -> None:
        self.trees, self.ours, self.theirs = trees, ours, theirs
        self.of_base, self.of_ours, self.of_theirs = (trees.files(tree) for tree in (base, ours, theirs))
        self.mine = _paths(trees.changed(base, ours))
        self.taken: set[str] = set()
        """Paths that are as `theirs` has them."""
        self.merged: dict[str, bytes] = {}
        self.conflicts: dict[str, str] = {}
        for path in sorted(_paths(trees.changed(base, theirs))):
            self._decide(path)

    def done(self) -> Merged:
        self._settle_folders()
        tree = self.trees.overlay(self.ours, self.theirs, sorted(self.taken)) if self.taken else self.ours
        if self.merged:
            tree = self.trees.write(self.merged, tree)
        return Merged(tree, tuple(Conflict(path, why) for path, why in sorted(self.conflicts.items())))

    def _decide(self, path: str) -> None:
        base, ours, theirs = (files.get(path) for files in (self.of_base, self.of_ours, self.of_theirs))
        if ours == theirs:
            return
        if path not in self.mine:
            self.taken.add(path)
        elif why := _in_the_way(base, ours, theirs):
            self.conflicts[path] = why
        elif base and ours and theirs:
            self._combine(path, base, ours, theirs)

    def _combine(self, path: str, base: Entry, ours: Entry, theirs: Entry) -> None:
        """A file that both sides have and changed: its mode and its lines, each on its own."""
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
        """What `theirs` adds where `ours` has a folder in a file's place, or a file in a folder's, is a conflict."""
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


def _in_the_way(base: Entry | None, ours: Entry | None, theirs: Entry | None) -> str:
    """Why two changes of one path cannot be merged by lines; empty where they may be."""
    if base is None:
        return "added on both sides"
    if ours is None or theirs is None:
        return "changed on one side, deleted on the other"
    if any(entry.mode not in FILES for entry in (base, ours, theirs)):
        return "a link or a submodule, changed on both sides"
    return ""


def merge_lines(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """Both sides' changes of a text. Raises Unmergeable."""
    if any(b"\0" in data[:BINARY_HEAD] for data in (base, ours, theirs)):
        raise Unmergeable("binary, changed on both sides")
    with TemporaryDirectory(prefix="swe-agent-") as folder:
        files = [Path(folder, name) for name in ("ours", "base", "theirs")]
        for file, data in zip(files, (ours, base, theirs), strict=True):
            file.write_bytes(data)
        try:
            return git("merge-file", "-p", "-q", *map(str, files), env=environment(OWN), cwd=Path(folder))
        except GitFailed as error:
            if 0 < error.status <= MOST_CONFLICTS:
                raise Unmergeable("the same lines changed on both sides") from None
            raise RunBroken(f"Two versions of a file cannot be merged: {error.reason}.") from error
