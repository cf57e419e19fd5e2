"""Hook for `cargo test`, however it is started: a shim placed before `cargo` in PATH saves the tests' output."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator
from itertools import islice

from aci.testing.runner_hooks import Hook, RunnerRequest, build_wrapper
from aci.testing.suite_results import Line

LONGEST, MOST_FRAMES, MOST_LINES, MOST_BROKEN = 4_000, 20, 400, 200
"""Maximum numbers of characters in a message or in one of its lines, of stack frames, of lines printed by one test, and
of crates with compile errors."""
OUTCOMES = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
BINARY = re.compile(r"^\s+Running (?:unittests )?(\S+) \((?:.*/)?([\w-]+?)-[0-9a-f]{16}\S*\)$")
DOCS = re.compile(r"^\s+Doc-tests (\S+)$")
COUNT = re.compile(r"^running (\d{1,9}) tests?$")
TEST = re.compile(r"^test (.+?)(?: - (?:should panic|compile(?: fail)?))? \.\.\. (ok|FAILED|ignored)\b(.*)$")
FAILURE = re.compile(r"^---- (.+?)(?: - should panic)? stdout ----$")
SECTIONS = ("failures:", "successes:")
"""The headers before the output of the tests; libtest prints each of them again before the list of test names."""
DOC_NAME = re.compile(r"^(\S+\.rs) - (?:(.+) )?\(line (\d+)\)$")
DOC_NODE = re.compile(r"^(?:[^:]*:)?([^:]+\.rs)::doc ([^#]+?)(?: #\d+)?$")
"""An example in documentation, as libtest and as our ids name it: the second of an item is `crate:file::doc item #2`,
and the first of the crate itself `crate:file::doc crate`."""
CRATE = "crate"
UNBUILT = "Couldn't compile the test."
ERROR = re.compile(r"^error(?:\[E\d+\])?: (?!could not compile)", re.MULTILINE)
BROKEN = re.compile(
    r"^error: could not compile `([\w-]+)`(?: \((?:test|bin|example|bench) \"([\w-]+)\"[^)]*\))?", re.MULTILINE
)
THREAD = re.compile(r"(?m)(?<=') \(\d+\)(?= panicked at)|^note: run with `RUST_BACKTRACE.*\n?")
PLACE = re.compile(r"^(?:.* panicked at |[ \t]*--> |[ \t]+at )(?:\./)?([\w./-]+\.rs):(\d{1,9})", re.MULTILINE)
KEPT = r"^(test |running [0-9]+ test|test result: |---- |error|failures:|     Running |   Doc-tests )|panicked at "
KEEP = """\
pipe=%BIN%/pipe-$$
mkfifo "$pipe"
tee "$out" <"$pipe" &
"$tool" "$@" >"$pipe" 2>&1
code=$?
wait
fit
exit "$code"
"""


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not request.look("Cargo.toml") and not re.search(r"\bcargo\b", command):
        return None
    names = [name for node in request.nodes if (name := _filter(node))]
    narrowing = ""
    if names and len(names) == len(request.nodes):
        narrowing = f'[ -n "$dashes" ] || set -- "$@" --\nset -- "$@" {shlex.join(names)}\n'
    program = build_wrapper(request, ["--no-fail-fast"], narrowing + KEEP, KEPT)
    return Hook(command, {"bin/cargo": program}, {"CARGO_TERM_COLOR": "never"})


def _filter(node: str) -> str:
    """Return the words by which libtest selects a test; "" for a file."""
    if doc := DOC_NODE.match(node):
        return f"{doc[1]} - (line" if doc[2] == CRATE else f"{doc[1]} - {doc[2]} (line"
    return node.partition("::")[2]


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    """Yield the results that libtest printed: tests as `crate:file::name`, compile errors as `crate:file`."""
    if path.endswith(".cwd"):
        return
    cwd, lines = request.look(f"{path}.cwd").strip(), data.decode("utf-8", "replace").splitlines()
    scan = _Reader(request, cwd, {})
    for line in lines:
        list(scan.lines(line))
    reader = _Reader(request, cwd, scan.examples)
    yield {"start": "cargo"}
    for line in lines:
        yield from reader.lines(line)
    yield from reader.failures()
    yield from reader.compile_errors(data.decode("utf-8", "replace"))
    if reader.open == 0:
        yield {"finish": 0, "expected": reader.running + reader.missing}


class _Reader:
    """Parser of the output of one `cargo test` command that ran in `cwd`.

    `open` counts groups of tests that have started but not finished; `missing` counts announced tests without a result.
    `examples` are the lines of the examples of each item, which are numbered, and run in any order.
    The output of the tests comes after their results, so a line in it that looks like a result does not count as one.
    """

    def __init__(self, request: RunnerRequest, cwd: str, examples: dict[tuple[str, ...], set[int]]) -> None:
        self._request = request
        self.examples = examples
        self._folder = cwd.removeprefix(request.root).strip("/") if cwd.startswith(request.root) else ""
        self._crate = self._file = ""
        self._pending: dict[str, tuple[str, str]] = {}
        self._outputs: dict[str, list[str]] = {}
        self._current: list[str] | None = None
        self._names: set[str] = set()
        self._is_in_output = False
        self.running = self.open = self.missing = 0

    def lines(self, text: str) -> Iterator[Line]:
        if self._is_in_output:
            yield from self._read_output(text)
        elif match := BINARY.match(text):
            self._file, self._crate = match[1], match[2]
        elif match := DOCS.match(text):
            self._file, self._crate = "", match[1]
        elif match := COUNT.match(text):
            self.open += 1
            self.missing += int(match[1])
        elif text.startswith("test result: "):
            yield from self._end_group()
        elif text in SECTIONS:
            self._is_in_output = True
        elif match := TEST.match(text):
            yield from self._add_result(match[1], match[2], match[3])

    def _read_output(self, text: str) -> Iterator[Line]:
        """Process a line after the results of a group: output of one of its tests, or the group's end."""
        match = FAILURE.match(text)
        if match and match[1] in self._names:
            self._current = self._outputs.setdefault(match[1], [])
        elif text in SECTIONS:
            self._current = None
        elif self._current is None and text.startswith("test result: "):
            yield from self._end_group()
        elif self._current is not None and len(self._current) < MOST_LINES:
            self._current.append(text[:LONGEST])

    def _end_group(self) -> Iterator[Line]:
        self.open -= 1
        yield from self.failures()

    def _add_result(self, name: str, how: str, more: str) -> Iterator[Line]:
        self.missing -= 1
        self._names.add(name)
        file, inside = self._file, name
        if doc := DOC_NAME.match(name):
            file, item, line = doc[1], doc[2] or CRATE, int(doc[3])
            lines = self.examples.setdefault((self._crate, file, item), set())
            lines.add(line)
            number = sorted(lines).index(line) + 1
            inside = f"doc {item} #{number}" if number > 1 else f"doc {item}"
        id, path = f"{self._crate}:{file}::{inside}", self._path(file)
        if not self._request.wants(id, path, inside, inside.replace("::", " > "), f"{path}::{inside}"):
            if how == "FAILED":
                yield {"unasked": 1}
            return
        self.running += 1
        yield {"running": id}
        if how == "FAILED":
            self._pending[name] = id, path
        else:
            yield {"id": id, "outcome": OUTCOMES[how], "path": path, "message": more.strip(" ,")}

    def failures(self) -> Iterator[Line]:
        """Yield the failed tests of the group that has just ended, with their messages."""
        for name, (id, path) in self._pending.items():
            message = THREAD.sub("", "\n".join(self._outputs.get(name, ()))).strip()
            is_unbuilt = DOC_NAME.match(name) and UNBUILT in message
            yield self._failure(id, path, "error" if is_unbuilt else "failed", message)
        self._pending, self._outputs, self._current, self._names, self._is_in_output = {}, {}, None, set(), False

    def compile_errors(self, text: str) -> Iterator[Line]:
        """Yield an error for each crate that cannot be compiled."""
        end, message = 0, ""
        for match in islice(BROKEN.finditer(text), MOST_BROKEN):
            errors = ERROR.search(text, end, match.start())
            end = match.end()
            if errors:
                message = text[errors.start() : min(match.start(), errors.start() + MOST_LINES * LONGEST)]
            message = message or match[0]
            place = PLACE.search(message)
            path = self._path(place[1]) if place else ""
            crate = (match[2] or match[1]).replace("-", "_")
            id = f"{crate}:{self._root(place[1], is_library=not match[2])}" if place else match[1]
            yield self._failure(id, path, "error", message.strip())

    def _root(self, file: str, is_library: bool) -> str:
        """Return the file by which results name the crate to which a source file belongs."""
        folder, source, inside = file.rpartition("src/")
        if not source or inside.startswith("bin/"):
            return file
        root = f"{folder}src/{'lib' if is_library else 'main'}.rs"
        return root if self._request.exists(self._path(root)) else file

    def _failure(self, id: str, path: str, outcome: str, message: str) -> Line:
        trace = [[self._path(file), int(line), ""] for file, line in PLACE.findall(message)[:MOST_FRAMES]]
        own = [frame[1] for frame in trace if frame[0] == path]
        return {
            "id": id,
            "outcome": outcome,
            "message": message[:LONGEST],
            "path": path,
            "line": own[0] if own else 0,
            "error": "panic" if "panicked at" in message else "",
            "trace": trace[::-1],
        }

    def _path(self, file: str) -> str:
        """Return the repository path of a crate's file; crates of a workspace report paths relative to their folder."""
        name = self._crate.replace("_", "-")
        places = ["", f"{self._crate}/", f"{name}/", f"crates/{self._crate}/", f"crates/{name}/"]
        found = [posixpath.normpath(posixpath.join(self._folder, place, file)) for place in places]
        return next((path for path in found if self._request.exists(path)), found[0])
