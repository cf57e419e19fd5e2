"""Size limits of the trees that are read from a user's repository."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from aci.repository.git_view import common_folder
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import GitFailed, git_environ, objects_environment, start_git
from trajectories.git_store.object_reader import Reader
from trajectories.git_store.packs import Entries, PackRefused, parse_tree
from trajectories.git_store.trees import FILES_LIMIT, LISTING_LIMIT, TreeSize, check_size, measure

TREE_LIMIT = 1 << 28
"""Maximum number of bytes that are read of one tree object."""
LISTED_LIMIT = LISTING_LIMIT + FILES_LIMIT * len("100644 blob \t\0" + "0" * 40)
CHUNK = 1 << 20


def check_base(git_dir: Path, commit: str) -> None:
    """Raise UsageError if a commit has too many files to be listed, or paths that are too long.

    Missing and damaged objects count as empty: git reports them when it lists the tree.
    """
    env = git_environ(objects_environment(common_folder(git_dir)))
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
            raise _too_large(git_dir, f"commit {commit[:10]}", error) from error


def list_tree(git_dir: Path, tree: str, env: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the files of a tree of the repository `git_dir`: what git says about each, and its path.

    The output is read only up to the limits, so a tree that expands to millions of files raises UsageError at once.
    Raises GitFailed if the tree cannot be read.
    """
    options = ("-r", "-t", "-z", "--full-tree")  # -t: a tree without files has output, too
    with tempfile.TemporaryFile() as errors:
        with start_git("ls-tree", *options, tree, env=env, stderr=errors) as process:
            assert process.stdout
            listing, entries = bytearray(), 0
            while (chunk := process.stdout.read(CHUNK)) and entries <= FILES_LIMIT and len(listing) <= LISTED_LIMIT:
                listing += chunk
                entries += chunk.count(b"\0")
            if chunk:  # the rest is not read
                process.kill()
                entries = max(entries, FILES_LIMIT + 1)
        if process.returncode and not chunk:
            errors.seek(0)
            raise GitFailed("ls-tree", process.returncode, errors.read(CHUNK))
    lines = [(about, path) for about, _, path in (line.partition(b"\t") for line in bytes(listing).split(b"\0")[:-1])]
    try:
        longest = max((len(path) for _, path in lines), default=0)
        depth = max((path.count(b"/") + 1 for _, path in lines), default=0)
        check_size(TreeSize(entries, depth, longest, sum(len(path) for _, path in lines)))
    except PackRefused as error:
        raise _too_large(git_dir, f"tree {tree[:10]}", error) from error
    return [(about, path) for about, path in lines if not about.startswith(b"040000 ")]


def _too_large(git_dir: Path, what: str, error: PackRefused) -> UsageError:
    return UsageError(
        f"The files of {what} in {git_dir} cannot be listed. {error.message}", "Check where this repository comes from."
    )
