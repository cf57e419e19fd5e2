"""Folders without git, opened as repositories with a git directory in swe-agent's state folder.

Nothing is written to the folder except by `/apply`. Each time a folder is opened, its current files are committed,
without history. `.gitignore` is respected, symbolic links are kept, and repositories inside the folder are left out.
"""

from __future__ import annotations

import os
import tempfile
from hashlib import sha256
from pathlib import Path

from aci.repository.first_commit import holds_home
from aci.repository.user_repository import HISTORY_CONFIG, IDENTITY, Repository
from trajectories.errors import UsageError
from trajectories.git_store.git_commands import GitFailed, create_store, encode
from trajectories.git_store.trees import Trees

MOST_FILES = 50_000
MOST_BYTES = 1_000_000_000
FOLDERS = "folders"
THEN = dict(zip(("NAME", "EMAIL", "DATE"), (*IDENTITY, "2000-01-01T00:00:00Z"), strict=True))
"""Author and date of a commit whose id must be reproducible."""
SMALLER = "Open a folder inside it, or list files that are not needed in its .gitignore."


def open_folder(path: Path, state: Path) -> Repository:
    """Return the folder as a repository with one commit of its current files. The git directory lies in `state`.

    Raises UsageError for the home directory, a folder that contains it, or a folder with too many files or bytes.
    """
    repository = _repository(path, state)
    _check_place(repository.root)
    create_store(repository.git_dir, HISTORY_CONFIG)
    try:
        _commit(repository)
    except GitFailed as error:
        fix = "Check that you have permission to read it."
        raise UsageError(f"{repository.root} cannot be read: {error.reason}.", fix) from error
    return repository


def reopen_repository(path: str, state: Path, commit: str) -> Repository:
    """Return the repository of a run that started at `commit`: the user's repository, or the one kept for a plain
    folder.

    Raises UsageError.
    """
    if Path(path).is_dir():
        repository = _repository(Path(path), state)
        if (repository.git_dir / "HEAD").exists() and repository._commit(commit):
            return repository
    return Repository.open(path)


def repository_of_tree(trees: Trees, tree: str, folder: Path) -> tuple[Repository, str]:
    """Create a repository in `folder` with one commit of a run's tree; return it and the commit's id.

    It replaces the run's original repository if that repository or the run's base commit is missing. `trees` must not
    be moved afterwards, because the new repository reads objects from it.
    """
    create_store(folder, HISTORY_CONFIG)
    (folder / "objects" / "info" / "alternates").write_text(f"{trees.path / 'objects'}\n")
    repository = Repository(folder, folder, bare=True)
    env = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in THEN.items()}
    commit = repository._git("commit-tree", tree, "-m", "The files that the run began with", env=env).decode().strip()
    repository._git("update-ref", "refs/heads/main", commit)
    return repository, commit


def _repository(path: Path, state: Path) -> Repository:
    root = path.expanduser().resolve()
    name = f"{root.name or 'root'}-{sha256(os.fsencode(root)).hexdigest()[:12]}"
    return Repository(root, state.absolute() / FOLDERS / name, plain=True)


def _check_place(root: Path) -> None:
    if holds_home(root):
        is_home = Path.home().resolve() == root
        what = "your home directory" if is_home else "a folder that holds your home directory"
        raise UsageError(f"{root} is {what}: it is too large to be read.", "Open the folder of a project.")


def _commit(repository: Repository) -> None:
    """Commit the current files, without parents, and write an index of them."""
    index = repository.git_dir / "index"
    with tempfile.TemporaryDirectory(prefix="new-", dir=repository.git_dir) as name:
        draft = Path(name, "index")
        if index.exists():
            draft.write_bytes(index.read_bytes())
        env = {"GIT_INDEX_FILE": str(draft)}
        if not index.exists():
            repository._git("read-tree", "--empty", env=env)
        _check_size(repository, env)
        repository._bring_up(env)
        tree = repository._git("write-tree", env=env).decode().strip()
        message = encode(f"The files of {repository.root.name or '/'}")
        commit = repository._git("commit-tree", tree, "-F", "-", env=repository._identity(), input=message)
        repository._git("update-ref", "refs/heads/main", commit.decode().strip())
        draft.replace(index)


def _check_size(repository: Repository, env: dict[str, str]) -> None:
    paths = set(repository._git("ls-files", "-c", "-o", "-z", "--exclude-standard", env=env).split(b"\0")) - {b""}
    if len(paths) > MOST_FILES:
        raise UsageError(f"{repository.root} has {len(paths):,} files, more than {MOST_FILES:,}.", SMALLER)
    size = 0
    for path in paths:
        try:
            size += repository._file(path).lstat().st_size
        except OSError:
            continue
    if size > MOST_BYTES:
        raise UsageError(f"{repository.root} has more than {MOST_BYTES // 10**6:,} MB in its files.", SMALLER)
