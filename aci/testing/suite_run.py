"""Running a repository's tests and reading what came of each.

Hooks of `aci/runners/` placed in the workspace outside the repository make the test runner tell of each test,
whatever command ends up running it. Other commands are judged by their exit code.
"""

from __future__ import annotations

import json
import posixpath
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from aci.commands import detect_command
from aci.report import Report, TestResult, report_of
from aci.runner import Asked, Hook, hooks
from aci.told import Told
from aci.workspace import OURS, Ran, Workspace
from trajectories.errors import UsageError, WorkspaceError

__all__ = ["Report", "TestResult", "run_tests"]

SESSION = OURS
UNREACHABLE = b"No module named 'swe_agent_results"
MANIFEST_LIMIT = 1_000_000
SOURCE_ENDS = (".rs", ".java", ".kt", ".groovy", ".scala")
"""Of the languages whose runners tell of a class or crate, which may lie in one of some folders."""
MOST_SOURCES = 200_000
TEST_LIMIT = 60.0
"""Seconds that one test may take where an alarm can end it, so that a test that hangs does not hide the others."""


def run_tests(
    workspace: Workspace,
    command: str = "",
    nodes: Sequence[str] = (),
    timeout: float = 600,
    each: float | None = None,
) -> Report:
    """Run the tests by `command`, or as the repository suggests, narrowed to `nodes` if any are given.

    A node is a test's id, a pytest node id, a unittest dotted name, a file or a folder; nodes that do not exist are
    passed over. A command that is judged by its exit code cannot be narrowed. `timeout` is in seconds, for the whole
    command; a test that takes `each` of it (by default a minute, or half) fails. Raises UsageError if no test command
    is given and none can be found.
    """
    command = command or detect_command(workspace, SESSION, nodes)
    folder = f"{workspace.harness}/results-{secrets.token_hex(8)}"
    limit = limit_of(timeout) if each is None else each
    look, exists = cache(lambda path: _look(workspace, path)), _existing(workspace)
    asked = Asked(workspace.root, folder, tuple(_outermost(nodes)), limit, look, exists)
    words, hooked = hooks(asked, command)
    ran = _run(workspace, asked, words, hooked, timeout)
    told = Told(workspace, SESSION)
    told.read(asked, hooked)
    report = report_of(command, ran, told.lines)
    whole, notes = report.complete and told.whole, (*report.notes, *told.notes)
    report = replace(report, complete=whole, notes=notes, limit=limit)
    if not report.results and UNREACHABLE in ran.output:
        # The command hides our files from Python (-I, env -i, tox): then its exit code must do.
        told.removed, asked = False, replace(asked, folder=f"{folder}-plain")  # the other is on its way out
        workspace.write(f"{asked.folder}/command.sh", b"unset PYTEST_PLUGINS\n" + command.encode() + b"\n")
        report = report_of(command, workspace.run(_shell_line(asked, hooked), timeout, SESSION), [])
    if not told.removed:
        workspace.run(shlex.join(["rm", "-rf", folder, asked.folder]), session=SESSION)
    return report


def limit_of(timeout: float) -> float:
    """The seconds that each test may take, in a run that may take `timeout`."""
    return min(TEST_LIMIT, timeout / 2)


def _outermost(nodes: Sequence[str]) -> list[str]:
    """The nodes without those that lie in a folder among them: some runners then leave out the folder's other files."""
    folders = [f"{node.rstrip('/')}/" for node in nodes if "::" not in node and not node.endswith(".py")]
    return [node for node in nodes if not any(node.startswith(folder) and node != folder for folder in folders)]


def _look(workspace: Workspace, path: str) -> str:
    try:
        return workspace.read(path, MANIFEST_LIMIT).decode("utf-8", "replace")
    except (OSError, UsageError):
        return ""


def _existing(workspace: Workspace) -> Callable[[str], bool]:
    """Whether there is such a source file: all are listed at once when it is first asked."""
    chosen = " -o ".join(f"-name '*{end}'" for end in SOURCE_ENDS)

    @cache
    def listed() -> frozenset[str]:
        ignored = r"\( -name node_modules -o -name .git -o -name target \) -prune -o"
        command = f"cd {shlex.quote(workspace.root)} && find . {ignored} \\( {chosen} \\) -print"
        found = workspace.run(command, 60, SESSION).text.splitlines()
        return frozenset(path.removeprefix("./") for path in found[:MOST_SOURCES])

    return lambda path: path in listed()


def _run(workspace: Workspace, asked: Asked, command: str, hooked: Sequence[Hook], timeout: float) -> Ran:
    """Write our files, and the command as a file (nothing it does to its shell is left behind), and run that: in one
    go, as each costs a millisecond."""
    told = {
        "out": asked.lines,
        "root": asked.root,
        "nodes": asked.nodes,
        "cache": f"{asked.folder}/cache",
        "limit": asked.limit,
    }
    files = {name: data for hook in hooked for name, data in hook.files.items()}
    files |= {"run.json": json.dumps(told).encode(), "command.sh": command.encode() + b"\n"}
    script = _script(asked.folder, {name: data.decode() for name, data in files.items()})
    failed = f"not placed: {secrets.token_hex(8)}"
    ran = workspace.run(
        f"if\n{script}\nthen\n{_shell_line(asked, hooked)}\nelse printf %s {shlex.quote(failed)}; fi", timeout, SESSION
    )
    if ran.output.endswith(failed.encode()):
        why = ran.text.removesuffix(failed).strip()[-300:]
        raise WorkspaceError(f"The tests could not be prepared: {why}.", "See that the workspace's disk is not full.")
    return ran


def _script(folder: str, files: Mapping[str, str]) -> str:
    """The shell commands that write the files into the folder, and make one for what runners write."""
    folders = dict.fromkeys(posixpath.dirname(f"{folder}/{name}") for name in (*files, "out/"))
    lines = [shlex.join(["mkdir", "-p", *folders])]
    for name, text in files.items():
        lines.append(f"\\command printf %s {shlex.quote(text)} > {shlex.quote(f'{folder}/{name}')}")
    return " &&\n".join(lines)


def _shell_line(asked: Asked, hooked: Sequence[Hook]) -> str:
    place = shlex.quote(asked.folder)
    programs = any(name.startswith("bin/") for hook in hooked for name in hook.files)
    env = {name: value for hook in hooked for name, value in hook.env.items()}
    words = [f'{name}="{value}"' for name, value in env.items()]
    return (
        f"(cd {shlex.quote(asked.root)} && "
        + (f'chmod +x {place}/bin/* && PATH={place}/bin:"$PATH" ' if programs else "")
        + f"SWE_AGENT_RUN={place}/run.json {' '.join(words)} "
        f'"$(command -v bash || command -v sh)" {place}/command.sh)'
    )
