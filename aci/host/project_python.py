"""The Python environment of a project on the user's machine, and whether the Python on the PATH has the packages that a
project needs; found by reading files only: no program, plug-in or build back end runs."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import posixpath
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aci.runtime.workspace import WorkspaceOptions
from trajectories.file_limits import open_regular

MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile")
FOLDERS = (".venv", "venv")
MAX_FILE_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class ProjectPython:
    """A virtual or conda environment in the folder `prefix`; `reason` completes "It is used because"."""

    prefix: Path
    reason: str

    @property
    def programs(self) -> Path:
        return self.prefix / "bin"

    @property
    def version(self) -> str:
        """The version of Python, such as `3.12.1`; "" if the environment does not say."""
        version = re.search(r"(?m)^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", read_text(self.prefix / "pyvenv.cfg"))
        return version[1] if version else ""

    @property
    def home(self) -> Path:
        """The folder of the interpreter that the environment was made with."""
        home = re.search(r"(?m)^home\s*=\s*(/.+)", read_text(self.prefix / "pyvenv.cfg"))
        return Path(home[1].strip()) if home else self.programs

    def editable_folders(self, root: Path) -> list[str]:
        """Return the folders of the project in `root`, relative to it, that are on the environment's path because
        packages of the project are installed as editable."""
        folders: dict[str, None] = {}
        for site in sorted(self.prefix.glob("lib/python3*/site-packages")):
            for file in sorted(site.glob("*.pth")):
                folders |= dict.fromkeys(line.strip() for line in read_text(file).splitlines() if line.startswith("/"))
            for file in sorted(site.glob("__editable___*_finder.py")):
                mapping = re.search(r"(?m)^MAPPING\b[^=]*=\s*(\{.*\})", read_text(file))
                with suppress(ValueError, SyntaxError, AttributeError, RecursionError, MemoryError):
                    named = ast.literal_eval(mapping[1]) if mapping else {}
                    folders |= dict.fromkeys(posixpath.dirname(str(path)) for path in named.values())
        places = [os.path.relpath(folder, root) for folder in folders if folder.startswith("/")]
        return [place for place in places if not place.startswith("..")]


def find_project_python(
    root: Path, variables: Mapping[str, str], is_tracked: Callable[[str], bool] = lambda path: False
) -> ProjectPython | None:
    """Return the environment for the project in the folder `root`, or None if there is none.

    An active environment comes first, unless it is the one that runs this program; then the project's own folders, and
    the environments that uv, PDM, Poetry, Hatch and Pipenv keep for it. `variables` are those of the user's
    environment. `is_tracked` tells whether git tracks a path: such an environment came with the repository.
    """
    return next(_candidates(root.resolve(), variables, is_tracked), None)


def _candidates(root: Path, variables: Mapping[str, str], is_tracked: Callable[[str], bool]) -> Iterator[ProjectPython]:
    active = Path(variables.get("VIRTUAL_ENV", ""))
    is_own = os.path.realpath(active) == os.path.realpath(sys.prefix)
    if variables.get("VIRTUAL_ENV") and not is_own and _has_python(active):
        yield ProjectPython(active, "it is active")
    conda = variables.get("CONDA_PREFIX", "")
    if conda and variables.get("CONDA_DEFAULT_ENV", "base") != "base" and _has_python(Path(conda)):
        yield ProjectPython(Path(conda), f"the conda environment {variables['CONDA_DEFAULT_ENV']} is active")
    named = variables.get("UV_PROJECT_ENVIRONMENT", "")
    for folder in (named, *FOLDERS) if named else FOLDERS:
        path = root / folder
        if not is_tracked(folder) and _is_environment(path):
            yield ProjectPython(path, f"{folder} is the project's environment")
    for tool, path in _kept_elsewhere(root, variables, is_tracked):
        if _is_environment(path):
            yield ProjectPython(path, f"{tool} keeps it for this project")
    if is_own:
        yield ProjectPython(active, "it is active")


def _kept_elsewhere(
    root: Path, variables: Mapping[str, str], is_tracked: Callable[[str], bool]
) -> Iterator[tuple[str, Path]]:
    """Yield the folders in which tools keep the environment of a project, with the tool's name."""
    home, is_mac = Path(variables.get("HOME") or Path.home()), sys.platform == "darwin"
    caches = home / "Library/Caches" if is_mac else Path(variables.get("XDG_CACHE_HOME") or home / ".cache")
    data = (
        home / "Library/Application Support"
        if is_mac
        else Path(variables.get("XDG_DATA_HOME") or home / ".local/share")
    )
    named = Path(read_text(root / ".pdm-python").strip())
    if not is_tracked(".pdm-python") and named.is_absolute() and not named.is_relative_to(root):
        yield "PDM", named.parent.parent
    project = _tables(root / "pyproject.toml")
    name = _plain_name(str(project.get("poetry", {}).get("name") or project.get("project", {}).get("name") or ""))
    if name:
        cache = Path(variables.get("POETRY_CACHE_DIR") or caches / "pypoetry")
        folder = Path(variables.get("POETRY_VIRTUALENVS_PATH") or cache / "virtualenvs")
        yield from (("Poetry", path) for path in _newest(folder, f"{name[:42]}-{_digest(root)}-py*"))
        folder = data / "hatch/env/virtual" / name / _digest(root)
        for pattern in ("hatch-test*", name, "default"):
            yield from (("Hatch", path) for path in _newest(folder, pattern))
    if (root / "Pipfile").is_file():
        folder = Path(variables.get("WORKON_HOME") or home / ".local/share/virtualenvs")
        stem = re.sub(r'[ &$`!*@"()\[\]\\\r\n\t]', "_", root.name)[:42]
        yield "Pipenv", folder / f"{stem}-{_digest(root / 'Pipfile')}"


def _newest(folder: Path, pattern: str) -> list[Path]:
    """Return the matching subfolders, the last one made first."""
    with suppress(OSError, ValueError):
        return sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    return []


def _digest(path: Path) -> str:
    """Return the part of an environment's name that Poetry, Hatch and Pipenv make from the path of the project."""
    return base64.urlsafe_b64encode(hashlib.sha256(os.fsencode(path)).digest()).decode()[:8]


def _plain_name(name: str) -> str:
    name = normalized_name(name)
    return name if re.fullmatch(r"[a-z0-9-]+", name) else ""


def _tables(file: Path) -> dict[str, dict[str, object]]:
    """Return the tables `project` and `tool.poetry` of a pyproject.toml; nothing if it cannot be read."""
    try:
        text = tomllib.loads(read_text(file))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    tool = text.get("tool")
    tables = {"project": text.get("project"), "poetry": tool.get("poetry") if isinstance(tool, dict) else None}
    return {name: table for name, table in tables.items() if isinstance(table, dict)}


def _is_environment(folder: Path) -> bool:
    return os.path.isfile(folder / "pyvenv.cfg") and _has_python(folder)  # noqa: PTH113  (without PermissionError)


def _has_python(folder: Path) -> bool:
    return os.access(folder / "bin/python", os.X_OK)


def read_text(file: Path) -> str:
    """Return the beginning of a file; "" if it is no regular file or cannot be read."""
    try:
        with open_regular(file) as opened:
            return opened.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def pyenv_root(variables: Mapping[str, str]) -> Path:
    """Return pyenv's folder, which need not exist. `variables` are those of the user's environment."""
    return Path(variables.get("PYENV_ROOT") or Path(variables.get("HOME") or Path.home(), ".pyenv"))


def pyenv_prefixes(variables: Mapping[str, str], pattern: str) -> list[Path]:
    """Return the folders of pyenv's Pythons whose names match a glob pattern; none if pyenv's folder is unreadable."""
    with suppress(OSError):
        return sorted((pyenv_root(variables) / "versions").glob(pattern))
    return []


def project_python(options: WorkspaceOptions) -> ProjectPython | None:
    """Return the environment in the options, or else that of the user's project."""
    if options.environment:
        return ProjectPython(options.environment, "it was set up for the tests")
    tree = options.base.tree

    def is_tracked(path: str) -> bool:
        return options.trees.entry(tree, path) is not None

    return find_project_python(options.repository.root, os.environ, is_tracked)


def describe_python(python: ProjectPython | None, root: Path) -> str:
    """Return a sentence that says which Python is used for the project in a folder, and why; "" if it has none."""
    if python:
        version = f" {python.version}" if python.version else ""
        return f"Python{version} of {python.prefix} is used: {python.reason}."
    if any((root / name).is_file() for name in MANIFESTS):
        program = shutil.which("python3") or shutil.which("python") or "no Python"
        return f"{program} is used: the project has no environment of its own."
    return ""


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SITES = ("lib/python3*/site-packages", "lib/python3*/dist-packages", "lib/python3/dist-packages")


def has_packages(commands: Iterable[str], files: Mapping[str, bytes]) -> bool:
    """Return whether all packages that the pip `commands` would install are there. `files` are those of the
    repository. False if a command cannot be understood."""
    try:
        needed = {name for command in commands for name in _needed(shlex.split(command), files)}
    except (KeyError, ValueError, TypeError, RecursionError):
        return False
    return needed <= _installed()


def _needed(words: list[str], files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the names of the packages of a command. Raises KeyError or ValueError if they are unknown."""
    if words[:3] == ["python3", "-m", "venv"] and len(words) == 4:
        return
    if words[:2] != ["pip", "install"]:
        raise ValueError
    words = words[2:]
    while words:
        word = words.pop(0)
        if word == "-r":
            yield from _listed(files[words.pop(0)])
        elif word == "-e":
            if words.pop(0) != ".":  # with extras, there are more
                raise ValueError
            yield from _declared(tomllib.loads(files["pyproject.toml"].decode()))
        else:
            yield _package_name(word)


def _listed(content: bytes) -> Iterator[str]:
    for line in content.decode("utf-8", "replace").splitlines():
        if text := line.partition("#")[0].strip():
            yield _package_name(text)


def _declared(pyproject: dict[str, object]) -> Iterator[str]:
    """Yield the dependencies of a project. Raises KeyError if they are not declared there."""
    project = pyproject["project"]
    if not isinstance(project, dict) or "dependencies" in project.get("dynamic", ()):
        raise ValueError
    for requirement in project.get("dependencies", ()):
        if not re.search(r";.*(?:platform_system|sys_platform|os_name|python_version)", requirement):
            yield _package_name(requirement)


def _package_name(requirement: str) -> str:
    """Return the name of the package that a requirement names. Raises ValueError for an option or a URL."""
    match = _NAME.match(requirement)
    if not match or "://" in requirement:
        raise ValueError
    return normalized_name(match[0])


def normalized_name(name: str) -> str:
    """Return the form that is the same for all spellings of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed() -> set[str]:
    program = Path(shutil.which("python3") or "/usr/bin/python3")
    prefixes = {program.parents[1], program.resolve().parents[1], Path.home() / ".local"}
    folders = (folder for prefix in prefixes for site in _SITES for folder in prefix.glob(f"{site}/*-info"))
    names = (re.sub(r"\.(?:dist|egg)-info$", "", folder.name) for folder in folders)
    return {_package_name(name.partition("-")[0]) for name in names if _NAME.match(name)}  # pip may leave ~ip-23.1
