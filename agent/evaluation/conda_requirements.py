"""An environment as SWE-bench's constants describe it, in pip's words: theirs are conda's.

What lies in conda alone (libraries, programs) is left out, and said by pip while it goes on.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from aci.environments.plan import Files

_SETUPTOOLS, _PIP = "setuptools<76", "pip<25"
"""Of the day when those environments were made: newer setuptools have no pkg_resources, and newer pips install nothing
in place whose backend has no word for it."""
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
"""Conda's name -> pip's, which may mean something else by the former; "" where pip has nothing of the kind."""
_GONE = {"types-pkg_resources": "types-setuptools"}
_CONDAS_PIN = re.compile(r"([\w.\[\]-]+)=([\w.]+)(?:=\w+)?")
_LINE = re.compile(r"\s*-\s+([A-Za-z][\w.\[\]-]*\s*(?:[=<>!~].*)?)$")
_FOREIGN = ("-e .", "#", ".[test")
_END = "END_OF_THE_LIST"


def installing(
    spec: Mapping[str, Any], files: Files, requirements: tuple[str, ...] = (), environments: tuple[str, ...] = ()
) -> str:
    """Shell lines that install what `spec` names; lists of the repository are read from `files`, at these paths."""
    return "\n".join(_lines(spec, files, requirements, environments)) + "\n"


def edits(spec: Mapping[str, Any]) -> tuple[str, ...]:
    """Commands of the set-up that change the repository's own files, on which predictions are to be judged."""
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
        yield from _anyhow(_of_conda(_first(files, environments)[1]))
    elif packages:
        yield f"python -m pip install {shlex.join(filter(None, map(_pip, shlex.split(packages))))}"
    if more := _texts(spec.get("pip_packages")):
        yield f"python -m pip install {shlex.join(more)}"
    for line in _texts(spec.get("pre_install")):
        yield f"( {line} ) || true"
    if isinstance(spec.get("install"), str) and spec["install"]:
        yield spec["install"]


def _texts(value: Any) -> list[str]:
    """A list of texts, or one of one."""
    found = [value] if isinstance(value, str) else value if isinstance(value, list | tuple) else []
    return [text for text in found if isinstance(text, str)]


def _listed(lines: list[str]) -> Iterator[str]:
    if lines:
        text = "\n".join(lines)
        yield f"""cat > "$lists/requirements.txt" <<'{_END}'\n{text}\n{_END}"""
        yield 'python -m pip install -r "$lists/requirements.txt"'


def _anyhow(names: list[str]) -> Iterator[str]:
    """All at once, else each that can be had."""
    if names:
        words = shlex.join(names)
        install = "python -m pip install --only-binary :all:"
        yield f'{install} {words} || for name in {words}; do {install} "$name" || true; done'


def _first(files: Files, paths: tuple[str, ...]) -> tuple[str, str]:
    path = next((path for path in paths if path in files), "")
    return path, files[path].decode("utf-8", "replace") if path else ""


def _requirements(files: Files, paths: tuple[str, ...]) -> list[str]:
    """The lines of the first of these lists, and of those that it names, without the repository itself."""
    path, text = _first(files, paths)
    own, others = [], []
    for line in text.splitlines():
        if match := re.match(r"\s*-r\s*(\S+)", line):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            others += _first(files, (other,))[1].splitlines()
        else:
            own.append(line)
    kept = (line.strip() for line in (*others, *own))
    named = (_GONE.get(re.split(r"[=<>!~ ]", line)[0], line) for line in kept if line and not line.startswith("-r"))
    return [line for line in named if not line.startswith(_FOREIGN)]


def _of_conda(text: str) -> list[str]:
    """The packages of an environment.yml, those under `pip:` too."""
    _, _, below = text.partition("dependencies:")
    found = (match[1].strip() for line in below.splitlines() if (match := _LINE.match(line.partition(" #")[0])))
    names = (_pip(name) for name in found if re.split(r"\W", name)[0] not in ("python", "pip"))
    return list(filter(None, names))


def _pip(name: str) -> str:
    """`numpy=1.19` as `numpy==1.19.*`; nothing for what pip does not have."""
    pinned = _CONDAS_PIN.fullmatch(name)
    plain = f"{pinned[1]}=={pinned[2]}.*" if pinned else name
    stem = re.split(r"[=<>!~ ]", plain)[0]
    known = _CONDA.get(stem, _GONE.get(stem, stem))
    return known + plain[len(stem) :] if known else ""
