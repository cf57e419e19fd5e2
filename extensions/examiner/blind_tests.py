"""Tests that somebody wrote from the issue and the base alone, without the patch: their form, and their runs.

They are *blind*: whoever writes them sees neither the patch nor its tests. A *red* test should fail on the base, and a
*guard* should pass before and after the patch. `blind_evidence.py` says what their results mean.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Literal

from aci.graph.file_selection import language_of
from aci.proof import evidence
from aci.proof.canary_tests import create_canary_tests
from aci.proof.compiled_tests import missing_names
from aci.proof.failure_reason import is_mentioned
from aci.proof.proof_run import PatchParts, ProofRun, fork_for_tests, shipped_tree, split_patch
from aci.repository.test_files import is_test, is_test_config
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import SuiteReport, TestResult
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees
from trajectories.records import Issue

MOST_TESTS, LONGEST_SOURCE, LONGEST_SENTENCE = 8, 20_000, 300
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"(?<![\w./-])((?:[\w.-]+/)*[\w.-]+\.\w+)(?![\w/])")
LISTED = re.compile(r"^[^\w\n]*(\w+)[^\w\n]+(red|guard)[^\w\n]+(.+)$", re.IGNORECASE | re.MULTILINE)
USAGE = re.compile(r"\b(?:unexpected keyword|missing \d+ required|takes .* positional) argument")
"""Python's messages about a call with wrong arguments."""
ABSENT = re.compile(r"\b(\w+) is not (?:defined|a function|a constructor)\b")
"""JavaScript's messages about a name that does not exist."""
VARYING = re.compile(r"\b0x[0-9a-f]+\b|(?<=:)\d+(?=:)|(?<=line )\d+")
"""Addresses and line numbers in the message of a failure."""

BlindOutcome = Literal["passes", "fails", "unclear"]


@dataclass(frozen=True, slots=True)
class BlindTest:
    """One test: the `name` of its function, whether it should fail on the base (`red`) or hold (`guard`), and the
    `sentence` of the issue from which it follows."""

    name: str
    expected: Literal["red", "guard"]
    sentence: str


@dataclass(frozen=True, slots=True)
class BlindTests:
    """A test file of its own at `path`, with the tests in its `source`."""

    path: str
    source: str
    tests: tuple[BlindTest, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 hash of the path and the source, in hexadecimal."""
        return sha256(f"{self.path}\0{self.source}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BlindResult:
    """What a test did on the base, in two runs, and with the patch.

    `unclear` is a result that says nothing about the issue: the runs differ, or the test itself is at fault. `message`
    is that of the failure with the patch, and `line` the line of the test at which it fails. `same_answer` tells
    whether the base and the patch give the same answer to the test, without an error of their own.
    """

    test: BlindTest
    base: BlindOutcome
    patched: BlindOutcome
    message: str = ""
    same_answer: bool = False
    line: str = ""


@dataclass(frozen=True)
class PatchedBase:
    """A base and a patch on which tests run that are not part of the patch: the trees `base` and `tree`, and how tests
    run: in fresh forks, with the `command` (detected if it is "") and at most `timeout` seconds long."""

    fork: Callable[[str], Workspace]
    trees: Trees
    base: str
    tree: str
    issue: Issue
    command: str
    timeout: float

    @cached_property
    def parts(self) -> PatchParts:
        return split_patch(self.trees, self.base, self.tree, self.command)

    @cached_property
    def shipped(self) -> str:
        """The tree with the base and the source part of the patch."""
        return shipped_tree(self.trees, self.base, self.tree, self.parts)

    def run(
        self, files: Mapping[str, bytes], patched_files: Mapping[str, bytes], ids: Sequence[str]
    ) -> tuple[tuple[SuiteReport | None, SuiteReport | None, SuiteReport | None] | None, list[Fact]]:
        """Run the tests of these ids twice with `files` on the base, and once with `patched_files` on the patch.

        Return the reports, None if the patch changes no source, and the doubts about them that canary tests beside the
        first file find. Raises WorkspaceError.
        """
        if not self.parts.source:
            return None, []
        without, with_patch = self.trees.write(files, self.base), self.trees.write(patched_files, self.shipped)
        trial = ProofRun(
            self.trees,
            self.issue,
            self.parts,
            self.base,
            self.shipped,
            without,
            with_patch,
            self.command,
            self.timeout,
            lambda line: None,
        )
        path, source = next(iter(files.items()))
        with (
            closing(fork_for_tests(self.fork, self.base)) as before,
            closing(fork_for_tests(self.fork, self.shipped)) as after,
        ):
            canary = create_canary_tests(trial, path, b"import unittest" not in source)
            first = canary.run_without_patch(before, ids, None)
            second = trial.only(before, ids, without)
            third = canary.run_with_patch(after, ids)
        return (first, second, third), trial.doubts


def parse_blind_tests(said: str) -> BlindTests | None:
    """Return the tests in an answer: the path of a test file, its source between fences, and a line for each test with
    its name, `red` or `guard`, and a sentence. None if a part is missing or the path is not that of a test."""
    fence = FENCE.search(said)
    if fence is None or len(fence[1]) > LONGEST_SOURCE:
        return None
    paths = PATH.findall(said[: fence.start()]) or PATH.findall(fence[1].split("\n", 1)[0])
    path = posixpath.normpath(paths[-1]) if paths else ""
    if not path or {"..", ".git"} & {*path.lower().split("/")} or not is_test(path) or is_test_config(path):
        return None
    listed = {
        name: (kind, sentence) for name, kind, sentence in LISTED.findall(said[: fence.start()] + said[fence.end() :])
    }
    tests = tuple(
        BlindTest(name, "red" if kind.lower() == "red" else "guard", sentence.strip(' "“”`')[:LONGEST_SENTENCE])
        for name, (kind, sentence) in listed.items()
        if re.search(rf"\b{name}\b", fence[1])
    )
    return BlindTests(path, fence[1], tests[:MOST_TESTS]) if tests else None


def run_blind_tests(patched: PatchedBase, tests: BlindTests) -> tuple[list[BlindResult], list[Fact]]:
    """Return what the tests did, nothing if they cannot be run, and the doubts about that. Raises WorkspaceError."""
    doubts: list[Fact] = []
    for place in filter(None, (tests, _beside_existing_tests(tests, patched))):
        placed = _at_free_path(place, patched)
        file = {placed.path: placed.source.encode()}
        reports, doubts = patched.run(file, file, [placed.path])
        if reports and reports[0] and reports[2]:
            return [_compare(test, *reports, placed, patched.issue.text) for test in tests.tests], doubts
    return [], doubts


def _beside_existing_tests(tests: BlindTests, patched: PatchedBase) -> BlindTests | None:
    """Return the tests in the folder of the existing tests in their language, with the same ending (`.test.js`); None
    if they are already there. A test command may look for tests in certain places only."""
    folder, name = posixpath.split(tests.path)
    stem, dot, ending = name.partition(".")
    found: Counter[tuple[bool, bool, str, str]] = Counter()
    for path in patched.trees.files(patched.base):
        if is_test(path) and language_of(path) == language_of(tests.path) and not is_test_config(path):
            other, base = posixpath.split(path)
            is_as_deep = other.count("/") == folder.count("/")  # so that relative imports mean the same
            is_named = re.search(r"(?i)test|spec", base) is not None  # others may be helpers
            found[is_named, is_as_deep, other, base.partition(".")[2]] += 1
    if not found:
        return None
    _, _, other, others_ending = max(found, key=lambda key: (key[:2], found[key]))
    path = posixpath.join(other, f"{stem}{dot}{others_ending if 'test' in ending or 'spec' in ending else ending}")
    return replace(tests, path=path) if path != tests.path else None


def _at_free_path(tests: BlindTests, patched: PatchedBase) -> BlindTests:
    """Return the tests at a path that neither the base nor the patch has, with a name that runners find as well."""
    while any(patched.trees.entry(tree, tests.path) for tree in (patched.base, patched.tree)):
        folder, name = posixpath.split(tests.path)
        start = "test_" if name.startswith("test_") else ""
        path = posixpath.join(folder, f"{start}examined_{name.removeprefix(start)}")
        tests = replace(tests, path=path)
    return tests


def _compare(
    test: BlindTest,
    first: SuiteReport | None,
    second: SuiteReport | None,
    patched: SuiteReport | None,
    tests: BlindTests,
    issue: str,
) -> BlindResult:
    runs = [_results_of(test.name, report, tests.path) for report in (first, second, patched)]
    one, two, last = (_outcome(results, issue) for results in runs)
    one, two = (
        "fails" if _is_unbuilt(test, report, tests, issue) else word for word, report in ((one, first), (two, second))
    )
    base: BlindOutcome = one if one == two else "unclear"
    if base != "unclear" and last == "unclear" and patched and not any(result.bad for result in runs[2]):
        last = "fails"  # the patch skips the test, or keeps it from running
    before, after = (next((each for each in runs[at] if each.bad), None) for at in (0, 2))
    same = before is not None and after is not None and _is_answer(before) and _told(before) == _told(after)
    return BlindResult(test, base, last, after.message if after else "", same, _line(after, tests) if after else "")


def _line(result: TestResult, tests: BlindTests) -> str:
    """Return the innermost line of the test file at which a test fails; "" if it is unknown."""
    frames = [frame.rsplit(":", 2) for frame in result.trace]
    numbers = [int(frame[1]) for frame in frames if len(frame) == 3 and frame[0] == tests.path and frame[1].isdigit()]
    lines = tests.source.splitlines()
    return lines[numbers[-1] - 1].strip() if numbers and 0 < numbers[-1] <= len(lines) else ""


def _results_of(name: str, report: SuiteReport | None, path: str) -> list[TestResult]:
    """Return the results of a test function, one for each of its parameter sets."""
    results = report.results if report else ()
    return [one for one in results if evidence.function_name(one.id) == name and one.path in (path, "")]


def _is_unbuilt(test: BlindTest, report: SuiteReport | None, tests: BlindTests, issue: str) -> bool:
    """Whether the file does not build only since names are missing that the issue mentions, and the test uses one."""
    for result in report.results if report else ():
        missing = missing_names(result) if tests.path in (result.path, result.id) else None
        if missing and not missing.unasked(issue):
            text = source_of_test(test.name, tests)
            return any(is_mentioned(text, name) for name in missing.names | missing.implied | missing.traits)
    return False


def source_of_test(name: str, tests: BlindTests) -> str:
    """Return the text from a test's name to that of the next test; "" if the name does not occur."""
    places = [
        (found.start(), test.name) for test in tests.tests if (found := re.search(rf"\b{test.name}\b", tests.source))
    ]
    start = next((at for at, one in places if one == name), len(tests.source))
    return tests.source[start : min((at for at, _ in places if at > start), default=None)]


def _outcome(results: Sequence[TestResult], issue: str) -> BlindOutcome:
    bad = [result for result in results if result.bad]
    if bad:
        return "unclear" if any(_is_own_fault(result, issue) for result in bad) else "fails"
    return "passes" if results and all(result.ok for result in results) else "unclear"


def _is_own_fault(result: TestResult, issue: str) -> bool:
    """Whether a test fails because of itself or its environment: a set-up error, a name or an argument that does not
    exist and that the issue does not mention, or because the run ended."""
    if result.cut or result.outcome == "error":
        return True
    in_test = is_test(evidence.innermost_file(result) or result.path)
    absent = ABSENT.search(result.message) if in_test and result.error in ("TypeError", "ReferenceError") else None
    if name := evidence.missing_name(result) or (absent[1] if absent else ""):
        return not is_mentioned(issue, name.rpartition(".")[2])
    if result.error in ("NameError", "UnboundLocalError", "SyntaxError"):
        return in_test
    names = re.findall(r"'(\w+)'", result.message)
    is_usage = in_test and result.error == "TypeError" and USAGE.search(result.message) is not None
    return is_usage and not any(is_mentioned(issue, name) for name in names)


def _is_answer(result: TestResult) -> bool:
    """Whether the code gave an answer, which the test's assertion rejects."""
    return result.error in ("AssertionError", "Failed", "")


def _told(result: TestResult) -> str:
    return VARYING.sub("", result.message)
