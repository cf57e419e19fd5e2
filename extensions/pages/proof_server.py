"""The project's server and the browser's driver of a proof whose tests open pages: how they are recorded, and what a
script that repeats the proof needs for them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aci.environments.environment_plan import VENV
from aci.proof.proof_run import read_text
from aci.testing.browser_tests import MOST_FILES, needs_server
from aci.testing.runner_hooks import RunnerRequest
from extensions.pages.browser.project_server import plan_of_tree
from extensions.pages.browser.server_process import PROGRAM, START_SECONDS, server_files
from extensions.pages.browser_setup import FOLDER, VARIABLES

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees

Record = Mapping[str, str | list[str]]
PYTHON_DRIVER = re.compile(r"^\s*(?:from|import)\s+(playwright|pyppeteer|selenium)\b", re.MULTILINE)
NODE_DRIVER = re.compile(r"[\"'](@playwright/test|playwright(?:-core|/test)?|puppeteer(?:-core)?)[\"']")
PYTHON, NODE = "python3", "node"
END = "END_OF_SERVER_FILE"


def record_server(trees: Trees, tree: str, tests: Sequence[str], command: str, serve: str) -> Record:
    """Return how the server of a tree starts that these tests need, as `server`: its command, folder and ports; and as
    `driver` the program and the package that drive their browser. Nothing for tests that open no pages."""

    def look(path: str) -> str:
        return read_text(trees, tree, path)

    request = RunnerRequest("/", "/", tuple(tests), 1.0, look, lambda path: bool(trees.entry(tree, path)))
    plan = plan_of_tree(trees.files(tree), look, serve) if tests and needs_server(request, command) else None
    if plan is None:
        return {}
    paths = list(dict.fromkeys(test.partition("::")[0] for test in tests))[:MOST_FILES]
    found: dict[str, str | list[str]] = {"server": [plan.command, plan.folder, *map(str, plan.ports)]}
    for path in paths:
        is_python = path.endswith(".py")
        if driver := (PYTHON_DRIVER if is_python else NODE_DRIVER).search(look(path)):
            return found | {"driver": [PYTHON if is_python else NODE, driver[1]]}
    return found


def script_lines(record: Record, give_up: Sequence[str]) -> list[str]:
    """Return the lines that define `beside_server`, which runs a command beside the server, and that end the script
    with the lines `give_up` if a known driver is not installed or the server does not start."""
    lines = [f"if [ -d {VENV}/bin ]; then PATH={VENV}/bin:$PATH; fi"]
    variables = " ".join(f"{name}={value}" for name, value in VARIABLES.items())
    lines += [f"if [ -d {FOLDER} ]; then export {variables}; fi", *_driver_lines(record, give_up)]
    command, folder, *ports = _texts(record.get("server"), least=2)
    words = [f"{START_SECONDS:g}", " ".join(filter(str.isdecimal, ports)), folder or ".", command]
    lines += ["beside_server() (  # a command, and `optional` if it may run without the server"]
    lines += ["  files=$(mktemp -d) || exit 126", "  trap 'rm -rf \"$files\"' EXIT", "  trap 'exit 143' INT TERM"]
    for name, content in server_files().items():
        lines += [f"  cat >\"$files/{name}\" <<'{END}'", content.decode().rstrip("\n"), END]
    lines += [f'  sh "$files/{PROGRAM}" {shlex.join(words)} "$@"', ")", 'if ! beside_server true >"$log" 2>&1; then']
    failed = "The project's server does not start here."
    lines += [f"  echo {shlex.quote(failed)}", '  tail -n 5 "$log" | sed "s/^/    /"']
    return [*lines, *give_up]


def _driver_lines(record: Record, give_up: Sequence[str]) -> list[str]:
    program, package = _texts(record.get("driver"), least=2)[:2]
    name = {PYTHON: PYTHON_DRIVER.match(f"import {package}"), NODE: NODE_DRIVER.match(f'"{package}"')}.get(program)
    if name is None or name[1] != package:
        return []
    probe = f"import {package}" if program == PYTHON else f"require.resolve({package!r})"
    start = f"{PYTHON} -c" if program == PYTHON else f"{NODE} -e"
    missing = f"The tests need the package {package} of {program}, which is not installed here."
    lines = [f'if ! {start} {shlex.quote(probe)} >"$log" 2>&1; then', f"  echo {shlex.quote(missing)}"]
    return [*lines, *give_up]


def _texts(value: str | list[str] | None, least: int) -> list[str]:
    """Return a recorded list of texts, with empty ones up to `least`: a bundle may be anybody's."""
    found = [*map(str, value)] if isinstance(value, list) else []
    return found + [""] * (least - len(found))
