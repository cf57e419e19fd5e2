"""Reader of JUnit XML reports, which Maven, Gradle, PHPUnit and many other tools write.

The reports come from untrusted code under test. Parsing stops at a document type declaration, so that expat expands no
entity and opens no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from xml.parsers.expat import ExpatError, ParserCreate

from aci.testing.runner_hooks import RunnerRequest
from aci.testing.suite_results import Line

MOST_TESTS = 200_000
LONGEST = 4_000
MOST_FRAMES = 60
DEEPEST, MOST_ELEMENTS = 50, 3_000_000
"""Limits for a document written by a test runner; reading stops when one of them is exceeded."""
OUTCOMES = {"failure": "failed", "error": "failed", "rerunFailure": "failed", "skipped": "skipped"}
JAVA_FRAME = re.compile(
    r"^[ \t]*at (?:[\w.@-]+/)*([\w.$]+)\.([\w$<>]+)\((\w+\.(?:java|kt|groovy|scala)):(\d{1,9})\)", re.M
)
SOURCE = re.compile(r"(?:.*/)?src/\w+/\w+/(.+)\.(?:java|kt|groovy|scala)")
MODULE = re.compile(r"(?<![^/])(?:target|build)/")
SOURCES = ("src/test/java", "src/test/kotlin", "src/test/groovy", "src/test/scala", "src/main/java", "src/main/kotlin")


@dataclass
class _Case:
    name: str
    group: str
    path: str
    line: int
    seconds: float
    outcome: str = "passed"
    error: str = ""
    texts: list[str] = field(default_factory=list)

    def to_line(self, request: RunnerRequest, module: str) -> Line:
        message = "".join(self.texts).strip()[:LONGEST]
        path, trace = self.path, []
        if not path:
            path = _source(request, module, self.group)
        for group, function, _, number in JAVA_FRAME.findall(message)[:MOST_FRAMES]:
            if found := _source(request, module, group.partition("$")[0]):
                trace.append([found, int(number), function])
        return {
            "id": f"{self.group}::{self.name}" if self.group else self.name,
            "outcome": self.outcome,
            "message": message,
            "path": path,
            "line": self.line,
            "seconds": self.seconds,
            "error": self.error.rpartition(".")[2],
            "trace": trace[::-1],
        }


class _Refused(Exception):
    """Raised for a document that a test runner would not write."""


def junit_lines(request: RunnerRequest, path: str, data: bytes) -> Iterator[Line]:
    """Yield a start line, the results in one report, and a finish line if the report is complete.

    The build module that the tests belong to is derived from `path`.
    """
    relative = path.removeprefix(f"{request.root}/") if path.startswith(f"{request.root}/") else ""
    match = MODULE.search(relative)
    module = relative[: match.start()] if match else ""
    cases, complete = _cases(request, data)
    if not cases and not complete:
        return
    yield {"start": "junit"}
    reported = set()
    for case in cases:
        line = case.to_line(request, module)
        if request.wants(line["id"], case.group, line["path"], line["id"].replace("::", ".")):
            yield {"running": line["id"]}
            reported.add(line["id"])
            yield line
        elif case.outcome == "failed":
            yield {"unasked": 1}
    if complete:
        yield {"finish": 0, "expected": len(reported)}


def _cases(request: RunnerRequest, data: bytes) -> tuple[list[_Case], bool]:
    """Return the test cases, and whether the document is complete."""
    cases: list[_Case] = []
    open_elements: list[str] = []
    elements = count()

    def start(name: str, attributes: dict[str, str]) -> None:
        open_elements.append(name)
        if len(open_elements) > DEEPEST or next(elements) > MOST_ELEMENTS:
            raise _Refused
        if name == "testcase" and len(cases) < MOST_TESTS:
            cases.append(_case(request, attributes))
        elif name in OUTCOMES and cases and "testcase" in open_elements:
            cases[-1].outcome = OUTCOMES[name]
            cases[-1].error = attributes.get("type", "")
            cases[-1].texts = [f"{attributes['message'][:LONGEST]}\n"] if "message" in attributes else []

    def end(name: str) -> None:
        open_elements.pop()

    def text(data: str) -> None:
        if open_elements and open_elements[-1] in OUTCOMES and cases and sum(map(len, cases[-1].texts)) < LONGEST:
            if cases[-1].texts and data.strip() and data.strip() in cases[-1].texts[0]:
                return  # most runners repeat the message as the first line of the trace
            cases[-1].texts.append(data)

    def refuse(*_: object) -> None:
        raise _Refused

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (ExpatError, _Refused, ValueError, LookupError):
        return cases, False
    return cases, True


def _case(request: RunnerRequest, attributes: dict[str, str]) -> _Case:
    path = attributes.get("file", "").removeprefix(f"{request.root}/").removeprefix("./")
    seconds, line = attributes.get("time", "").replace(",", ""), attributes.get("line", "")
    return _Case(
        attributes.get("name", ""),
        attributes.get("classname", attributes.get("class", "")),
        path,
        int(line) if re.fullmatch(r"\d{1,9}", line) else 0,
        float(seconds) if re.fullmatch(r"\d{1,9}(?:\.\d+)?", seconds) else 0.0,
    )


def _source(request: RunnerRequest, module: str, group: str) -> str:
    """Return the source file of a JVM class, "" if it is not in the module."""
    name = group.partition("$")[0].replace(".", "/")
    if not re.fullmatch(r"[\w/]+", name):
        return ""
    ends = {"java": ".java", "kotlin": ".kt", "groovy": ".groovy", "scala": ".scala"}
    for folder in SOURCES:
        path = f"{module}{folder}/{name}{ends[folder.rpartition('/')[2]]}"
        if request.exists(path):
            return path
    return ""


def jvm_class(node: str) -> tuple[str, str]:
    """Return the JVM class and the method that a node (a test's id, a class or a source file) refers to; "" for a
    missing part."""
    path, _, name = node.partition("::")
    source = SOURCE.fullmatch(path)
    group = source[1].replace("/", ".") if source else path
    if not re.fullmatch(r"[\w.$]+", group):
        return "", ""
    method = re.match(r"\w+", name)
    return group, method[0] if method else ""
