"""Reports in JUnit's form, which Maven, Gradle, PHPUnit and many others write, as lines of results.

They come from the code under test, so a document type, and with it every entity, ends the reading: expat then
expands nothing and opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from xml.parsers.expat import ExpatError, ParserCreate

from aci.report import Line
from aci.runner import Asked

MOST_TESTS = 200_000
LONGEST = 4_000
MOST_FRAMES = 60
DEEPEST, MOST_ELEMENTS = 50, 3_000_000
"""Of a document that a test runner writes; one that goes beyond is read no further."""
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
    said: list[str] = field(default_factory=list)

    def line_of(self, asked: Asked, module: str) -> Line:
        message = "".join(self.said).strip()[:LONGEST]
        path, trace = self.path, []
        if not path:
            path = _source(asked, module, self.group)
        for group, function, _, number in JAVA_FRAME.findall(message)[:MOST_FRAMES]:
            if found := _source(asked, module, group.partition("$")[0]):
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
    """The document is not one that a test runner writes."""


def junit_lines(asked: Asked, path: str, data: bytes) -> Iterator[Line]:
    """The results in one report, with a start, and a finish where it is whole. `path` tells which module wrote it."""
    relative = path.removeprefix(f"{asked.root}/") if path.startswith(f"{asked.root}/") else ""
    match = MODULE.search(relative)
    module = relative[: match.start()] if match else ""
    cases, whole = _cases(asked, data)
    if not cases and not whole:
        return
    yield {"start": "junit"}
    seen = set()
    for case in cases:
        line = case.line_of(asked, module)
        if asked.wants(line["id"], case.group, line["path"], line["id"].replace("::", ".")):
            yield {"running": line["id"]}
            seen.add(line["id"])
            yield line
        elif case.outcome == "failed":
            yield {"unasked": 1}
    if whole:
        yield {"finish": 0, "expected": len(seen)}


def _cases(asked: Asked, data: bytes) -> tuple[list[_Case], bool]:
    """The test cases, and whether the document is whole."""
    cases: list[_Case] = []
    inside: list[str] = []
    seen = count()

    def start(name: str, given: dict[str, str]) -> None:
        inside.append(name)
        if len(inside) > DEEPEST or next(seen) > MOST_ELEMENTS:
            raise _Refused
        if name == "testcase" and len(cases) < MOST_TESTS:
            cases.append(_case(asked, given))
        elif name in OUTCOMES and cases and "testcase" in inside:
            cases[-1].outcome = OUTCOMES[name]
            cases[-1].error = given.get("type", "")
            cases[-1].said = [f"{given['message'][:LONGEST]}\n"] if "message" in given else []

    def end(name: str) -> None:
        inside.pop()

    def text(said: str) -> None:
        if inside and inside[-1] in OUTCOMES and cases and sum(map(len, cases[-1].said)) < LONGEST:
            if cases[-1].said and said.strip() and said.strip() in cases[-1].said[0]:
                return  # most repeat the message as the trace's first line
            cases[-1].said.append(said)

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


def _case(asked: Asked, given: dict[str, str]) -> _Case:
    path = given.get("file", "").removeprefix(f"{asked.root}/").removeprefix("./")
    seconds, line = given.get("time", "").replace(",", ""), given.get("line", "")
    return _Case(
        given.get("name", ""),
        given.get("classname", given.get("class", "")),
        path,
        int(line) if re.fullmatch(r"\d{1,9}", line) else 0,
        float(seconds) if re.fullmatch(r"\d{1,9}(?:\.\d+)?", seconds) else 0.0,
    )


def _source(asked: Asked, module: str, group: str) -> str:
    """Where a class of the JVM is written, "" if it is not in the module."""
    name = group.partition("$")[0].replace(".", "/")
    if not re.fullmatch(r"[\w/]+", name):
        return ""
    ends = {"java": ".java", "kotlin": ".kt", "groovy": ".groovy", "scala": ".scala"}
    for folder in SOURCES:
        path = f"{module}{folder}/{name}{ends[folder.rpartition('/')[2]]}"
        if asked.exists(path):
            return path
    return ""


def class_of(node: str) -> tuple[str, str]:
    """The class of the JVM and the method that a test's id, a class or a source file names; "" for what it does not."""
    path, _, name = node.partition("::")
    source = SOURCE.fullmatch(path)
    group = source[1].replace("/", ".") if source else path
    if not re.fullmatch(r"[\w.$]+", group):
        return "", ""
    method = re.match(r"\w+", name)
    return group, method[0] if method else ""
