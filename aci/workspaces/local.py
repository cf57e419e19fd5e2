"""Workspaces in a folder of this machine, for users without Docker: a fresh clone with no isolation."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

from aci.docker.leftover_cleanup import LOCAL_PREFIX, dead_workspaces, remove_folder
from aci.environments.project_python import ProjectPython, find_project_python
from aci.repository import process_owner
from aci.runtime.posix_workspace import SESSION_ENVIRONMENT, PosixWorkspace
from aci.runtime.process_channel import ProgramStarter, local_starter
from aci.runtime.snapshots import checkout_script, create_store_script, reset_index_script, store_environment
from aci.runtime.workspace import Workspace, WorkspaceOptions
from trajectories.errors import WorkspaceError

KEPT = (
    *("PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "PYENV_VERSION", "JAVA_HOME", "GOROOT"),
)
"""Variables of the user's environment that commands see. None of them holds a key or a token."""

MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile")

EXPLICIT_BARE_REPOSITORY = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
}
"""Environment variables that prevent git from treating a folder of ordinary files as a bare repository, whose settings
can run programs."""

_PROBE = """\
import sys
from importlib.machinery import PathFinder
for name in sys.argv[1:]:
    for finder in sys.meta_path[:sys.meta_path.index(PathFinder)]:
        try: spec = finder.find_spec(name, None)
        except Exception: spec = None
        if spec:
            print(name, spec.origin)
            break
"""
"""A script that prints which of the given names are found before PYTHONPATH is searched, and their files. The
repository's folders are not on sys.path, because finders installed by a .pth file may import from there."""


def open(options: WorkspaceOptions) -> Workspace:
    """Open a workspace (see `open_workspace`). Warns that the workspace is not isolated, and also if the repository's
    packages would be imported from elsewhere."""
    options.say("The local workspace is not isolated: the agent's commands run as you on this machine.")
    for folder in dead_workspaces():
        remove_folder(folder)
    place = LocalBase(options).place()
    try:
        workspace = PosixWorkspace(place, options)
        _probe(workspace, place.environment({}), options)
    except BaseException:
        place.remove()
        raise
    return workspace


class LocalBase:
    """The hosts of one base, and a folder with pristine copies of its history and store, which the last host
    removes."""

    def __init__(self, options: WorkspaceOptions) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=LOCAL_PREFIX)).resolve()
        self.python = _project_python(options)
        self._active: set[str] = set()
        self._lock = Lock()
        self._tree = options.base.tree
        try:
            (self.folder / "owner").write_text(process_owner.own_mark())
            history, store = self.folder / "history.git", self.folder / "store.git"
            options.repository.history(options.base, history)
            pack = self.folder / "base.pack"
            pack.write_bytes(options.trees.pack(self._tree))
            self.shell(create_store_script(str(store), str(pack), str(history)), store, self.folder)
            pack.unlink()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def place(self) -> LocalHost:
        """Create a fresh clone at the base."""
        name = secrets.token_hex(4)
        with self._lock:
            self._active.add(name)
        home = self.folder / name
        try:
            for part in ("repo", "scratch", "harness", "home", "inbox"):
                (home / part).mkdir(parents=True)
            _copy(self.folder / "history.git", home / "repo" / ".git")
            _copy(self.folder / "store.git", home / "store.git")
            root = str(home / "repo")
            self.shell(
                checkout_script(root, self._tree) + b" && " + reset_index_script(root),
                home / "store.git",
                home / "repo",
            )
        except BaseException:
            self.leave(name)
            raise
        return LocalHost(self, home)

    def leave(self, name: str) -> None:
        with self._lock:
            self._active.discard(name)
            last = not self._active
        remove_folder(self.folder / name)
        if last:
            remove_folder(self.folder)

    def shell(self, script: bytes, store: Path, root: Path) -> None:
        """Run the harness's own commands, before any command of the agent."""
        env = {"PATH": os.environ.get("PATH", os.defpath), **store_environment(str(store), str(root))}
        done = subprocess.run(
            ["sh", "-c", os.fsdecode(script)],
            env=env,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if done.returncode:
            errors = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise WorkspaceError(
                f"The clone could not be made: {errors}.", "Check that git is installed and the disk is not full."
            )


class LocalHost:
    """A clone with its store, home and other folders."""

    kind = "local"
    shared = True

    def __init__(self, family: LocalBase, home: Path) -> None:
        self._family, self._home = family, home
        self.root, self.scratch = str(home / "repo"), str(home / "scratch")
        self.harness, self.inbox = str(home / "harness"), str(home / "inbox")
        self.store = str(home / "store.git")

    def start(self, extra: Mapping[str, str], for_harness: bool) -> ProgramStarter:
        if for_harness:
            return local_starter(
                {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home / "home"), **extra}
            )
        return local_starter(self.environment(extra))

    def terminal(self, extra: Mapping[str, str]) -> tuple[list[str], dict[str, str] | None]:
        return [], self.environment(extra)

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the agent's commands."""
        passed = {name: os.environ[name] for name in KEPT if name in os.environ}
        if python := self._family.python:
            path = os.pathsep.join([str(python.programs), os.environ.get("PATH", os.defpath)])
            passed |= {"VIRTUAL_ENV": str(python.prefix), "PATH": path}
        users = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        return {
            **SESSION_ENVIRONMENT,
            **EXPLICIT_BARE_REPOSITORY,
            **passed,
            "HOME": str(self._home / "home"),
            "PYTHONUSERBASE": os.environ.get("PYTHONUSERBASE") or str(Path.home() / ".local"),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup"),
            "PYTHONPATH": os.pathsep.join([self.root, f"{self.root}/src", *users]),
            **extra,
        }

    def another(self, counting: bool = False) -> LocalHost:
        return self._family.place()

    def notice(self) -> bytes:
        return b""

    def was_short_of_disk(self, since: float) -> bool:
        return False

    def relieve(self) -> bool:
        return False

    def remove(self) -> None:
        self._family.leave(self._home.name)


def _project_python(options: WorkspaceOptions) -> ProjectPython | None:
    """Return the project's Python environment, and say which Python is used."""
    tree, source = options.base.tree, options.repository

    def is_tracked(path: str) -> bool:
        return options.trees.entry(tree, path) is not None

    found = find_project_python(source.root, os.environ, is_tracked)
    if found:
        version = f" {found.version}" if found.version else ""
        options.say(f"Python{version} of {found.prefix} is used: {found.reason}.")
    elif any((source.root / name).is_file() for name in MANIFESTS):
        program = shutil.which("python3") or shutil.which("python") or "no Python"
        options.say(f"{program} is used: the project has no environment of its own.")
    return found


def _copy(source: Path, target: Path) -> None:
    """Copy a repository. Git objects, which never change, are hard-linked."""

    def copy(old: str, new: str) -> None:
        if f"{os.sep}objects{os.sep}" in old:
            with suppress(OSError):
                os.link(old, new)
                return
        shutil.copy2(old, new)

    shutil.copytree(source, target, copy_function=copy)


def _probe(workspace: PosixWorkspace, env: Mapping[str, str], options: WorkspaceOptions) -> None:
    """Warn if a package of the repository would be imported from elsewhere, because the tests would then test other
    code."""
    root = Path(workspace.root)
    found = [file.parent.name for base in (root, root / "src") for file in sorted(base.glob("*/__init__.py"))]
    names = [name for name in found if name.isidentifier() and not name.startswith("test")][:10]
    if not names:
        return
    env = {**env, "PYTHONPATH": ""}  # otherwise Python would run a sitecustomize.py of the repository
    for python in ("python", "python3"):
        if executable := shutil.which(python, path=env.get("PATH")):
            with suppress(OSError, subprocess.TimeoutExpired):
                out = subprocess.run(
                    [executable, "-c", _PROBE, *names],
                    cwd=workspace.scratch,
                    env=env,
                    capture_output=True,
                    timeout=20,
                ).stdout.decode("utf-8", "replace")
                for line in out.splitlines():
                    name, _, origin = line.partition(" ")
                    if not origin.startswith(str(root)):
                        options.say(
                            f"{name} is imported from {origin}, not from the workspace, so tests may use that copy."
                        )
            return
