"""A workspace in a folder of this machine, for people without Docker: an own fresh clone, and no boundary."""

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

from aci import owner
from aci.channel import Start, here
from aci.leftovers import LOCAL, dead_workspaces, remove_folder
from aci.posix import SESSION, PosixWorkspace
from aci.store import adoption, checkout, creation, environment
from aci.workspace import Options, Workspace
from trajectories.errors import WorkspaceError

KEPT = (
    *("PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "PYENV_VERSION", "JAVA_HOME", "GOROOT"),
)
"""What commands see of the user's environment: no key and no token is among it."""

ONLY_NAMED_BARE = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
}
"""Keeps git from taking a folder of ordinary files for a bare repository, whose settings run programs."""

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
"""Names that are not looked for in PYTHONPATH, and where they are. The repository's folders are not on sys.path, since
finders that a .pth file installs may import from there."""


def open(options: Options) -> Workspace:
    """See `open_workspace`. Tells the user that this is no boundary, and if imports do not come from the clone."""
    options.say("The local workspace is no boundary: what the agent runs, it runs as you on this machine.")
    for folder in dead_workspaces():
        remove_folder(folder)
    place = Family(options).place()
    try:
        workspace = PosixWorkspace(place, options)
        _probe(workspace, place.environment({}), options)
    except BaseException:
        place.remove()
        raise
    return workspace


class Family:
    """Places of one base: pristine copies of history and store in a folder that the last of them removes."""

    def __init__(self, options: Options) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=LOCAL)).resolve()
        self._living: set[str] = set()
        self._lock = Lock()
        self._tree = options.base.tree
        try:
            (self.folder / "owner").write_text(owner.me())
            history, store = self.folder / "history.git", self.folder / "store.git"
            options.repository.history(options.base, history)
            pack = self.folder / "base.pack"
            pack.write_bytes(options.trees.pack(self._tree))
            self.shell(creation(str(store), str(pack), str(history)), store, self.folder)
            pack.unlink()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def place(self) -> Folder:
        """A fresh clone at the base."""
        name = secrets.token_hex(4)
        with self._lock:
            self._living.add(name)
        home = self.folder / name
        try:
            for part in ("repo", "scratch", "harness", "home", "inbox"):
                (home / part).mkdir(parents=True)
            _copy(self.folder / "history.git", home / "repo" / ".git")
            _copy(self.folder / "store.git", home / "store.git")
            root = str(home / "repo")
            self.shell(checkout(root, self._tree) + b" && " + adoption(root), home / "store.git", home / "repo")
        except BaseException:
            self.leave(name)
            raise
        return Folder(self, home)

    def leave(self, name: str) -> None:
        with self._lock:
            self._living.discard(name)
            last = not self._living
        remove_folder(self.folder / name)
        if last:
            remove_folder(self.folder)

    def shell(self, script: bytes, store: Path, root: Path) -> None:
        """Run commands of ours in our own folder, before any command of the agent."""
        env = {"PATH": os.environ.get("PATH", os.defpath), **environment(str(store), str(root))}
        done = subprocess.run(
            ["sh", "-c", os.fsdecode(script)],
            env=env,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()[-500:]
            raise WorkspaceError(
                f"The clone could not be made: {said}.", "See that git is installed and the disk not full."
            )


class Folder:
    """One clone with what belongs to it."""

    kind = "local"
    shared = True

    def __init__(self, family: Family, home: Path) -> None:
        self._family, self._home = family, home
        self.root, self.scratch = str(home / "repo"), str(home / "scratch")
        self.harness, self.inbox = str(home / "harness"), str(home / "inbox")
        self.store = str(home / "store.git")

    def start(self, extra: Mapping[str, str], ours: bool) -> Start:
        if ours:
            return here({"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home / "home"), **extra})
        return here(self.environment(extra))

    def terminal(self, extra: Mapping[str, str]) -> tuple[list[str], dict[str, str] | None]:
        return [], self.environment(extra)

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Of what the agent runs."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        users = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        return {
            **SESSION,
            **ONLY_NAMED_BARE,
            **kept,
            "HOME": str(self._home / "home"),
            "PYTHONUSERBASE": os.environ.get("PYTHONUSERBASE") or str(Path.home() / ".local"),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup"),
            "PYTHONPATH": os.pathsep.join([self.root, f"{self.root}/src", *users]),
            **extra,
        }

    def another(self, counting: bool = False) -> Folder:
        return self._family.place()

    def notice(self) -> bytes:
        return b""

    def was_short_of_disk(self, since: float) -> bool:
        return False

    def relieve(self) -> bool:
        return False

    def remove(self) -> None:
        self._family.leave(self._home.name)


def _copy(source: Path, target: Path) -> None:
    """Copy a repository; its objects, which git never changes, become links."""

    def copy(old: str, new: str) -> None:
        if f"{os.sep}objects{os.sep}" in old:
            with suppress(OSError):
                os.link(old, new)
                return
        shutil.copy2(old, new)

    shutil.copytree(source, target, copy_function=copy)


def _probe(workspace: PosixWorkspace, env: Mapping[str, str], options: Options) -> None:
    """Warn if a package of the repository would be imported from elsewhere, which would test other code."""
    root = Path(workspace.root)
    found = [file.parent.name for base in (root, root / "src") for file in sorted(base.glob("*/__init__.py"))]
    names = [name for name in found if name.isidentifier() and not name.startswith("test")][:10]
    if not names:
        return
    env = {**env, "PYTHONPATH": ""}  # or Python would run a sitecustomize.py of the repository
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
                        options.say(f"{name} is not imported from the clone but from {origin}: tests may test that.")
            return
