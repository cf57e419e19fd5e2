"""The tree that a proposed patch gives on a base: a diff, a branch, or the staged changes of the user's repository."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aci.repository.base_size import check_base
from aci.repository.file_blobs import GitBlobs
from aci.repository.patch import MOST_UNFOLDED, lacks_content, patch_forms, unpacked_size
from aci.repository.user_repository import Repository
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import GitFailed, encode
from trajectories.git_store.trees import Trees
from trajectories.temporary_folders import temporary_folder

OTHER_BASE = "Name its base commit with --base."
AGAIN = "Make it again with `git diff --binary`."


@contextmanager
def patched_files(
    source: Repository, diff: str, rev: str | None = None, other_base: str = OTHER_BASE
) -> Iterator[tuple[GitBlobs, GitBlobs]]:
    """Yield the files without and with a patch, which is applied to the files of `Repository.blobs`, or reverted if
    they contain it.

    Raises UsageError if the patch does not apply in any of its `patch_forms`, with git's reason and what to do
    (`other_base` if its base may be another one), or if its unpacked size is too large.
    """
    if unpacked_size(diff) > MOST_UNFOLDED:
        raise UsageError(
            f"The patch's binary files have more than {MOST_UNFOLDED:,} bytes.",
            "Leave them out: only source counts.",
        )
    check_base(source.git_dir, source.commit(rev))
    with source.blobs(rev) as blobs, temporary_folder() as name:
        env = source._draft(Path(name), *blobs.objects)
        forms, why = patch_forms(diff), ""
        for direction in ((), ("--reverse",)):
            for form in forms:
                source._git("read-tree", blobs.key, env=env)
                options = ("--cached", f"-p{form.strip}", *direction)
                try:
                    source._git("apply", *options, env=env, input=encode(form.diff))
                except GitFailed as error:
                    why = why or error.reasons
                    continue
                tree = source._git("write-tree", "--missing-ok", env=env).decode().strip()
                other = GitBlobs(source.git_dir, tree, objects=[Path(name), *blobs.objects])
                yield (other, blobs) if direction else (blobs, other)
                return
        raise _refusal(source, env, diff, why, other_base)


def _refusal(source: Repository, env: Mapping[str, str], diff: str, why: str, other_base: str) -> UsageError:
    """Return the error for a patch that does not apply, with git's reason `why`."""
    form = patch_forms(diff)[0]
    try:
        source._git("apply", "--numstat", f"-p{form.strip}", env=dict(env), input=encode(form.diff))
    except GitFailed as error:  # git cannot even read it, on whatever base
        return UsageError(f"The patch is damaged: {error.reasons}.", AGAIN)
    if lacks_content(diff):
        return UsageError(f"The patch does not apply, since it lacks the content of a binary file: {why}.", AGAIN)
    return UsageError(f"The patch does not apply to {source.root}: {why}.", other_base)


def tree_of_diff(source: Repository, trees: Trees, commit: str, diff: str, other_base: str = OTHER_BASE) -> str:
    """Return the tree of the commit with the diff applied. Raises UsageError if it does not apply, see
    `patched_files`."""
    with patched_files(source, diff, commit, other_base) as (without, patched):
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


def branch_start(source: Repository, rev: str = "HEAD") -> str:
    """Return the commit at which a branch left the main branch: the latest commit that `rev` has in common with a
    remote's default branch, or with a local branch that has the name of a main branch.

    It is "" if there is no such branch, or if one has all commits of `rev`. Raises UsageError for an unknown `rev`.
    """
    tip = source.commit(rev)
    heads = source._git("for-each-ref", "--format=%(symref)", "refs/remotes/*/HEAD").decode().split()
    names = filter(None, (source.configured("init.defaultBranch"), "main", "master"))
    found = []
    for name in dict.fromkeys([*heads, *(f"refs/heads/{name}" for name in names)]):
        other = source._commit(name)
        start = source._git("merge-base", tip, other, ok=(0, 1)).decode().strip() if other else ""
        if start and start != tip:
            found.append((int(source._git("rev-list", "--count", f"{start}..{tip}")), start))
    return min(found)[1] if found else ""


def _tree_id(source: Repository, commit: str) -> str:
    return source._git("rev-parse", f"{commit}^{{tree}}").decode().strip()
