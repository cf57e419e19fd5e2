"""Projects in a repository, identified by their manifests: the project that a test belongs to, and its test command."""

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
UNITTEST_RUNNER = re.compile(r"manage\.py test|django-admin(?:\.py)? test|runtests\.py|-m unittest|-m django test")


def prefix_folder(folder: str, command: str) -> str:
    return f"cd {shlex.quote(folder)} && {command}" if folder else command


def is_python(folder: str, files: Collection[str]) -> bool:
    """Whether the project in the folder has a Python manifest."""
    return any(posixpath.join(folder, name) in files for name in PYTHON_MARKS)


def project_of(nodes: Sequence[str], files: Collection[str], look: Look) -> str:
    """Return the folder of the project that all nodes belong to; "" for the root, or if they belong to different
    projects."""
    found = {_home(node.partition("::")[0], files, look) for node in nodes}
    return found.pop() if len(found) == 1 else ""


def _home(path: str, files: Collection[str], look: Look) -> str:
    """Return the nearest folder, at or above a path, whose project can run the tests there.

    For Python, return the topmost such folder, since subfolders of a Python project often have manifests of their own.
    """
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
    """Return the test command of the first non-Python project, searching from the root down; "" if there is none."""
    for path in sorted(files, key=lambda path: (path.count("/"), path)):
        if command := project_command(posixpath.dirname(path), files, look):
            return command
    return ""


def project_command(folder: str, files: Collection[str], look: Look) -> str:
    """Return the test command of a non-Python project; "" if its manifests do not define one."""
    here = {posixpath.basename(path) for path in files if posixpath.dirname(path) == folder}
    if "package.json" in here and _script(look(posixpath.join(folder, "package.json"))):
        manager = next((manager for lock, manager in MANAGERS.items() if lock in here or lock in files), "npm")
        return prefix_folder(folder, f"{manager} test")
    for name, command in COMMANDS.items():
        if name in here:
            program, _, rest = command.partition(" ")
            wrapper = next((wrapper for wrapper, tool in WRAPPERS.items() if tool == program and wrapper in here), "")
            return prefix_folder(folder, f"./{wrapper} {rest}" if wrapper else command)
    for name in MAKEFILES:
        found = re.search(r"^(test|check)\s*:(?!=)", look(posixpath.join(folder, name)), re.M) if name in here else None
        if found:
            return prefix_folder(folder, f"make {found[1]}")
    return ""


def _script(manifest: str) -> str:
    """Return the `test` script of a package.json; "" if it has none or only npm's placeholder."""
    try:
        scripts = json.loads(manifest)["scripts"]
        script = scripts["test"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return script if isinstance(script, str) and not NO_TEST.match(script) else ""


def django_command(python: str, folder: str, files: Collection[str], look: Look) -> str:
    """Return the test command of a project whose own runner is based on unittest; "" if pytest or unittest can run its
    tests."""

    def read(name: str) -> str:
        path = posixpath.join(folder, name)
        return look(path) if path in files else ""

    config = "\n".join(map(read, ("pytest.ini", "setup.cfg", "tox.ini", "pyproject.toml")))
    if PYTEST_OF_DJANGO.search(config) or PYTEST_CONFIG.search(config):
        return ""
    if hint := _tox(python, read("tox.ini")):
        return prefix_folder(folder, hint)
    for name in ("manage.py", "runtests.py", "tests/runtests.py"):
        if posixpath.join(folder, name) in files:
            return prefix_folder(folder, f"{python} {name}{' test' if name == 'manage.py' else ''}")
    return ""


def _tox(python: str, text: str) -> str:
    """Return the first command in tox.ini that runs tests with a runner based on unittest, with tox's own syntax
    removed."""
    for block in TOX_COMMANDS.findall(text):
        for line in block.splitlines():
            command = re.sub(r"\{posargs(?::[^{}]*)?\}", "", line).strip().lstrip("-").strip()
            command = re.sub(r"^(?:\{envpython\}|python\d?|coverage run(?:\s+-(?!m)\S+)*)(?=\s)", python, command)
            if UNITTEST_RUNNER.search(command) and not re.search(r"[{}\\]", command):
                return command.strip()
    return ""
