"""Part 4 of a proof: what passed before passes now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aci import evidence
from aci.report import SHELL_FAILED, Report
from aci.testing import limit_of
from aci.trial import SLACK, Trial, is_unreached, passes, some
from aci.workspace import Workspace
from trajectories.records import Verdict

REPEATS = 3


def judge_loss(
    trial: Trial, before: Workspace, after: Workspace, baseline: Report | None, suite: Report | None, verdict: Verdict
) -> Verdict:
    """The verdict with `no_loss`, and the lost, flaky and contradicted tests by name.

    Lost is what passed without the patch and did not with it: it failed, was skipped, or vanished. Flaky is what both
    passes and fails on the base, or with the patch. Contradicted is what the issue itself says is wrong. Where nothing
    is lost, but time was up before all had run, `no_loss` is null;
    so it is where the command fails without the patch for what no test tells of.
    """
    if baseline is None:
        trial.note("No test ran without the patch, so nothing shows what else it may break.")
        return replace(verdict, no_loss=True)
    if baseline.granularity == "command" or (suite and suite.granularity == "command"):
        return _by_code(trial, baseline, suite, verdict)
    if not baseline.results:
        trial.note("The suite did not run without the patch, so loss cannot be judged.")
        return verdict
    missing = [id for id in (*baseline.passed, *_slow(trial, before, baseline, suite)) if not passes(suite, id)]
    unreached = [id for id in missing if is_unreached(suite, id)]
    removed = [id for id in missing if id not in unreached and _is_taken_out(trial, baseline, suite, id)]
    if removed:
        trial.note(f"Taken out of tests that were changed: {some(removed)}.")
    gone = [id for id in missing if id not in unreached and id not in removed]
    flaky = _flaky(trial, before, after, baseline, gone) if gone else []
    quotes = {id: evidence.contradiction(trial.issue.text, id) for id in gone if id not in flaky}
    lost = tuple(id for id, quote in quotes.items() if not quote)
    trial.failed(suite, lost)
    contradicted = tuple(f"{id}: “{quote}”" for id, quote in quotes.items() if quote)
    if unreached:
        _tell_unreached(trial, suite, unreached)
    unseen = _fails_unseen(trial, baseline)
    no_loss = None if (unreached or unseen) and not lost else not lost
    return replace(verdict, no_loss=no_loss, lost=lost, flaky=tuple(flaky), contradicted=contradicted)


def judge_harness(trial: Trial, after: Workspace, tree: str, verdict: Verdict) -> Verdict:
    """The verdict with `no_loss` null where all that is lost passes at `tree`, which has the patch's own test
    configuration: it may be wanted, and it may be what makes them pass."""
    trial.say("Repeating what was lost with the test configuration of the patch")
    if verdict.granularity == "command":
        passing = trial.code(after, tree) == 0
    else:
        report = trial.only(after, verdict.lost, tree)
        passing = all(passes(report, id) for id in verdict.lost)
    if not passing:
        return verdict
    trial.note(f"These pass only with {some(trial.parts.kept_out)} as the patch has it: {some(verdict.lost)}.")
    for id in verdict.lost:
        trial.failures.pop(id, None)
    return replace(verdict, no_loss=None, lost=())


def _slow(trial: Trial, before: Workspace, baseline: Report, suite: Report | None) -> list[str]:
    """Tests that pass on the base, but took longer than the baseline's limit, where that was shorter than ours; what
    passes with the patch need not be asked."""
    if trial.related is not None or baseline.limit >= limit_of(trial.timeout):
        return []
    cut = [result.id for result in baseline.results if result.too_long and not passes(suite, result.id)]
    again = trial.only(before, cut, trial.base) if cut else None
    return [id for id in cut if passes(again, id)]


def _is_taken_out(trial: Trial, baseline: Report, suite: Report | None, id: str) -> bool:
    """Whether a test is no longer there since the patch, which may, changed its file."""
    result = baseline.find(id)
    return bool(suite and result and suite.find(id) is None and result.path in trial.parts.source)


def _fails_unseen(trial: Trial, baseline: Report) -> bool:
    """Whether something of the command fails on the base of which no result tells: what that loses, nobody sees.

    A signal ends a run whose results are all there.
    """
    explained = baseline.ended_well or baseline.trouble or not 0 < baseline.code < SHELL_FAILED
    if explained or not baseline.complete:
        return False
    trial.note(
        f"Without the patch the command exits with {baseline.code}, which the results of its tests do not explain: "
        "something else of it fails, so its loss is not judged. Name a command that only runs tests with --test."
    )
    return True


def _tell_unreached(trial: Trial, suite: Report | None, unreached: Sequence[str]) -> None:
    last = [id for id in unreached if suite and suite.find(id)]
    running = f" {some(last)} was still running." if last else ""
    trial.note(
        f"With the patch time was up before {len(unreached)} of the tests that pass without it had run, so their loss "
        f"is not judged: the patch makes the suite slow, or hang, or the suite needs more time.{running}"
    )
    trial.failed(suite, last)


def _flaky(trial: Trial, before: Workspace, after: Workspace, baseline: Report, gone: Sequence[str]) -> list[str]:
    """Which of the tests that passed on the base and not with the patch do now this and now that at one place.

    One that never passes alone there, or always passes alone with the patch, may hang on the others it ran with: for it
    the suite is run once more, so that a loss seen only in company stays a loss.
    """
    trial.say(f"{len(gone)} tests that passed do not now: repeating them without and with the patch")
    together = () if baseline.complete else baseline.passed
    found = _unsteady(trial, before, trial.base, gone, True, together)
    found |= _unsteady(trial, after, trial.shipped, [id for id in gone if id not in found], False, together)
    return [id for id in gone if id in found]


def _unsteady(
    trial: Trial, workspace: Workspace, tree: str, ids: Sequence[str], passed: bool, together: Sequence[str]
) -> set[str]:
    """Those of `ids`, which in the suite at `tree` all passed, or all did not, whose repetition differs from that."""
    if not ids:
        return set()
    reports = [trial.only(workspace, ids, tree) for _ in range(REPEATS)]
    others = {id: sum(passes(report, id) != passed for report in reports) for id in ids}
    unlike = {id for id in ids if others[id] == REPEATS}
    if unlike:
        workspace.restore(tree)
        again = trial.suite(workspace, together, SLACK)
        unlike = {id for id in unlike if passes(again, id) != passed and not is_unreached(again, id)}
    return unlike | {id for id in ids if 0 < others[id] < REPEATS}


def _by_code(trial: Trial, baseline: Report, suite: Report | None, verdict: Verdict) -> Verdict:
    verdict = replace(verdict, granularity="command")
    if baseline.code:
        trial.note(f"The command exits with {baseline.code} without the patch already, so loss cannot be judged by it.")
        return verdict
    if suite and suite.timed_out:
        trial.note("With the patch the command did not end in time, so loss is not judged.")
        return verdict
    no_loss = suite is not None and suite.code == 0 and suite.complete
    return replace(verdict, no_loss=no_loss, lost=() if no_loss else (trial.command,))
