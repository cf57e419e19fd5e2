"""Part 4 of a proof: tests that passed before the patch still pass."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from aci.observation.activity_message import ActivityMessage
from aci.proof.evidence import ERROR_LINE
from aci.proof.fact_words import UNTESTED, new_failures, removed_tests
from aci.proof.proof_run import SLACK, ProofRun, format_names, passes, was_not_reached
from aci.runtime.snapshots import FIX, describe_submodule, lacks_files, submodule_of_module
from aci.runtime.workspace import Workspace
from aci.testing.suite_results import SHELL_FAILED, SuiteReport, TestResult
from aci.testing.suite_run import limit_per_test
from trajectories.verdict import Verdict

COUNT = re.compile(
    r"(?i)\b\d+ (?:tests?|specs?|examples?|checks?|assertions?|passed|passing|ok)\b|^# (?:tests|pass) \d"
)
COUNT_LINES = 30
DURATION = re.compile(r"(?i)(?:\bin )?\b\d+(?:\.\d+)? ?(?:m?s|secs?|seconds?)\b")
REPEATS, MORE_REPEATS = 3, 9
"""Number of times that a test is repeated to see if it is flaky, and further times on the base if it is flaky with the
patch."""
MOST_REPEATED = 40
"""Number of tests that are repeated first."""


def judge_loss(
    trial: ProofRun,
    before: Workspace,
    after: Workspace,
    baseline: SuiteReport | None,
    suite: SuiteReport | None,
    verdict: Verdict,
    contradictions: Mapping[str, str],
) -> Verdict:
    """Return the verdict with `no_loss`, and the lost, flaky and contradicted tests by name.

    A lost test passed without the patch and did not pass with it: it failed, was skipped, or disappeared. A flaky test
    both passes and fails on the base. A contradicted test is one of `contradictions`, with the reason why it is wrong.
    `no_loss` is None if nothing is lost, but no test passed before, the run timed out before all tests had run, or the
    command fails without the patch for a reason that no test result explains. Tests that fail with the patch and could
    not be lost become a fact.
    """
    if baseline is None:
        trial.add(UNTESTED)
        return verdict
    if baseline.granularity == "command" or (suite and suite.granularity == "command"):
        return _by_code(trial, baseline, suite, verdict)
    if new := _new_failures(trial, baseline, suite):
        trial.add(new_failures(new))
        trial.failed(suite, new)
    if not baseline.results:
        trial.note("The suite did not run without the patch, so loss cannot be judged.")
        return verdict
    if not baseline.passed:
        reason = _common_failure(trial, before, baseline.results, baseline)
        trial.note(f"No test passes without the patch, so nothing shows what it breaks. {reason}")
        return verdict
    missing = [id for id in (*baseline.passed, *_slow(trial, before, baseline, suite)) if not passes(suite, id)]
    unreached = [id for id in missing if was_not_reached(suite, id)]
    removed = [id for id in missing if id not in unreached and _is_taken_out(trial, baseline, suite, id)]
    if removed:
        trial.add(removed_tests(removed))
    gone = [id for id in missing if id not in unreached and id not in removed]
    flaky = _flaky(trial, before, after, baseline, gone) if gone else []
    lost = tuple(id for id in gone if id not in flaky and id not in contradictions)
    trial.failed(suite, lost)
    contradicted = tuple(f"{id}: {contradictions[id]}" for id in gone if id in contradictions)
    if unreached:
        _note_unreached(trial, suite, unreached)
    unexplained = _fails_unexplained(trial, baseline)
    unloaded = [result for result in baseline.results if result.is_unloaded_file]
    if unloaded:
        what = "A test file" if len(unloaded) == 1 else f"{len(unloaded)} test files"
        reason = _common_failure(trial, before, unloaded, baseline)
        trial.note(f"{what} cannot be loaded without the patch, so nothing in it was compared. {reason}")
    mostly_unloaded = len(unloaded) > len({result.path for result in baseline.results} - {"", *_paths(unloaded)})
    no_loss = None if (unreached or unexplained or mostly_unloaded) and not lost else not lost
    limit = trial.suite_seconds(1 if baseline.timed_out else SLACK) if baseline.timed_out or unreached else 0.0
    compared = _describe_compared(len(baseline.passed) - len(unreached), baseline, limit, len(unloaded))
    return replace(
        verdict, no_loss=no_loss, compared=compared, lost=lost, flaky=tuple(flaky), contradicted=contradicted
    )


def _new_failures(trial: ProofRun, baseline: SuiteReport, suite: SuiteReport | None) -> list[str]:
    """Return the tests that fail with the patch, and that did not exist or were skipped without it.

    Of a run without the patch that did not end, only tests in new files are known not to have existed.
    """
    if suite is None:
        return []
    known = {now.id for result in baseline.results if result.outcome != "skipped" and (now := suite.find(result.id))}
    new = [result for result in suite.results if result.bad and not result.cut and result.id not in known]
    new = [result for result in new if (was := baseline.find(result.id)) is None or was.outcome == "skipped"]
    has_ended = baseline.complete and not baseline.timed_out
    return [result.id for result in new if has_ended or not trial.trees.entry(trial.base, result.path or result.id)]


def _paths(results: Iterable[TestResult]) -> set[str]:
    return {result.path for result in results}


def _describe_compared(count: int, baseline: SuiteReport, limit: float, unloaded: int) -> str:
    """Return how many results were compared, and why not those of the whole suite; `limit` are the seconds after which
    it was cut off, or 0."""
    end = "" if baseline.complete else "the suite did not end"
    why = f"cut off after {limit:.0f} s" if limit else end
    if unloaded:
        why = ", ".join(filter(None, [why, f"{unloaded} file{'s' * (unloaded != 1)} cannot be loaded"]))
    return f"{count} test{'s' * (count != 1)}{f' ({why})' if why else ''}"


def judge_test_configuration(trial: ProofRun, after: Workspace, tree: str, verdict: Verdict) -> Verdict:
    """Return the verdict, with `no_loss` set to None if all lost tests pass at `tree`, which has the patch's test
    configuration.

    That configuration may be a legitimate change, or its only purpose may be to make the tests pass.
    """
    trial.say(ActivityMessage("Repeating the lost tests with the test configuration of the patch"))
    if verdict.granularity == "command":
        passing = trial.code(after, tree) == 0
    else:
        report = trial.only(after, verdict.lost, tree)
        passing = all(passes(report, id) for id in verdict.lost)
    if not passing:
        return verdict
    kept_out = format_names(trial.parts.kept_out)
    trial.note(f"These pass only with the patch's version of {kept_out}: {format_names(verdict.lost)}.")
    for id in verdict.lost:
        trial.failures.pop(id, None)
    return replace(verdict, no_loss=None, lost=())


def _slow(trial: ProofRun, before: Workspace, baseline: SuiteReport, suite: SuiteReport | None) -> list[str]:
    """Return the tests that pass on the base with this proof's limit, but exceeded the shorter limit of the baseline.

    Tests that pass with the patch are not repeated.
    """
    if baseline.limit >= limit_per_test(trial.suite_seconds()):
        return []
    cut = [result.id for result in baseline.results if result.too_long and not passes(suite, result.id)]
    again = trial.only(before, cut, trial.base) if cut else None
    return [id for id in cut if passes(again, id)]


def _common_failure(trial: ProofRun, before: Workspace, results: Iterable[TestResult], baseline: SuiteReport) -> str:
    """Return a sentence with the most frequent failure without the patch, and what to do about it."""
    failures = Counter(_last_error(result) for result in results if result.bad and not result.cut)
    if not (failure := next((text for text, _ in failures.most_common() if text), "")):
        return "See how the tests run, or give a command with --test."
    if missing := re.match(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'", failure):
        submodule = submodule_of_module(trial.trees.files(trial.base), missing[1])
        if submodule and lacks_files(before, submodule):
            return f"{describe_submodule(f'The module {missing[1]}', submodule)} {FIX}"
        fix = f"Install {missing[1].partition('.')[0]} where `{baseline.command}` runs, or choose another environment."
    else:
        fix = f"See the output of `{baseline.command}`."
    return f"{failure.rstrip('.')}. {fix}"


def _last_error(result: TestResult) -> str:
    errors = [line.removeprefix("E").strip() for line in result.message.splitlines() if ERROR_LINE.match(line)]
    return errors[-1][:200] if errors else ""


def _is_taken_out(trial: ProofRun, baseline: SuiteReport, suite: SuiteReport | None, id: str) -> bool:
    """Whether the patch removed this test from a file that it is allowed to change."""
    result = baseline.find(id)
    return bool(suite and result and suite.find(id) is None and result.path in trial.parts.source)


def _fails_unexplained(trial: ProofRun, baseline: SuiteReport) -> bool:
    """Whether the command fails on the base for a reason that no test result explains, so that a loss cannot be
    detected.

    Signals are excluded: they can end a run after all its results were written.
    """
    explained = baseline.ended_well or baseline.trouble or not 0 < baseline.code < SHELL_FAILED
    if explained or not baseline.complete:
        return False
    trial.note(
        f"Without the patch the command exits with {baseline.code}, which the test results do not explain: another "
        "part of the command fails, so its loss is not judged. Give a command that only runs tests with --test."
    )
    return True


def _note_unreached(trial: ProofRun, suite: SuiteReport | None, unreached: Sequence[str]) -> None:
    last = [id for id in unreached if suite and suite.find(id)]
    running = f" {format_names(last)} was still running." if last else ""
    trial.note(
        f"With the patch the suite timed out before {len(unreached)} of the tests that pass without it had run, so "
        f"their loss is not judged: the patch slows the suite down or makes it hang, or the suite needs more time."
        f"{running}"
    )
    trial.failed(suite, last)


def _flaky(
    trial: ProofRun, before: Workspace, after: Workspace, baseline: SuiteReport, gone: Sequence[str]
) -> list[str]:
    """Return the tests in `gone` that both pass and fail without the patch.

    A test that never passes alone on the base may depend on the tests it ran with. The suite is repeated for such a
    test, so that a loss that occurs only in the whole suite still counts as a loss. A test that both passes and fails
    with the patch is repeated on the base: if it always passes there, the patch made it flaky, which is a loss. Of many
    tests only MOST_REPEATED are repeated, if one of these is lost.
    """
    tried = gone[:MOST_REPEATED]
    some = f"{len(tried)} of them" if len(tried) < len(gone) else "them"
    trial.say(
        ActivityMessage(
            f"{len(gone)} tests that passed before do not pass now: repeating {some} without and with the patch"
        )
    )
    flaky = _flaky_among(trial, before, after, baseline, tried)
    if len(flaky) == len(tried) < len(gone):
        flaky += _flaky_among(trial, before, after, baseline, gone[MOST_REPEATED:])
    elif len(tried) < len(gone):
        trial.note(f"{len(gone) - len(tried)} of the lost tests were not repeated, since others are lost in any case.")
    return flaky


def _flaky_among(
    trial: ProofRun, before: Workspace, after: Workspace, baseline: SuiteReport, gone: Sequence[str]
) -> list[str]:
    together = () if baseline.complete else baseline.passed
    flaky = _unsteady(trial, before, trial.base, gone, True, together)
    rest = [id for id in gone if id not in flaky]
    unsteady = _unsteady(trial, after, trial.shipped, rest, False, together)
    trial.is_unsteady |= bool(flaky or unsteady)
    if unsteady:
        trial.say(
            ActivityMessage(f"{len(unsteady)} tests fail only sometimes with the patch: repeating them without it")
        )
        ids = [id for id in rest if id in unsteady]
        reports = [trial.only(before, ids, trial.base) for _ in range(MORE_REPEATS)]
        flaky |= {id for id in ids if not all(passes(report, id) for report in reports)}
        if made := [id for id in ids if id not in flaky]:
            trial.note(
                f"Fails in some runs with the patch and always passes without it, in {REPEATS + MORE_REPEATS} repeated "
                f"runs: {format_names(made)}."
            )
    return [id for id in gone if id in flaky]


def _unsteady(
    trial: ProofRun, workspace: Workspace, tree: str, ids: Sequence[str], passed: bool, together: Sequence[str]
) -> set[str]:
    """Return the tests in `ids` whose result differs when they are repeated; `passed` says whether they passed in the
    suite at `tree`."""
    if not ids:
        return set()
    reports = [trial.only(workspace, ids, tree) for _ in range(REPEATS)]
    others = {id: sum(passes(report, id) != passed for report in reports) for id in ids}
    unlike = {id for id in ids if others[id] == REPEATS}
    if unlike:
        workspace.restore(tree)
        again = trial.suite(workspace, together, SLACK)
        unlike = {id for id in unlike if passes(again, id) != passed and not was_not_reached(again, id)}
    return unlike | {id for id in ids if 0 < others[id] < REPEATS}


def _by_code(trial: ProofRun, baseline: SuiteReport, suite: SuiteReport | None, verdict: Verdict) -> Verdict:
    verdict = replace(verdict, granularity="command")
    if baseline.code:
        trial.note(f"The command exits with {baseline.code} without the patch already, so it cannot show a loss.")
        return verdict
    if suite and suite.timed_out:
        trial.note("With the patch the command did not finish in time, so loss is not judged.")
        return verdict
    if not (suite and suite.code == 0 and suite.complete):
        return replace(verdict, no_loss=False, lost=(trial.command,))
    counts, now = _test_counts(baseline), _test_counts(suite)
    if not counts or counts != now:
        why = f"it ended with “{counts[-1]}” before" if counts else "its output does not count them"
        trial.note(f"Only the exit code of `{trial.command}` is known, and nothing shows that its tests ran: {why}.")
        return verdict
    return replace(verdict, no_loss=True, compared=f"the exit code and the output “{counts[-1]}”")


def _test_counts(report: SuiteReport) -> list[str]:
    """Return the last lines of the output that count tests, without durations."""
    lines = report.output.decode("utf-8", "replace").splitlines()[-COUNT_LINES:]
    return [DURATION.sub("", line).strip()[:100] for line in lines if COUNT.search(line)]
