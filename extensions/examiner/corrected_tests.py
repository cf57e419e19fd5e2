"""Existing tests that assert what an issue reports as wrong, and the versions of them that an examiner corrected.

An existing test that a patch breaks counts as lost. The exception is a test whose expectations somebody who has not
seen the patch changed, so that it fails on the base and passes with the patch. It runs at its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aci.proof.existing_tests import FileWithTests, find_test
from aci.testing.suite_run import SuiteReport
from extensions.examiner.blind_tests import PatchedBase
from extensions.examiner.kept_inputs import has_same_inputs
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees

MOST_TESTS = 5
"""If a patch breaks more test functions, it is not asked whether the issue contradicts them."""

Edit = tuple[str, str, str]
"""The path of a test file, lines as they are, and the lines that replace them."""


@dataclass(frozen=True, slots=True)
class ExistingTest:
    """A test of the base: its name or title, its file, the ids of its lost cases, and the code of the test itself and
    of what the file defines for it."""

    name: str
    path: str
    lost: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CorrectedTest:
    """What a corrected version of a test did on the base, in two runs, and with the patch; "" if the runs differ or
    the test did not run. `before` and `after` are the first lines that differ."""

    base: Literal["passes", "fails", ""]
    patched: Literal["passes", "fails", ""]
    before: str
    after: str


def find_existing_tests(trees: Trees, base: str, lost: Sequence[str]) -> list[ExistingTest]:
    """Return the tests with these ids; none if one is not found, or if there are more than MOST_TESTS."""
    files = trees.files(base)
    ids: dict[tuple[str, int], list[str]] = {}
    found: dict[tuple[str, int], ExistingTest] = {}
    for id in lost:
        place = find_test(trees, base, files, id)
        if place is None:
            return []
        file, code = place
        key = file.path, code.spans[0][0]
        ids.setdefault(key, []).append(id)
        found[key] = ExistingTest(code.name, file.path, tuple(ids[key]), _texts(file, code.spans))
    return list(found.values()) if len(found) <= MOST_TESTS else []


def run_corrected_tests(
    patched: PatchedBase, existing: Sequence[ExistingTest], edits: Sequence[Edit]
) -> tuple[list[CorrectedTest], list[Fact]]:
    """Return what the tests did with these edits, and the doubts about that.

    There are no results if an edit changes anything but what the tests expect, or if they cannot be run. Raises
    UsageError and WorkspaceError.
    """
    trees, base = patched.trees, patched.base
    before, after = (_corrected(trees, tree, existing, edits) for tree in (base, patched.shipped))
    if before is None or after is None or not all(_is_same_test(trees, base, before, test) for test in existing):
        return [], []
    ids = list(dict.fromkeys(id.partition("[")[0] if ".py" in id else id for test in existing for id in test.lost))
    reports, doubts = patched.run(before, after, ids)
    if reports is None:
        return [], doubts
    found = []
    for test in existing:
        one, two, last = (_outcome(test, report) for report in reports)
        found.append(CorrectedTest(one if one == two else "", last, *_difference(test, edits)))
    return found, doubts


def find_contradictions(
    existing: Sequence[ExistingTest], corrected: Sequence[CorrectedTest], sentences: Sequence[str]
) -> dict[str, str]:
    """Return the ids of the lost tests that the issue contradicts, each with words that show both expectations and the
    sentence of the issue; none unless all are contradicted."""
    if len(corrected) != len(existing) or any((one.base, one.patched) != ("fails", "passes") for one in corrected):
        return {}
    return {
        id: f"it asserts `{one.before}`; by the issue, `{one.after}` (“{sentence}”)"
        for test, one, sentence in zip(existing, corrected, sentences, strict=True)
        for id in test.lost
    }


def _texts(file: FileWithTests, spans: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Return the texts of these places with the blanks before their first lines."""
    starts = ((file.data.rfind(b"\n", 0, start) + 1, end) for start, end in spans)
    return tuple(file.data[start:end].decode("utf-8", "replace").replace("\r\n", "\n") for start, end in starts)


def _corrected(
    trees: Trees, tree: str, existing: Sequence[ExistingTest], edits: Sequence[Edit]
) -> dict[str, bytes] | None:
    """Return the files of a tree with the edits; None if one does not fit exactly one place in the tests' code."""
    found: dict[str, bytes] = {}
    for path, old, new in edits:
        tests = [test for test in existing if test.path == path]
        if not tests or not old.strip():
            return None
        data = found[path] if path in found else trees.read(tree, path)
        end = b"\r\n" if b"\r\n" in data else b"\n"
        before, after = (f"\n{text}\n".encode().replace(b"\n", end) for text in (old, new))
        lines = end + data + end
        places = [match.start() for match in re.finditer(b"(?=" + re.escape(before) + b")", lines)]
        codes = [FileWithTests(path, data).find(test.lost[0]) for test in tests]
        spans = [span for code in codes if code for span in code.spans]
        last = len(before) - 2 * len(end)
        if len(places) != 1 or not any(_holds(data, span, places[0], places[0] + last) for span in spans):
            return None
        found[path] = lines.replace(before, after)[len(end) : -len(end)]
    return found or None


def _holds(data: bytes, span: tuple[int, int], start: int, end: int) -> bool:
    """Whether the lines of a span hold what is from `start` to `end`."""
    first, last = data.rfind(b"\n", 0, span[0]) + 1, data.find(b"\n", span[1] - 1)
    return first <= start and end <= (last if last >= 0 else len(data))


def _is_same_test(trees: Trees, base: str, corrected: Mapping[str, bytes], test: ExistingTest) -> bool:
    """Whether the corrected version of a test has the inputs of that in the base."""
    old = FileWithTests.read(trees, base, test.path)
    new = FileWithTests(test.path, corrected.get(test.path, old.data))
    before, after = old.find(test.lost[0]), new.find(test.lost[0])
    if before is None or after is None or len(before.nodes) != len(after.nodes):
        return False
    return has_same_inputs(before.nodes, after.nodes)


def _outcome(test: ExistingTest, report: SuiteReport | None) -> Literal["passes", "fails", ""]:
    """Return what the cases of a test did; the values that it expects may be part of their ids."""
    names = {id.partition("[")[0] for id in test.lost}
    results = [one for one in report.results if one.id.partition("[")[0] in names] if report else []
    if any(one.bad and (one.cut or one.outcome == "error") for one in results):
        return ""
    return "fails" if any(one.bad for one in results) else "passes" if any(one.ok for one in results) else ""


def _difference(test: ExistingTest, edits: Sequence[Edit]) -> tuple[str, str]:
    """Return the first lines that differ in the edits of a test, without blanks around them."""
    for path, old, new in edits:
        if path == test.path and any(old in text for text in test.sources):
            befores, afters = old.split("\n"), new.split("\n")
            before = next((line for line in befores if line not in afters), befores[0])
            after = next((line for line in afters if line not in befores), afters[0])
            return before.strip(), after.strip()
    return "", ""
