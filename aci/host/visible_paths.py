"""What a sandbox shows of the user's machine: the system's programs, a few files of /etc, and the tools of the project.

Nothing else of the home is visible, and no sockets: /run and /var do not exist.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from aci.host.bubblewrap import SHARED_MEMORY, Inside
from aci.host.project_python import ProjectPython

FOLDER = "/swe-agent"
"""The folder of the harness's own files in a sandbox."""

INIT = f"{FOLDER}/sandbox_init.py"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts", "gai.conf", "java"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "magic", "mime.types"),
    *("nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/certs", "protocols", "services", "ssl/certs"),
    *("ssl/openssl.cnf", "timezone", "xml"),
)
_ETC_PATTERNS = ("python3*", "java-*", "perl", "ruby*")
_TOOLS = ("python3", "node", "go", "java", "ruby", "perl", "php", "git", "gcc")
"""Programs whose installation is shown if it is outside of the system's folders."""

_CACHES = {
    "GOMODCACHE": "go/pkg/mod",
    "RUSTUP_HOME": ".rustup",
    "CARGO_HOME": ".cargo",
}
"""Folders of the home with downloaded packages and compilers, by the variables that can name them."""
_CARGO = ("bin", "registry", "git")  # not its credentials


def system_contents() -> Inside:
    """Return the contents of every sandbox: the system's programs, devices and processes."""
    inside = Inside()
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            inside.add("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            inside.show(path)
    if not own_interpreter().is_relative_to("/usr"):
        inside.show(own_interpreter().parents[1])
    inside.add("--proc", "/proc")
    for path in (Path("/proc/keys"), Path("/proc/key-users")):
        if path.exists():
            inside.show("/dev/null", path)
    inside.add("--dev", "/dev", "--size", str(SHARED_MEMORY), "--perms", "1777", "--tmpfs", "/dev/shm")
    etc = Path("/etc")
    found = [etc / name for name in _ETC] + [path for pattern in _ETC_PATTERNS for path in etc.glob(pattern)]
    for path in found:
        if path.exists():
            inside.show(path.resolve(), path)
    return inside


def own_interpreter() -> Path:
    """Return the interpreter that runs swe-agent, without its virtual environment."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = Path(sys.base_prefix, "bin", name)
    return found.resolve() if found.exists() else Path(sys.executable).resolve()


def add_own_files(inside: Inside, home: str) -> None:
    """Put files there that name the user and this machine, and the program of the first process."""
    inside.put(INIT, files("aci.host").joinpath("sandbox_init.py").read_text())
    uid, gid = os.getuid(), os.getgid()
    inside.put("/etc/passwd", f"user:x:{uid}:{gid}::{home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    inside.put("/etc/group", f"user:x:{gid}:\nnogroup:x:65534:\n")
    inside.put("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n")


class Tools:
    """The project's Python, other tools of the user outside of the system's folders, and their packages.

    `variables` are those of the user's environment; `root` is the user's checkout, which is never shown.
    """

    def __init__(self, python: ProjectPython | None, variables: Mapping[str, str], root: Path) -> None:
        self._home = Path(variables.get("HOME") or Path.home())
        self._hidden = (self._home, root, Path("/tmp"), Path("/etc"))
        self.folders: dict[Path, Path] = {}
        """Folders to show, by the paths under which they are shown."""
        self.variables: dict[str, str] = {}
        path = variables.get("PATH", os.defpath)
        if python and self._may_show(python.prefix):
            self.folders[python.prefix] = python.prefix.resolve()
            for program in (*_hops(python.programs / "python"), *_hops(python.home / "python3")):
                self._show_interpreter(program.parent.parent)
            self.variables["VIRTUAL_ENV"] = str(python.prefix)
        if not python:
            self._show_user_packages()
        programs = [found for name in _TOOLS if (found := shutil.which(name, path=path))]
        for program in (hop for found in programs for hop in _hops(Path(found))):
            self._show_prefix(program)
        self._show_caches(variables)
        visible = [each for each in path.split(os.pathsep) if self._is_visible(Path(each))]
        self.variables["PATH"] = os.pathsep.join([str(python.programs), *visible] if python else visible)

    def _show_interpreter(self, prefix: Path) -> None:
        """Show the installation of an interpreter. An environment can name any folder, so its contents are checked."""
        if any(prefix.glob("lib*/python3*/os.py")):
            self._show(prefix)

    def _show_prefix(self, program: Path) -> None:
        """Show the installation of a program: the parent of its folder `bin`."""
        if program.parent.name == "bin":
            self._show(program.parent.parent)

    def _show(self, prefix: Path) -> None:
        if len(prefix.parts) > 2 and not self._is_visible(prefix) and prefix.is_dir() and self._may_show(prefix):
            self.folders[prefix] = prefix.resolve()

    def _may_show(self, folder: Path) -> bool:
        real = folder.resolve()
        return not any(hidden.is_relative_to(each) for hidden in self._hidden for each in (folder, real))

    def _show_user_packages(self) -> None:
        """Show what `pip install --user` has installed."""
        base = self._home / ".local"
        for packages in (base / "lib").glob("python3*/site-packages"):
            self.folders[packages] = packages.resolve()
            self.variables["PYTHONUSERBASE"] = str(base)

    def _show_caches(self, variables: Mapping[str, str]) -> None:
        for name, default in _CACHES.items():
            folder = Path(variables.get(name) or self._home / default)
            if folder.is_dir():
                self.variables[name] = str(folder)
                parts = [folder / part for part in _CARGO] if name == "CARGO_HOME" else [folder]
                self.folders |= {part: part.resolve() for part in parts if part.is_dir()}

    def _is_visible(self, path: Path) -> bool:
        return any(path.is_relative_to(shown) for shown in (*map(Path, SYSTEM), *self.folders))


def _hops(program: Path) -> Iterator[Path]:
    """Yield a program and each file or folder that a symbolic link on its path leads through."""
    for _ in range(20):
        yield program
        with suppress(OSError):
            yield program.parent.resolve() / program.name
        if not program.is_symlink():
            return
        program = program.parent / program.readlink()
