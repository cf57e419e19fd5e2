"""Workspaces in a folder of this machine, for users without Docker: a fresh clone with no isolation."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from aci.environments.environment_records import generated_archive
from aci.host.clones import CloneFamily, prepare_clones
from aci.host.generated_files import unpack_generated
from aci.host.project_python import ProjectPython
from aci.runtime.posix_workspace import SESSION_ENVIRONMENT, PosixWorkspace
from aci.runtime.process_channel import ProgramStarter, TerminalStarter, local_starter, terminal_programs
from aci.runtime.workspace import Workspace, WorkspaceOptions

KEPT = (
    *("PATH", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"),
    *("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "PYENV_VERSION", "JAVA_HOME", "GOROOT"),
)
"""Variables of the user's environment that commands see. None of them holds a key or a token."""

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
    python, generated = prepare_clones(options)
    family = CloneFamily(options, generated)
    editable = python.editable_folders(options.repository.root) if python else []
    host = LocalHost(family, python, editable, generated_archive(options))
    try:
        workspace = PosixWorkspace(host, options)
        _probe(workspace, host.environment({}), options)
    except BaseException:
        host.remove()
        raise
    return workspace


class LocalHost:
    """A clone and the user's own environment."""

    kind = "local"
    shared = True

    def __init__(
        self, family: CloneFamily, python: ProjectPython | None, editable: Sequence[str], archive: Path | None
    ) -> None:
        self._family, self._python, self._editable, self._archive = family, python, editable, archive
        self._clone = clone = family.create()
        self.root, self.scratch, self.harness = clone.part("repo"), clone.part("scratch"), clone.part("harness")
        self.inbox, self.store, self._home = clone.part("inbox"), clone.part("store.git"), clone.part("home")
        if archive:
            with suppress(OSError, tarfile.TarError):
                unpack_generated(archive, Path(self.root))

    def start(self, extra: Mapping[str, str], for_harness: bool) -> ProgramStarter:
        if for_harness:
            return local_starter({"PATH": os.environ.get("PATH", os.defpath), "HOME": self._home, **extra})
        return local_starter(self.environment(extra))

    def terminal(self, extra: Mapping[str, str]) -> TerminalStarter:
        return lambda words: terminal_programs().open_terminal(words, self.environment(extra))

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the agent's commands."""
        passed = {name: os.environ[name] for name in KEPT if name in os.environ}
        if python := self._python:
            path = os.pathsep.join([str(python.programs), os.environ.get("PATH", os.defpath)])
            passed |= {"VIRTUAL_ENV": str(python.prefix), "PATH": path}
        own = [f"{self.root}/{folder}" for folder in self._editable if folder not in (".", "src")]
        users = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        return {
            **SESSION_ENVIRONMENT,
            **EXPLICIT_BARE_REPOSITORY,
            **passed,
            "HOME": self._home,
            "PYTHONUSERBASE": os.environ.get("PYTHONUSERBASE") or str(Path.home() / ".local"),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME") or str(Path.home() / ".rustup"),
            "PYTHONPATH": os.pathsep.join([self.root, f"{self.root}/src", *own, *users]),
            **extra,
        }

    def another(self, counting: bool = False) -> LocalHost:
        return LocalHost(self._family, self._python, self._editable, self._archive)

    def notice(self) -> bytes:
        return b""

    def was_short_of_disk(self, since: float) -> bool:
        return False

    def relieve(self) -> bool:
        return False

    def remove(self) -> None:
        self._family.remove(self._clone.name)


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
