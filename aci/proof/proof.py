"""The proof of a patch: red without it, green with it, red again without its source hunks, and nothing lost.

Everything runs in fresh forks, with the tests, conftest and test configuration of the base: what a patch does to
those is told and never counted, except that its new test files may reproduce the issue.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace

from aci import evidence
from aci.advice import affected_callers
from aci.baselines import Baselines
from aci.checks import broken, configured, run_checks
from aci.commands import grouped, is_run_by, narrowed
from aci.digest import digest
from aci.example import only_the_example
from aci.loss import judge_harness, judge_loss
from aci.patch import is_test, is_test_config
from aci.regression import related_tests
from aci.reproduction import mended, reproduce
from aci.testing import Report
from aci.trial import SLACK, Parts, Trial, separate, some
from aci.workspace import OURS, Workspace
from trajectories.errors import UsageError
from trajectories.records import Issue, Verdict
from trajectories.trees import Trees

CORES_FOR_TWO, BYTES_FOR_TWO = 4, 8_000_000_000
FORGERY = "The code under test runs in the process that reports on it, so a forged result cannot be ruled out."


def prove(
    fork: Callable[[str], Workspace],
    trees: Trees,
    base_tree: str,
    tree: str,
    *,
    issue: Issue,
    command: str = "",
    reproduction: Sequence[str] = (),
    places: Sequence[str] = (),
    timeout: float = 600,
    spare: float = 60,
    say: Callable[[str], None] = lambda _: None,
    known: Baselines | None = None,
    reproduces: bool = True,
    changed_tests: bool = False,
) -> Verdict:
    """Prove the patch from `base_tree` to `tree`.

    `fork(tree)` opens a fresh workspace. `reproduction` are the tests (node ids, files) that show the issue; without
    them, the new test files of the patch and those failing tests of the base that the patch mends and that are tied to
    the issue: named in it, or covering or importing one of `places` (paths, or `path:qualname`).
    `timeout` is in seconds, for each run of tests. Without a `command` a large suite begins with the test files that
    have to do with the patch, and has `spare` seconds for all; with the patch, some times as many. Raises
    WorkspaceError; tests that cannot be run are told in notes. `known` keeps what the suite did without the patch, for
    the next proof on the same base. Without `reproduces` the patch is to change no behaviour: no test has to be red,
    and `no_loss` is true only where the runs can be trusted. With `changed_tests` those that it changes run as it has
    them, and what it took out of their files is told, not lost; test configuration stays the base's in any case, and
    what passes only with the patch's own is not judged.
    """
    parts = separate(trees, base_tree, tree, command)
    if changed_tests:
        parts = _with_tests(parts, command)
    if not parts.source:
        return Verdict(
            "unproven" if parts.tests or parts.kept_out else "none", notes=_about(trees, base_tree, tree, parts)
        )
    shipped = trees.overlay(base_tree, tree, parts.source)
    without = trees.overlay(base_tree, tree, parts.tests)
    proved = trees.overlay(without, tree, parts.source)
    related = None if command else related_tests(trees, base_tree, tree, parts.source, say)
    trial = Trial(
        trees, issue, parts, base_tree, shipped, without, proved, command, timeout, say, related=related, spare=spare
    )
    with closing(_fork(fork, base_tree)) as before, closing(_fork(fork, shipped)) as after:
        baseline, suite = _suites(trial, before, after, known if known is not None else Baselines())
        verdict = Verdict()
        if reproduces:
            say("Running the tests that reproduce the issue without and with the patch")
            nodes = tuple(reproduction) or (*parts.tests, *mended(trial, baseline, suite, places))
            verdict = reproduce(trial, before, after, nodes, bool(reproduction), baseline, suite)
        verdict = judge_loss(trial, before, after, baseline, suite, verdict)
        if changed_tests and parts.kept_out and verdict.lost:
            verdict = judge_harness(trial, after, trees.overlay(proved, tree, parts.kept_out), verdict)
        if verdict.no_loss is not False and (verdict.green or not reproduces):  # else nobody needs to ask them
            verdict = _checked(trial, before, after, verdict)
    verdict = _conclude(trial, baseline, suite, verdict)
    return verdict if reproduces or _is_trusted(trial, baseline, suite) else replace(verdict, no_loss=None)


def _with_tests(parts: Parts, command: str) -> Parts:
    """The parts of a patch that may change tests. What decides how tests run and how they are told stays kept out: a
    hook in conftest.py can call every outcome passed."""
    tests = [path for path in parts.kept_out if is_test(path) and not is_test_config(path)]
    tests = [path for path in tests if not is_run_by(command, path)]
    kept_out = tuple(path for path in parts.kept_out if path not in tests)
    return replace(parts, source=(*parts.source, *parts.tests, *tests), tests=(), kept_out=kept_out)


def _fork(fork: Callable[[str], Workspace], tree: str) -> Workspace:
    """A fresh workspace in which tests will be run."""
    workspace = fork(tree)
    workspace.expect(OURS)
    return workspace


def _suites(trial: Trial, before: Workspace, after: Workspace, known: Baselines) -> tuple[Report | None, Report | None]:
    """What the suite does without the patch and with it: at the same time where the machine has room for two."""
    with ThreadPoolExecutor(1) as pool:
        ahead = None
        with known.alone(_key(trial)):
            if _key(trial) not in known and has_room():
                ahead = pool.submit(trial.suite, after, (), SLACK)
            baseline = _baseline(trial, before, known)
        trial.say("Running the tests with the patch")
        if ahead is not None:
            suite = ahead.result()
            if not _is_partial(baseline):
                return baseline, suite
            after.restore(trial.shipped)
    return baseline, trial.suite(after, baseline.passed if baseline and _is_partial(baseline) else (), SLACK)


def _is_partial(baseline: Report | None) -> bool:
    """Whether there are tests that did not run without the patch: these are not to be run with it."""
    return baseline is not None and not baseline.complete and baseline.granularity == "test"


def has_room() -> bool:
    """Whether two suites can run side by side without getting into each other's way."""
    with suppress(OSError, ValueError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return (os.cpu_count() or 1) >= CORES_FOR_TWO and free >= BYTES_FOR_TWO
    return False


def _key(trial: Trial) -> object:
    return trial.base, trial.command, trial.related


def _baseline(trial: Trial, before: Workspace, known: Baselines) -> Report | None:
    """What the suite does without the patch; run once for all proofs that run the same tests."""
    key = _key(trial)
    if key not in known:
        trial.say("Running the tests without the patch")
        known[key] = trial.suite(before)
    report = known[key]
    if report is not None:
        trial.take(report)
    return report


def _checked(trial: Trial, before: Workspace, after: Workspace, verdict: Verdict) -> Verdict:
    """The verdict with what the repository's own checks say."""
    if any(configured(trial.trees, trial.base)):
        before.restore(trial.base)
        after.restore(trial.proved)
    paths = (*trial.parts.source, *trial.parts.tests)
    checks = run_checks(trial.trees, trial.base, trial.proved, before, after, paths, trial.say)
    for line in broken(checks):
        trial.note(f"A check of the repository says something new: {line}.")
    return replace(verdict, checks=checks)


def _conclude(trial: Trial, baseline: Report | None, suite: Report | None, verdict: Verdict) -> Verdict:
    trusted = _is_trusted(trial, baseline, suite)
    for why in evidence.special_cases(trial.parts.diff):
        trial.note(f"The patch {why}: look at it before you trust it.")
    proven = verdict.red and verdict.green and verdict.red_again and verdict.no_loss and trusted
    notes = (
        *trial.notes,
        *_ran(baseline, suite, trial.related),
        *_about(trial.trees, trial.base, trial.proved, trial.parts),
        *affected_callers(trial.trees, trial.base, trial.proved, trial.parts.source),
        FORGERY,
    )
    return replace(
        verdict,
        kind="verified" if proven else "unproven",
        commands=_commands(trial, verdict),
        failures=tuple(digest(list(trial.failures.values()))),
        notes=notes,
    )


def _is_trusted(trial: Trial, baseline: Report | None, suite: Report | None) -> bool:
    """Whether nothing speaks against what the runs with the patch report about themselves."""
    startup = evidence.startup_files(trial.parts.source)
    if startup:
        trial.note(f"Every interpreter would run {some(startup)} by itself, so no result can be trusted.")
    stand_ins = evidence.stand_ins(trial.parts.added, trial.trees.files(trial.base)) if trial.parts.added else []
    if stand_ins:
        trial.note(
            f"{some(stand_ins)} would be imported in place of Python's or the runner's, so no result is trusted."
        )
    ended_badly = bool(baseline and suite and baseline.ended_well and not suite.ended_well)
    if ended_badly and suite and suite.timed_out:
        trial.note("With the patch the suite does not end in time.")
    elif ended_badly and suite:
        trial.note(f"With the patch the suite exits with {suite.code}, which its results do not explain.")
    return not startup and not stand_ins and not ended_badly and not _is_for_the_example(trial)


def _is_for_the_example(trial: Trial) -> bool:
    """Whether the patch surely treats the values of its own tests, and no others, as special cases."""

    def text(tree: str, path: str) -> str:
        return trial.trees.read(tree, path).decode("utf-8", "replace")

    tests = [text(trial.proved, path) for path in trial.parts.tests if path.endswith(".py")]
    changed = [path for path in trial.parts.source if path.endswith(".py") and path not in trial.parts.added]
    for path in changed if tests else ():
        if trial.trees.entry(trial.proved, path) is None:
            continue
        line, sure = only_the_example(text(trial.base, path), text(trial.proved, path), tests, trial.issue.text)
        if sure:
            trial.note(
                f"{path}:{line} answers just the values of the test. Solve it in general, and test other values."
            )
            return True
        if line:
            trial.note(f"{path}:{line} answers the very values of the test: look at it before you trust it.")
    return False


def _commands(trial: Trial, verdict: Verdict) -> tuple[str, ...]:
    """Shell lines that repeat the proof: green and the suite with the patch, red with its source hunks taken out."""
    if not verdict.tests:
        return tuple(line for line in ("git apply patch.diff", trial.command) if line)
    tests = narrowed(trial.node_command or trial.command, grouped(verdict.tests, trial.parts.tests))
    taken_out = shlex.join(["git", "apply", "-R", *(f"--include={path}" for path in trial.parts.source), "patch.diff"])
    return tuple(line for line in ("git apply patch.diff", tests, trial.command, taken_out, tests) if line)


def _ran(baseline: Report | None, suite: Report | None, related: Sequence[str] | None) -> list[str]:
    """How much of the suite stands behind "no loss"."""
    told = []
    for report, where in ((baseline, "without the patch"), (suite, "with the patch")):
        if report:
            told += [f"The suite {where}: {report.summary()}.", *report.notes]
    if baseline and not baseline.complete and baseline.granularity == "test":
        told.append(f"Only the {len(baseline.passed)} tests that had passed when it stopped could be compared.")
    if related:
        told.append(f"Run first, as related to the patch: {some(related)}.")
    return told


def _about(trees: Trees, base: str, tree: str, parts: Parts) -> tuple[str, ...]:
    notes = []
    if not parts.source:
        notes.append("The patch changes no source file." if parts.tests or parts.kept_out else "Nothing was changed.")
    if parts.kept_out:
        tests = "existing tests, " if any(is_test(path) and not is_test_config(path) for path in parts.kept_out) else ""
        what = f"Changes to {tests}test configuration and what runs the tests"
        notes.append(f"{what} were left out: {some(parts.kept_out)}.")
    by_name = [path for path in (*parts.tests, *parts.kept_out) if _is_test_by_name_only(trees, (base, tree), path)]
    if by_name:
        notes.append(f"{some(by_name)} looks like a test by its name, but holds none: it is not counted as source.")
    return tuple(notes)


def _is_test_by_name_only(trees: Trees, versions: Sequence[str], path: str) -> bool:
    """Whether a Python module lies outside the tests' folders and has no test in it."""
    folder, _, name = path.rpartition("/")
    if not name.startswith("test_") or not name.endswith(".py") or is_test(f"{folder}/x.py"):
        return False
    texts = []
    for tree in versions:
        with suppress(OSError, UsageError):
            texts.append(trees.read(tree, path))
    return bool(texts) and not any(re.search(rb"\bdef test|\bclass \w*Test|\bTestCase\b|>>> ", text) for text in texts)
