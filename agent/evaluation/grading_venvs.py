"""Environments of this machine's Python, for who evaluates without Docker: one for each set-up, kept as caches are."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

from aci.base_image import alone
from aci.cache import folder
from aci.environment import TreeFiles
from aci.workspace import Options
from agent.settings import SECRET
from trajectories.errors import WorkspaceError
from trajectories.plumbing import decode, environment, git

_MANIFESTS = ("setup.py", "setup.cfg", "pyproject.toml")
_MADE = "made.tar"
"""What set-up left in the repository."""
_SECONDS = 3600.0


def venv(python: str, setup: str, place: Options) -> tuple[str, ...]:
    """What a session in the repository is told so that it runs in the environment, which is made if it is not there.

    Set-up runs as the user, in a copy of the base's files that stays beside the environment; what it makes in there (a
    version, compiled modules) a session finds in its own. Raises WorkspaceError.
    """
    known = TreeFiles(place.trees, place.base.tree)
    manifests = [known.entries[path].id for path in _MANIFESTS if path in known]
    made_of = json.dumps([python, setup, place.repository.name, manifests])
    root = folder() / "evaluation" / hashlib.sha256(made_of.encode()).hexdigest()[:16]
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(root / "lock", place):
        if not (root / "done").exists():
            _make(root, python, setup, place)
            _keep_made(place, root / "repo")
            (root / "done").touch()
    made = f"tar -xkf {shlex.quote(str(root / _MADE))} 2>/dev/null || true"
    return (f"export VIRTUAL_ENV={shlex.quote(str(root / 'venv'))}", 'export PATH="$VIRTUAL_ENV/bin:$PATH"', made)


def _make(root: Path, python: str, setup: str, place: Options) -> None:
    program = _python(python)
    repository, own, log = root / "repo", root / "venv", root / "log"
    for old in (repository, own):
        shutil.rmtree(old, ignore_errors=True)
    place.say(f"Setting up an environment of {program}, once: {root}")
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
        raise WorkspaceError(f"The set-up ended with exit code {code}. Its last words:\n{last}", f"See {log}.")


def _python(version: str) -> str:
    """A Python of this version, on the PATH or pyenv's; any where none is asked for."""
    name = f"python{version}" if version else "python3"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for program in (shutil.which(name), *map(str, sorted(pyenv.glob(f"{version}.*/bin/{name}")))):
        if program and not subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode:
            return program  # one of pyenv's on the PATH may be a shim that refuses
    raise WorkspaceError(
        f"There is no {name} on the PATH.", "Install it, or evaluate in containers: --workspace docker."
    )


def _check_out(place: Options, target: Path) -> None:
    target.mkdir()
    git("read-tree", place.base.tree, env=_git(place, target))
    git("checkout-index", "-a", "-f", f"--prefix={target}/", env=_git(place, target))


def _keep_made(place: Options, repository: Path) -> None:
    found = git("ls-files", "-z", "--others", env=_git(place, repository), cwd=repository)
    with tarfile.open(repository.with_name(_MADE), "w") as archive:
        for name in filter(None, decode(found).split("\0")):
            archive.add(repository / name, name)


def _git(place: Options, worktree: Path) -> dict[str, str]:
    own = {"GIT_DIR": place.trees.path, "GIT_WORK_TREE": worktree, "GIT_INDEX_FILE": worktree.with_name("index")}
    return environment({name: str(path) for name, path in own.items()})
