"""`go test`, whatever starts it: a program before `go` in PATH that has it write JSON."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from aci.report import Line
from aci.runner import Asked, Hook, shim

LONGEST, MOST_FRAMES, MOST_SAID = 4_000, 20, 400
"""Characters of a message or a line of it, frames, and lines that are kept of what one test prints."""
LONGEST_EVENT = 1_000_000
OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped"}
TEST = re.compile(r"^func ((?:Test|Example|Fuzz)\w*)\(", re.MULTILINE)
PLACE = re.compile(r"^[ \t]*(?:\./)?([\w./-]+\.go):(\d{1,9})(?::\d+)?:? ", re.MULTILINE)
RUN = """\
"$tool" "$@" >"$out" 2>&1
code=$?
grep -av '^{' "$out"
fit
exit "$code"
"""
KEPT = '"Action":"(start|run|pass|fail|skip)"|_test.go:'
OF_THE_RUNNER = re.compile(r"^\s*(?:=== |--- |FAIL\b|ok\b|PASS\b|exit status)")


def hook(asked: Asked, command: str) -> Hook | None:
    if not asked.look("go.mod") and not re.search(r"\bgo\s+test\b", command):
        return None
    narrowing = ["-run", _names(asked)] if _names(asked) else []
    return Hook(command, {"bin/go": shim(asked, ["-json", *narrowing], RUN, KEPT)})


def _names(asked: Asked) -> str:
    """A pattern for the asked tests; "" where whole folders are asked for, whose results are picked out later."""
    names: list[str] = []
    for node in asked.nodes:
        path, _, name = node.partition("::")
        found = [name.partition("/")[0]] if name else TEST.findall(asked.look(path)) if path.endswith(".go") else []
        if not found:
            return ""
        names += [name for name in found if re.fullmatch(r"\w+", name)]
    return f"^({'|'.join(dict.fromkeys(names))})$" if names else ""


def read(asked: Asked, path: str, data: bytes) -> Iterator[Line]:
    """The events of `go test -json`: tests by `folder::Test/case`, a package that cannot be built by its folder."""
    if path.endswith(".cwd"):
        return
    reader = _Reader(asked, asked.look(f"{path}.cwd").strip())
    yield {"start": "go"}
    for event in _events(data):
        yield from reader.lines(event)
    if reader.begun <= reader.ended:
        yield {"finish": 0, "expected": reader.running}


def _events(data: bytes) -> Iterator[dict[str, Any]]:
    """The events; what an older compiler says in plain lines below `# package` is made one."""
    package = ""
    for line in data.split(b"\n"):
        try:
            event = json.loads(line[:LONGEST_EVENT])
        except (ValueError, RecursionError):
            text = line[:LONGEST].decode("utf-8", "replace")
            package = text[2:].partition(" ")[0] if text.startswith("# ") else package
            event = {"Action": "build-output", "Package": package, "Output": f"{text}\n"} if package else None
        if isinstance(event, dict) and isinstance(event.get("Action"), str):
            yield event


class _Reader:
    """Follows the events of one `go test`, called in `cwd`."""

    def __init__(self, asked: Asked, cwd: str) -> None:
        self._asked = asked
        self._said: dict[tuple[str, str], list[str]] = {}
        self._files: dict[str, list[tuple[str, set[str]]]] = {}
        for node in asked.nodes:
            if node.endswith(".go"):
                names = set(TEST.findall(asked.look(node)))
                self._files.setdefault(posixpath.dirname(node), []).append((node, names))
        self._module, self._top = self._home(cwd)
        self.begun: set[str] = set()
        self.ended: set[str] = set()
        self.running = 0

    def _home(self, cwd: str) -> tuple[str, str]:
        """The module's path and its folder, by the nearest go.mod at `cwd` or above."""
        inside = cwd.removeprefix(self._asked.root).strip("/") if cwd.startswith(self._asked.root) else ""
        while True:
            found = re.search(r"^module\s+\"?(\S+?)\"?\s*$", self._asked.look(posixpath.join(inside, "go.mod")), re.M)
            if found or not inside:
                return (found[1] if found else ""), inside
            inside = posixpath.dirname(inside)

    def lines(self, event: Mapping[str, Any]) -> Iterator[Line]:
        action, test = event["Action"], str(event.get("Test", ""))
        package = str(event.get("Package") or str(event.get("ImportPath", "")).partition(" ")[0])
        if action not in ("build-output", "build-fail"):  # which come for any package that is built, asked for or not
            self.begun.add(package)
        said = self._said.setdefault((package, test), [])
        if action in ("output", "build-output") and len(said) < MOST_SAID:
            said.append(str(event.get("Output", ""))[:LONGEST])
        elif action == "run" and test and self._is_wanted(package, test):
            self.running += 1
            yield {"running": self._id(package, test)}
        elif action in OUTCOMES:
            self.ended |= set() if test else {package}
            yield from self._result(event, package, test)
            if test:
                del self._said[package, test]

    def _result(self, event: Mapping[str, Any], package: str, test: str) -> Iterator[Line]:
        text = "".join(self._said[package, test])
        failed_alone = event["Action"] == "fail" and not test and ("[build failed]" in text or "[setup failed]" in text)
        if not test and not failed_alone:
            return
        if not self._is_wanted(package, test):
            if event["Action"] == "fail":
                yield {"unasked": 1}
            return
        seconds = event.get("Elapsed")
        told = "".join(line for line in text.splitlines(keepends=True) if failed_alone or not OF_THE_RUNNER.match(line))
        bad = event["Action"] == "fail"
        trace = [[self._path(package, file), int(line), ""] for file, line in PLACE.findall(told)[:MOST_FRAMES]]
        path = self._file(package, test) or (trace[0][0] if trace and str(trace[0][0]).endswith("_test.go") else "")
        yield {
            "id": self._id(package, test),
            "outcome": OUTCOMES[event["Action"]] if test else "error",
            "message": told.strip()[:LONGEST] if bad or event["Action"] == "skip" else "",
            "path": path,
            "line": trace[0][1] if trace and trace[0][0] == path else 0,
            "seconds": seconds if isinstance(seconds, int | float) else 0.0,
            "error": "panic" if bad and re.search(r"^panic: ", told, re.MULTILINE) else "",
            "trace": trace if bad else [],
        }

    def _folder(self, package: str) -> str:
        under = self._module and (package == self._module or package.startswith(f"{self._module}/"))
        inside = package[len(self._module) :].strip("/") if under else package
        return posixpath.normpath(posixpath.join(self._top, inside))

    def _path(self, package: str, file: str) -> str:
        """Places are told by file name (tests) or relative to where go was called (the compiler)."""
        found = file if "/" in file else posixpath.join(self._folder(package), file)
        return posixpath.normpath(found)

    def _id(self, package: str, test: str) -> str:
        return f"{self._folder(package)}::{test}" if test else self._folder(package)

    def _file(self, package: str, test: str) -> str:
        folder = self._folder(package)
        files = self._files.get(folder.removeprefix("."), ())
        return next((file for file, names in files if test.partition("/")[0] in names), "")

    def _is_wanted(self, package: str, test: str) -> bool:
        if not test and self._files.get(self._folder(package).removeprefix(".")):
            return True
        return bool(self._file(package, test)) or self._asked.wants(
            self._id(package, test), self._id(package, test).replace("/", "::"), self._folder(package)
        )
