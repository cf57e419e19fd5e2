"""Whether the tree of a commit is small enough to be listed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from trajectories.errors import RunBroken, UsageError
from trajectories.objects import Reader
from trajectories.packing import Entries, parsed
from trajectories.packs import PackRefused
from trajectories.plumbing import QUIET, environment
from trajectories.tree_size import check_size, measure

TREE_LIMIT = 1 << 28
"""Bytes of one tree object that is read."""


def check_base(git_dir: Path, commit: str) -> None:
    """Raises UsageError for a commit whose files are too many to be listed, or have too long paths. Objects that are
    missing or damaged count as empty: git names them when it lists the tree."""
    env = environment({**QUIET, "GIT_DIR": str(git_dir)}, keep=("GIT_CONFIG",))
    with closing(Reader(env, git_dir, compare=False)) as reader:  # as git lists it

        def entries(id: str) -> Entries:
            try:
                found = reader.get(id, TREE_LIMIT)
                return parsed(found[1]) if found and found[0] == "tree" else {}
            except (RunBroken, ValueError):
                return {}

        try:
            check_size(measure(f"{commit}^{{tree}}", entries, {}))
        except PackRefused as error:
            what = f"The files of commit {commit[:10]} in {git_dir} cannot be listed. {error.message}"
            raise UsageError(what, "Check where this repository comes from.") from error
