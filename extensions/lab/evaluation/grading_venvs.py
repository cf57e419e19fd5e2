"""Python venvs on this machine, for evaluations without Docker: one for each set-up, in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

from aci.docker.base_image import exclusive_lock
from aci.environments.tree_files import TreeFiles
from aci.host.project_python import pyenv_prefixes
from aci.observation.activity_message import ActivityMessage
from aci.repository.disk_cache import cache_folder
from aci.runtime.workspace import WorkspaceOptions
from agent.config.settings import SECRET
from trajectories.errors import WorkspaceError
from trajectories.git_store.git_commands import decode, git, git_environ

_MANIFESTS = ("setup.py", "setup.cfg", "pyproject.toml", "package.json", "package-lock.json")
_MADE = "made.tar"
"""The archive of files that the set-up created in the repository."""
_SECONDS = 3600.0


def venv(python: str, setup: str, place: WorkspaceOptions) -> tuple[str, ...]:
    """Return the commands that activate the environment in a session, after creating it if necessary.

    The set-up runs as the user, in a copy of the base's files next to the environment. Files that it creates there (a
    version, compiled modules) are copied to the session's repository. Raises WorkspaceError.
    """
    known = TreeFiles(place.trees, place.base.tree)
    manifests = [known.entries[path].id for path in _MANIFESTS if path in known]
    inputs = json.dumps([python, setup, place.repository.name, manifests])
    root = cache_folder() / "evaluation" / hashlib.sha256(inputs.encode()).hexdigest()[:16]
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with exclusive_lock(root / "lock", place):
        if not (root / "done").exists():
            _make(root, python, setup, place)
            _archive_created_files(place, root / "repo")
            (root / "done").touch()
    made = f"tar -xkf {shlex.quote(str(root / _MADE))} 2>/dev/null || true"
    return (f"export VIRTUAL_ENV={shlex.quote(str(root / 'venv'))}", 'export PATH="$VIRTUAL_ENV/bin:$PATH"', made)


def _make(root: Path, python: str, setup: str, place: WorkspaceOptions) -> None:
    program = _python(python)
    repository, own, log = root / "repo", root / "venv", root / "log"
    for old in (repository, own):
        shutil.rmtree(old, ignore_errors=True)
    place.say(ActivityMessage(f"Setting up an environment of {program}, once: {root}"))
    _check_out(place, repository)
    version = place.repository.release(place.base.commit)
    env = {name: value for name, value in os.environ.items() if not (SECRET.search(name) or name.startswith("PYTHON"))}
    env |= {"VIRTUAL_ENV": str(own), "PATH": f"{own}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    env |= {"SETUPTOOLS_SCM_PRETEND_VERSION": version} if version else {}
    script = f"{shlex.quote(program)} -m venv {shlex.quote(str(own))} || exit\n{setup}"
    with log.open("wb") as out:
        try:
            code = subprocess.run(
                ["sh", "-c", script],
                cwd=repository,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
    if code:
        last = log.read_text("utf-8", "replace")[-1500:]
        raise WorkspaceError(f"The set-up ended with exit code {code}. Its last output:\n{last}", f"See {log}.")


def _python(version: str) -> str:
    """Return a Python interpreter of this version from the PATH or pyenv; if the version is empty, any Python 3."""
    name = f"python{version}" if version else "python3"
    kept = [str(prefix / "bin" / name) for prefix in pyenv_prefixes(os.environ, f"{version or '3'}.*")]
    for program in (shutil.which(name), *filter(shutil.which, kept)):
        if program and not subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
            return program  # it was run first, because a pyenv shim on the PATH may fail
    raise WorkspaceError(
        f"There is no {name} on the PATH.", "Install it, or evaluate in containers: --workspace docker."
    )


def python_version(program: str) -> str:
    """Return the version of a Python interpreter, such as `3.12`; "" if it cannot be run."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        return subprocess.run([program, "-Ic", script], capture_output=True, check=False, text=True).stdout.strip()
    except OSError:
        return ""


def _check_out(place: WorkspaceOptions, target: Path) -> None:
    target.mkdir()
    git("read-tree", place.base.tree, env=_git(place, target))
    git("checkout-index", "-a", "-f", f"--prefix={target}/", env=_git(place, target))


def _archive_created_files(place: WorkspaceOptions, repository: Path) -> None:
    found = git("ls-files", "-z", "--others", env=_git(place, repository), cwd=repository)
    with tarfile.open(repository.with_name(_MADE), "w") as archive:
        for name in filter(None, decode(found).split("\0")):
            archive.add(repository / name, name)


def _git(place: WorkspaceOptions, worktree: Path) -> dict[str, str]:
    own = {"GIT_DIR": place.trees.path, "GIT_WORK_TREE": worktree, "GIT_INDEX_FILE": worktree.with_name("index")}
    return git_environ({name: str(path) for name, path in own.items()})
