"""The git bundle of planted trees beside the instances: one branch for each instance, with one commit and no history.

The commit has no parent: a workspace holds the ancestors of its base, and with the source commit among them `git diff`
would show the change. A bundle is plain data, whereas git runs programs that the settings of a repository name.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from trajectories.git_store.git_commands import create_store, folders, git, git_environ, objects_environment
from trajectories.git_store.trees import Trees

AUTHOR = {"NAME": "swe-agent", "EMAIL": "swe-agent@localhost"}


def commit_tree(trees: Trees, tree: str, date: str) -> str:
    """Write a commit without parents and return its id, which depends on the tree and the date only."""
    person = {f"GIT_{who}_{name}": value for who in ("AUTHOR", "COMMITTER") for name, value in AUTHOR.items()}
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    env = git_environ({**objects_environment(trees.path), **person, **dates})
    found = git("--git-dir", str(trees.path), "commit-tree", tree, "-m", "Initial commit", env=env)
    return found.decode().strip()


def write_bundle(trees: Trees, commits: Mapping[str, str], file: Path) -> None:
    """Write a bundle with a branch for each name, of which there must be one. An existing file is replaced at once.

    Raises OSError and GitFailed.
    """
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=file.parent) as name:
        store = Path(name) / "store.git"
        create_store(store)
        env = git_environ({"GIT_ALTERNATE_OBJECT_DIRECTORIES": folders(trees.path / "objects")})
        refs = "".join(f"create refs/heads/{name} {commit}\n" for name, commit in commits.items())
        first = f"ref: refs/heads/{next(iter(commits))}\n"
        (store / "HEAD").write_text(first)  # a clone needs a HEAD
        git("--git-dir", str(store), "update-ref", "--stdin", env=env, input=refs.encode())
        made = Path(name) / file.name
        git("--git-dir", str(store), "bundle", "create", "-q", str(made), "HEAD", "--branches", env=env)
        made.replace(file)
