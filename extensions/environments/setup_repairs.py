"""Repairs of failed set-up commands: a small function for each kind of failure, tried in order.

The method follows AutoDev: read the failure, repair one thing and try again, a limited number of times. No text of a
log becomes part of a command, except names that are checked.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aci.environments.environment_plan import VENV
from aci.testing.pytest_plugins import FIXTURES, missing_plugins
from extensions.environments.known_packages import HEADERS, MODULES, PROGRAMS
from extensions.environments.npm_versions import relax_command, unavailable_package

MAX_REPAIRS = 3
"""The maximum number of repairs of one command."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed command and the end of its output. `imports` are the names that the tests import."""

    command: str
    output: str
    language: str = "python"
    imports: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair: the commands to run `first`, and the command to run `again` instead of the failed one; or a build from
    another image."""

    what: str
    first: tuple[str, ...] = ()
    again: str = ""
    other_image: bool = False


APT_INSTALL = "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -qy --no-install-recommends "
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_WITH_SCRIPTS = (
    "let found = {}; try { found = require('./node_modules/.package-lock.json').packages } catch {} "
    "Object.entries(found).filter(([path, one]) => path.includes('node_modules/') && one.hasInstallScript && !one.link)"
    ".map(([path]) => path.replace(/.*node_modules\\//, '')).join(' ')"
)
REBUILD = f'packages="$(node -p "{_WITH_SCRIPTS}")" && {{ [ -z "$packages" ] || npm rebuild $packages; }}'
"""Runs the scripts of the installed packages. Without their names, npm also runs those of the repository."""
_PLACE = r"(?:cd (?:'[^']*'|\S+) && )?"
"""Matches the `cd` at the start of a command whose manifest is in a subfolder."""


def find_repair(failure: Failure, tried: Collection[str] = ()) -> Repair | None:
    """Return the first repair that fits and was not tried before (compared by its description)."""
    for look in REPAIRS:
        found = look(failure)
        if found and found.what not in tried:
            return found
    return None


def _header(failure: Failure) -> Repair | None:
    """Repair `fatal error: ffi.h: No such file or directory`."""
    missing = re.search(
        r"fatal error: ['\"]?([\w./+-]+\.h(?:pp|xx)?)['\"]?(?:: No such file| file not found)", failure.output
    )
    package = next((HEADERS[key] for key in HEADERS if missing and missing[1].startswith(key)), "")
    return _from_debian(package, f"the header {missing[1]} is missing", failure) if missing and package else None


def _program(failure: Failure) -> Repair | None:
    """Repair `pg_config executable not found`, `error: command 'gcc' failed` and `cmake: not found`."""
    for program, package in PROGRAMS.items():
        name = re.escape(program)
        pattern = (
            rf"(?:command|program|executable|tool|compiler)s?:? ['\"`]?{name}['\"`]?"
            r"(?: failed: No such file| not found|: No such)"
            rf"|\b{name}(?: executable)?:? (?:command )?not found"
            rf"|(?:No such file or directory|not found): ['\"]?{name}\b"
            rf"|unable to execute '{name}'|Could not (?:find|run) ['\"]?{name}\b|{name} is (?:required|not installed)"
        )
        if re.search(pattern, failure.output):
            return _from_debian(package, f"the program {program} is missing", failure)
    if re.search(
        r"Unknown compiler|no acceptable C compiler|error: Microsoft Visual|can't find Rust compiler", failure.output
    ):
        rust = "Rust compiler" in failure.output
        return _from_debian("rustc cargo" if rust else "build-essential", "a compiler is missing", failure)
    return None


def _venv(failure: Failure) -> Repair | None:
    """Install what Debian's Python lacks: ensurepip, and possibly pip."""
    if re.search(r"ensurepip is not\s+available|No module named venv|No module named ensurepip", failure.output):
        why = "Python cannot create an environment"
        return _from_debian("python3-venv python3-pip", why, failure, f"rm -rf {VENV}")
    return None


def _wrong_python(failure: Failure) -> Repair | None:
    """Ask for another image after `requires a different Python: 3.12.1 not in '<3.11'`."""
    unsupported = re.search(
        r"requires a different Python|requires Python ['\"]?[<>=~!]|Requires-Python [<>=~!]", failure.output
    )
    refused = re.search(r"python_requires|Cannot install on Python version", failure.output)
    if unsupported or refused:
        return Repair("the repository does not support this version of Python: another image is used", other_image=True)
    return None


def _unavailable_version(failure: Failure) -> Repair | None:
    """Remove the pin after `No matching distribution found for foo==1.2.3`."""
    match = re.search(
        r"No matching distribution found for ([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(==|~=|===)\s*([\w.!+*-]+)",
        failure.output,
    )
    if not match:
        return None
    name, pin = match[1], f"{match[2]}{match[3]}"
    what = f"{name}{pin} is no longer in the index: any version of {name} is installed"
    pinned = rf"({re.escape(name)}(?:\[[^\]]*\])?)\s*{re.escape(match[2])}\s*{re.escape(match[3])}"
    again = re.sub(pinned, r"\1", failure.command)
    if again != failure.command:
        return Repair(what, again=again)
    lists = re.findall(r"-r\s+'?([\w./-]+)'?", failure.command)
    relaxed = f"s/^({re.escape(name)}(\\[[^]]*\\])?)[ ]*(==|~=|===)[^;#]*/\\1 /I"
    place = re.match(_PLACE, failure.command)
    edits = tuple(f"{place[0] if place else ''}sed -E -i {shlex.quote(relaxed)} {shlex.quote(path)}" for path in lists)
    return Repair(what, edits, failure.command) if edits else None


def _backend(failure: Failure) -> Repair | None:
    """Install a module that a build imports without requiring it, and build without isolation."""
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", failure.output)
    building = re.search(
        r"Getting requirements to build|setup\.py egg_info|metadata-generation-failed|build_editable", failure.output
    )
    if not (missing and building and "pip install" in failure.command) or "--no-build-isolation" in failure.command:
        return None
    module = missing[1]
    package = MODULES.get(module) or module.partition(".")[0]
    return Repair(
        f"the build imports {module} without requiring it: it is installed first",
        (f"pip install {shlex.quote(package)} 'setuptools<81' wheel",),
        failure.command.replace("pip install", "pip install --no-build-isolation", 1),
    )


def _old_setuptools(failure: Failure) -> Repair | None:
    """Use an older setuptools for a build that needs features which setuptools no longer has."""
    pattern = r"use_2to3 is invalid|has no attribute 'Feature'|No module named 'pkg_resources'|Cython\.Compiler\.Errors"
    if "pip install" in failure.command and re.search(pattern, failure.output):
        older = "setuptools<58" if "use_2to3" in failure.output or "'Feature'" in failure.output else "setuptools<81"
        constraint = f"printf '%s\\n' {shlex.quote(older)} 'cython<3' > /tmp/swe-agent-constraints"
        return Repair(
            f"a build needs {older}", (constraint,), f"PIP_CONSTRAINT=/tmp/swe-agent-constraints {failure.command}"
        )
    return None


def _extras(failure: Failure) -> Repair | None:
    """Install only the first of two extras that conflict."""
    extras = re.search(r"\.\[([\w.-]+),([\w.,-]+)\]", failure.command)
    if extras and re.search(r"ResolutionImpossible|conflicting dependencies|No matching distribution", failure.output):
        return Repair(
            f"its extras conflict: only {extras[1]} is installed",
            again=failure.command.replace(extras[0], f".[{extras[1]}]"),
        )
    return None


_EACH = (
    'n=0; while IFS= read -r line; do case $line in ""|\\#*|-*) ;; '
    '*) if pip install "${line%%#*}"; then n=$((n + 1)); fi ;; esac; done'
)
_SOME = '[ "$n" -gt 0 ] || { echo "no line of the list can be installed"; exit 1; }'


def _one_by_one(failure: Failure) -> Repair | None:
    """Install a requirements file line by line if one of its lines cannot be installed."""
    whole = re.fullmatch(rf"({_PLACE})pip install -r '?([\w./-]+)'?", failure.command)
    if not whole:
        return None
    again = f"{whole[1]}{_EACH} < {shlex.quote(whole[2])}; {_SOME}"
    return Repair("the list cannot be installed as a whole: its lines are installed one by one", again=again)


def _install_copy(failure: Failure) -> Repair | None:
    """Install a copy of a package whose editable installation fails. Sessions still import the package from its own
    folder first."""
    if "pip install -e " in failure.command:
        again = failure.command.replace(" -e ", " ", 1)
        return Repair("it cannot be installed in place: a copy is installed", again=again)
    return None


def _module(failure: Failure) -> Repair | None:
    """Install a missing module that tests import. Only imports of the repository's own tests are installed."""
    for module in re.findall(r"(?:ModuleNotFoundError: |ImportError: )?No module named '?([\w.]+)'?", failure.output):
        top = module.partition(".")[0]
        if "pytest" in failure.command and _NAME.fullmatch(module) and (top in failure.imports or module in MODULES):
            package = MODULES.get(module) or MODULES.get(top) or top
            return Repair(
                f"tests import {module}, which no manifest requires: {package} is installed",
                (f"pip install {shlex.quote(package)}",),
            )
    return None


def _plugin(failure: Failure) -> Repair | None:
    """Install the plug-in that provides an option of pytest or a fixture of the tests."""
    if packages := missing_plugins(failure.output):
        return _pip(packages, "pytest is started with plug-ins that are not installed")
    fixtures = [FIXTURES[name] for name in re.findall(r"fixture '(\w+)' not found", failure.output) if name in FIXTURES]
    if fixtures:
        return _pip(fixtures, "tests use fixtures that no installed plug-in provides")
    if re.search(r"async def functions are not natively supported", failure.output):
        return _pip(["pytest-asyncio"], "tests are async functions")
    return None


def _no_pytest(failure: Failure) -> Repair | None:
    if "pytest" in failure.command and re.search(r"No module named '?pytest'?\b", failure.output):
        return _pip(["pytest"], "pytest is missing")
    return None


def _unavailable_npm_version(failure: Failure) -> Repair | None:
    """Accept any version after `No matching version found for left-pad@1.0.1`."""
    place, package = re.match(rf"({_PLACE})npm (?:ci|install)\b", failure.command), unavailable_package(failure.output)
    if not (place and package):
        return None
    what = f"the required version of {package} is not in the registry any more: any version is installed"
    return Repair(what, (place[1] + relax_command(package),), f"{place[1]}npm install --no-audit --no-fund")


def _npm_scripts(failure: Failure) -> Repair | None:
    """Skip the package's own scripts, such as `prepare`, which are for its developers. Scripts of dependencies still
    run."""
    own = re.search(r"npm (?:ERR!|error) path /workspace/repo\s", failure.output)
    if not own or not re.match(rf"{_PLACE}npm (?:ci|install)\b", failure.command):
        return None
    again = f"{failure.command} --ignore-scripts && {REBUILD}"
    return Repair("its own installation script fails: the script is skipped", again=again)


def _npm(failure: Failure) -> Repair | None:
    """Ignore a lock file that does not match its manifest, and conflicts between peer dependencies."""
    place = re.match(rf"({_PLACE})npm ci\b", failure.command)
    if place and re.search(r"can only install|EUSAGE|ERESOLVE|lockfile", failure.output):
        again = f"{place[1]}npm install --no-audit --no-fund --legacy-peer-deps"
        return Repair("the lock file does not match package.json", again=again)
    if place and re.search(r"code (?:E404|ETARGET)", failure.output):
        again = f"{place[1]}npm install --no-package-lock --no-audit --no-fund"
        what = "a version in the lock file is not in the registry any more: package.json is used instead"
        return Repair(what, again=again)
    if "ERESOLVE" in failure.output and "--legacy-peer-deps" not in failure.command:
        return Repair("peer dependencies conflict", again=f"{failure.command} --legacy-peer-deps")
    if "--frozen-lockfile" in failure.command and re.search(r"frozen|outdated", failure.output, re.IGNORECASE):
        again = failure.command.replace(" --frozen-lockfile", "")
        return Repair("the lock file does not match package.json", again=again)
    return None


REPAIRS: tuple[Callable[[Failure], Repair | None], ...] = (
    _venv,
    _header,
    _program,
    _wrong_python,
    _no_pytest,
    _plugin,
    _unavailable_version,
    _old_setuptools,
    _backend,
    _module,
    _unavailable_npm_version,
    _npm_scripts,
    _npm,
    _extras,
    _one_by_one,
    _install_copy,
)


def _from_debian(package: str, why: str, failure: Failure, before: str = ":") -> Repair:
    names = " ".join(package.split())
    return Repair(f"{why}: {names} is installed", (f"{APT_INSTALL}{names} && {before}",), failure.command)


def _pip(packages: list[str], why: str) -> Repair:
    names = list(dict.fromkeys(packages))
    return Repair(f"{why}: {', '.join(names)} is installed", (f"pip install {shlex.join(names)}",))
