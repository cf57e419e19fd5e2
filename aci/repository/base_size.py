"""Size limit of the tree that a run starts from."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import QUIET, environment
from trajectories.git_store.object_reader import Reader
from trajectories.git_store.pack_reader import PackRefused
from trajectories.git_store.pack_writer import Entries, parse_tree
from trajectories.git_store.tree_size import check_size, measure

TREE_LIMIT = 1 << 28
"""Maximum number of bytes that are read of one tree object."""


def check_base(git_dir: Path, commit: str) -> None:
    """Raise UsageError if a commit has too many files to be listed, or paths that are too long.

    Missing and damaged objects count as empty: git reports them when it lists the tree.
    """
    env = environment({**QUIET, "GIT_DIR": str(git_dir)}, keep=("GIT_CONFIG",))
    # Like git, which does not verify objects when it lists a tree.
    with closing(Reader(env, git_dir, compare=False)) as reader:

        def entries(id: str) -> Entries:
            try:
                found = reader.get(id, TREE_LIMIT)
                return parse_tree(found[1]) if found and found[0] == "tree" else {}
            except (RunBroken, ValueError):
                return {}

        try:
            check_size(measure(f"{commit}^{{tree}}", entries, {}))
        except PackRefused as error:
            what = f"The files of commit {commit[:10]} in {git_dir} cannot be listed. {error.message}"
            raise UsageError(what, "Check where this repository comes from.") from error
