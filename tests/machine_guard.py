"""A guard around the machine of whoever runs the tests: none of its settings is read, and nothing of it is changed.

The tests run with an environment of named variables, a home in a temporary folder, and a PATH that begins with package
managers that fail. Each test is checked afterwards: it fails if it started a package manager, or if the real home, the
environment of the tests or the list of installed packages has changed. Tests marked `packages` may install what they
need into their own folders.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

KEPT = re.compile(
    # how to run programs, where to write, language and time: the program must work with those of anybody
    r"PATH|LD_LIBRARY_PATH|SHELL|USER|LOGNAME|TERM|TMPDIR|TZ|LANG|LANGUAGE|LC_\w+|"
    # the tests, their tools and CI
    r"CI|SWE_AGENT_TEST_\w+|SWE_AGENT_IMAGE|(PY|_PY)\w+|COV(ERAGE)?_\w+|HYPOTHESIS_\w+|OPENBLAS_\w+|"
    # services of the machine
    r"DOCKER_HOST|DOCKER_CONFIG|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS"
)
"""Variables of the caller that tests see. Settings of git, of package managers and of models are not among them."""
INSTALLERS = (
    *("apt", "apt-get", "aptitude", "dpkg", "apk", "dnf", "yum", "zypper", "pacman", "brew", "snap"),
    *("npm", "npx", "pnpm", "yarn", "corepack", "pip", "pip3", "pipx", "uv", "uvx", "conda", "curl", "wget"),
)
HOME_FOLDERS = ("", ".cache", ".config", ".local/bin", ".local/lib", ".local/share", ".local/state")
"""Folders of the real home whose entries are compared. Other programs of the user may change what is further down."""
HOME_FILES = (".gitconfig", ".config/git/config", ".config/pip/pip.conf", ".npmrc", ".docker/config.json", ".profile")
GIT_CONFIG = "[user]\n\tuseConfigOnly = true\n"
"""Without an identity of its own, a commit fails on every machine, not only where git can guess none."""
_HOME, _STARTED = "SWE_AGENT_TEST_HOME", "SWE_AGENT_TEST_STARTED"
_REAL_PATH = "SWE_AGENT_TEST_PATH"


def isolate(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the environment for tests, and remove its folder afterwards.

    A process that pytest-xdist starts from it gets the same environment.
    """
    if _HOME in environment:
        yield dict(environment)
        return
    with tempfile.TemporaryDirectory(prefix="swe-agent-tests-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home, programs, started = folder / "home", folder / "programs", folder / "started"
        for each in (home, programs):
            each.mkdir()
        started.touch()
        (home / ".gitconfig").write_text(GIT_CONFIG)
        _write_installers(programs, started, environment.get("PATH", os.defpath))
        real_home = environment.get("HOME") or str(Path.home())
        own = {name: value for name, value in environment.items() if KEPT.fullmatch(name)} | {
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "PIP_NO_INDEX": "1",
            "PIP_REQUIRE_VIRTUALENV": "1",
            "npm_config_offline": "true",
            "PATH": f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}",
            _HOME: real_home,
            _REAL_PATH: environment.get("PATH", os.defpath),
            _STARTED: str(started),
        }
        # where programs of the machine are, not settings
        for variable, place in (("PYENV_ROOT", ".pyenv"), ("DOCKER_CONFIG", ".docker")):
            if Path(real_home, place).is_dir():
                own.setdefault(variable, str(Path(real_home, place)))
        yield own


def _write_installers(folder: Path, started: Path, path: str) -> None:
    """Write a program that fails in place of each installer of this machine."""
    for name in INSTALLERS:
        if shutil.which(name, path=path):
            (folder / name).write_text(
                f'#!/bin/sh\necho "{name} $*" >>{shlex.quote(str(started))}\n'
                f"echo 'No test may start {name}, unless it is marked `packages`.' >&2\nexit 99\n"
            )
            (folder / name).chmod(0o755)


def started_installers() -> str:
    """Return the command lines of package managers that tests have started so far."""
    return Path(os.environ[_STARTED]).read_text("utf-8", "replace")


def path_with_installers() -> str:
    """Return a PATH with the package managers of this machine."""
    return os.environ[_REAL_PATH]


def machine_state() -> dict[str, object]:
    """Return what no test may change, by name: sizes, times and entries of files and folders outside of the tests."""
    home = Path(os.environ[_HOME])
    state: dict[str, object] = {f"~/{name}": _file_state(home / name) for name in HOME_FILES}
    for name in HOME_FOLDERS:
        try:
            state[f"~/{name}"] = frozenset(each.name for each in (home / name).iterdir())
        except OSError:
            state[f"~/{name}"] = None
    for file in (Path("/var/lib/dpkg/status"), Path(sysconfig.get_path("purelib")), Path(sys.prefix, "bin")):
        state[str(file)] = _file_state(file)
    return state


def _file_state(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
