"""Independence of a patch from the test runner: the tests that it fixes are called directly.

Only tests that need nothing of their runner are called: no fixtures, no parameters, and no conftest.py that prepares
the process. Without and with the patch, one process calls them all; it has no trace of a runner, see
`extensions/experiment/guest/direct_calls.py`.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath

from aci.observation.activity_message import ActivityMessage
from aci.proof.experiments import TestProcess, recorded_process
from aci.proof.proof_run import ProofRun, format_names, read_text
from aci.repository.python_source import parse
from aci.runtime.guest_programs import parse_object, program_source
from aci.runtime.workspace import HARNESS_SESSION, Workspace
from aci.testing.suite_run import SuiteReport, TestResult

SECONDS = 10.0
MOST_TESTS, MOST_SECONDS = 50, 3.0
"""Maximum number of tests that are called, and of the seconds that each of them, and all together, took in the run
with the patch."""
PROGRAM = "main.py"
OWN_VARIABLES = re.compile(r"PYTEST_.*|PYTHONHASHSEED|PYTHONDONTWRITEBYTECODE")
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
SET_UP_FIXTURE = re.compile(r"_(?:unittest|xunit)_\w+|_UnitTestCase__\w+|request")
"""Fixtures by which pytest calls the set-up of unittest's classes and modules, and what these use."""
HARMLESS_HOOKS = {"pytest_addoption", "pytest_collection_modifyitems", "pytest_report_header"}
HARMLESS_NAMES = {"sys", "os", "pathlib", "Path", "pytest", "warnings", "str", "list", "dict", "set", "tuple"}
"""First names of what a conftest.py may call and assign to: nothing of the code under test, or recorded."""


@dataclass(frozen=True, slots=True)
class DirectCall:
    """A test that can be called directly: its id and file, the name of its module or "", and its names in there."""

    id: str
    path: str
    module: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: the type and message of the exception ("" if the test passed), and the last line in the test's
    file."""

    error: str
    message: str
    line: int


def check_runner_independence(
    trial: ProofRun,
    before: Workspace,
    after: Workspace,
    red: SuiteReport | None,
    green: SuiteReport | None,
    patched: TestProcess | None,
    ids: Sequence[str],
) -> None:
    """Add a doubt if a test that the patch fixes still fails as before when it is called without the test runner.

    `red` and `green` are reports of runs without and with the patch, and `patched` is the process of `green`. A test
    says nothing if its call fails in another way than the test in `red`: it depends on its runner.
    """
    process = recorded_process(before)
    if process is None or red is None or green is None:
        return
    fixtures = {**(patched.fixtures if patched else {}), **process.fixtures}
    calls = list(_possible_calls(trial, red, green, fixtures, ids))
    if not calls:
        return
    trial.say(ActivityMessage("Calling the tests that reproduce the issue without the test runner"))
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(_call, trial, after, trial.proved, process, calls, before)
        without = _call(trial, before, trial.without, process, calls, before)
        with_patch = started.result()
    unchanged = [
        call.id
        for number, call in enumerate(calls)
        if (outcome := without.get(number))
        and outcome == with_patch.get(number)
        and _is_same_failure(trial, call, outcome, red.find(call.id), before.root)
    ]
    if unchanged:
        trial.doubt(
            f"Called without the test runner, with the patch these fail as without it: {format_names(unchanged)}. The "
            "patch works only in a test run."
        )


def _possible_calls(
    trial: ProofRun,
    red: SuiteReport,
    green: SuiteReport,
    fixtures: Mapping[str, Sequence[object]],
    ids: Sequence[str],
) -> Iterator[DirectCall]:
    """Yield the tests that need nothing of their runner, and that are fast enough to be called again."""
    left = MOST_SECONDS
    for id in ids[:MOST_TESTS]:
        failed, passed = red.find(id), green.find(id)
        used = fixtures.get(id)
        if failed is None or passed is None or used is None or "[" in id or failed.too_long:
            continue
        if not all(isinstance(name, str) and SET_UP_FIXTURE.fullmatch(name) for name in used):
            continue
        left -= max(failed.seconds, passed.seconds)
        call = _split_id(id, passed.path)
        if left < 0 or call is None or trial.trees.entry(trial.without, call.path) is None:
            continue
        if "::" not in id or not any(map(_prepares_process, _conftests(trial, call.path))):
            yield call


def _split_id(id: str, path: str) -> DirectCall | None:
    """Return the parts of a test's id as pytest (`path::Class::name`) or unittest (`module.Class.name`) writes it."""
    stem, end = posixpath.splitext(posixpath.basename(path))
    if end != ".py":
        return None
    if "::" in id:
        return DirectCall(id, path, "", tuple(id.split("::")[1:]))
    package, dot, rest = f".{id}".rpartition(f".{stem}.")
    return DirectCall(id, path, f"{package}.{stem}".strip("."), tuple(rest.split("."))) if dot else None


def _conftests(trial: ProofRun, path: str) -> Iterator[str]:
    """Yield the texts of the conftest.py files that pytest loads for a test file."""
    for folder in PurePosixPath(path).parents:
        yield read_text(trial.trees, trial.base, str(folder / "conftest.py"))


def _prepares_process(conftest: str) -> bool:
    """Whether a conftest.py changes the process in a way that the code under test may depend on, other than by its
    environment and import path."""
    tree = parse(conftest)
    return tree is None or any(map(_is_preparation, _outside_definitions(tree)))


def _outside_definitions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _outside_definitions(child)


def _is_preparation(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef(name="pytest_configure"):
            return not all(_is_marker_line(each) for each in ast.walk(node) if isinstance(each, ast.Call))
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name.startswith("pytest_") and name not in HARMLESS_HOOKS
        case ast.Name(id="pytest_plugins"):
            return True
        case (
            ast.Call(func=used)
            | ast.Attribute(value=used, ctx=ast.Store())
            | ast.Subscript(value=used, ctx=ast.Store())
        ):
            return _first_name(used) not in HARMLESS_NAMES
        case _:
            return False


def _is_marker_line(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "addinivalue_line"


def _first_name(node: ast.AST) -> str:
    """Return the name with which an expression such as `a.b(c)["d"].e` begins, or ""."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _call(
    trial: ProofRun,
    workspace: Workspace,
    tree: str,
    process: TestProcess,
    calls: Sequence[DirectCall],
    recorded_in: Workspace,
) -> dict[int, Outcome]:
    """Call the tests at `tree` in a process like the one that was recorded in another workspace; return outcomes by the
    position of their calls."""
    workspace.restore(tree)
    texts = {call.path: read_text(trial.trees, tree, call.path) for call in calls}
    job = {
        "program": f"{process.folder}/{PROGRAM}",
        "folder": process.folder,
        "path": process.path,
        "environment": {
            name: value for name, value in process.environment.items() if not OWN_VARIABLES.fullmatch(name)
        },
        "tests": [
            [f"{recorded_in.root}/{call.path}", call.module, call.names, _names_itself(call.path, texts[call.path])]
            for call in calls
        ],
    }
    here = f"cd {shlex.quote(process.folder)} && PYTHONHASHSEED=0 {shlex.quote(process.executable)} -B -"
    program = f"{program_source('experiment/direct_calls.py').decode()}\nmain({json.dumps(job)!r})\n"
    command = f"\\command printf %s {shlex.quote(program)} | ({here})"
    for old, new in _folders(recorded_in, workspace):
        command = command.replace(old, new)
    ran = workspace.run(command, SECONDS, HARNESS_SESSION)
    return _parse_outcomes(ran.output, len(calls), workspace.root)


def _names_itself(path: str, text: str) -> bool:
    """Whether a test's file may depend on its own name."""
    stem = posixpath.splitext(posixpath.basename(path))[0]
    return "__file__" in text or bool(re.search(rf"(?<!def )\b{re.escape(stem)}\b", text))


def _folders(old: Workspace, new: Workspace) -> Iterator[tuple[str, str]]:
    """Yield the folders of a workspace with those of another one; those of a local workspace lie in one folder."""
    if old.root != new.root:
        yield old.root, new.root
        above = posixpath.dirname(old.root), posixpath.dirname(new.root)
        if above[0] != above[1]:
            yield above


def _parse_outcomes(output: bytes, count: int, root: str) -> dict[int, Outcome]:
    """Return the outcomes in the output of the program, whose form is not trusted."""
    found: dict[int, Outcome] = {}
    for line in output.splitlines()[: 2 * count]:
        answer = parse_object(line) or {}
        number, error, message, at = (answer.get(name) for name in ("test", "error", "message", "line"))
        if isinstance(number, int) and isinstance(at, int) and isinstance(error, str) and isinstance(message, str):
            found.setdefault(number, Outcome(error, _comparable(message, root), at))
    return found


def _comparable(message: str, root: str) -> str:
    """Return a message without what differs between two workspaces and processes."""
    return ADDRESS.sub("0x", message.replace(root, "."))


def _is_same_failure(trial: ProofRun, call: DirectCall, outcome: Outcome, failed: TestResult | None, root: str) -> bool:
    """Whether a call failed as the test did in its runner: at the same statement of the test with the same type of
    exception, or with the same message if the test itself was not reached."""
    if not outcome.error or failed is None:
        return False
    frame = re.compile(rf"{re.escape(call.path)}:(\d{{1,9}}):")
    lines = [int(match[1]) for each in failed.trace if (match := frame.match(each))]
    if not lines or not outcome.line or not failed.error:
        first = outcome.message.partition("\n")[0]
        return bool(first) and f"{outcome.error}: {first}" in _comparable(failed.message, root)
    text = read_text(trial.trees, trial.without, call.path)
    return failed.error == outcome.error and _statement(text, lines[-1]) == _statement(text, outcome.line)


def _statement(text: str, line: int) -> int:
    """Return the first line of the innermost statement at a line."""
    tree = parse(text)
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)] if tree else []
    return max((node.lineno for node in statements if node.lineno <= line <= (node.end_lineno or 0)), default=line)
