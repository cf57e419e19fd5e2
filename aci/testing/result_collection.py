"""Collection of a test run's results from lines that hooks write, the runners' own files, and reports in the
repository.

All of these may come from untrusted code under test, so their total numbers of bytes and lines are limited.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aci.runtime.workspace import Workspace
from aci.testing.junit_reports import junit_lines
from aci.testing.runner_hooks import Hook, RunnerRequest, reader_of
from aci.testing.suite_results import Line
from trajectories.errors import SweAgentError, UsageError, WorkspaceError

MOST_BYTES, MOST_LINES, MOST_FILES = 150_000_000, 600_000, 3_000
LEAST_FREE_BYTES = 65_536
"""Minimum number of free bytes on the disk after the tests; if fewer are free, tests may have failed for lack of
space."""
LONGEST_LINE, MOST_FRAMES = 1_000_000, 100
KINDS = ("start", "running", "id", "unasked", "finish")
KEYS = (*KINDS, "outcome", "message", "path", "line", "seconds", "error", "expected", "code")
LAST = re.compile(r"::| > |\.(?=\w+$)")
"""Separators before the last name in a test's id."""


@dataclass
class CollectedResults:
    """The `lines` of one run, `notes` on what could not be read, and whether its folder was `removed`."""

    workspace: Workspace
    session: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = True
    removed: bool = False
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
        room = f"rm -rf {folder}/room; (set -C; printf %{LEAST_FREE_BYTES}s '' >{folder}/room)"
        full = f"[ -e {folder}/full ] || {{ [ -w {folder} ] && ! {{ {room}; }}; }} 2>/dev/null"
        any = f'for __swe_file in {out}/*; do [ -e "$__swe_file" ] && break; done'
        lines = [f"{full} && echo {folder}/full", any, f'if [ -e "$__swe_file" ]; then ls -1 {out}; else', none, "fi"]
        names = self._found("\n".join(lines))
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
                found = list(self._limited(read(request, path, data)))
            except SweAgentError:
                raise
            except Exception as error:  # noqa: BLE001 - untrusted output that a reader cannot handle must not end the run
                self._stop(f"The results of {runner} could not be read ({type(error).__name__}).")
                continue
            self.lines += found

    def _reports(self, request: RunnerRequest, hooked: Sequence[Hook]) -> None:
        """Read JUnit reports, except those whose tests the runner has already reported."""
        names = [name for hook in hooked for name in hook.reports]
        if not names:
            return
        chosen = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        ignored = r"\( -name node_modules -o -name .git \) -prune -o"
        newer = f"-type f \\( {chosen} \\) -newer {shlex.quote(request.folder)}/command.sh -print"
        known = {name for line in self.lines if "id" in line for name in _names(str(line["id"]))}
        for path in sorted(self._found(f"find {shlex.quote(request.root)} {ignored} {newer} 2>/dev/null")):
            found = list(self._limited(junit_lines(request, path, self._data(path))))
            ids = [str(line["id"]) for line in found if "id" in line]
            if not ids or 2 * sum(not known.isdisjoint(_names(id)) for id in ids) <= len(ids):
                self.lines = found + self.lines

    def _add(self, lines: Iterable[Line]) -> None:
        self.lines += self._limited(lines)

    def _limited(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield lines until the run has MOST_LINES lines."""
        room = MOST_LINES - len(self.lines)
        for line in lines:
            if room <= 0:
                self._stop(f"The test results have more than {MOST_LINES} lines: the rest was not read.")
                return
            room -= 1
            yield line

    def _data(self, path: str) -> bytes:
        try:
            data = self.workspace.read(path, MOST_BYTES - self._bytes) if self._bytes < MOST_BYTES else b""
        except FileNotFoundError:
            return b""
        except (OSError, UsageError):
            self._stop(f"{path.rpartition('/')[2]} could not be read, or is too large.")
            return b""
        self._bytes += len(data)
        if self._bytes >= MOST_BYTES:
            self._stop(f"The test results have more than {MOST_BYTES} bytes: the rest was not read.")
        return data

    def _found(self, command: str) -> list[str]:
        """Return the files that a command lists."""
        names = self.workspace.run(command, 60, self.session).text.splitlines()
        if len(names) > MOST_FILES:
            self._stop(f"Of {len(names)} files with results, {MOST_FILES} were read.")
        return names[:MOST_FILES]

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
        line, start = data[start : min(end, start + LONGEST_LINE)], end + 1
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and any(kind in value for kind in KINDS):
            yield _plain(value)


def _plain(value: dict[str, Any]) -> Line:
    """Return a result line with only the known keys, and with only strings and numbers as values."""
    line: Line = {name: value[name] for name in KEYS if isinstance(value.get(name), str | int | float)}
    frames = value.get("trace")
    if isinstance(frames, list):
        known = [frame[:3] for frame in frames[:MOST_FRAMES] if isinstance(frame, list)]
        line["trace"] = [[part if isinstance(part, str | int) else "" for part in frame] for frame in known]
    return line


def _names(id: str) -> list[str]:
    """Return a test's own name, and its name prefixed with the names of the suites that contain it, as other reporters
    write it."""
    parts = LAST.split(id)
    return [parts[-1], " ".join(parts[1:] or parts)]
