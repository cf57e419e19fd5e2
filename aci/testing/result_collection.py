"""What a run of tests told: the lines of hooks, the runners' own files, and reports that it wrote into the repository.

All of it may come from the code under test: it is read up to a number of bytes and of lines, for all files together.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aci.junit import junit_lines
from aci.report import Line
from aci.runner import Asked, Hook, reader_of
from aci.workspace import Workspace
from trajectories.errors import SweAgentError, UsageError, WorkspaceError

MOST_BYTES, MOST_LINES, MOST_FILES = 150_000_000, 600_000, 3_000
ROOM = 65_536
"""Bytes that must fit on the disk after the tests: where they do not, tests may have failed for lack of room."""
LONGEST_LINE, MOST_FRAMES = 1_000_000, 100
KINDS = ("start", "running", "id", "unasked", "finish")
KEPT = (*KINDS, "outcome", "message", "path", "line", "seconds", "error", "expected", "code")
LAST = re.compile(r"::| > |\.(?=\w+$)")
"""Before the last name in a test's id."""


@dataclass
class Told:
    """The `lines` of one run, `notes` on what of it could not be read, and whether its folder was `removed`."""

    workspace: Workspace
    session: str
    lines: list[Line] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    whole: bool = True
    removed: bool = False
    _bytes: int = 0

    def read(self, asked: Asked, hooked: Sequence[Hook]) -> None:
        """Everything that was told."""
        self._add(_appended(self._data(asked.lines)))
        self._own_files(asked, last=not any(hook.reports for hook in hooked))
        self._reports(asked, hooked)

    def _own_files(self, asked: Asked, last: bool) -> None:
        """Files that runners wrote for us, each named after the one that reads it. Where there are none, and they are
        the last to be read, the run's folder is removed in the same go."""
        folder, out = shlex.quote(asked.folder), shlex.quote(asked.out)
        none = f"rm -rf {folder} >/dev/null 2>&1 &" if last else ":"
        room = f"rm -rf {folder}/room; (set -C; printf %{ROOM}s '' >{folder}/room)"
        full = f"[ -e {folder}/full ] || {{ [ -w {folder} ] && ! {{ {room}; }}; }} 2>/dev/null"
        any = f'for __swe_file in {out}/*; do [ -e "$__swe_file" ] && break; done'
        lines = [f"{full} && echo {folder}/full", any, f'if [ -e "$__swe_file" ]; then ls -1 {out}; else', none, "fi"]
        names = self._found("\n".join(lines))
        if f"{asked.folder}/full" in names:
            raise WorkspaceError(
                "The disk of the workspace is full: results of the tests may be missing or wrong.",
                "Make room there; `swe-agent resume` goes on in a new workspace.",
            )
        self.removed = last and not names
        for name in names:
            runner = name.partition("-")[0]
            read = reader_of(runner)
            if read is None or name.endswith(".cwd"):
                continue
            path = f"{asked.out}/{name}"
            data = self._data(path)
            try:
                found = list(self._within(read(asked, path, data)))
            except SweAgentError:
                raise
            except Exception as error:  # noqa: BLE001 - a reader that stumbles over what the code under test wrote ends no run
                self._stop(f"What {runner} told could not be read ({type(error).__name__}).")
                continue
            self.lines += found

    def _reports(self, asked: Asked, hooked: Sequence[Hook]) -> None:
        """Reports in JUnit's form, but for those of tests that their runner has told of already."""
        names = [name for hook in hooked for name in hook.reports]
        if not names:
            return
        chosen = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        ignored = r"\( -name node_modules -o -name .git \) -prune -o"
        newer = f"-type f \\( {chosen} \\) -newer {shlex.quote(asked.folder)}/command.sh -print"
        known = {name for line in self.lines if "id" in line for name in _names(str(line["id"]))}
        for path in sorted(self._found(f"find {shlex.quote(asked.root)} {ignored} {newer} 2>/dev/null")):
            found = list(self._within(junit_lines(asked, path, self._data(path))))
            ids = [str(line["id"]) for line in found if "id" in line]
            if not ids or 2 * sum(not known.isdisjoint(_names(id)) for id in ids) <= len(ids):
                self.lines = found + self.lines

    def _add(self, lines: Iterable[Line]) -> None:
        self.lines += self._within(lines)

    def _within(self, lines: Iterable[Line]) -> Iterator[Line]:
        """The lines for which there is room."""
        room = MOST_LINES - len(self.lines)
        for line in lines:
            if room <= 0:
                self._stop(f"More than {MOST_LINES} lines were told of tests: the rest was not read.")
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
            self._stop(f"More than {MOST_BYTES} bytes were told of tests: the rest was not read.")
        return data

    def _found(self, command: str) -> list[str]:
        """The files that a command lists."""
        names = self.workspace.run(command, 60, self.session).text.splitlines()
        if len(names) > MOST_FILES:
            self._stop(f"Of {len(names)} files with results, {MOST_FILES} were read.")
        return names[:MOST_FILES]

    def _stop(self, note: str) -> None:
        self.whole = False
        if note not in self.notes:
            self.notes.append(note)


def _appended(data: bytes) -> Iterator[Line]:
    """The lines of a file; what is not one of ours (torn by a kill, or written by others) is passed over."""
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
    """What a line says in words and numbers: nothing of what else it may hold is kept."""
    line: Line = {name: value[name] for name in KEPT if isinstance(value.get(name), str | int | float)}
    frames = value.get("trace")
    if isinstance(frames, list):
        told = [frame[:3] for frame in frames[:MOST_FRAMES] if isinstance(frame, list)]
        line["trace"] = [[part if isinstance(part, str | int) else "" for part in frame] for frame in told]
    return line


def _names(id: str) -> list[str]:
    """A test's own name, and its name with those of the suites around it, as other reporters join them."""
    parts = LAST.split(id)
    return [parts[-1], " ".join(parts[1:] or parts)]
