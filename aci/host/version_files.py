"""Version files that build back ends write: which ones a project declares, and what they contain."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from aci.host.installed_packages import normalized_name
from aci.host.project_python import ProjectPython
from aci.repository.user_repository import Repository

NEWEST = "999.0.0"
"""Used if the version of a project is unknown. It satisfies each minimum, such as pytest's `minversion`."""
UNTAGGED = re.compile(r"0(\.0)*(\.?dev|\+|$)|0\.1\.dev")
"""A version that setuptools-scm makes up in a clone without tags."""
MOST_PROJECTS = 50
LONGEST_TEMPLATE = 10_000
_VERSION_FILE = """\
# Generated for a workspace of swe-agent.
__version__ = version = {version!r}
__version_tuple__ = version_tuple = {version_tuple!r}
__commit_id__ = commit_id = None
"""
_TEMPLATES = ("template", "version_file_template", "write_to_template", "write_template")
_NAME = re.compile(r"""(?m)(?:^|[\s(,])name\s*=\s*["']?([\w.-]+)""")
_SETUP_PY = re.compile(r"""["'](?:write_to|version_file)["']\s*:\s*["']([^"'\n]+)["']""")


def declared_version_files(source: Repository, tracked: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the version files that the build back ends of all projects in the repository write, with the template and
    the project's name or ""."""
    names = ("pyproject.toml", "hatch.toml", "setup.py")
    for path in sorted(path for path in tracked if posixpath.basename(path) in names)[:MOST_PROJECTS]:
        folder = posixpath.dirname(path)

        def read(name: str, folder: str = folder) -> str:
            return (source.file(posixpath.join(folder, name)) or b"").decode("utf-8", "replace")

        text = read(posixpath.basename(path))
        if path.endswith("setup.py"):
            found: Iterator[tuple[str, str]] = ((name, "") for name in _SETUP_PY.findall(text))
        else:
            try:
                found = _version_files(tomllib.loads(text))
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
        for name, template in found:
            full = posixpath.normpath(posixpath.join(folder, name))
            if not full.startswith(("../", "/")):
                yield full, template, _project_name(read)


def _version_files(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the version files that a pyproject.toml or hatch.toml declares, with their templates."""
    hatch = _table(settings, "tool", "hatch") or settings
    tables = [_table(hatch, "build", "hooks", "vcs"), _table(settings, "tool", "setuptools_scm")]
    tables += [_table(settings, "tool", "pdm", "version"), _table(settings, "tool", "versioningit", "write")]
    targets = _table(hatch, "build", "targets")
    tables += [_table(target, "hooks", "vcs") for target in targets.values() if isinstance(target, dict)]
    for table in tables:
        for key in ("version-file", "version_file", "write_to", "file"):
            if isinstance(name := table.get(key), str):
                template = next((table[each] for each in _TEMPLATES if isinstance(table.get(each), str)), "")
                yield name, template


def _project_name(read: Callable[[str], str]) -> str:
    """Return the name of a project in its pyproject.toml, setup.cfg or setup.py; "" if they do not name it."""
    with suppress(tomllib.TOMLDecodeError, RecursionError):
        if name := _table(tomllib.loads(read("pyproject.toml")), "project").get("name"):
            return str(name)
    for file in ("setup.cfg", "setup.py"):
        if named := _NAME.search(read(file)):
            return named[1]
    return ""


def _table(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return {}
        table = inner
    return dict(table)


def version_file(path: str, template: str, version: str) -> bytes:
    """Return the content of a version file as setuptools-scm writes it."""
    parts = tuple(int(part) if re.fullmatch(r"\d{1,9}", part) else part for part in re.split(r"[.+]", version))
    values = {"version": version, "version!r": repr(version), "version_tuple": repr(parts), "scm_version": version}
    fields = set(re.findall(r"\{([^{}]*)\}", template))
    if template and len(template) <= LONGEST_TEMPLATE and fields <= values.keys():
        return re.sub(r"\{([^{}]*)\}", lambda match: values[match[1]], template).encode()
    if not path.endswith((".py", ".pyi")):
        return version.encode()
    return _VERSION_FILE.format(version=version, version_tuple=parts).encode()


def installed_file(python: ProjectPython | None, path: str) -> Path | None:
    """Return the copy of a file that is installed in the environment. Links out of the environment do not count."""
    if python is None:
        return None
    names = (path.removeprefix("src/"), path.removeprefix("lib/"), path)
    for packages in python.prefix.glob("lib/python3*/site-packages"):
        for found in (packages / name for name in names):
            if found.is_file() and found.resolve() == python.prefix.resolve() / found.relative_to(python.prefix):
                return found
    return None


def installed_version(python: ProjectPython | None, project: str) -> str:
    """Return the version of the project that is installed in the environment; "" if it is not, or was installed from a
    clone without tags."""
    wanted = normalized_name(project)
    for packages in python.prefix.glob("lib/python3*/site-packages") if python and wanted else ():
        for folder in sorted(packages.glob("*-*.dist-info")):
            name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
            if normalized_name(name) == wanted and not UNTAGGED.match(version):
                return version
    return ""
