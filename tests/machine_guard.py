"""A guard around the machine of whoever runs the tests: none of its settings is read, and nothing of it is changed.

The tests run with an environment of named variables, a home in a temporary folder, and a PATH that begins with package
managers that fail. Each test is checked afterwards: it fails if it started a package manager, or if the real home, the
environment of the tests or the list of installed packages has changed. A test marked `installers` may start them in its
own folders.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

KEPT = re.compile(
    # how to run programs, where to write, language and time: the program must work with those of anybody
    r"PATH|LD_LIBRARY_PATH|SHELL|USER|LOGNAME|TERM|TMPDIR|TZ|LANG|LANGUAGE|LC_\w+|"
    # the tests, their tools and CI
    r"CI|SWE_AGENT_TEST_\w+|SWE_AGENT_IMAGE|_?PY\w+|COV(ERAGE)?_\w+|HYPOTHESIS_\w+|OPENBLAS_\w+|"
    # programs and services of the machine
    r"PYENV_ROOT|RUSTUP_HOME|DOCKER_HOST|DOCKER_CONFIG|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS"
)
"""Variables of the caller that tests see. Settings of git, of package managers and of models are not among them."""
INSTALLERS = (
    *("apt", "apt-get", "aptitude", "dpkg", "apk", "dnf", "yum", "zypper", "pacman", "brew", "snap"),
    *("npm", "npx", "pnpm", "yarn", "corepack", "pip", "pip3", "pipx", "uv", "uvx", "conda", "curl", "wget"),
)
HARMLESS = "test|run|-v|-V|--version"
"""Shell pattern of the subcommands that install nothing."""
HOME_FOLDERS = ("", ".cache/", ".config/", ".local/bin/", ".local/lib/", ".local/share/", ".local/state/")
"""Folders of the real home whose entries are compared. Other programs of the user may change what is further down."""
HOME_FILES = (".gitconfig", ".config/git/config", ".config/pip/pip.conf", ".npmrc", ".docker/config.json", ".profile")
INSTALLED = ("/var/lib/dpkg/status", sysconfig.get_path("purelib"), f"{sys.prefix}/bin")
"""The list of Debian's packages, and the environment of the tests."""
GIT_CONFIG = "[user]\n\tuseConfigOnly = true\n"
"""Without an identity of its own, a commit fails on every machine, not only where git can guess none."""
MACHINE = "PYTEST_REAL_MACHINE"
"""Variable with the fields of `RealMachine` as JSON, for the processes of pytest-xdist."""


@dataclass(frozen=True)
class RealMachine:
    """What the environment of the tests does not show."""

    home: str
    """Home of the user who runs the tests."""
    started: str
    """File with the command lines of the installers that tests have started."""
    programs: str
    """Folder of the programs that fail in place of installers."""

    def path_with_installers(self) -> str:
        """Return the present PATH without the programs that fail."""
        return os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != self.programs)

    def started_installers(self) -> str:
        """Return the command lines of installers that tests of this process have started so far."""
        own = (f"{os.environ.get('PYTEST_XDIST_WORKER', '')} ", " ")
        lines = Path(self.started).read_text("utf-8", "replace").splitlines(keepends=True)
        return "".join(line for line in lines if line.startswith(own))

    def state(self) -> dict[str, object]:
        """Return what no test may change, by path: sizes and times of files, and the entries of folders of the home."""
        state: dict[str, object] = {}
        for name in HOME_FOLDERS:
            with suppress(OSError), os.scandir(f"{self.home}/{name}") as entries:
                state |= {f"~/{name}{entry.name}": "exists" for entry in entries}
        state |= {f"~/{name}": _file_state(f"{self.home}/{name}") for name in HOME_FILES}
        return state | {file: _file_state(file) for file in INSTALLED}


def _file_state(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@contextmanager
def isolated_environment(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment for tests, and remove its folder afterwards.

    A process that pytest-xdist starts with it gets the same environment.
    """
    if MACHINE in environment:
        yield dict(environment)
        return
    with tempfile.TemporaryDirectory(prefix="pytest-machine-", ignore_cleanup_errors=True) as name:
        home, programs, started = (Path(name, each) for each in ("home", "programs", "started"))
        home.mkdir()
        programs.mkdir()
        started.touch()
        (home / ".gitconfig").write_text(GIT_CONFIG)
        path = environment.get("PATH", os.defpath)
        _write_installers(programs, started, path)
        machine = RealMachine(environment.get("HOME") or str(Path.home()), str(started), str(programs))
        own = {name: value for name, value in environment.items() if KEPT.fullmatch(name)} | {
            "HOME": str(home),
            "PATH": f"{programs}{os.pathsep}{path}",
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_NO_INDEX": "1",
            "PIP_REQUIRE_VIRTUALENV": "1",
            "npm_config_offline": "true",
            MACHINE: json.dumps(asdict(machine)),
        }
        for variable, folder in (("PYENV_ROOT", ".pyenv"), ("RUSTUP_HOME", ".rustup"), ("DOCKER_CONFIG", ".docker")):
            place = f"{machine.home}/{folder}"
            if os.path.isdir(place):  # noqa: PTH112  (without PermissionError)
                own.setdefault(variable, place)
        yield own


def _write_installers(folder: Path, started: Path, path: str) -> None:
    """Write a program that fails in place of each installer of this machine, unless it only runs a project's script."""
    for name in INSTALLERS:
        if program := shutil.which(name, path=path):
            (folder / name).write_text(
                f'#!/bin/sh\ncase ${{1-}} in {HARMLESS}) exec {shlex.quote(program)} "$@" ;; esac\n'
                f'echo "${{PYTEST_XDIST_WORKER-}} {name} $*" >>{shlex.quote(str(started))}\n'
                f"echo 'A test may start {name} only if it is marked `installers`.' >&2\nexit 99\n"
            )
            (folder / name).chmod(0o755)
