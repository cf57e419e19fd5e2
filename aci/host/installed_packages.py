"""Whether the Python on the PATH has the packages that a project needs, found by reading files only."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

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
            yield _normalized(word)


def _listed(content: bytes) -> Iterator[str]:
    for line in content.decode("utf-8", "replace").splitlines():
        if text := line.partition("#")[0].strip():
            yield _normalized(text)


def _declared(pyproject: dict[str, object]) -> Iterator[str]:
    """Yield the dependencies of a project. Raises KeyError if they are not declared there."""
    project = pyproject["project"]
    if not isinstance(project, dict) or "dependencies" in project.get("dynamic", ()):
        raise ValueError
    for requirement in project.get("dependencies", ()):
        if not re.search(r";.*(?:platform_system|sys_platform|os_name|python_version)", requirement):
            yield _normalized(requirement)


def _normalized(requirement: str) -> str:
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
    return {_normalized(name.partition("-")[0]) for name in names if _NAME.match(name)}  # pip may leave ~ip-23.1
