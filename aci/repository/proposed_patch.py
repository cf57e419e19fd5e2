"""The tree that a proposed patch gives on a base: a diff, a branch, or the staged changes of the user's repository."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from aci.repository.user_repository import Repository
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import encode
from trajectories.git_store.trees import Trees


def tree_of_diff(source: Repository, trees: Trees, commit: str, diff: str) -> str:
    """Return the tree of the commit with the diff applied. Raises UsageError if it does not apply."""
    with source.patched(diff, commit) as (without, patched):
        if without.key != _tree_id(source, commit):
            raise UsageError(f"{commit[:10]} already contains the patch.", "Name the commit before it with --base.")
        listing = b"".join(
            f"{file.mode} {file.id} 0\t".encode() + encode(file.path) + b"\0" for file in patched.files()
        )
        return trees.adopt(listing, [source._path("objects"), *patched.objects])


def tree_of_index(source: Repository, trees: Trees) -> str:
    """Return the tree that `git commit` would commit. Raises UsageError if there are unmerged files, or no index."""
    index = source._path("index")
    if source.bare or not index.exists():
        raise UsageError(f"{source.root} has no staged files.", "Use --branch or --patch.")
    if source._git("ls-files", "-u"):
        raise UsageError(f"{source.root} has unmerged files.", "Resolve them, and stage the result.")
    with tempfile.TemporaryDirectory(prefix="index-", dir=trees.path) as name, source._git_errors():
        folder = Path(name)
        shutil.copy2(index, folder / "index")
        env = source._draft(folder)
        tree = source._git("write-tree", env=env).decode().strip()
        listing = source._git("ls-tree", "-r", "-z", "--full-tree", tree, env=env)
        return trees.adopt(listing, [source._path("objects"), folder])


def fork_point(source: Repository, rev: str, other: str) -> str:
    """Return the last commit that two revisions have in common. Raises UsageError if there is none."""
    commits = source.commit(rev), source.commit(other)
    found = source._git("merge-base", *commits, ok=(0, 1)).decode().strip()
    if not found:
        shallow = " The clone is shallow, so older commits are missing." if source._path("shallow").exists() else ""
        raise UsageError(f"{rev} and {other} have no common commit.{shallow}", "Name the base commit with --base.")
    return found


def _tree_id(source: Repository, commit: str) -> str:
    return source._git("rev-parse", f"{commit}^{{tree}}").decode().strip()
