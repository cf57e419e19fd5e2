"""Environments for Python repositories: the image, and the packages that tests need."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

from aci.environments.environment_plan import OWN_FILES, VENV, Command, EnvironmentOptions, Files, Plan
from extensions.environments.language_images import alternative_images, choose_image
from extensions.environments.manifests.python_manifests import (
    PYPROJECT,
    SETUP_CFG,
    SETUP_PY,
    TOX,
    Manifests,
    select_test_groups,
)
from extensions.environments.manifests.python_version import wanted_version

LANGUAGE = "python"
_PLAIN = ("requirements.txt", "requirements/base.txt", "requirements/main.txt", "requirements/requirements.txt")
_LIST = r"(?:^|/)(?:(?:{1})[-_./]?(?:{0})|(?:{0})[-_.]?(?:{1}))(?:\.in)?\.(?:txt|in)$"
_LISTS = "requirements?|requires|reqs?|deps"
_OF_TESTS = re.compile(_LIST.format("tests?|testing|ci", _LISTS))
_OF_DEVELOPMENT = re.compile(_LIST.format("dev|develop|development", _LISTS))
_SCM = ("setuptools_scm", "setuptools-scm", "hatch-vcs", "pbr", "versioneer", "dunamai", "poetry-dynamic-versioning")
_FALLBACK = "1.0.0"
_NEED_BUILD = (
    *(".pyx", ".pxd", ".pxi", ".rs", ".f", ".f90", ".proto", ".po", ".g4"),
    *("meson.build", "CMakeLists.txt", "Cargo.toml", ".c", ".cc", ".cpp", ".cxx"),
)
"""Endings of files from which a set-up builds others that tests may need."""
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".pyx", ".pxd", ".rs", ".f", ".f90")
_SPECIAL = re.compile(r"[\x00-\x1f\"$`\\]|!(?!=)")
"""What a shell does not leave as it is between double quotes."""


def plan_python(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan, or None if the repository is not a Python one."""
    found = Manifests(files, folder)
    lists = _requirement_files(files, folder)
    if not (found.installable or lists or any(path.endswith(".py") for path in files)):
        return None
    version = wanted_version(found)
    image, why = choose_image(LANGUAGE, version, settings.images)
    install = [*_project(found), *_lists(lists, folder), *_groups(found, bool(lists))]
    install += _runner(files, install)
    setup = (Command(f"python3 -m venv {VENV}", "packages go into an environment of their own"), *install)
    if not install:
        setup = ()
    return Plan(
        source=OWN_FILES,
        image=image,
        language=LANGUAGE,
        setup=setup,
        variables=_variables(found, settings) if setup else {},
        paths=(f"{VENV}/bin",) if setup else (),
        alternatives=tuple(alternative_images(LANGUAGE, version, settings.images, image))[:2],
        reasons=(why,),
        inputs=tuple(_inputs(files, found, lists)),
        serves_later_commits=not any(path.endswith(_NEED_BUILD) for path in files),
    )


def declares_package(files: Files, folder: str = "") -> bool:
    """Return whether a manifest in the folder (default: the top folder) declares a Python package."""
    return Manifests(files, folder).installable


def _project(found: Manifests) -> Iterator[Command]:
    if not found.installable:
        return
    extras = sorted(found.extras())
    names = list(dict.fromkeys([*select_test_groups(extras), *(name for name in extras if name in found.tox_extras())]))
    place = f".[{','.join(names)}]" if names else "."
    why = f"with its extras {', '.join(names)}" if names else "which names no extra for tests"
    where = next((name for name in (PYPROJECT, SETUP_PY, SETUP_CFG) if found.text(name)), PYPROJECT)
    yield Command(f"pip install -e {shlex.quote(place)}", f"the repository is a package ({where}), {why}")


def _lists(lists: Sequence[str], folder: str) -> Iterator[Command]:
    for path in lists:
        yield Command(f"pip install -r {shlex.quote(path.removeprefix(folder))}", f"{path} lists requirements")


def _groups(found: Manifests, listed: bool) -> Iterator[Command]:
    """Yield commands for the test requirements of the manifests; tox.ini is used only if no other names any."""
    known = False
    for where, requirements in found.groups():
        if requirements:
            known = True
            yield Command(f"pip install {_join(requirements)}", f"{where} says what tests need")
    extras = known or listed or bool(select_test_groups(found.extras()))
    requirements = [] if extras else found.tox_requirements()
    if requirements:
        words = [word for line in requirements for word in _pip_words(line)]
        yield Command(f"pip install {_join(words)}", "tox says what tests need")


def _join(words: Sequence[str]) -> str:
    """Quote words for a shell so that people can read them: double quotes around single ones, as in
    `"mock; python_version < '3.3'"`, which `shlex.join` would escape one by one."""
    return " ".join(f'"{word}"' if "'" in word and not _SPECIAL.search(word) else shlex.quote(word) for word in words)


def _pip_words(line: str) -> list[str]:
    """Split a line of tox's `deps` into arguments for pip: `-rfile` is an option with its value."""
    if match := re.match(r"(-r|-c|-e)\s*(\S+)$", line):
        return [match[1], match[2]]
    return [line]


def _runner(files: Files, install: Sequence[Command]) -> Iterator[Command]:
    """Yield a command that installs pytest, unless it is installed already or the tests clearly use unittest."""
    if any(re.search(r"install .*\bpytest(?![\w-])", command.text) for command in install):
        return
    names = [
        path
        for path in files
        if path.endswith(".py") and re.search(r"(?:^|/)(?:test[^/]*|[^/]*_test|conftest)\.py$", path)
    ]
    if any(path.rpartition("/")[2] == "conftest.py" or b"pytest" in files[path] for path in names[:200]):
        yield Command("pip install pytest", "its tests use pytest")
    elif any(b"unittest" not in files[path] for path in names[:200]):
        yield Command("pip install pytest", "its tests are functions, which pytest runs")


def _requirement_files(files: Files, folder: str) -> list[str]:
    """Return the general requirements file and the requirements files for tests, or those for development if there are
    none for tests."""
    here = [path for path in files if path.startswith(folder) and path[len(folder) :].count("/") <= 1]
    plain = [path for name in _PLAIN if (path := folder + name) in files][:1]
    for kind in (_OF_TESTS, _OF_DEVELOPMENT):
        locked = {path.removesuffix(".txt") for path in here}
        lists = (path for path in here if kind.search(path) and path not in plain)
        if found := sorted(path for path in lists if path.removesuffix(".in") not in locked or path.endswith(".txt")):
            return plain + found[:4]
    return plain


def _variables(found: Manifests, settings: EnvironmentOptions) -> dict[str, str]:
    """Return variables that set the version, since builds cannot get it from git: the workspace's history has no
    tags."""
    texts = found.text(PYPROJECT) + found.text(SETUP_PY) + found.text(SETUP_CFG)
    if not any(name in texts for name in _SCM):
        return {}
    version = settings.version or _FALLBACK
    return {
        "SETUPTOOLS_SCM_PRETEND_VERSION": version,
        "PBR_VERSION": version,
        "POETRY_DYNAMIC_VERSIONING_BYPASS": version,
        "PDM_BUILD_SCM_VERSION": version,
    }


def _inputs(files: Files, found: Manifests, lists: Sequence[str]) -> Iterator[str]:
    """Yield the files that decide what is installed, including all sources of a compiled package."""
    named = {found.folder + name for name in (PYPROJECT, SETUP_PY, SETUP_CFG, TOX, "MANIFEST.in", ".python-version")}
    for path in files:
        name = path.rpartition("/")[2]
        listed = name.endswith(".txt") and ("requirement" in path or "constraint" in path or path in lists)
        if path in named or listed or (found.installable and path.endswith(_COMPILED)):
            yield path
