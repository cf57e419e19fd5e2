"""Proof of a patch: tests are red without it, green with it and red again without its source hunks, and no passing test
is lost.

Everything runs in fresh forks, with the tests, conftest and test configuration of the base. A patch's changes to these
files are reported but ignored, except that its new test files may reproduce the issue.

Callers that a patch leaves unchanged although it changes the signature of the function they call are listed for
reviewers.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from aci.graph.signature_changes import REMOVED, breaking_changes
from aci.observation.activity_message import ActivityMessage
from aci.observation.untrusted_text import one_line
from aci.proof.experiments import find_source_doubts, try_patch
from aci.proof.fact_words import (
    UNCHANGED,
    affected_calls,
    compared_part,
    edited_tests_in,
    left_out_changes,
    more_affected_calls,
    new_check_findings,
    related_run,
    suite_result,
)
from aci.proof.mirrors import find_mirrors
from aci.proof.missing_reproduction import MAY_CONTAIN_TESTS
from aci.proof.proof_run import (
    SLACK,
    PageEvidence,
    PatchParts,
    ProofRun,
    fork_for_tests,
    format_names,
    passes,
    shipped_tree,
    split_patch,
)
from aci.proof.regressions import judge_loss, judge_test_configuration
from aci.proof.repository_checks import run_checks
from aci.proof.reproduction import find_fixed_tests, judge_reproduction
from aci.proof.suite_baselines import Baselines, SuiteKey, suite_key
from aci.proof.suite_selection import related_tests
from aci.repository.added_tests import COPY, copy_path
from aci.repository.python_source import definitions
from aci.repository.test_files import is_test, is_test_config
from aci.runtime.workspace import Workspace
from aci.testing.command_files import command_for_nodes, group_nodes, is_run_by
from aci.testing.failure_digest import format_failures
from aci.testing.other_languages import FILE_ENDS, UNEXAMINED, are_supported
from aci.testing.suite_command import detect_command
from aci.testing.suite_results import UNREAD
from aci.testing.suite_run import SuiteReport
from trajectories.errors import UsageError, WorkspaceError
from trajectories.facts import Fact
from trajectories.git_store.trees import SUBMODULE, Trees
from trajectories.plugins import names
from trajectories.records import Issue
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from aci.graph.patch_impact import BreakingChange, Edit


MAX_CHANGED_FUNCTIONS, MAX_REPORTED_CALLERS = 5, 6
"""Maximum number of changed functions that are reported, and of callers of each."""


def affected_callers(trees: Trees, base: str, tree: str, paths: Collection[str]) -> list[Fact]:
    """Return a fact for each function of `paths` whose new signature may break calls outside the patch.

    Line numbers refer to the files in `tree`. The list is empty if there is no code graph, since it is only advice and
    no verdict depends on it.
    """
    from aci.graph.patch_impact import edits_between
    from aci.localization.issue_localization import query_tree_graph, text_of_edits
    from aci.repository.file_blobs import TreeBlobs

    before = TreeBlobs(trees, base)
    try:
        edits = [edit for edit in edits_between(before, TreeBlobs(trees, tree)) if edit.path in paths]
        if not any(edit.path.endswith(".py") and breaking_changes(edit.before, edit.after) for edit in edits):
            return []
        return query_tree_graph(before, text_of_edits(edits), lambda graph: _facts(graph, edits))
    except WorkspaceError:
        return []


def _facts(graph: Graph, edits: Sequence[Edit]) -> list[Fact]:
    from aci.graph.patch_impact import broken_callers

    broken = broken_callers(graph, edits)
    facts = [_fact(graph, one, edits) for one in broken[:MAX_CHANGED_FUNCTIONS]]
    rest = len(broken) - len(facts)
    return [*facts, more_affected_calls(rest)] if rest else facts


def _fact(graph: Graph, broken: BreakingChange, edits: Sequence[Edit]) -> Fact:
    from aci.graph.code_graph import is_test_file

    calls = sorted(broken.callers, key=lambda link: (is_test_file(graph, link.place.path), -link.weight, link.place))
    places = [f"{link.place.path}:{link.line}" for link in calls]
    after = next(edit.after for edit in edits if edit.path == broken.place.path)
    line = next((one.header for one in definitions(after) if one.name == broken.name), 0)
    return affected_calls(broken.name, broken.place.path, line, _changed(broken.words), places, MAX_REPORTED_CALLERS)


def _changed(words: str) -> str:
    return words if words == REMOVED else f"has a new signature: {words}"


CORES_FOR_TWO, BYTES_FOR_TWO = 4, 8_000_000_000

REPRODUCING = "Running the tests that reproduce the issue without and with the patch"
COMPARING = "No test reproduces the issue: comparing the tests' results without and with the patch"


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
    edited_tests: bool = False,
    contradictions: Mapping[str, str] = {},
    observe: Callable[[SuiteReport | None, SuiteReport | None], object] = lambda without, patched: None,
    check_pages: Callable[[Verdict], PageEvidence] = lambda verdict: PageEvidence(),
) -> Verdict:
    """Prove the patch from `base_tree` to `tree`.

    `fork(tree)` opens a fresh workspace. `reproduction` are the tests (node ids, files) that show the issue. If there
    are none, these tests are used: the patch's new test files, and tests that fail on the base, pass with the patch and
    are tied to the issue, because it names them or because they cover or import one of `places` (paths, or
    `path:qualname`).

    `timeout` is in seconds, for each run of tests. The whole suite has `spare` seconds, or SLACK times as many when it
    runs with the patch; if it needs more, the test files related to the patch run on their own too.
    `known` caches the results of the suite without the patch, for the next proof on the same base, and those with the
    patch, for the next proof of the same source.

    Without `reproduces`, the patch should change no behaviour: no test has to be red, and `no_loss` is true only if the
    runs can be trusted. With `changed_tests`, the patch's version of the tests that it changes is run, and tests that
    it removed from their files are reported but do not count as lost. Test configuration is always that of the base;
    tests that pass only with the patch's configuration are not judged. With `edited_tests`, tests that the patch
    changes in existing files may reproduce the issue, or that use files changed beside them; the base's versions of
    them must pass all the same. The tests in
    `contradictions` are not lost if they fail with the patch; their values say why the issue contradicts them.

    `observe` gets the reports of the suite without and with the patch. `check_pages` compares the project's pages, if
    nothing else speaks against the patch; where there is no suite, `no_loss` rests on them.

    Raises WorkspaceError. Tests that cannot be run are reported in the facts.
    """
    parts = _parts(trees, base_tree, tree, command, changed_tests, edited_tests)
    if not parts.source:
        return _without_source(trees, base_tree, tree, parts)
    with ExitStack() as stack:
        before = stack.enter_context(closing(fork_for_tests(fork, base_tree)))
        if not command:
            with suppress(UsageError):
                parts = _parts(trees, base_tree, tree, detect_command(before), changed_tests, edited_tests)
            if not parts.source:
                return _without_source(trees, base_tree, tree, parts)
        trial = _new_trial(trees, base_tree, tree, parts, issue, command, timeout, spare, say)
        after = stack.enter_context(closing(fork_for_tests(fork, trial.shipped)))
        known = known if known is not None else Baselines()
        key = _key(trial)
        baseline, suite = _suites(trial, before, after, known)
        observe(baseline, suite)
        verdict = Verdict()
        if reproduces:
            nodes = tuple(node for given in reproduction for node in parts.in_copies(given))
            nodes = nodes or (*parts.new_tests, *find_fixed_tests(trial, baseline, suite, places))
            nodes = nodes or parts.supported_tests(_test_files(baseline))
            say(ActivityMessage(REPRODUCING if nodes else COMPARING))
            verdict = judge_reproduction(trial, before, after, nodes, bool(reproduction), baseline, suite)
        verdict = judge_loss(trial, before, after, baseline, suite, verdict, contradictions)
        verdict = _without_unread(verdict, baseline, suite)
        if baseline:
            steady = None if trial.is_unsteady else suite
            known.keep_patched(_patched_key(trial, baseline), steady)
            if trial.shipped == tree and not _is_partial(baseline):  # the next turn may start from these files
                known.keep_patched(suite_key(tree, command, timeout, spare), steady)
            if key in known.own:
                known.keep(key, baseline, steady)
        if changed_tests and parts.kept_out and verdict.lost:
            verdict = judge_test_configuration(trial, after, trees.overlay(trial.proved, tree, parts.kept_out), verdict)
        # Otherwise the checks cannot affect the verdict.
        if verdict.no_loss is not False and (verdict.green or not reproduces):
            verdict = _checked(trial, before, after, verdict)
        _find_doubts(trial, baseline, suite)
        if verdict.red and verdict.green and verdict.red_again and verdict.no_loss is not False and not trial.doubts:
            verdict = _judge_pages(trial, baseline, verdict, check_pages(verdict))
        if _is_proven(trial, verdict):
            experiment = try_patch(trial, after, verdict.tests, suite)
            trial.add(experiment.reason)
            if experiment.doubt:
                trial.doubt(experiment.doubt)
            verdict = replace(verdict, generality=experiment.generality)
        verdict = _conclude(trial, baseline, suite, verdict)
    return _name_originals(verdict if reproduces or not trial.doubts else replace(verdict, no_loss=None))


def _new_trial(
    trees: Trees,
    base_tree: str,
    tree: str,
    parts: PatchParts,
    issue: Issue,
    command: str,
    timeout: float,
    spare: float,
    say: Callable[[str], None],
) -> ProofRun:
    """Return the proof of a patch with these parts, with its trees."""
    shipped = shipped_tree(trees, base_tree, tree, parts)
    tree = trees.write({copy_path(path): trees.read(tree, path) for path in parts.extended}, tree)
    with_tests = {path: one.with_tests for path, one in parts.inline.items() if one.counts}
    without = trees.write(with_tests, trees.overlay(base_tree, tree, parts.test_files))
    apart = {path: one for path, one in parts.inline.items() if one.changes_code and not one.counts}
    kept_out = {path: one.with_code for path, one in apart.items()}
    proved = trees.write(kept_out, trees.overlay(without, tree, parts.source))
    related = partial(related_tests, trees, base_tree, tree, parts.source, say)
    return ProofRun(trees, issue, parts, base_tree, shipped, without, proved, command, timeout, say, spare, related)


def _test_files(report: SuiteReport | None) -> list[str]:
    return list(dict.fromkeys(result.path for result in report.results if result.path)) if report else []


def _judge_pages(trial: ProofRun, baseline: SuiteReport | None, verdict: Verdict, pages: PageEvidence) -> Verdict:
    if pages.doubt:
        trial.doubt(pages.doubt)
    elif pages.fact:
        trial.add(pages.fact)
    has_tests = baseline is not None and bool(baseline.results)
    if pages.compared and verdict.no_loss is None and not has_tests:
        trial.facts[:] = [fact for fact in trial.facts if fact.kind != "untested"]
        return replace(verdict, no_loss=True, compared=pages.compared)
    return verdict


def _name_originals(verdict: Verdict) -> Verdict:
    """Return the verdict with the names of the test files that the patch extends instead of those of their copies."""

    def original(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(text.replace(COPY, "") for text in texts)

    return replace(
        verdict,
        checks=original(verdict.checks),
        facts=tuple(replace(fact, text=fact.text.replace(COPY, "")) for fact in verdict.facts),
        commands=original(verdict.commands),
        tests=original(verdict.tests),
        failures=original(verdict.failures),
    )


def _parts(
    trees: Trees, base_tree: str, tree: str, command: str, changed_tests: bool, edited_tests: bool
) -> PatchParts:
    parts = split_patch(trees, base_tree, tree, command, edited_tests)
    return _with_tests(parts, command) if changed_tests else parts


def _without_source(trees: Trees, base_tree: str, tree: str, parts: PatchParts) -> Verdict:
    has_others = parts.tests or parts.kept_out or parts.extended
    kind: Literal["unproven", "none"] = "unproven" if has_others else "none"
    return Verdict(kind, facts=_about(trees, base_tree, tree, parts))


def _with_tests(parts: PatchParts, command: str) -> PatchParts:
    """Return the parts of a patch that is allowed to change tests.

    Files that determine how tests run and are reported remain in `kept_out`: a hook in conftest.py can make every test
    pass.
    """
    tests = [path for path in parts.kept_out if is_test(path) and not is_test_config(path)]
    tests = [path for path in tests if not is_run_by(command, path)]
    kept_out = tuple(path for path in parts.kept_out if path not in tests)
    source = (*parts.source, *parts.tests, *tests, *parts.extended)
    return replace(parts, source=source, tests=(), kept_out=kept_out, extended={}, inline={})


def _suites(
    trial: ProofRun, before: Workspace, after: Workspace, known: Baselines
) -> tuple[SuiteReport | None, SuiteReport | None]:
    """Run the suite without and with the patch, at the same time if the machine has resources for two runs.

    Results without the patch that an earlier run stored are used only if all tests pass with it: everything else may
    also be due to a difference between then and now.
    """
    key = _key(trial)
    baseline, suite = _run_suites(trial, before, after, known)
    is_lossless = suite is not None and not suite.failed and all(passes(suite, id) for id in _passed(baseline))
    if key in known.stored - known.own and not is_lossless:
        with known.lock_for(key):
            known.forget(key)
        if baseline:
            known.keep_patched(_patched_key(trial, baseline), None)
        before.restore(trial.base)
        after.restore(trial.shipped)
        return _run_suites(trial, before, after, known)
    return baseline, suite


def _passed(report: SuiteReport | None) -> tuple[str, ...]:
    return report.passed if report else ()


def _run_suites(
    trial: ProofRun, before: Workspace, after: Workspace, known: Baselines
) -> tuple[SuiteReport | None, SuiteReport | None]:
    with ThreadPoolExecutor(1) as pool:
        ahead = None
        with known.lock_for(_key(trial)):
            if _key(trial) not in known and can_run_two_suites():
                ahead = pool.submit(trial.suite, after, (), SLACK)
            baseline = _baseline(trial, before, known)
        trial.say(ActivityMessage("Running the tests with the patch"))
        if ahead is not None:
            suite = ahead.result()
            if not _is_partial(baseline):
                return baseline, suite and trial.completed(after, trial.shipped, suite)
            after.restore(trial.shipped)
    if baseline is None:
        return None, _run_patched(trial, after, None)
    key = _patched_key(trial, baseline)
    with known.lock_for(key):
        suite = known.find_patched(key)
        if suite:
            trial.take(suite)
        else:
            suite = _run_patched(trial, after, baseline)
            known.keep_patched(key, suite)
    return baseline, suite


def _run_patched(trial: ProofRun, after: Workspace, baseline: SuiteReport | None) -> SuiteReport | None:
    if baseline and _is_partial(baseline):
        suite = trial.suite(after, baseline.passed)
        if suite and suite.results:
            return suite
        after.restore(trial.shipped)  # the runner may refuse one of so many tests
    suite = trial.suite(after, (), SLACK)
    return suite and trial.completed(after, trial.shipped, suite)


def _is_partial(baseline: SuiteReport | None) -> bool:
    """Whether some tests did not run without the patch, so that they should not run with it either."""
    return baseline is not None and not baseline.complete and baseline.granularity == "test"


def can_run_two_suites() -> bool:
    """Whether the machine has the cores and the memory to run two suites side by side."""
    with suppress(OSError, ValueError):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return (os.cpu_count() or 1) >= CORES_FOR_TWO and free >= BYTES_FOR_TWO
    return False


def _key(trial: ProofRun) -> SuiteKey:
    return suite_key(trial.base, trial.command, trial.timeout, trial.spare)


def _patched_key(trial: ProofRun, baseline: SuiteReport) -> object:
    """Return what the results of the suite with the patch depend on, apart from chance."""
    nodes = baseline.passed if _is_partial(baseline) else ()
    return trial.base, trial.shipped, baseline.command, nodes, trial.timeout, trial.spare


def _baseline(trial: ProofRun, before: Workspace, known: Baselines) -> SuiteReport | None:
    """Return the suite's report without the patch; it runs once for all proofs that run the same tests."""
    key = _key(trial)
    if key not in known:
        known.take_kept(key)
        if key not in known:
            trial.say(ActivityMessage("Running the tests without the patch"))
            known[key] = trial.suite(before)
            known.own.add(key)
    report = known[key]
    if report is not None and report.timed_out:
        if (*key, trial.related) not in known:
            known[*key, trial.related] = trial.completed(before, trial.base, report)
        report = known[*key, trial.related]
    if report is not None:
        trial.take(report)
    return report


def _checked(trial: ProofRun, before: Workspace, after: Workspace, verdict: Verdict) -> Verdict:
    """Return the verdict with the results of the repository's own checks."""
    checks = run_checks(trial, before, after)
    for check in checks:
        if check.found:
            trial.add(new_check_findings(check.line, check.found))
    return replace(verdict, checks=tuple(check.line for check in checks))


def _conclude(trial: ProofRun, baseline: SuiteReport | None, suite: SuiteReport | None, verdict: Verdict) -> Verdict:
    facts = (
        *trial.facts,
        *_ran(trial, baseline, suite),
        *_about(trial.trees, trial.base, trial.proved, trial.parts),
        *affected_callers(trial.trees, trial.base, trial.proved, trial.parts.source),
        *find_mirrors(trial.trees, trial.base, trial.proved),
    )
    is_proven = _is_proven(trial, verdict)
    return replace(
        verdict,
        kind="plausible" if is_proven else "unproven",
        evidence="none" if is_proven else "",
        commands=_commands(trial, verdict),
        failures=tuple(format_failures(list(trial.failures.values()))),
        facts=facts,
    )


def _find_doubts(trial: ProofRun, baseline: SuiteReport | None, suite: SuiteReport | None) -> None:
    """Add a doubt for each reason not to trust the reports of the runs with the patch."""
    for reason in find_source_doubts(trial):
        trial.doubt(reason)
    if any(report and report.is_unread for report in (baseline, suite)):
        trial.doubt(UNREAD)
    for fact in find_outside_doubts(trial.trees, trial.base, trial.proved, trial.issue):
        trial.doubt(fact)
    changed = (change.path for change in trial.trees.changed(trial.base, trial.proved))
    if not are_supported() and any(path.lower().endswith(FILE_ENDS) for path in changed):
        trial.doubt(UNEXAMINED)
    for path in _updated_submodules(trial):
        trial.doubt(f"The patch changes the commit of the submodule {path}, but no test ran with its new files.")
    if suite and baseline and baseline.ended_well and not suite.ended_well:
        trial.doubt(
            "With the patch the suite does not finish in time."
            if suite.timed_out
            else f"With the patch the suite exits with {suite.code}, which its results do not explain."
        )


def _without_unread(verdict: Verdict, baseline: SuiteReport | None, suite: SuiteReport | None) -> Verdict:
    """Return the verdict without what rests on the exit code of tests whose results are unknown, or on the results of
    some tests only, since an extension is not installed."""
    if not any(report and report.is_unread for report in (baseline, suite)):
        return verdict
    if verdict.granularity == "command":
        verdict = replace(verdict, red=None, green=None, red_again=None)
    return replace(verdict, no_loss=False if verdict.no_loss is False else None)


def _updated_submodules(trial: ProofRun) -> list[str]:
    """Return the submodules of which the patch names another commit; workspaces have at most the base's files."""
    before, after = trial.trees.files(trial.base), trial.trees.files(trial.proved)
    changed = [change.path for change in trial.trees.changed(trial.base, trial.proved) if change.status == "M"]
    return [path for path in changed if before[path].mode == after[path].mode == SUBMODULE]


def _is_proven(trial: ProofRun, verdict: Verdict) -> bool:
    parts = (verdict.red, verdict.green, verdict.red_again, verdict.no_loss)
    return all(parts) and not trial.doubts


def _commands(trial: ProofRun, verdict: Verdict) -> tuple[str, ...]:
    """Return shell lines that repeat the proof: the tests and the suite with the patch, then the tests without its
    source hunks."""
    if not verdict.tests:
        return tuple(line for line in ("git apply patch.diff", trial.command) if line)
    tests = command_for_nodes(trial.node_command or trial.command, group_nodes(verdict.tests, trial.parts.tests))
    return tuple(line for line in ("git apply patch.diff", tests, trial.command, _take_out(trial), tests) if line)


def _take_out(trial: ProofRun) -> str:
    """Return the shell line that reverts the source part of the patch, with this part in a here-document if a file has
    tests beside its code."""
    whole_files = shlex.join(
        ["git", "apply", "-R", *(f"--include={path}" for path in trial.parts.source), "patch.diff"]
    )
    if not trial.parts.inline:
        return whole_files
    code = trial.trees.diff(trial.without, trial.proved)
    try:
        end = f"SOURCE_{sha256(code.encode()).hexdigest()}"
    except UnicodeEncodeError:  # a record holds only text, and a file is not in UTF-8
        return whole_files
    return f"git apply -R <<'{end}'\n{code}{end}"


def _ran(trial: ProofRun, baseline: SuiteReport | None, suite: SuiteReport | None) -> list[Fact]:
    """Return facts on how much of the suite supports "no loss"."""
    facts = []
    for report, with_patch in ((baseline, False), (suite, True)):
        if report:
            facts += [suite_result(report, with_patch), *(fact for fact in report.facts if fact not in trial.doubts)]
    if baseline and not baseline.complete and baseline.granularity == "test":
        facts.append(compared_part(len(baseline.passed)))
    if any(report and report.timed_out for report in (baseline, suite)) and not trial.by_code and trial.related:
        facts.append(related_run(trial.related))
    return facts


def _about(trees: Trees, base: str, tree: str, parts: PatchParts) -> tuple[Fact, ...]:
    facts = []
    if not parts.source:
        has_others = parts.tests or parts.kept_out or parts.extended
        facts.append(Fact("limit", "The patch changes no source file.") if has_others else UNCHANGED)
    usable = {*parts.extended, *parts.support}
    if edited := [path for path in parts.kept_out if path in usable]:
        facts.append(edited_tests_in(edited))
    left_out = [path for path in parts.kept_out if path not in usable]
    left_out += [path for path, one in parts.inline.items() if not one.counts]
    if left_out:
        has_tests = any(path in parts.inline or (is_test(path) and not is_test_config(path)) for path in left_out)
        facts.append(left_out_changes(left_out, has_tests))
    by_name = [path for path in (*parts.tests, *parts.kept_out) if _is_test_by_name_only(trees, (base, tree), path)]
    if by_name:
        what = "looks like a test by its name, but contains none: it is not counted as source."
        facts.append(Fact("limit", f"{format_names(by_name)} {what}"))
    return tuple(facts)


def _is_test_by_name_only(trees: Trees, versions: Sequence[str], path: str) -> bool:
    """Whether a Python module has a test's name, but is outside the test folders and contains no test."""
    folder, _, name = path.rpartition("/")
    if not name.startswith("test_") or not name.endswith(".py") or is_test(f"{folder}/x.py"):
        return False
    texts = []
    for tree in versions:
        with suppress(OSError, UsageError):
            texts.append(trees.read(tree, path))
    return bool(texts) and not any(map(MAY_CONTAIN_TESTS.search, texts))


MAX_OUTSIDE_DOUBTS, MAX_DOUBT_CHARACTERS = 10, 400


def find_outside_doubts(trees: Trees, base: str, tree: str, issue: Issue) -> Iterator[Fact]:
    """Yield what each check of another distribution says against the patch from the tree `base` to `tree`.

    Such checks are modules in the group of entry points `swe_agent.aci.proof.checks`. They add no evidence, and the
    verdict names them. A check that fails is a doubt too, since it may have been about to find one.
    """
    for name, module in names("aci.proof.checks").items():
        try:
            doubts = [str(text) for text in import_module(module).find_doubts(trees, base, tree, issue)]
        except Exception as error:  # noqa: BLE001 - of another distribution
            doubts = [f"the check failed ({type(error).__name__})."]
        for text in doubts[:MAX_OUTSIDE_DOUBTS]:
            yield Fact("doubt", f"{name}: {one_line(text)[:MAX_DOUBT_CHARACTERS]}", {"check": name})
