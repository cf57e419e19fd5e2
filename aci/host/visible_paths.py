"""What a sandbox shows of the user's machine: the system's programs, a few files of /etc, and the tools of the project.

Nothing else of the home is visible, and no sockets: /run and /var do not exist.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from aci.host.bubblewrap import SHARED_MEMORY, SandboxContents
from aci.host.clones import FOLDER
from aci.host.project_python import ProjectPython

INIT = f"{FOLDER}/sandbox_init.py"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "fonts", "gai.conf", "java"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "magic", "mime.types"),
    *("nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/certs", "protocols", "services", "ssl/certs"),
    *("ssl/openssl.cnf", "timezone", "xml"),
)
_ETC_PATTERNS = ("python3*", "java-*", "perl", "ruby*")
_TOOLS = (
    *("python3", "python", "node", "npm", "pnpm", "yarn", "bun", "deno", "go", "cargo", "rustc", "java", "mvn"),
    *("ruby", "perl", "php", "git", "gcc", "make", "uv", "tox", "nox", "poetry", "pdm", "hatch"),
)
"""Programs that are shown if they are outside of the system's folders."""

_INSTALLATIONS = (
    *("pyvenv.cfg", "lib*/python3*/os.py", "include/node", "lib/node_modules/npm", "pkg/tool"),
    *("lib/modules", "lib/ruby", "lib/perl5", "lib/gcc", "libexec/git-core"),
)
"""Files and folders of which each is a sign of an interpreter's or compiler's installation."""

_CACHES = {
    "GOMODCACHE": ("go/pkg/mod", ("",)),
    "RUSTUP_HOME": (".rustup", ("",)),
    "CARGO_HOME": (".cargo", ("bin", "registry", "git")),  # not its credentials
}
"""Variables that name folders with downloaded packages and compilers, their defaults in the home, and the parts to
show."""


def system_contents() -> SandboxContents:
    """Return the contents of every sandbox: the system's programs, devices and processes."""
    inside = SandboxContents()
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            inside.add("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            inside.show(path)
    for path in _own_installation():
        inside.show(path)
    inside.add("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
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


def add_own_files(inside: SandboxContents, home: str) -> None:
    """Put files there that name the user and this machine, and the program of the first process."""
    inside.put(INIT, files("aci.host").joinpath("sandbox_init.py").read_text())
    uid, gid = os.getuid(), os.getgid()
    inside.put("/etc/passwd", f"user:x:{uid}:{gid}::{home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    inside.put("/etc/group", f"user:x:{gid}:\nnogroup:x:65534:\n")
    inside.put("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n")


def _own_installation() -> list[Path]:
    """Return what the interpreter of swe-agent needs: its prefix, or only parts of it if it holds more than Python."""
    program = own_interpreter()
    prefix, home = program.parents[1], Path.home().resolve()
    if program.is_relative_to("/usr"):
        return []
    if home.is_relative_to(prefix) or (prefix.parent == home and prefix.name.startswith(".")):
        return [program, *prefix.glob(f"lib*/{program.name}"), *prefix.glob("lib*/libpython*")]
    return [prefix]


class VisibleTools:
    """The project's Python, other tools of the user outside of the system's folders, and their packages.

    `variables` are those of the user's environment; `root` is the user's checkout, which is never shown. `shown` are
    the files and folders to show, by the paths under which they appear, and `links` the texts of symbolic links.
    """

    def __init__(self, python: ProjectPython | None, variables: Mapping[str, str], root: Path) -> None:
        self._home = Path(variables.get("HOME") or Path.home())
        self._homes = (self._home, self._home.resolve(), Path.home())
        self._hidden = (*self._homes, root, root.resolve(), Path("/tmp"), Path("/etc"))
        self.shown: dict[Path, Path] = {}
        self.links: dict[Path, str] = {}
        self.variables: dict[str, str] = {}
        folders = [Path(each) for each in variables.get("PATH", os.defpath).split(os.pathsep) if each]
        folders = [each for each in folders if each.name != "shims"]  # they need programs and settings of the home
        hidden = [folder for home in self._homes for folder in (home, *home.glob(".*"))]
        self._private = {each for folder in hidden for each in (folder, folder.resolve())}
        if python and self._may_show(python.prefix) and not self._is_private(python.prefix):
            self.shown[python.prefix] = python.prefix.resolve()
            self._show_interpreters(_link_chain(python.programs / "python"))
            self._show_interpreters(_link_chain(python.home / "python3"))
            self.variables["VIRTUAL_ENV"] = str(python.prefix)
        else:
            python = None
            self._show_user_packages()
            folders = [*_pyenv_folders(variables, self._home, root), *folders]
        path = os.pathsep.join(map(str, folders))
        for name in _TOOLS:
            if found := shutil.which(name, path=path):
                self._show_program(Path(found))
        self._show_caches(variables)
        folders = [python.programs, *folders] if python else folders
        entries = {path.parent for path in (*self.shown, *self.links)}
        visible = [str(each) for each in folders if self._is_visible(each) or each in entries]
        self.variables["PATH"] = os.pathsep.join(visible)

    def _show_interpreters(self, programs: Iterable[Path]) -> None:
        """Show the installations of interpreters. An environment can name any folder, so their contents are checked."""
        for prefix in (program.parent.parent for program in programs):
            libraries = [file.parent for file in prefix.glob("lib*/python3*/os.py")]
            if libraries and self._may_show(prefix) and not self._is_private(prefix):
                self._show(prefix)
            elif libraries:
                for path in (*libraries, *prefix.glob("bin/python3*")):
                    self._show(path)

    def _show_program(self, program: Path) -> None:
        """Show the installation of a program, or only the program if its folder also holds other things."""
        for hop in _link_chain(program):
            prefix = hop.parent.parent if hop.parent.name == "bin" else hop.parent
            if self._is_visible(hop):
                continue
            if self._is_installation(prefix):
                self._show(prefix)
            elif hop.is_symlink():
                self.links[hop] = str(hop.readlink())
            elif hop.is_file():
                self._show(hop)

    def _is_installation(self, prefix: Path) -> bool:
        """Return whether the folder looks like the installation of a program, unlike a user's ~/.local."""
        looks_right = any(any(prefix.glob(pattern)) for pattern in _INSTALLATIONS)
        looks_right |= prefix.parent.name == "node_modules" and (prefix / "package.json").is_file()
        return len(prefix.parts) > 2 and looks_right and not self._is_private(prefix) and self._may_show(prefix)

    def _is_private(self, folder: Path) -> bool:
        """Return whether it is the home or one of its hidden folders, which hold more than one program."""
        return folder in self._private or folder.resolve() in self._private

    def _show(self, path: Path) -> None:
        if not self._is_visible(path):
            self.shown[path] = path.resolve()

    def _may_show(self, folder: Path) -> bool:
        real = folder.resolve()
        return not any(hidden.is_relative_to(each) for hidden in self._hidden for each in (folder, real))

    def _show_user_packages(self) -> None:
        """Show what `pip install --user` has installed."""
        base = self._home / ".local"
        for packages in (base / "lib").glob("python3*/site-packages"):
            self._show(packages)
            self.variables["PYTHONUSERBASE"] = str(base)

    def _show_caches(self, variables: Mapping[str, str]) -> None:
        for name, (default, parts) in _CACHES.items():
            folder = Path(variables.get(name) or self._home / default)
            if folder.is_dir():
                self.variables[name] = str(folder)
                for part in (folder / part for part in parts):
                    if part.exists() and self._may_show(part):
                        self._show(part)

    def _is_visible(self, path: Path) -> bool:
        return any(path.is_relative_to(shown) for shown in (*map(Path, SYSTEM), Path("/etc"), *self.shown))


def _pyenv_folders(variables: Mapping[str, str], home: Path, root: Path) -> list[Path]:
    """Return the folders of the interpreters that pyenv uses for the project."""
    base = Path(variables.get("PYENV_ROOT") or home / ".pyenv")
    files = [file for file in (root / ".python-version", base / "version") if file.is_file()]
    named = variables.get("PYENV_VERSION") or next((file.read_text("utf-8", "replace") for file in files), "")
    names = [name for name in re.split(r"[:\s]+", named[:1000]) if re.fullmatch(r"[\w.+-]+", name)]
    versions = [path for name in names for path in (base / "versions" / name, *base.glob(f"versions/{name}.*"))]
    return [version / "bin" for version in versions if any(version.glob("lib/python3*/os.py"))]


def _link_chain(program: Path) -> Iterator[Path]:
    """Yield a program and each file or folder that a symbolic link on its path leads through."""
    for _ in range(20):
        yield program
        with suppress(OSError):
            yield program.parent.resolve() / program.name
        if not program.is_symlink():
            return
        program = Path(os.path.normpath(program.parent.resolve() / program.readlink()))
