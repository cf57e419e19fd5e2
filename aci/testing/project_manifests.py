"""The projects of a repository, by their manifests: which one a test belongs to, and how its tests are run."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Sequence

Look = Callable[[str], str]

PYTHON_MARKS = {
    "requirements.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "tox.ini",
    "pytest.ini",
    "manage.py",
    "runtests.py",
}
COMMANDS = {
    "go.mod": "go test ./...",
    "Cargo.toml": "cargo test",
    "pom.xml": "mvn -B -o test",
    "build.gradle": "gradle test",
    "build.gradle.kts": "gradle test",
    "settings.gradle": "gradle test",
    "phpunit.xml": "vendor/bin/phpunit",
    "phpunit.xml.dist": "vendor/bin/phpunit",
    ".rspec": "bundle exec rspec",
}
MANAGERS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
MAKEFILES = ("GNUmakefile", "Makefile", "makefile")
WRAPPERS = {"mvnw": "mvn", "gradlew": "gradle"}
MANIFESTS = ("package.json", *COMMANDS, *MANAGERS, *MAKEFILES, *WRAPPERS, *sorted(PYTHON_MARKS))
ENDS = {
    "package.json": re.compile(r".*\.(?:[cm]?[jt]sx?|vue|svelte)"),
    "go.mod": re.compile(r".*\.go"),
    "Cargo.toml": re.compile(r".*\.rs"),
}
NO_TEST = re.compile(r"\s*echo\s+[\"']?Error: no test specified")
PYTEST_OF_DJANGO = re.compile(r"DJANGO_SETTINGS_MODULE|DJANGO_CONFIGURATION|--ds[= ]")
PYTEST_CONFIG = re.compile(r"^\[(?:tool:pytest|tool\.pytest(?:\.ini_options)?|pytest)\]", re.MULTILINE)
TOX_COMMANDS = re.compile(r"^commands\s*=\s*((?:.*\n?)(?:[ \t]+.*\n?)*)", re.MULTILINE)
OF_UNITTEST = re.compile(r"manage\.py test|django-admin(?:\.py)? test|runtests\.py|-m unittest|-m django test")


def within(folder: str, command: str) -> str:
    return f"cd {shlex.quote(folder)} && {command}" if folder else command


def is_python(folder: str, files: Collection[str]) -> bool:
    """Whether the project in the folder says that it is one of Python's."""
    return any(posixpath.join(folder, name) in files for name in PYTHON_MARKS)


def project_of(nodes: Sequence[str], files: Collection[str], look: Look) -> str:
    """The folder of the project that all nodes belong to, "" for the top or where they say nothing."""
    found = {_home(node.partition("::")[0], files, look) for node in nodes}
    return found.pop() if len(found) == 1 else ""


def _home(path: str, files: Collection[str], look: Look) -> str:
    """The nearest folder at or above a path that is a project which can run it; for Python the topmost, for the parts
    of one project often look like others."""
    names = [name for name, ends in ENDS.items() if ends.fullmatch(path)]
    folders = [""] if not path else []
    while path:
        path = posixpath.dirname(path)
        folders.append(path)
    for folder in folders if names else folders[::-1]:
        here = [name for name in names or PYTHON_MARKS if posixpath.join(folder, name) in files]
        if here and (here != ["package.json"] or _script(look(posixpath.join(folder, "package.json")))):
            return folder
    return ""


def first_command(files: Collection[str], look: Look) -> str:
    """How the tests of the first project below the top are run that is not Python's; "" if there is none."""
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        if command := project_command(posixpath.dirname(path), files, look):
            return command
    return ""


def project_command(folder: str, files: Collection[str], look: Look) -> str:
    """How the tests of a project that is not Python's are run; "" if its manifests do not say."""
    here = {posixpath.basename(path) for path in files if posixpath.dirname(path) == folder}
    if "package.json" in here and _script(look(posixpath.join(folder, "package.json"))):
        manager = next((manager for lock, manager in MANAGERS.items() if lock in here or lock in files), "npm")
        return within(folder, f"{manager} test")
    for name, command in COMMANDS.items():
        if name in here:
            program, _, rest = command.partition(" ")
            wrapper = next((wrapper for wrapper, tool in WRAPPERS.items() if tool == program and wrapper in here), "")
            return within(folder, f"./{wrapper} {rest}" if wrapper else command)
    for name in MAKEFILES:
        found = re.search(r"^(test|check)\s*:(?!=)", look(posixpath.join(folder, name)), re.M) if name in here else None
        if found:
            return within(folder, f"make {found[1]}")
    return ""


def _script(manifest: str) -> str:
    """The `test` script of a package.json, "" where it has none of its own."""
    try:
        scripts = json.loads(manifest)["scripts"]
        script = scripts["test"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return script if isinstance(script, str) and not NO_TEST.match(script) else ""


def django_command(python: str, folder: str, files: Collection[str], look: Look) -> str:
    """The command of a project that has a runner of its own on top of unittest; "" where pytest or unittest will do."""

    def read(name: str) -> str:
        path = posixpath.join(folder, name)
        return look(path) if path in files else ""

    config = "\n".join(map(read, ("pytest.ini", "setup.cfg", "tox.ini", "pyproject.toml")))
    if PYTEST_OF_DJANGO.search(config) or PYTEST_CONFIG.search(config):
        return ""
    if hint := _tox(python, read("tox.ini")):
        return within(folder, hint)
    for name in ("manage.py", "runtests.py", "tests/runtests.py"):
        if posixpath.join(folder, name) in files:
            return within(folder, f"{python} {name}{' test' if name == 'manage.py' else ''}")
    return ""


def _tox(python: str, text: str) -> str:
    """The first command of tox.ini that runs tests by what is built on unittest, without tox's own words."""
    for block in TOX_COMMANDS.findall(text):
        for line in block.splitlines():
            command = re.sub(r"\{posargs(?::[^{}]*)?\}", "", line).strip().lstrip("-").strip()
            command = re.sub(r"^(?:\{envpython\}|python\d?|coverage run(?:\s+-(?!m)\S+)*)(?=\s)", python, command)
            if OF_UNITTEST.search(command) and not re.search(r"[{}\\]", command):
                return command.strip()
    return ""
