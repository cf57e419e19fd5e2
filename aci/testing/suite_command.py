"""Detection of a repository's projects and test commands."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from itertools import islice
from typing import Any

from aci.runtime.guest_programs import program_source
from aci.runtime.workspace import Workspace
from aci.testing.command_files import MAKEFILES, Look, prefix_folder
from aci.testing.node_paths import folders_above, nodes_inside
from aci.testing.project_commands import ROOT, can_be_joined, join_pytest
from trajectories.errors import UsageError


class NoTestRunner(UsageError):
    """The workspace lacks the program that runs the tests."""


class NeedsPytest(NoTestRunner):
    """Raised if most tests need pytest and no Python of the workspace has it; other tests do not replace them."""


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
PHPUNIT, PHPUNIT_OF_SYMFONY = "vendor/bin/phpunit", "vendor/bin/simple-phpunit"
COMMANDS = {
    "go.mod": "go test ./...",
    "Cargo.toml": "cargo test",
    "pom.xml": "mvn -B -o test",
    "build.gradle": "gradle test",
    "build.gradle.kts": "gradle test",
    "settings.gradle": "gradle test",
    "phpunit.xml": PHPUNIT,
    "phpunit.xml.dist": PHPUNIT,
    ".rspec": "bundle exec rspec",
}
MANAGERS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn"}
RAKE_TEST = re.compile(
    r"TestTask|^[ \t]*(?:multi)?task[ \t(]+(?:[:\"']?test\b(?!:)|:?default\b[^#\n]*\btest\b(?!:))", re.MULTILINE
)
"""A task `test` of a Rakefile, or a default task that names it."""
FAILSAFE = re.compile(r"<artifactId>\s*maven-failsafe-plugin\s*</artifactId>")
"""Maven's plug-in for tests that need the packaged project; the phase `verify` runs them."""
WRAPPERS = {"mvnw": "mvn", "gradlew": "gradle"}
KOTLIN_PLATFORMS = re.compile(
    r"^(?!.*\bapply false\b).*(?:kotlin\(\s*[\"']multiplatform|kotlin\.multiplatform\b)", re.MULTILINE
)
"""A Gradle module for several platforms, whose tests the task `allTests` runs."""
MAX_MODULES = 200
"""How many manifests of modules are read to choose the task."""
CARGO_PROGRAM = re.compile(r"^bindings\s*=\s*[\"']bin[\"']", re.MULTILINE)
"""maturin's setting for a Rust program that is published as a Python package."""
MANIFESTS = ("package.json", *COMMANDS, "Rakefile", *MANAGERS, *MAKEFILES, *WRAPPERS, *sorted(PYTHON_MARKS))
ENDS = {
    "package.json": re.compile(r".*\.(?:[cm]?[jt]sx?|vue|svelte)"),
    "go.mod": re.compile(r".*\.go"),
    "Cargo.toml": re.compile(r".*\.rs"),
}
NO_TEST = re.compile(r"\s*echo\s+[\"']?Error: no test specified")
PYTEST_OF_DJANGO = re.compile(r"DJANGO_SETTINGS_MODULE|DJANGO_CONFIGURATION")
DJANGO_SETTINGS = re.compile(r"\bDJANGO_SETTINGS_MODULE\s*=\s*([\w.]+)")
DJANGO_OPTION = re.compile(r"--ds[= ]")
PYTEST_SECTION = r"^\[(tool:pytest|tool\.pytest(\.ini_options)?|pytest)\]"
"""Regular expression of Python and of `grep -E`."""
PYTEST_CONFIG = re.compile(PYTEST_SECTION, re.MULTILINE)
PYTEST_FILES = ("pytest.ini", "setup.cfg", "tox.ini", "pyproject.toml")
PROJECT_MARKS = {*PYTEST_FILES, "setup.py"}
OWN_RUNNERS = ("manage.py", "runtests.py", "tests/runtests.py", "tox.ini")
TOX_FACTOR = re.compile(r"!?[\w.-]+(?:,[\w.-]+)*:\s+")
"""The names of variants at the start of a line of tox.ini, for which the line is meant."""
TOX_FOLDERS = re.compile(r"(?:\{envpython\})?[^{}]*\bpy\.?test\b[^{}]*\{posargs:([\w./ -]+)\}")
"""A command of tox that runs pytest in folders unless the user names others."""
TEST_PATHS = re.compile(r"^testpaths\s*=", re.MULTILINE)
RUNNER_FILE = re.compile(r"(?<!\S)[\w./-]*(?:manage|runtests)\.py(?!\S)")
UNITTEST_RUNNER = re.compile(
    r"manage\.py test|django-admin(?:\.py)? test|runtests\.py|-m unittest|-m django test"
    r"|-m (?!pytest|py\.test)[\w.]+\.tests?(?=\s|$)"
)
"""A runner based on unittest in a command of tox; the last form is a package's own, such as `-m tornado.test`."""


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
    folders = list(folders_above(path)) or [""]
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
            required = look(posixpath.join(folder, "composer.json")) if command == PHPUNIT else ""
            if "symfony/phpunit-bridge" in required and "phpunit/phpunit" not in required:
                command = PHPUNIT_OF_SYMFONY
            command = _of_modules(name, command, folder, files, look)
            program, _, rest = command.partition(" ")
            wrapper = next((wrapper for wrapper, tool in WRAPPERS.items() if tool == program and wrapper in here), "")
            return prefix_folder(folder, f"./{wrapper} {rest}" if wrapper else command)
    if "Rakefile" in here and RAKE_TEST.search(look(posixpath.join(folder, "Rakefile"))):
        return prefix_folder(folder, "bundle exec rake test")
    for name in MAKEFILES:
        found = re.search(r"^(test|check)\s*:(?!=)", look(posixpath.join(folder, name)), re.M) if name in here else None
        if found:
            return prefix_folder(folder, f"make {found[1]}")
    return ""


def _of_modules(manifest: str, command: str, folder: str, files: Collection[str], look: Look) -> str:
    """Return the test command of a Maven or Gradle project with the phase or tasks that run all tests of its
    modules."""
    if manifest == "pom.xml":
        names, pattern, replacement = {manifest}, FAILSAFE, command.replace(" test", " verify")
    elif command == COMMANDS["build.gradle"]:
        names, pattern = {"build.gradle", "build.gradle.kts"}, KOTLIN_PLATFORMS
        replacement = f"{command} allTests"
    else:
        return command
    inside = (path for path in sorted(files) if path.startswith(f"{folder}/" if folder else ""))
    modules = islice((path for path in inside if posixpath.basename(path) in names), MAX_MODULES)
    return replacement if any(pattern.search(look(path)) for path in modules) else command


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

    here = [name for name in OWN_RUNNERS if posixpath.join(folder, name) in files]
    if not here:
        return ""

    def read(name: str) -> str:
        path = posixpath.join(folder, name)
        return look(path) if path in files else ""

    config = "\n".join(map(read, PYTEST_FILES))
    environments = _tox_environments(read("tox.ini")).values()
    if DJANGO_OPTION.search(config) or PYTEST_CONFIG.search(config):
        return ""
    if hint := _tox_command(python, environments, lambda path: posixpath.join(folder, path) in files):
        return prefix_folder(folder, hint)
    if any(PYTEST_OF_DJANGO.search(_variables(one)) for one in environments):
        return ""
    for name in here:
        if name != "tox.ini":
            return prefix_folder(folder, f"{python} {name}{' test' if name == 'manage.py' else ''}")
    return ""


def _variables(environment: Mapping[str, str]) -> str:
    """Return the text of the variables that an environment of tox sets."""
    return environment.get("setenv", environment.get("set_env", ""))


def _tox_environments(text: str) -> dict[str, Mapping[str, str]]:
    """Return the settings of the test environments of tox.ini by section; none of a file that cannot be read."""
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except ConfigParserError:
        return {}
    return {name: dict(parser[name]) for name in parser.sections() if name.startswith("testenv")}


def _tox_command(python: str, environments: Iterable[Mapping[str, str]], exists: Callable[[str], bool]) -> str:
    """Return the first command of tox that runs tests with a runner based on unittest, with tox's own syntax removed.

    A runner that tox starts in a folder of the repository is named with this folder, and one that does not `exist` is
    left out.
    """
    for environment in environments:
        entered = re.sub(r"^\{tox_?inidir\}/?", "", environment.get("changedir", environment.get("change_dir", "")))
        entered = "" if re.match(r"\{(?:tox_?)?work_?dir\}", entered) else entered  # a folder without tests
        for line in _tox_lines(environment.get("commands", "")):
            command = re.sub(r"\{posargs(?::[^{}]*)?\}", "", line).strip().lstrip("-").strip()
            command = re.sub(r"(?<=\s)\{tox_?(?:inidir|root)\}/", "", command) if not entered else command
            command = re.sub(r"^(?:\{envpython\}|python\d?|coverage run(?:\s+-(?!m)\S+)*)(?=\s)", python, command)
            command = re.sub(r"\s-m coverage run(?:\s+-(?!m)\S+)*(?=\s-m\s)", "", command)
            if not UNITTEST_RUNNER.search(command) or re.search(r"[{}\\]", command + entered):
                continue
            script = RUNNER_FILE.search(command)
            path = posixpath.normpath(posixpath.join(entered, script[0])) if script else ""
            if script is None:
                settings = DJANGO_SETTINGS.search(_variables(environment))
                variable = f"DJANGO_SETTINGS_MODULE={settings[1]} " if settings else ""
                return prefix_folder(entered, f"{variable}{command}")
            if exists(path):
                return f"{command[: script.start()]}{path}{command[script.end() :]}".strip()
    return ""


def _tox_lines(commands: str) -> list[str]:
    """Return the commands of an environment of tox, those for some variants of the environment last and of these, those
    that get the user's arguments first."""
    found = [TOX_FACTOR.sub("", line.strip()) for line in commands.splitlines()]
    conditional = [bool(TOX_FACTOR.match(line.strip())) for line in commands.splitlines()]
    order = sorted(range(len(found)), key=lambda at: (conditional[at], conditional[at] and "{posargs" not in found[at]))
    return [found[at] for at in order]


def python_projects(files: Collection[str], configured: Collection[str], look: Look) -> list[str]:
    """Return the folders of the Python projects in a repository of several projects; empty for other repositories.

    A project is the topmost folder with a manifest. However, a folder without pytest settings is only a workspace if a
    folder below it has some; `configured` are the files with such settings. If there is a conftest.py above the
    projects, their tests are run together, as those of one project.
    """
    with_settings = {posixpath.dirname(path) for path in configured}
    found: list[str] = []
    for folder in sorted({posixpath.dirname(path) for path in files if posixpath.basename(path) in PROJECT_MARKS}):
        is_workspace = folder not in with_settings and any(_is_below(other, folder) for other in with_settings)
        if not is_workspace and not any(_is_below(folder, project) for project in found):
            found.append(folder)
    found = [folder for folder in found if can_be_joined(folder) and not django_command("", folder, files, look)]
    above = {folder[: cut.start()] for folder in found for cut in re.finditer(r"/|^", folder)}
    is_split = len(found) > 1 and not any(look(posixpath.join(folder, "conftest.py")).strip() for folder in above)
    return found if is_split else []


def _is_below(path: str, folder: str) -> bool:
    return path != folder and (not folder or path.startswith(f"{folder}/"))


LARGEST, MOST_MANIFESTS = 1_000_000, 2_000
IGNORED = r"\( -name node_modules -o -name .git -o -name vendor -o -name target \) -prune -o"
NODE_TESTS = (".js", ".mjs", ".cjs")
"""Ends of the names of test files of Node's own runner."""
NEEDS_TEST = "Give the command that runs the tests with --test."


def detect_command(workspace: Workspace, session: str = "tests", nodes: Sequence[str] = ()) -> str:
    """Return the test command of the repository, or of the project in it that contains `nodes`. Raises UsageError if
    none is found, or if a node is a path outside the repository."""
    return detect(workspace, session, nodes)[0]


def detect(workspace: Workspace, session: str = "tests", nodes: Sequence[str] = ()) -> tuple[str, str]:
    """Return the test command of the repository, and the Python version if the command runs Python. Raises UsageError
    if none is found, or if a node is a path outside the repository.

    If the repository has several projects, `nodes` selects one of them. Otherwise, the command is that of the project
    at the root or, if there is none, of the first non-Python project below it. If pytest runs the tests of several
    Python projects, the command runs them all, each in its folder, and `run_tests` limits it to those of its nodes.
    """

    def look(path: str) -> str:
        try:
            return workspace.read(path, LARGEST).decode("utf-8", "replace")
        except (OSError, UsageError):
            return ""

    nodes = nodes_inside(nodes, workspace.root)
    files, configured = _manifests(workspace, session)
    folder = project_of(nodes, files, look)
    command = project_command(folder, files, look)
    if command and (not is_python(folder, files) or _is_cargo_program(folder, files, look)):
        return command, ""
    projects = python_projects(files, configured, look)
    if not any(project == folder or _is_below(project, folder) for project in projects):
        projects = []
    try:
        return _python_command(workspace, session, folder, projects, files, look)
    except NeedsPytest:
        raise
    except UsageError:
        if command := command or first_command(files, look) or _node_command(workspace, session):
            return command, ""
        raise


def _is_cargo_program(folder: str, files: Collection[str], look: Look) -> bool:
    """Whether a project is a Rust program that has Python's manifest only to be published."""
    at_root = posixpath.join(folder, "Cargo.toml") in files
    return at_root and bool(CARGO_PROGRAM.search(look(posixpath.join(folder, "pyproject.toml"))))


def _node_command(workspace: Workspace, session: str) -> str:
    """Return the command for tests of Node's own runner in a repository without a manifest, such as that of a site; ""
    if there are none."""
    names = " -o ".join(f"-name '*{mark}{end}'" for mark in (".test", "-test", "_test") for end in NODE_TESTS)
    quoted = shlex.quote(workspace.root)
    ran = workspace.run(f"cd {quoted} && find . {IGNORED} \\( {names} \\) -exec grep -l node:test {{}} +", 60, session)
    return "node --test" if ran.text.strip() else ""


def _manifests(workspace: Workspace, session: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the paths of all build and test manifests in folders up to three levels deep, and of those with pytest
    settings."""

    def find(names: Iterable[str], action: str) -> str:
        chosen = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        return f"find . -maxdepth 4 {IGNORED} \\( {chosen} \\) {action}"

    settings = f"-type f -size -{LARGEST // 1000}k -exec grep -lE {shlex.quote(PYTEST_SECTION)} {{}} +"
    lines = f"{find(MANIFESTS, '-print')}; echo; {find(PYTEST_FILES, settings)}"
    found = workspace.run(f"cd {shlex.quote(workspace.root)} && {{ {lines}; }}", 60, session).text
    names, configured = (
        frozenset(line.removeprefix("./") for line in part.splitlines()[:MOST_MANIFESTS] if line)
        for part in found.partition("\n\n")[::2]
    )
    return names, configured | {name for name in names if posixpath.basename(name) == "pytest.ini"}


def _python_command(
    workspace: Workspace, session: str, folder: str, projects: Sequence[str], files: Collection[str], look: Look
) -> tuple[str, str]:
    path = f"{workspace.harness}/project_probe.py"
    workspace.write(path, program_source("project_probe.py"))
    place = f'{shlex.quote(path)} {shlex.quote(posixpath.join(workspace.root, folder))} "$PYTHONPATH"'
    place = " ".join([place, shlex.quote(workspace.root), *projects])
    ran = workspace.run(f"PYTHONPATH= python3 {place} || PYTHONPATH= python {place}", 60, session)
    found = _last_object(ran.text)
    if not found:
        raise NoTestRunner("The workspace has no Python to run the tests.", NEEDS_TEST)
    version = str(found.get("version", ""))
    if own := django_command(str(found["python"]), folder, files, look):
        return own, version
    if not found["tests"]:
        raise UsageError("No tests were found in the repository.", NEEDS_TEST)
    if found["pytest"]:
        pytest = f"{shlex.quote(str(found['pytest']))} -m pytest"
        tested = [project for project in (*projects, ROOT) if project in found["tested"]]
        is_split = len(set(tested) - {ROOT}) > 1
        if is_split:
            return join_pytest(pytest, tested), version
        return prefix_folder(folder, " ".join([pytest, *_tox_folders(workspace, session, folder, look)])), version
    if not found["start"] or found.get("of_pytest", 0) > found["tests"] / 2:
        python = str(found["python"])
        path = workspace.run(f"command -v {shlex.quote(python)}", 60, session).text.strip() or python
        install = "Choose an image that has it with --image."
        if workspace.kind != "docker":
            install = f"Install what the tests need in an environment, such as .venv: {path} -m pip install pytest."
        raise NeedsPytest(
            f"The repository's tests seem to need pytest, but {path} does not have it.", f"{install} {NEEDS_TEST}"
        )
    options = [str(option) for option in found["start"]]
    return prefix_folder(folder, shlex.join([str(found["python"]), "-m", "unittest", "discover", *options])), version


def _tox_folders(workspace: Workspace, session: str, folder: str, look: Look) -> list[str]:
    """Return the folders of tests that tox's main environment names to pytest if the user names none; empty if pytest's
    own settings name some."""
    if any(TEST_PATHS.search(look(posixpath.join(folder, name))) for name in PYTEST_FILES):
        return []
    environment = _tox_environments(look(posixpath.join(folder, "tox.ini"))).get("testenv", {})
    lines = (line.strip() for line in _tox_lines(environment.get("commands", "")))
    named = next(filter(None, map(TOX_FOLDERS.fullmatch, lines)), None)
    if not named or {"changedir", "change_dir"} & set(environment):
        return []
    folders = named[1].split()
    tests = " && ".join(f"test -e {shlex.quote(path)}" for path in folders)
    ran = workspace.run(f"cd {shlex.quote(posixpath.join(workspace.root, folder))} && {tests}", 60, session)
    return folders if ran.code == 0 else []


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and {"python", "pytest", "tests", "start", "tested"} <= set(value):
            return value
    return {}
