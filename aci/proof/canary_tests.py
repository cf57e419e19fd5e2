"""Tests that must fail in any case: they run in the same session as the tests that a patch fixes.

If one of them fails without the patch and does not fail with it, the patch changes what the runner reports. Their file
lies next to the tests that the patch fixes, sorts after them, and has a random name. Their results are used here only.
"""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aci.proof.proof_run import ProofRun, fails
from aci.runtime.workspace import Workspace
from aci.testing.suite_run import SuiteReport, TestResult

WORDS = (
    *("amber", "anchor", "basket", "border", "branch", "bridge", "button", "candle", "canvas", "carbon", "castle"),
    *("cedar", "circle", "clover", "copper", "corner", "cotton", "desert", "dinner", "empty", "engine", "fabric"),
    *("falcon", "finger", "flower", "forest", "garden", "ginger", "harbor", "helmet", "honey", "island", "jacket"),
    *("kettle", "ladder", "lemon", "marble", "meadow", "mirror", "needle", "nested", "object", "orange", "paper"),
    *("pepper", "planet", "pocket", "quartz", "rabbit", "random", "ribbon", "saddle", "silver", "simple", "spider"),
    *("summer", "ticket", "timber", "tunnel", "unicode", "valley", "velvet", "violet", "window", "winter", "yellow"),
)
CASES = """\
import unittest


class {name}Test(unittest.TestCase):
    def test_{words[0]}(self):
        self.assertEqual(sorted([{large}, {small}]), [{small}, {wrong}])

    def test_{words[1]}(self):
        with self.assertRaises(KeyError):
            dict({words[1]}={small})["{words[1]}"]

    def test_{words[2]}(self):
        assert "{words[2]} {small}".upper() == "{words[2]} {small}"

    def test_{words[3]}(self):
        self.assertTrue({{"{words[3]}": {small}}} == {{"{words[3]}": {large}}})
"""
FUNCTIONS = """

def test_{words[4]}():
    assert sum([{small}, {large}]) == {wrong}


def test_{words[5]}():
    with pytest.raises(ValueError):
        int("{small}")
"""


@dataclass(slots=True)
class CanaryTests:
    """A file of tests that must fail, at `path` ("" if there is no place for it), and those that failed without the
    patch."""

    trial: ProofRun
    path: str
    text: str
    failing: set[str] = field(default_factory=set)

    def run_without_patch(self, workspace: Workspace, ids: Sequence[str], each: float | None) -> SuiteReport | None:
        """Run the tests of these ids as `ProofRun.only` does, and find out which canary tests can fail here.

        If none can, for example since the runner accepts no further file, they are left out from now on.
        """
        report, self.failing = self._run(workspace, ids, self.trial.without, each)
        if not self.failing and self.path:
            self.path = ""
            if not all(fails(report, id) for id in ids):
                report, _ = self._run(workspace, ids, self.trial.without, each)
        return report

    def run_with_patch(self, workspace: Workspace, ids: Sequence[str]) -> SuiteReport | None:
        """Run the tests of these ids, and add a doubt if a canary test that can fail does not fail with the patch."""
        if not self.failing:
            self.path = ""
        report, failed = self._run(workspace, ids, self.trial.proved)
        ran = report is not None and not report.timed_out and bool(report.results)
        if ran and self.failing - failed:
            self.trial.doubt(
                "With the patch, tests that must fail in any case pass, are skipped or do not run, so no result can be "
                "trusted."
            )
        return report

    def _run(
        self, workspace: Workspace, ids: Sequence[str], tree: str, each: float | None = None
    ) -> tuple[SuiteReport | None, set[str]]:
        """Return the report without the canary tests, and the ids of those that failed."""
        if not self.path:
            return self.trial.only(workspace, ids, tree, each), set()
        tree = self.trial.trees.write({self.path: self.text.encode()}, tree)
        report = self.trial.only(workspace, (*ids, self.path), tree, each)
        if report is None:
            return None, set()
        failed = {result.id for result in report.results if result.bad and self._is_own(result)}
        others = tuple(result for result in report.results if not self._is_own(result))
        return replace(report, results=others), failed

    def _is_own(self, result: TestResult) -> bool:
        """Whether a result is that of a canary test, or of their file if it cannot be loaded."""
        return result.path == self.path or posixpath.basename(self.path).removesuffix(".py") in result.id


def create_canary_tests(trial: ProofRun, place: str, in_pytest: bool) -> CanaryTests:
    """Create tests next to the test file `place`, for pytest if `in_pytest`, else for unittest. There are none if
    `place` is no Python file without the patch."""
    stem, end = posixpath.splitext(place)
    words = secrets.SystemRandom().sample(WORDS, 8)
    path = f"{stem}_{words[6]}_{words[7]}{end}"
    if end != ".py" or trial.trees.entry(trial.without, place) is None or trial.trees.entry(trial.without, path):
        return CanaryTests(trial, "", "")
    small = secrets.randbelow(90) + 10
    values = {"name": words[6].title(), "words": words, "small": small, "large": 2 * small, "wrong": 2 * small + 7}
    text = CASES.replace("unittest\n", "unittest\n\nimport pytest\n", 1) + FUNCTIONS if in_pytest else CASES
    return CanaryTests(trial, path, text.format(**values))
