"""What a failed set-up command says, and what to do about it: one small function a kind of failure, tried in order.

After AutoDev: read the failure, mend one thing, try again; a bounded number of times. Nothing that a log says becomes a
command, save names that are checked for what they may be.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass

from aci.environments.npm import gone, relaxing
from aci.environments.packages import FIXTURES, HEADERS, MODULES, OPTIONS, PROGRAMS
from aci.environments.plan import VENV

MOST = 3
"""Mends of one command."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that failed, and the end of its output; `imports` are names that the tests import."""

    command: str
    output: str
    language: str = "python"
    imports: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Mend:
    """What is done: `first`, then `again` in the place of the failed command. `image`: begin anew with another one."""

    what: str
    first: tuple[str, ...] = ()
    again: str = ""
    other_image: bool = False


APT = "export DEBIAN_FRONTEND=noninteractive; apt-get update -q && apt-get install -qy --no-install-recommends "
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(?:[<>=~!]{1,3}[\w.*]+)?")
_PLACE = r"(?:cd (?:'[^']*'|\S+) && )?"
"""How a command begins whose manifest lies below the top."""


def mend(failure: Failure, tried: Collection[str] = ()) -> Mend | None:
    """The first mend that fits and was not tried before (by its sentence)."""
    for look in MENDS:
        found = look(failure)
        if found and found.what not in tried:
            return found
    return None


def _header(failure: Failure) -> Mend | None:
    """`fatal error: ffi.h: No such file or directory`"""
    missing = re.search(
        r"fatal error: ['\"]?([\w./+-]+\.h(?:pp|xx)?)['\"]?(?:: No such file| file not found)", failure.output
    )
    package = next((HEADERS[key] for key in HEADERS if missing and missing[1].startswith(key)), "")
    return _from_debian(package, f"the header {missing[1]} is missing", failure) if missing and package else None


def _program(failure: Failure) -> Mend | None:
    """`pg_config executable not found`, `error: command 'gcc' failed`, `cmake: not found`"""
    for program, package in PROGRAMS.items():
        name = re.escape(program)
        said = (
            rf"(?:command|program|executable|tool|compiler)s?:? ['\"`]?{name}['\"`]?"
            r"(?: failed: No such file| not found|: No such)"
            rf"|\b{name}(?: executable)?:? (?:command )?not found"
            rf"|(?:No such file or directory|not found): ['\"]?{name}\b"
            rf"|unable to execute '{name}'|Could not (?:find|run) ['\"]?{name}\b|{name} is (?:required|not installed)"
        )
        if re.search(said, failure.output):
            return _from_debian(package, f"the program {program} is missing", failure)
    if re.search(
        r"Unknown compiler|no acceptable C compiler|error: Microsoft Visual|can't find Rust compiler", failure.output
    ):
        rust = "Rust compiler" in failure.output
        return _from_debian("rustc cargo" if rust else "build-essential", "a compiler is missing", failure)
    return None


def _venv(failure: Failure) -> Mend | None:
    """Debian's Python comes without ensurepip, and perhaps without pip."""
    if re.search(r"ensurepip is not\s+available|No module named venv|No module named ensurepip", failure.output):
        return _from_debian("python3-venv python3-pip", "Python cannot make an environment", failure, f"rm -rf {VENV}")
    return None


def _wrong_python(failure: Failure) -> Mend | None:
    """`requires a different Python: 3.12.1 not in '<3.11'`"""
    said = re.search(
        r"requires a different Python|requires Python ['\"]?[<>=~!]|Requires-Python [<>=~!]", failure.output
    )
    lacks = re.search(r"python_requires|Cannot install on Python version", failure.output)
    if said or lacks:
        return Mend("this Python is not one that it is for: another image is taken", other_image=True)
    return None


def _gone(failure: Failure) -> Mend | None:
    """`No matching distribution found for foo==1.2.3`: the pin is taken off."""
    match = re.search(
        r"No matching distribution found for ([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(==|~=|===)\s*([\w.!+*-]+)",
        failure.output,
    )
    if not match:
        return None
    name, pin = match[1], f"{match[2]}{match[3]}"
    what = f"{name}{pin} is gone from the index: any version of {name} is taken"
    pinned = rf"({re.escape(name)}(?:\[[^\]]*\])?)\s*{re.escape(match[2])}\s*{re.escape(match[3])}"
    again = re.sub(pinned, r"\1", failure.command)
    if again != failure.command:
        return Mend(what, again=again)
    lists = re.findall(r"-r\s+'?([\w./-]+)'?", failure.command)
    relaxed = f"s/^({re.escape(name)}(\\[[^]]*\\])?)[ ]*(==|~=|===)[^;#]*/\\1 /I"
    place = re.match(_PLACE, failure.command)
    edits = tuple(f"{place[0] if place else ''}sed -E -i {shlex.quote(relaxed)} {shlex.quote(path)}" for path in lists)
    return Mend(what, edits, failure.command) if edits else None


def _backend(failure: Failure) -> Mend | None:
    """A build that imports what it does not ask for: it is built among what is installed."""
    missing = re.search(r"ModuleNotFoundError: No module named '([\w.]+)'", failure.output)
    building = re.search(
        r"Getting requirements to build|setup\.py egg_info|metadata-generation-failed|build_editable", failure.output
    )
    if not (missing and building and "pip install" in failure.command) or "--no-build-isolation" in failure.command:
        return None
    module = missing[1]
    package = MODULES.get(module) or module.partition(".")[0]
    return Mend(
        f"the build imports {module} without asking for it: it is installed first",
        (f"pip install {shlex.quote(package)} 'setuptools<81' wheel",),
        failure.command.replace("pip install", "pip install --no-build-isolation", 1),
    )


def _old_setuptools(failure: Failure) -> Mend | None:
    """Packages whose build lives on what setuptools no longer has."""
    said = r"use_2to3 is invalid|has no attribute 'Feature'|No module named 'pkg_resources'|Cython\.Compiler\.Errors"
    if "pip install" in failure.command and re.search(said, failure.output):
        older = "setuptools<58" if "use_2to3" in failure.output or "'Feature'" in failure.output else "setuptools<81"
        constraint = f"printf '%s\\n' {shlex.quote(older)} 'cython<3' > /tmp/swe-agent-constraints"
        return Mend(
            f"a build needs {older}", (constraint,), f"PIP_CONSTRAINT=/tmp/swe-agent-constraints {failure.command}"
        )
    return None


def _extras(failure: Failure) -> Mend | None:
    """Two extras that do not go together: the first is taken alone."""
    extras = re.search(r"\.\[([\w.-]+),([\w.,-]+)\]", failure.command)
    if extras and re.search(r"ResolutionImpossible|conflicting dependencies|No matching distribution", failure.output):
        return Mend(
            f"its extras do not go together: only {extras[1]}",
            again=failure.command.replace(extras[0], f".[{extras[1]}]"),
        )
    return None


_EACH = (
    'n=0; while IFS= read -r line; do case $line in ""|\\#*|-*) ;; '
    '*) if pip install "${line%%#*}"; then n=$((n + 1)); fi ;; esac; done'
)
_SOME = '[ "$n" -gt 0 ] || { echo "no line of the list can be installed"; exit 1; }'


def _one_by_one(failure: Failure) -> Mend | None:
    """A list of which one line cannot be installed: the others may do."""
    whole = re.fullmatch(rf"({_PLACE})pip install -r '?([\w./-]+)'?", failure.command)
    if not whole:
        return None
    again = f"{whole[1]}{_EACH} < {shlex.quote(whole[2])}; {_SOME}"
    return Mend("the list cannot be installed whole: each line by itself", again=again)


def _plainly(failure: Failure) -> Mend | None:
    """A package that cannot be installed in place is installed as a copy; its own folder comes first in sessions."""
    if "pip install -e " in failure.command:
        return Mend("it cannot be installed in place: as a copy", again=failure.command.replace(" -e ", " ", 1))
    return None


def _module(failure: Failure) -> Mend | None:
    """A test's import that nothing provides. Only what the repository's own tests import is ever installed so."""
    for module in re.findall(r"(?:ModuleNotFoundError: |ImportError: )?No module named '?([\w.]+)'?", failure.output):
        top = module.partition(".")[0]
        if "pytest" in failure.command and _NAME.fullmatch(module) and (top in failure.imports or module in MODULES):
            package = MODULES.get(module) or MODULES.get(top) or top
            return Mend(
                f"tests import {module}, which nothing asks for: {package} is installed",
                (f"pip install {shlex.quote(package)}",),
            )
    return None


def _plugin(failure: Failure) -> Mend | None:
    """pytest is told of options, or tests ask for fixtures, that a plug-in brings."""
    if unknown := re.search(r"error: unrecognized arguments: (.+)", failure.output):
        packages = [OPTIONS[key] for word in unknown[1].split() for key in OPTIONS if word.startswith(key)]
        if packages:
            return _pip(packages, f"pytest is given {unknown[1].split()[0]}")
    fixtures = [FIXTURES[name] for name in re.findall(r"fixture '(\w+)' not found", failure.output) if name in FIXTURES]
    if fixtures:
        return _pip(fixtures, "tests ask for fixtures that nothing brings")
    if re.search(r"async def functions are not natively supported", failure.output):
        return _pip(["pytest-asyncio"], "tests are async functions")
    if required := re.search(r"Missing required plugins: (.+)", failure.output):
        named = [name for one in required[1].split(",") if _REQUIREMENT.fullmatch(name := one.strip())]
        return _pip(named, "its configuration requires plug-ins") if named else None
    return None


def _no_pytest(failure: Failure) -> Mend | None:
    if "pytest" in failure.command and re.search(r"No module named '?pytest'?\b", failure.output):
        return _pip(["pytest"], "there is no pytest")
    return None


def _npm_gone(failure: Failure) -> Mend | None:
    """`No matching version found for left-pad@1.0.1`"""
    place, package = re.match(rf"({_PLACE})npm (?:ci|install)\b", failure.command), gone(failure.output)
    if not (place and package):
        return None
    what = f"the version of {package} that is asked for is gone from the registry: any is taken"
    return Mend(what, (place[1] + relaxing(package),), f"{place[1]}npm install --no-audit --no-fund")


def _npm_scripts(failure: Failure) -> Mend | None:
    """The package's own `prepare` fails, which is for its developers: hooks of git, say. Others' scripts are run."""
    own = re.search(r"npm (?:ERR!|error) path /workspace/repo\s", failure.output)
    if not own or not re.match(rf"{_PLACE}npm (?:ci|install)\b", failure.command):
        return None
    again = f"{failure.command} --ignore-scripts && npm rebuild"
    return Mend("its own script of the installation fails: it is left out", again=again)


def _npm(failure: Failure) -> Mend | None:
    """Locks that do not fit their manifest, and peers that do not fit each other."""
    place = re.match(rf"({_PLACE})npm ci\b", failure.command)
    if place and re.search(r"can only install|EUSAGE|ERESOLVE|lockfile", failure.output):
        again = f"{place[1]}npm install --no-audit --no-fund --legacy-peer-deps"
        return Mend("the lock does not fit package.json", again=again)
    if place and re.search(r"code (?:E404|ETARGET)", failure.output):
        again = f"{place[1]}npm install --no-package-lock --no-audit --no-fund"
        return Mend("a version of the lock is gone from the registry: package.json decides", again=again)
    if "ERESOLVE" in failure.output and "--legacy-peer-deps" not in failure.command:
        return Mend("peers do not fit each other", again=f"{failure.command} --legacy-peer-deps")
    if "--frozen-lockfile" in failure.command and re.search(r"frozen|outdated", failure.output, re.IGNORECASE):
        return Mend("the lock does not fit package.json", again=failure.command.replace(" --frozen-lockfile", ""))
    return None


MENDS: tuple[Callable[[Failure], Mend | None], ...] = (
    _venv,
    _header,
    _program,
    _wrong_python,
    _no_pytest,
    _plugin,
    _gone,
    _old_setuptools,
    _backend,
    _module,
    _npm_gone,
    _npm_scripts,
    _npm,
    _extras,
    _one_by_one,
    _plainly,
)


def _from_debian(package: str, why: str, failure: Failure, before: str = ":") -> Mend:
    names = " ".join(package.split())
    return Mend(f"{why}: {names} is installed", (f"{APT}{names} && {before}",), failure.command)


def _pip(packages: list[str], why: str) -> Mend:
    names = list(dict.fromkeys(packages))
    return Mend(f"{why}: {', '.join(names)} is installed", (f"pip install {shlex.join(names)}",))
