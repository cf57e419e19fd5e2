"""Running a repository's tests and reading the result of each.

Hooks from `aci/runners/` and the extension `languages` are placed in the workspace, outside the repository. They make
the test runner report each test, whatever command runs it. For other commands, only the exit code is used.
"""

from __future__ import annotations

import posixpath
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from aci.runtime.guest_programs import PACKAGE
from aci.runtime.workspace import HARNESS_SESSION, CommandResult, OnOutput, Workspace
from aci.testing.browser_tests import check_server, server_hook
from aci.testing.node_paths import ROOT, nodes_inside
from aci.testing.other_languages import compiler_lines, own_command, unread_results
from aci.testing.project_commands import split_command
from aci.testing.result_collection import CollectedResults
from aci.testing.runner_hooks import Hook, RunnerRequest, collect_hooks
from aci.testing.suite_command import detect_command
from aci.testing.suite_results import SuiteReport, TestResult, build_report
from trajectories.errors import UsageError, WorkspaceError
from trajectories.facts import Fact

__all__ = ["SuiteReport", "TestResult", "run_tests"]

SESSION = HARNESS_SESSION
UNREACHABLE = f"No module named '{PACKAGE}".encode()
MANIFEST_LIMIT = 1_000_000
JVM_ENDS = (".java", ".kt", ".groovy", ".scala")
"""Suffixes of the source files that may hold a JVM class."""
MOST_LISTED = 200_000
TEST_LIMIT = 60.0
"""Maximum number of seconds for one test, if an alarm can end it, so that one hanging test does not prevent other
results."""


def run_tests(
    workspace: Workspace,
    command: str = "",
    nodes: Sequence[str] = (),
    timeout: float = 600,
    each: float | None = None,
    on_output: OnOutput | None = None,
) -> SuiteReport:
    """Run the tests with `command`, or with a detected command if it is empty, limited to `nodes` if any are given.

    A node is a test's id, a pytest node id, a unittest dotted name, a file or a folder; nodes that do not exist are
    skipped. If only the exit code of a command can be used, its tests cannot be limited to nodes. `timeout` is in
    seconds, for the whole command. A test that takes longer than `each` seconds (by default a minute, or half of
    `timeout` if that is less) fails. For `on_output`, see `Workspace.run`.

    If all nodes are tests of Playwright's runner or of `node --test` that `command` does not run, that runner is used.
    Tests that open the project's pages in a browser run beside its server (`browser_tests.py`).

    Raises UsageError if no test command is given and none can be detected, if a node is a path outside the repository,
    or if the server is needed and does not start.
    """
    nodes = nodes_inside(nodes, workspace.root)
    look, exists = cache(lambda path: _look(workspace, path)), _existing(workspace)
    command = own_command(nodes, command, look) or command or detect_command(workspace, SESSION, nodes)
    folder = f"{workspace.harness}/results-{secrets.token_hex(8)}"
    limit = limit_per_test(timeout) if each is None else each
    is_joined = bool(split_command(command))
    request = RunnerRequest(workspace.root, folder, tuple(_outermost(nodes)), limit, look, exists, is_joined)
    words, hooked = collect_hooks(request, command)
    if beside := server_hook(workspace, request, words):
        words, hooked = beside.command, [*hooked, beside]
    ran = _run(workspace, request, words, hooked, timeout, on_output)
    check_server(ran)
    collected = CollectedResults(workspace, SESSION)
    collected.read(request, hooked)
    report = build_report(command, ran, collected.lines)
    if not report.results and ran.code and (errors := compiler_lines(ran.output)):
        report = build_report(command, ran, [*collected.lines, *errors])
    facts = (*report.facts, *(Fact("limit", note) for note in collected.notes))
    complete = report.complete and collected.whole
    report = replace(report, complete=complete, facts=facts, limit=limit)
    if not report.results and UNREACHABLE in ran.output:
        # The command hides the hooks from Python (-I, env -i, tox), so only its exit code can be used.
        # The first folder is being removed.
        collected.removed, request = False, replace(request, folder=f"{folder}-plain")
        workspace.write(f"{request.folder}/command.sh", b"unset PYTEST_PLUGINS\n" + command.encode() + b"\n")
        report = build_report(command, workspace.run(_shell_line(request, hooked), timeout, SESSION), [])
    root = workspace.root
    results = tuple(replace(one, id=one.id.replace(root, ROOT)) if root in one.id else one for one in report.results)
    report = replace(report, facts=(*report.facts, *unread_results(workspace, report, SESSION)), results=results)
    if not collected.removed:
        workspace.run(shlex.join(["rm", "-rf", folder, request.folder]), session=SESSION)
    return report


def all_pass(workspace: Workspace, command: str, tests: Sequence[str], timeout: float) -> bool:
    """Return whether these tests run and pass; false if they cannot be run."""
    try:
        report = run_tests(workspace, command, tests, timeout)
    except UsageError:
        return False
    return all((found := report.find(test)) and found.ok for test in tests)


def limit_per_test(timeout: float) -> float:
    """Return the seconds that each test may take in a run with this `timeout`."""
    return min(TEST_LIMIT, timeout / 2)


def _outermost(nodes: Sequence[str]) -> list[str]:
    """Return the nodes without those inside a folder that is also a node; otherwise some runners skip the folder's
    other files."""
    folders = [f"{node.rstrip('/')}/" for node in nodes if "::" not in node and not node.endswith(".py")]
    return [node for node in nodes if not any(node.startswith(folder) and node != folder for folder in folders)]


def _look(workspace: Workspace, path: str) -> str:
    try:
        return workspace.read(path, MANIFEST_LIMIT).decode("utf-8", "replace")
    except (OSError, UsageError):
        return ""


def _existing(workspace: Workspace) -> Callable[[str], bool]:
    """Return a function that tells whether a file exists; its first call for a suffix lists the files that have it."""

    @cache
    def listed(ends: Sequence[str]) -> frozenset[str]:
        ignored = r"\( -name node_modules -o -name .git -o -name target \) -prune -o"
        chosen = " -o ".join(f"-name {shlex.quote(f'*{end}')}" for end in ends)
        command = f"cd {shlex.quote(workspace.root)} && find . {ignored} ! -type d \\( {chosen} \\) -print"
        found = workspace.run(command, 60, SESSION).text.splitlines()
        return frozenset(path.removeprefix("./") for path in found[:MOST_LISTED])

    def exists(path: str) -> bool:
        end = posixpath.splitext(path)[1]
        return path in listed(JVM_ENDS if end in JVM_ENDS else (end,))

    return exists


def _run(
    workspace: Workspace,
    request: RunnerRequest,
    command: str,
    hooked: Sequence[Hook],
    timeout: float,
    on_output: OnOutput | None,
) -> CommandResult:
    """Write the hooks' files and the command file, and run the command, all in one shell command to save time.

    The command runs from a file so that it cannot change the state of the session's shell.
    """
    files = {name: data for hook in hooked for name, data in hook.files.items()}
    files |= {"run.json": request.settings, "command.sh": command.encode() + b"\n"}
    script = _script(request.folder, {name: data.decode() for name, data in files.items()})
    failed = f"not placed: {secrets.token_hex(8)}"
    ran = workspace.run(
        f"if\n{script}\nthen\n{_shell_line(request, hooked)}\nelse printf %s {shlex.quote(failed)}; fi",
        timeout,
        SESSION,
        on_output,
    )
    if ran.output.endswith(failed.encode()):
        why = ran.text.removesuffix(failed).strip()[-300:]
        raise WorkspaceError(f"The tests could not be prepared: {why}.", "Check that the workspace's disk is not full.")
    return ran


def _script(folder: str, files: Mapping[str, str]) -> str:
    """Return shell commands that write the files into the folder, and create the folder for runners' output."""
    folders = dict.fromkeys(posixpath.dirname(f"{folder}/{name}") for name in (*files, "out/"))
    lines = [shlex.join(["mkdir", "-p", *folders])]
    for name, text in files.items():
        lines.append(f"\\command printf %s {shlex.quote(text)} > {shlex.quote(f'{folder}/{name}')}")
    return " &&\n".join(lines)


def _shell_line(request: RunnerRequest, hooked: Sequence[Hook]) -> str:
    place = shlex.quote(request.folder)
    programs = any(name.startswith("bin/") for hook in hooked for name in hook.files)
    env = {name: value for hook in hooked for name, value in hook.env.items()}
    words = [f'{name}="{value}"' for name, value in env.items()]
    return (
        f"(cd {shlex.quote(request.root)} && "
        + (f'chmod +x {place}/bin/* && PATH={place}/bin:"$PATH" ' if programs else "")
        + f"SWE_AGENT_RUN={place}/run.json {' '.join(words)} "
        f'"$(command -v bash || command -v sh)" {place}/command.sh)'
    )
