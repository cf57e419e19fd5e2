"""Pure functions that judge test results, diffs and issue texts for a proof."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import product
from pathlib import PurePosixPath

from aci.repository.test_files import is_test
from aci.runtime.guest_programs import PREFIX
from aci.testing.suite_run import TestResult

CODE = re.compile(r"```.*?```|`[^`\n]*`|^(?: {4}|\t|>>>)[^\n]*|[\w.]+\([^)\n]*\)", re.DOTALL | re.MULTILINE)
"""Code in the text of an issue."""
MISSING = (
    re.compile(r"cannot import name '([^']+)'"),
    re.compile(r"No module named '([^']+)'"),
    re.compile(r"(?:module|type object) '[^']+' has no attribute '([^']+)'"),
    re.compile(
        r"'(?!(?:NoneType|str|int|float|list|dict|tuple|set|bytes|bool)')\w+' object has no attribute '([^']+)'"
    ),
    re.compile(r"name '([^']+)' is not defined"),
)
MISSING_ERRORS = {"ImportError", "ModuleNotFoundError", "AttributeError", "NameError"}
ERROR_LINE = re.compile(r"^(?:E\s+)?(?:\w+\.)*(\w+(?:Error|Exception)): ", re.MULTILINE)
FRAME_IN_TEXT = re.compile(r'(?:File "([^"]+)", line \d+|^(\S[^:\n]*):\d+: in )', re.MULTILINE)
STAND_IN = re.compile(r"(?:src/)?(\w+)(?:/__init__)?(?:\.py|\.pyc|(?:\.[^/]*)?\.(?:so|pyd))")
RUNNER_MODULES = {"pytest", "_pytest", "pluggy", "iniconfig"}
AGAINST = re.compile(
    r"\b(?:outdated|obsolete|contradicts?|no longer (?:valid|right|correct|true|applies|holds)"
    r"|(?:expects?|asserts?)\b.*\b(?:wrong|incorrect|old|instead of|outdated)"
    r"|(?:wrong|incorrect)ly (?:expects?|asserts?)|(?:should|must|needs? to|has to|have to)\s+"
    r"(?:(?:not )?(?:expect|assert|require)|(?:be )?(?:changed?|updated?|removed|adapt(?:ed)?|rewritten)))\b",
    re.IGNORECASE | re.DOTALL,
)
"""Phrases that say that a test's expectation is wrong rather than the code."""
IN_FAVOUR = re.compile(
    r"\b(?:still|continues?|keeps?|(?:should|must|has to) pass|not break|regress\w*|not (?:be )?(?:changed?|removed)"
    r"|fails|but (?:it |I )?(?:gets?|got|returns?))\b",
    re.IGNORECASE,
)


def missing_name(result: TestResult) -> str:
    """Return the name that is missing in the test itself, if that is why it fails; "" for any other failure.

    A name that is missing in the source (a NameError in the function under test) is a bug like any other.
    """
    errors = ERROR_LINE.findall(result.message) or [result.error]
    path = innermost_file(result)
    if errors[-1] not in MISSING_ERRORS or (path and not is_test(path)):
        return ""
    names = [name for pattern in MISSING for name in pattern.findall(result.message)]
    return names[-1] if names else ""


def innermost_file(result: TestResult) -> str:
    """Return the file of the innermost frame in the repository, taken from the trace or, if the file could not be
    collected, from the message."""
    if result.trace:
        return result.trace[-1].rsplit(":", 2)[0]
    frames = [first or second for first, second in FRAME_IN_TEXT.findall(result.message)]
    return frames[-1] if frames else ""


def adds_name(diff: str, added_paths: Sequence[str], name: str) -> bool:
    """Whether a patch defines `name`, or adds its file if it is a module."""
    modules = {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"}
    if any(path == module or path.endswith("/" + module) for path in added_paths for module in modules):
        return True
    word = re.escape(name.rpartition(".")[2])
    defines = re.compile(
        rf"\b(?:def|class)\s+{word}\b|\b{word}\s*(?::[^=\n]+)?=(?!=)|\b{word}\s*:|\bimport\b.*\b{word}\b|\bas\s+{word}\b"
        rf"|['\"]{word}['\"]|^\s*\(?\s*{word}\s*,?\s*\)?$"
    )
    return any(defines.search(line) for line in added_lines(diff))


def added_lines(diff: str) -> list[str]:
    return [line[1:] for line in diff.split("\n") if line.startswith("+") and not line.startswith("+++ ")]


def function_name(id: str) -> str:
    """Return the function name in a test id: the last part, as after `::`, a dot, or the title of a group of tests."""
    return re.split(r"::| > |\.", id.partition("[")[0])[-1]


def find_test_file(id: str, files: Collection[str]) -> str:
    """Return the file of a test by its id (pytest's node id or unittest's dotted name); "" if the id names none."""
    path = id.partition("::")[0]
    if path in files:
        return path
    parts = id.split(".")
    names = ["/".join(parts[:end]) + ".py" for end in range(len(parts), 0, -1)]
    return next((found for name in names for found in files if f"/{found}".endswith(f"/{name}")), "")


def is_named_in(text: str, id: str, path: str = "") -> bool:
    """Whether a text names the test: its id, its function or its file."""
    function = function_name(id)
    names = [id, path, function] if function.startswith("test") and len(function) > len("test_x") else [id, path]
    return any(name and re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text) for name in names)


def describe_contact(result: TestResult, test_source: str, places: Sequence[str]) -> str:
    """Return how a failing test is connected to one of `places` (paths, or `path:qualname`).

    "covering a.py": the traceback of its failure contains the place. "importing a.py": its file imports the place, and
    names the function if the place has one. (A function that has returned a wrong value is no longer in the traceback.)
    "": the test is not connected to any of the places.
    """
    frames = (frame.rsplit(":", 2) for frame in result.trace if frame.count(":") >= 2)
    ran = {(path, function) for path, _, function in frames}
    paths, modules = {path for path, _ in ran}, imported_names(test_source)
    wanted = [(place, *place.partition(":")[::2]) for place in sorted(set(places))]
    for place, path, name in wanted:
        if (path, name.rpartition(".")[2]) in ran if name else path in paths:
            return f"covering {place}"
    for place, path, name in wanted:
        last = name.rpartition(".")[2]
        if is_one_of_modules(path, modules) and re.search(
            rf"(?<!\w){re.escape(last)}(?!\w)" if last else "", test_source
        ):
            return f"importing {place}"
    return ""


def imported_names(source: str) -> set[str]:
    """Return the dotted names that a source text imports; `from a import b` counts as both `a` and `a.b`."""
    found = set()
    for line in source.splitlines():
        if match := re.match(r"\s*from\s+([\w.]+)\s+import\s+\(?(.*)", line):
            names = re.findall(r"(\w+)(?:\s+as\s+\w+)?", match[2])
            found |= {match[1].strip("."), *(f"{match[1]}.{name}".strip(".") for name in names)}
        elif match := re.match(r"\s*import\s+(.*)", line):
            found |= {part.split()[0] for part in match[1].split(",") if part.split()}
    return found


def is_one_of_modules(path: str, modules: set[str]) -> bool:
    """Whether a file's module has one of these dotted names, from any folder that may be on the import path."""
    parts = PurePosixPath(path.removesuffix(".py")).parts
    parts = parts[:-1] if parts[-1:] == ("__init__",) else parts
    return any(".".join(parts[at:]) in modules for at in range(len(parts)))


def is_in_prose(text: str, value: str) -> bool:
    """Whether an issue's text contains a value outside its code."""
    return bool(re.search(rf"(?<![\w.]){re.escape(value)}(?!\w)", prose(text)))


def prose(text: str) -> str:
    """Return an issue's text without its code."""
    return CODE.sub(" ", text)


def find_contradiction(text: str, id: str) -> str:
    """Return the sentence of an issue that names the test and says that its expectation is wrong, or "".

    A sentence that names only the test's file does not count: it may mean any of its tests, or none.
    """
    for sentence in re.split(r"(?<=[.!?])\s+|\n{2,}|\n(?=\s*[-*#])", text):
        if is_named_in(sentence, id) and AGAINST.search(sentence) and not IN_FAVOUR.search(sentence):
            return " ".join(sentence.split())
    return ""


def shadowing_modules(added: Iterable[str], existing: Collection[str], folders: Sequence[str] = ("",)) -> list[str]:
    """Return new modules that a Python started in one of these folders would import instead of those of the test runner
    or the standard library."""
    found = []
    for path, folder in product(added, folders):
        start = f"{folder}/" if folder else ""
        match = STAND_IN.fullmatch(path.removeprefix(start)) if path.startswith(start) else None
        name = match[1] if match else ""
        places = (f"{start}{source}{name}{end}" for source in ("", "src/") for end in (".py", "/__init__.py"))
        hides = name in RUNNER_MODULES or name in sys.stdlib_module_names or name.startswith(PREFIX)
        if hides and not any(place in existing for place in places):
            found.append(path)
    return found
