"""Translation of the conda environments in SWE-bench's constants to pip.

Packages that only conda has (libraries, programs) are left out.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from aci.environments.environment_plan import Files

_SETUPTOOLS, _PIP = "setuptools<76", "pip<25"
"""Version limits that suit the age of the environments: newer versions of setuptools have no pkg_resources, and newer
versions of pip do not support editable installs with some backends."""
_CONDA = {
    "dask-core": "dask",
    "iris": "scitools-iris",
    "matplotlib-base": "matplotlib",
    "pyqt": "PyQt5",
    "pytables": "tables",
    "python-graphviz": "graphviz",
    "pytorch": "torch",
    **dict.fromkeys(("cdms2", "compilers", "cxx-compiler", "ffmpeg", "hdf5", "libnetcdf"), ""),
}
"""Conda package name -> pip package name; "" if pip has no such package."""
_RENAMED = {"types-pkg_resources": "types-setuptools"}
_CONDAS_PIN = re.compile(r"([\w.\[\]-]+)=([\w.]+)(?:=\w+)?")
_LINE = re.compile(r"\s*-\s+([A-Za-z][\w.\[\]-]*\s*(?:[=<>!~].*)?)$")
_FOREIGN = ("-e .", "#", ".[test")
_END = "END_OF_THE_LIST"


def pip_install_lines(
    spec: Mapping[str, Any], files: Files, requirements: tuple[str, ...] = (), environments: tuple[str, ...] = ()
) -> str:
    """Return shell lines that install the packages named in `spec`; `requirements` and `environments` are possible
    paths of requirement lists in `files`."""
    return "\n".join(_lines(spec, files, requirements, environments)) + "\n"


def repository_edits(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the set-up commands that change the repository's own files, to be run before a prediction is applied."""
    return tuple(
        line for line in _texts(spec.get("pre_install")) if re.match(r"sed -i|grep -q", line) and "/etc/" not in line
    )


def _lines(
    spec: Mapping[str, Any], files: Files, requirements: tuple[str, ...], environments: tuple[str, ...]
) -> Iterator[str]:
    yield "set -e"
    yield "lists=$(mktemp -d)"
    yield """trap 'rm -rf "$lists"' EXIT"""
    yield f"""echo '{_SETUPTOOLS}' > "$lists/constraints.txt\""""
    yield 'export PIP_CONSTRAINT="$lists/constraints.txt"'
    yield f"python -m pip install -U '{_PIP}' '{_SETUPTOOLS}' wheel"
    packages = str(spec.get("packages", ""))
    if packages == "requirements.txt":
        yield from _listed(_requirements(files, requirements))
    elif packages == "environment.yml":
        yield from _install_lines(_of_conda(_first(files, environments)[1]))
    elif packages:
        yield f"python -m pip install {shlex.join(filter(None, map(_pip, shlex.split(packages))))}"
    if more := _texts(spec.get("pip_packages")):
        yield f"python -m pip install {shlex.join(more)}"
    for line in _texts(spec.get("pre_install")):
        yield f"( {line} ) || true"
    if isinstance(spec.get("install"), str) and spec["install"]:
        yield spec["install"]


def _texts(value: Any) -> list[str]:
    """Return the items of a list, or a single string as a list."""
    found = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return [text for text in found if isinstance(text, str)]


def _listed(lines: list[str]) -> Iterator[str]:
    if lines:
        text = "\n".join(lines)
        yield f"""cat > "$lists/requirements.txt" <<'{_END}'\n{text}\n{_END}"""
        yield 'python -m pip install -r "$lists/requirements.txt"'


def _install_lines(names: list[str]) -> Iterator[str]:
    """Yield lines that install all packages at once or, if that fails, those that are available."""
    if names:
        words = shlex.join(names)
        install = "python -m pip install --only-binary :all:"
        yield f'{install} {words} || for name in {words}; do {install} "$name" || true; done'


def _first(files: Files, paths: tuple[str, ...]) -> tuple[str, str]:
    path = next((path for path in paths if path in files), "")
    return path, files[path].decode("utf-8", "replace") if path else ""


def _requirements(files: Files, paths: tuple[str, ...]) -> list[str]:
    """Return the requirements in the first of these files that exists and in the files that it includes, except the
    repository itself."""
    path, text = _first(files, paths)
    own, others = [], []
    for line in text.splitlines():
        if match := re.match(r"\s*-r\s*(\S+)", line):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            others += _first(files, (other,))[1].splitlines()
        else:
            own.append(line)
    kept = (line.strip() for line in (*others, *own))
    named = (_RENAMED.get(re.split(r"[=<>!~ ]", line)[0], line) for line in kept if line and not line.startswith("-r"))
    return [line for line in named if not line.startswith(_FOREIGN)]


def _of_conda(text: str) -> list[str]:
    """Return the packages of an environment.yml, including those under `pip:`."""
    _, _, below = text.partition("dependencies:")
    found = (match[1].strip() for line in below.splitlines() if (match := _LINE.match(line.partition(" #")[0])))
    names = (_pip(name) for name in found if re.split(r"\W", name)[0] not in ("python", "pip"))
    return list(filter(None, names))


def _pip(name: str) -> str:
    """Return `numpy==1.19.*` for `numpy=1.19`; "" for a package that pip does not have."""
    pinned = _CONDAS_PIN.fullmatch(name)
    plain = f"{pinned[1]}=={pinned[2]}.*" if pinned else name
    stem = re.split(r"[=<>!~ ]", plain)[0]
    known = _CONDA.get(stem, _RENAMED.get(stem, stem))
    return known + plain[len(stem) :] if known else ""
