"""Hook for `go test`, however it is started: a shim placed before `go` in PATH makes it write JSON."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aci.testing.runner_hooks import Hook, RunnerRequest, build_wrapper
from aci.testing.suite_results import Line

LONGEST, MOST_FRAMES, MOST_LINES = 4_000, 20, 400
"""Maximum numbers of characters in a message or in one of its lines, of stack frames, and of lines kept that one test
printed."""
LONGEST_EVENT = 1_000_000
OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped"}
TEST = re.compile(r"^func ((?:Test|Example|Fuzz)\w*)\(", re.MULTILINE)
PLACE = re.compile(r"^[ \t]*(?:\./)?([\w./-]+\.go):(\d{1,9})(?::\d+)?:? ", re.MULTILINE)
UNBUILT = re.compile(r"FAIL\t(\S+) \[(?:build|setup) failed\]")
"""How compilers before Go 1.24 report a package that does not build."""
RUN = """\
"$tool" "$@" >"$out" 2>&1
code=$?
grep -av '^{' "$out"
fit
exit "$code"
"""
KEPT = '"Action":"(start|run|pass|fail|skip)"|_test.go:|^FAIL'
RUNNER_LINE = re.compile(r"^\s*(?:=== |--- |FAIL\b|ok\b|PASS\b|exit status)")


def hook(request: RunnerRequest, command: str) -> Hook | None:
    if not request.look("go.mod") and not re.search(r"\bgo\s+test\b", command):
        return None
    narrowing = ["-run", _names(request)] if _names(request) else []
    return Hook(command, {"bin/go": build_wrapper(request, ["-json", *narrowing], RUN, KEPT)})


def _names(request: RunnerRequest) -> str:
    """Return a `-run` pattern for the requested tests, or "" if whole folders are requested; their results are filtered
    later."""
    names: list[str] = []
    for node in request.nodes:
        path, _, name = node.partition("::")
        found = [name.partition("/")[0]] if name else TEST.findall(request.look(path)) if path.endswith(".go") else []
        if not found:
            return ""
        names += [name for name in found if re.fullmatch(r"\w+", name)]
    return f"^({'|'.join(dict.fromkeys(names))})$" if names else ""


def read(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    """Yield the results from `go test -json`: tests as `folder::Test/case`, packages that do not build as `folder`."""
    if path.endswith(".cwd"):
        return
    reader = _Reader(request, request.look(f"{path}.cwd").strip())
    yield {"start": "go"}
    for event in _events(data):
        yield from reader.lines(event)
    if reader.started <= reader.ended:
        yield {"finish": 0, "expected": reader.running}


def _events(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield the events that `go test` printed. Older compilers print plain lines below `# package`, which are converted
    to events."""
    package = ""
    for line in data.split(b"\n"):
        try:
            event = json.loads(line[:LONGEST_EVENT])
        except (ValueError, RecursionError):
            text = line[:LONGEST].decode("utf-8", "replace")
            if failed := UNBUILT.match(text):
                yield {"Action": "output", "Package": failed[1], "Output": text}
                yield {"Action": "fail", "Package": failed[1]}
                continue
            package = _built_package(text[2:]) if text.startswith("# ") else package
            event = {"Action": "build-output", "Package": package, "Output": f"{text}\n"} if package else None
        if isinstance(event, dict) and isinstance(event.get("Action"), str):
            yield event


def _built_package(header: str) -> str:
    """Return the package whose tests the compiler builds, by `package [package.test]`. That of external tests ends in
    `_test`."""
    name, _, built = header.partition(" ")
    return built.removeprefix("[").removesuffix("]").removesuffix(".test") or name


class _Reader:
    """Parser of the events of one `go test` command that ran in `cwd`."""

    def __init__(self, request: RunnerRequest, cwd: str) -> None:
        self._request = request
        self._outputs: dict[tuple[str, str], list[str]] = {}
        self._files: dict[str, list[tuple[str, set[str]]]] = {}
        for node in request.nodes:
            if node.endswith(".go"):
                names = set(TEST.findall(request.look(node)))
                self._files.setdefault(posixpath.dirname(node), []).append((node, names))
        self._module, self._top = self._find_module(cwd)
        self.started: set[str] = set()
        self.ended: set[str] = set()
        self.running = 0

    def _find_module(self, cwd: str) -> tuple[str, str]:
        """Return the module's path and folder, read from the nearest go.mod in `cwd` or its parent folders."""
        inside = cwd.removeprefix(self._request.root).strip("/") if cwd.startswith(self._request.root) else ""
        while True:
            found = re.search(r"^module\s+\"?(\S+?)\"?\s*$", self._request.look(posixpath.join(inside, "go.mod")), re.M)
            if found or not inside:
                return (found[1] if found else ""), inside
            inside = posixpath.dirname(inside)

    def lines(self, event: Mapping[str, Any]) -> Iterator[Line]:
        action, test = event["Action"], str(event.get("Test", ""))
        package = str(event.get("Package") or _built_package(str(event.get("ImportPath", ""))))
        if action not in ("build-output", "build-fail"):  # go reports these for every package that it builds
            self.started.add(package)
        printed = self._outputs.setdefault((package, test), [])
        if action in ("output", "build-output") and len(printed) < MOST_LINES:
            printed.append(str(event.get("Output", ""))[:LONGEST])
        elif action == "run" and test and self._is_wanted(package, test):
            self.running += 1
            yield {"running": self._id(package, test)}
        elif action in OUTCOMES:
            self.ended |= set() if test else {package}
            yield from self._result(event, package, test)
            if test:
                del self._outputs[package, test]

    def _result(self, event: Mapping[str, Any], package: str, test: str) -> Iterator[Line]:
        text = "".join(self._outputs[package, test])
        failed_alone = event["Action"] == "fail" and not test and ("[build failed]" in text or "[setup failed]" in text)
        if not test and not failed_alone:
            return
        if not self._is_wanted(package, test):
            if event["Action"] == "fail":
                yield {"unasked": 1}
            return
        seconds = event.get("Elapsed")
        output = "".join(line for line in text.splitlines(keepends=True) if failed_alone or not RUNNER_LINE.match(line))
        is_failure = event["Action"] == "fail"
        trace = [[self._path(package, file), int(line), ""] for file, line in PLACE.findall(output)[:MOST_FRAMES]]
        path = self._file(package, test) or (trace[0][0] if trace and str(trace[0][0]).endswith("_test.go") else "")
        yield {
            "id": self._id(package, test),
            "outcome": OUTCOMES[event["Action"]] if test else "error",
            "message": output.strip()[:LONGEST] if is_failure or event["Action"] == "skip" else "",
            "path": path,
            "line": trace[0][1] if trace and trace[0][0] == path else 0,
            "seconds": seconds if isinstance(seconds, int | float) else 0.0,
            "error": "panic" if is_failure and re.search(r"^panic: ", output, re.MULTILINE) else "",
            "trace": trace if is_failure else [],
        }

    def _folder(self, package: str) -> str:
        under = self._module and (package == self._module or package.startswith(f"{self._module}/"))
        inside = package[len(self._module) :].strip("/") if under else package
        return posixpath.normpath(posixpath.join(self._top, inside))

    def _path(self, package: str, file: str) -> str:
        """Return the repository path of a file that a test or the compiler reported. Tests report a file name, and the
        compiler reports a path relative to the working directory."""
        found = file if "/" in file else posixpath.join(self._folder(package), file)
        return posixpath.normpath(found)

    def _id(self, package: str, test: str) -> str:
        return f"{self._folder(package)}::{test}" if test else self._folder(package)

    def _file(self, package: str, test: str) -> str:
        folder = self._folder(package)
        files = self._files.get(folder.removeprefix("."), ())
        return next((file for file, names in files if test.partition("/")[0] in names), "")

    def _has_wanted_tests(self, folder: str) -> bool:
        """Whether a test of the package in this folder was requested, so that it matters that it does not build."""
        return any(node.startswith(f"{folder}::") for node in self._request.nodes)

    def _is_wanted(self, package: str, test: str) -> bool:
        folder = self._folder(package)
        if not test and (self._files.get(folder.removeprefix(".")) or self._has_wanted_tests(folder)):
            return True
        return bool(self._file(package, test)) or self._request.wants(
            self._id(package, test), self._id(package, test).replace("/", "::"), self._folder(package)
        )
