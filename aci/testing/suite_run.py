"""Running a repository's tests and collecting the result of each.

Hooks from `aci/runners/` and the extension `languages` are placed in the workspace, outside the repository. They make
the test runner report each test, whatever command runs it. For other commands, only the exit code is used.

Results come from lines that hooks write, the runners' own files, and reports in the repository. All of these may come
from untrusted code under test, so their total numbers of bytes and lines are limited.
"""

from __future__ import annotations

import json
import posixpath
import re
import secrets
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from aci.runtime.guest_programs import PACKAGE
from aci.runtime.workspace import HARNESS_SESSION, CommandResult, OnOutput, Workspace
from aci.testing.browser_tests import check_server, server_hook
from aci.testing.junit_reports import junit_lines
from aci.testing.node_paths import ROOT, nodes_inside
from aci.testing.other_languages import compiler_lines, own_command, unread_results
from aci.testing.project_commands import split_command
from aci.testing.runner_hooks import Hook, RunnerRequest, collect_hooks, reader_of
from aci.testing.suite_command import detect_command
from aci.testing.suite_results import Line, SuiteReport, TestResult, build_report
from trajectories.errors import SweAgentError, UsageError, WorkspaceError
from trajectories.facts import Fact

__all__ = ["SuiteReport", "TestResult", "run_tests"]

SESSION = HARNESS_SESSION
UNREACHABLE = f"No module named '{PACKAGE}".encode()
MANIFEST_LIMIT = 1_000_000
JVM_ENDS = (".java", ".kt", ".groovy", ".scala")
"""Suffixes of the source files that may hold a JVM class."""
MAX_LISTED_FILES = 200_000
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
    return all((result := report.find(test)) and result.ok for test in tests)


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
        paths = workspace.run(command, 60, SESSION).text.splitlines()
        return frozenset(path.removeprefix("./") for path in paths[:MAX_LISTED_FILES])

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


MAX_RESULT_BYTES, MAX_RESULT_LINES, MAX_RESULT_FILES = 150_000_000, 600_000, 3_000
MIN_FREE_BYTES = 65_536
"""Minimum number of free bytes on the disk after the tests; if fewer are free, tests may have failed for lack of
space."""
MAX_LINE_BYTES, MAX_TRACE_FRAMES = 1_000_000, 100
LINE_KINDS = ("start", "running", "id", "unasked", "finish")
LINE_KEYS = (*LINE_KINDS, "outcome", "message", "path", "line", "seconds", "error", "expected", "code")
LAST_SEPARATOR = re.compile(r"::| > |\.(?=\w+$)")
"""Separators before the last name in a test's id."""


@dataclass
class CollectedResults:
    """The results of one run."""

    workspace: Workspace
    session: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be read."""
    whole: bool = True
    removed: bool = False
    """Whether the run's folder was removed."""
    _bytes: int = 0

    def read(self, request: RunnerRequest, hooked: Sequence[Hook]) -> None:
        """Read all results of the run."""
        self._add(_appended(self._data(request.lines)))
        self._own_files(request, last=not any(hook.reports for hook in hooked))
        self._reports(request, hooked)

    def _own_files(self, request: RunnerRequest, last: bool) -> None:
        """Read the files that runners wrote into the run's folder, each named after the runner that reads it.

        If there are no such files and nothing else is left to read (`last`), the command that lists them also removes
        the run's folder.
        """
        folder, out = shlex.quote(request.folder), shlex.quote(request.out)
        none = f"rm -rf {folder} >/dev/null 2>&1 &" if last else ":"
        room = f"rm -rf {folder}/room; (set -C; printf %{MIN_FREE_BYTES}s '' >{folder}/room)"
        full = f"[ -e {folder}/full ] || {{ [ -w {folder} ] && ! {{ {room}; }}; }} 2>/dev/null"
        any = f'for __swe_file in {out}/*; do [ -e "$__swe_file" ] && break; done'
        script = [f"{full} && echo {folder}/full", any, f'if [ -e "$__swe_file" ]; then ls -1 {out}; else', none, "fi"]
        names = self._listed("\n".join(script))
        if f"{request.folder}/full" in names:
            raise WorkspaceError(
                "The disk of the workspace is full: results of the tests may be missing or wrong.",
                "Free some space; `swe-agent resume` continues in a new workspace.",
            )
        self.removed = last and not names
        for name in names:
            runner = name.partition("-")[0]
            read = reader_of(runner)
            if read is None or name.endswith(".cwd"):
                continue
            path = f"{request.out}/{name}"
            data = self._data(path)
            try:
                lines = list(self._limited(read(request, path, data)))
            except SweAgentError:
                raise
            except Exception as error:  # noqa: BLE001 - untrusted output that a reader cannot handle must not end the run
                self._stop(f"The results of {runner} could not be read ({type(error).__name__}).")
                continue
            self.lines += lines

    def _reports(self, request: RunnerRequest, hooked: Sequence[Hook]) -> None:
        """Read JUnit reports, except those whose tests the runner has already reported."""
        names = [name for hook in hooked for name in hook.reports]
        if not names:
            return
        chosen = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        ignored = r"\( -name node_modules -o -name .git \) -prune -o"
        newer = f"-type f \\( {chosen} \\) -newer {shlex.quote(request.folder)}/command.sh -print"
        known = {name for line in self.lines if "id" in line for name in _names(str(line["id"]))}
        for path in sorted(self._listed(f"find {shlex.quote(request.root)} {ignored} {newer} 2>/dev/null")):
            reported = list(self._limited(junit_lines(request, path, self._data(path))))
            ids = [str(line["id"]) for line in reported if "id" in line]
            if not ids or 2 * sum(not known.isdisjoint(_names(id)) for id in ids) <= len(ids):
                self.lines = reported + self.lines

    def _add(self, lines: Iterable[Line]) -> None:
        self.lines += self._limited(lines)

    def _limited(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield lines until the run has MAX_RESULT_LINES lines."""
        room = MAX_RESULT_LINES - len(self.lines)
        for line in lines:
            if room <= 0:
                self._stop(f"The test results have more than {MAX_RESULT_LINES} lines: the rest was not read.")
                return
            room -= 1
            yield line

    def _data(self, path: str) -> bytes:
        try:
            data = self.workspace.read(path, MAX_RESULT_BYTES - self._bytes) if self._bytes < MAX_RESULT_BYTES else b""
        except FileNotFoundError:
            return b""
        except (OSError, UsageError):
            self._stop(f"{path.rpartition('/')[2]} could not be read, or is too large.")
            return b""
        self._bytes += len(data)
        if self._bytes >= MAX_RESULT_BYTES:
            self._stop(f"The test results have more than {MAX_RESULT_BYTES} bytes: the rest was not read.")
        return data

    def _listed(self, command: str) -> list[str]:
        """Return the files that a command lists."""
        names = self.workspace.run(command, 60, self.session).text.splitlines()
        if len(names) > MAX_RESULT_FILES:
            self._stop(f"Of {len(names)} files with results, {MAX_RESULT_FILES} were read.")
        return names[:MAX_RESULT_FILES]

    def _stop(self, note: str) -> None:
        self.whole = False
        if note not in self.notes:
            self.notes.append(note)


def _appended(data: bytes) -> Iterator[Line]:
    """Yield the result lines of a file; lines that are cut off or that other programs wrote are skipped."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        line, start = data[start : min(end, start + MAX_LINE_BYTES)], end + 1
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and any(kind in value for kind in LINE_KINDS):
            yield _plain(value)


def _plain(value: dict[str, Any]) -> Line:
    """Return a result line with only the known keys, and with only strings and numbers as values."""
    line: Line = {name: value[name] for name in LINE_KEYS if isinstance(value.get(name), str | int | float)}
    frames = value.get("trace")
    if isinstance(frames, list):
        known = [frame[:3] for frame in frames[:MAX_TRACE_FRAMES] if isinstance(frame, list)]
        line["trace"] = [[part if isinstance(part, str | int) else "" for part in frame] for frame in known]
    return line


def _names(id: str) -> list[str]:
    """Return a test's own name, and its name prefixed with the names of the suites that contain it, as other reporters
    write it."""
    parts = LAST_SEPARATOR.split(id)
    return [parts[-1], " ".join(parts[1:] or parts)]
