"""What a sandbox shows of the user's machine: the system's programs, a few files of /etc, and the tools of the project.

Nothing else of the home is visible, and no sockets: /run and /var do not exist.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from aci.host.clones import FOLDER
from aci.host.project_python import ProjectPython, pyenv_prefixes, pyenv_root, read_text
from extensions.sandbox.bubblewrap import SHARED_MEMORY, SandboxContents
from trajectories.errors import WorkspaceError

INIT = f"{FOLDER}/sandbox_init.py"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = (
    *("alternatives", "ca-certificates", "ca-certificates.conf", "chromium.d", "crypto-policies", "fonts", "gai.conf"),
    *("java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime", "magic"),
    *("mime.types", "nsswitch.conf", "os-release", "pki/ca-trust", "pki/tls/certs", "protocols", "services"),
    *("ssl/certs", "ssl/openssl.cnf", "timezone", "xml"),
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


MOST_SOCKETS = 100


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
    inside.put(INIT, files("extensions.sandbox").joinpath("sandbox_init.py").read_text())
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

    `variables` are those of the user's environment; `root` is the user's checkout, of which at most the environment is
    shown. `shown` are the files and folders to show, by the paths under which they appear, and `links` the texts of
    symbolic links. `sockets` are covered, and the folders `emptied` appear empty; both name their sources too. `path`
    is the PATH of the harness, without the programs of the environment.

    The checkout and its environment are untrusted. They can name any path of the machine, so what they name is shown
    only if it is an installation of Python elsewhere.
    """

    def __init__(self, python: ProjectPython | None, variables: Mapping[str, str], root: Path) -> None:
        self._home = Path(variables.get("HOME") or Path.home())
        self._checkouts = (root, root.resolve())
        homes = (self._home, self._home.resolve(), Path.home())
        self._hidden = (*homes, *self._checkouts, Path("/tmp"), Path("/etc"))
        hidden = [folder for home in homes for folder in (home, *home.glob(".*"))]
        self._private = {each for folder in hidden for each in (folder, folder.resolve())}
        self.shown: dict[Path, Path] = {}
        self.links: dict[Path, str] = {}
        self.sockets: dict[Path, Path] = {}
        self.emptied: dict[Path, Path] = {}
        self.variables: dict[str, str] = {}
        named = variables.get("PATH", os.defpath).split(os.pathsep)
        folders = [Path(os.path.normpath(each)) for each in named if each.startswith("/")]
        folders = [each for each in folders if each.name != "shims"]  # they need programs and settings of the home
        programs = [*self._show_environment(python)] if python else []
        if not programs:
            self._show_user_packages()
            folders = [*_pyenv_folders(variables, root), *folders]
        own = [each.resolve() for each in programs]
        folders = [each for each in folders if not self._is_in_checkout(each) and each.resolve() not in own]
        path = os.pathsep.join(map(str, folders))
        for name in _TOOLS:
            if found := shutil.which(name, path=path):
                self._show_program(Path(found))
        self._show_caches(variables)
        entries = {path.parent for path in (*self.shown, *self.links)}
        visible = [each for each in folders if self._is_visible(each) or each in entries]
        self.path = os.pathsep.join(map(str, visible)) or os.defpath
        self.variables["PATH"] = os.pathsep.join(map(str, [*programs, *visible]))

    def _show_environment(self, python: ProjectPython) -> Iterator[Path]:
        """Show the environment and its interpreter, and yield the folder of its programs, if it may be shown."""
        prefix, real = python.prefix, python.prefix.resolve()
        is_ours = self._may_show(real) or self._is_real_folder_of_checkout(prefix)
        if not is_ours or ".." in prefix.parts or self._is_private(prefix):
            return
        self.shown[prefix] = real
        for program in (python.programs / "python", python.home / "python3"):
            self._show_interpreter(program)
        self.variables["VIRTUAL_ENV"] = str(prefix)
        yield python.programs

    def _show_interpreter(self, program: Path) -> None:
        """Show the installation of Python that a program leads to, also at the paths of links to it."""
        real = program.resolve()
        prefix, version = real.parent.parent, re.match(r"python3\.\d+t?", real.name)
        library = prefix / "lib" / (version[0] if version else "")
        if not version or not real.is_file() or not (library / "os.py").is_file() or library.resolve() != library:
            return
        if self._is_private(prefix) or not self._may_show(prefix):
            self._show(real)
            self._show(library)
            return
        for path in _link_chain(program):
            place = path.parent.parent
            if place.resolve() == prefix:
                self._show(place)

    def _show_program(self, program: Path) -> None:
        """Show the installation of a program, or only the program if its folder also holds other things."""
        for path in _link_chain(program):
            prefix = path.parent.parent if path.parent.name == "bin" else path.parent
            if self._is_visible(path) or self._is_in_checkout(path):
                continue
            if self._is_installation(prefix):
                self._show(prefix)
            elif path.is_symlink():
                self.links[path] = str(path.readlink())
            elif path.is_file():
                self._show(path)

    def _is_installation(self, prefix: Path) -> bool:
        """Return whether the folder looks like the installation of a program, unlike a user's ~/.local."""
        looks_right = any(any(prefix.glob(pattern)) for pattern in _INSTALLATIONS)
        looks_right |= prefix.parent.name == "node_modules" and (prefix / "package.json").is_file()
        return len(prefix.parts) > 2 and looks_right and not self._is_private(prefix) and self._may_show(prefix)

    def _is_private(self, folder: Path) -> bool:
        """Return whether it is the home or one of its hidden folders, which hold more than one program."""
        return folder in self._private or folder.resolve() in self._private

    def _show(self, path: Path) -> None:
        if not self._is_visible(path) and self._may_show(path):
            self.shown[path] = path.resolve()

    def _may_show(self, path: Path) -> bool:
        """Return whether a path is in no way part of the checkout, and shows no folder that must be hidden."""
        places = (path, path.resolve())
        hides = any(hidden.is_relative_to(each) for hidden in self._hidden for each in places)
        return ".." not in path.parts and not hides and not any(map(self._is_in_checkout, places))

    def _is_real_folder_of_checkout(self, path: Path) -> bool:
        """Return whether a path is below the checkout, and passes through no link there."""
        roots = [root for root in self._checkouts if path != root and path.is_relative_to(root)]
        return ".." not in path.parts and any(
            path.resolve() == root.resolve() / path.relative_to(root) for root in roots
        )

    def _is_in_checkout(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in self._checkouts)

    def _show_user_packages(self) -> None:
        """Show what `pip install --user` has installed."""
        base = self._home / ".local"
        for packages in (base / "lib").glob("python3*/site-packages"):
            self._show(packages)
            self.variables["PYTHONUSERBASE"] = str(base)

    def _show_caches(self, variables: Mapping[str, str]) -> None:
        for name, (default, parts) in _CACHES.items():
            folder = Path(variables.get(name) or self._home / default)
            if os.access(folder, os.R_OK | os.X_OK) and folder.is_dir():
                self.variables[name] = str(folder)
                for part in (folder / part for part in parts):
                    if part.exists():
                        self._show(part)

    def _is_visible(self, path: Path) -> bool:
        return any(path.is_relative_to(shown) for shown in (*map(Path, SYSTEM), Path("/etc"), *self.shown))


class SocketSearch:
    """A search, in the background, for sockets and pipes in the folders `shown` in a sandbox, by the paths under which
    they appear. Through them a program could reach others on this machine, although the folders are read-only.

    The search ends with its context."""

    def __init__(self, shown: Mapping[Path, Path]) -> None:
        self._shown = shown
        words = ["find", *map(str, shown.values()), "(", "-type", "s", "-o", "-type", "p", ")", "-print0"]
        self._process = Popen(words, stdout=PIPE, stderr=DEVNULL) if shown else None

    def __enter__(self) -> SocketSearch:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            with self._process:
                self._process.kill()

    def found(self) -> dict[Path, Path]:
        """Wait for the end of the search. Return the paths in the sandbox, and those on this machine. Raises
        WorkspaceError for too many."""
        output = self._process.communicate()[0] if self._process else b""
        paths = [Path(os.fsdecode(each)) for each in output.split(b"\0") if each]
        if len(paths) > MOST_SOCKETS:
            raise WorkspaceError(
                f"There are {len(paths)} sockets and pipes in the environment or the packages of the project.",
                "Remove them, or use `--workspace docker`.",
            )
        return {
            place / path.relative_to(source): path
            for path in paths
            for place, source in self._shown.items()
            if path.is_relative_to(source)
        }


def _pyenv_folders(variables: Mapping[str, str], root: Path) -> list[Path]:
    """Return the folders of the interpreters that pyenv uses for the project."""
    files = (root / ".python-version", pyenv_root(variables) / "version")
    named = variables.get("PYENV_VERSION") or next(filter(None, map(read_text, files)), "")
    names = [name for name in re.split(r"[:\s]+", named[:1000]) if re.fullmatch(r"\w[\w.+-]*", name)]
    versions = [path for name in names for each in (name, f"{name}.*") for path in pyenv_prefixes(variables, each)]
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
