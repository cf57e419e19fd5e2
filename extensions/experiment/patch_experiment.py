"""Experiment with a patch: whether its tests run what it changes, and whether it does more than they ask."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event

from aci.graph.file_selection import language_of
from aci.observation.activity_message import ActivityMessage
from aci.proof.evidence import added_lines, find_test_file, function_name, imported_names
from aci.proof.existing_tests import find_test
from aci.proof.experiments import Finding, refuted
from aci.proof.fact_words import fitted_to_tests
from aci.proof.proof_run import ProofRun, format_names
from aci.repository.python_source import parse
from aci.runtime.workspace import Workspace
from aci.testing.browser_tests import opens_pages
from aci.testing.command_files import entered_folders
from aci.testing.suite_command import MANIFESTS
from aci.testing.suite_run import SuiteReport
from extensions.experiment.change_contact import NOTHING, Contact, changed_code, find_missing_contact
from extensions.experiment.changed_functions import ChangedFile, functions_of
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.evaluator.evaluator_process import NotCollected
from extensions.experiment.generality import NAMED, Comparison, compare_versions
from extensions.experiment.issue_relevance import (
    find_irrelevance,
    find_missing_change,
    find_missing_names,
    is_document,
)
from extensions.experiment.listed_values import ALL, listed_values
from extensions.experiment.overfitting import find_overfitting
from extensions.experiment.runner_independence import check_runner_independence
from extensions.experiment.runner_recognition import find_runner_recognition
from extensions.experiment.special_cases import find_special_case
from extensions.experiment.startup_code import find_startup_code
from extensions.experiment.stopped_code import stop_changed_functions
from extensions.experiment.varied_tests import compare_copies, judge_comparison, lacks_variants
from trajectories.errors import UsageError
from trajectories.facts import Fact

__all__ = ["check_runner_independence", "find_source_doubts", "try_patch"]
"""What a proof asks for (`aci/proof/experiments.py`)."""

MANIFEST_NAMES = frozenset({*MANIFESTS, "go.sum", "go.work", "Cargo.lock", "package-lock.json", "tsconfig.json"})
MANIFESTS_ONLY = "The patch changes only manifests, which decide how tests are built and run, and no code."
NOT_VARIED = "Calls of {} functions cannot be varied, so only blind tests can show that the fix is general."
LANGUAGES = {
    "cpp": "C++",
    "javascript": "JavaScript",
    "php": "PHP",
    "tsx": "TypeScript",
    "typescript": "TypeScript",
    "": "these",
}
"""Names that are not the capitalized names of the languages' modules."""
NOT_RUN = Fact("limit", "The tests cannot be run in one process.")
NOT_READ = Fact("limit", "A changed file cannot be analysed.")
MEANT_TO_BE_REPLACED = {"excepthook", "displayhook", "unraisablehook", "breakpointhook", "showwarning", "formatwarning"}
UNREADABLE = "\ufffd"
QUICK, MOST_QUICK, MOST_FILES = 0.1, 20, 3
"""Maximum seconds and number of the suite's tests that are repeated, and the number of their files."""


def find_source_doubts(trial: ProofRun) -> Iterator[str]:
    """Yield reasons not to trust any result of a patch, since its files recognise or change the test runner."""
    yield from find_startup_code(trial.trees, trial.base, trial.proved, trial.parts, entered_folders(trial.command))
    yield from find_runner_recognition(trial.trees, trial.base, trial.proved, trial.parts.source)


def try_patch(trial: ProofRun, after: Workspace, tests: tuple[str, ...], suite: SuiteReport | None = None) -> Finding:
    """Run the reproducing `tests` in one process with the patch, vary their calls, and judge the answers; also repeat
    some quick tests of the `suite`."""
    try:
        return _try_patch(trial, after, tests, tuple(_quick_tests(trial, suite, tests)) if suite else ())
    except (RecursionError, ValueError):  # the syntax tree of a file is too deep, or has an int of thousands of digits
        return Finding("undecided", NOT_READ)


def _quick_tests(trial: ProofRun, suite: SuiteReport, tests: Sequence[str]) -> Iterator[str]:
    """Yield the quickest tests of the base that pass with the patch, from a few files; those related to it first."""
    related = set(trial.related or ())
    results = [result for result in suite.results if result.ok and result.path.endswith(".py")]
    results = [result for result in results if result.seconds < QUICK and result.id not in tests]
    results.sort(key=lambda result: (result.path not in related, result.seconds))
    paths = list(dict.fromkeys(result.path for result in results))[:MOST_FILES]
    yield from [result.id for result in results if result.path in paths][:MOST_QUICK]


def _try_patch(trial: ProofRun, after: Workspace, tests: tuple[str, ...], others: tuple[str, ...]) -> Finding:
    if unchanged := find_missing_change(trial):
        return refuted(unchanged)
    files = _python_files(trial)
    has_others = any(not path.endswith(".py") and not is_document(path) for path in trial.parts.source)
    changed = changed_code(files, has_others)
    if changed.is_empty:
        return refuted(NOTHING)
    paths = [find_test_file(test, trial.trees.files(trial.proved)) for test in tests]
    if not all(path.endswith(".py") for path in paths):
        return _stop_code(trial, after, tests, next(path for path in paths if not path.endswith(".py")))
    if any(UNREADABLE in file.before + file.after for file in files):
        return Finding("undecided", NOT_READ)
    written = [file for file in files if file.after]
    comparison = None
    with suppress(NotCollected):
        comparison = _compare(trial, after, written, tests, others) or (
            _compare(trial, after, written, tests, ()) if others else None
        )
    if comparison is None:
        return _with_literals(trial, files, tests, Finding("undecided", NOT_RUN))
    if comparison.contact and (manipulation := _find_manipulation(trial, comparison.contact)):
        return refuted(manipulation)
    texts = [trial.text(trial.proved, path) for path in paths]
    contact = comparison.contact
    if contact and contact.unseen and any(map(opens_pages, texts)):  # the project's server runs what they show
        contact = replace(contact, elsewhere=True)
    imported = {name for text in texts for name in imported_names(text)}
    if missing := find_missing_contact(changed, contact, imported):
        return refuted(missing)
    has_same_answers = comparison.recorded and not comparison.calls and not comparison.copies
    if has_same_answers and (missing := find_missing_names(trial, trial.missing_names)):
        return refuted(missing)
    if contact and (irrelevance := find_irrelevance(trial, changed, contact)):
        return refuted(irrelevance)
    changes_data = any(trial.trees.entry(trial.base, path) for path in trial.parts.source if not path.endswith(".py"))
    listed = ALL if changes_data else listed_values(file.before for file in files)
    added = "\n".join(added_lines(trial.parts.diff))
    generality, reason = judge_comparison(comparison, trial.issue.text, listed, added)
    if generality == "examples only":
        return Finding(generality, reason, fitted_to_tests(reason))
    found = Finding(generality, reason)
    return found if generality == "shown" or reason == NAMED else _with_literals(trial, files, tests, found)


def _stop_code(trial: ProofRun, after: Workspace, tests: tuple[str, ...], path: str) -> Finding:
    """Return the finding for tests in another language than Python, whose calls cannot be varied. `path` is the file
    of one of them."""
    if all(source.rpartition("/")[2] in MANIFEST_NAMES for source in trial.parts.source):
        return refuted(MANIFESTS_ONLY)
    noticed = stop_changed_functions(trial, after, tests)
    if noticed is False:
        return refuted("The tests pass even if the functions that the patch changes end the process.")
    if noticed is None and trial.unbuilt.issuperset(tests):
        return refuted("The tests do not build without the patch, and nothing shows that they need what it does.")
    language = language_of(path)
    name = LANGUAGES.get(language, language.capitalize())
    found = Finding("undecided", Fact("limit", NOT_VARIED.format(name)))
    return replace(found, doubt=_handles_only(*place)) if (place := _special_case(trial, tests)) else found


def _special_case(trial: ProofRun, tests: Sequence[str]) -> tuple[str, int] | None:
    """Return the file and line of a condition that handles only values of the tests; None if there is none."""
    files = trial.trees.files(trial.proved)
    codes = [find_test(trial.trees, trial.proved, files, test) for test in tests]
    nodes = [found[1].nodes for found in codes if found]
    for path in trial.parts.source if len(nodes) == len(tests) else ():
        before, after = (trial.text(tree, path).encode() for tree in (trial.base, trial.proved))
        is_read = before and after and (language := language_of(path)) not in ("", "python")
        if is_read and (line := find_special_case(language, before, after, nodes, trial.issue.text)):
            return path, line
    return None


def _handles_only(path: str, line: int) -> Fact:
    where = f"{path}:{line} handles only the values of the test."
    return Fact("doubt", f"{where} Solve the general case, and test other values.", {"path": path, "line": line})


def _find_manipulation(trial: ProofRun, contact: Contact) -> str:
    """Return what the patch does to the tests other than to solve the issue, as a sentence, or ""."""
    if contact.reads:
        return "The patch reads the source of the tests."
    if contact.inspects:
        return "The tests read the source code instead of running it."
    if contact.flaky:
        return f"With the patch, these fail sometimes when they run often: {format_names(sorted(contact.flaky))}."
    if contact.blind:
        return f"With the patch, these pass with other expected values, too: {format_names(sorted(contact.blind))}."
    added = "\n".join(added_lines(trial.parts.diff))
    assigned = set(re.findall(r"\.(\w+)\s*=(?!=)|[\"'](\w+)[\"']", added))
    names = {name for pair in assigned for name in pair if name} - MEANT_TO_BE_REPLACED
    own = sorted(name for name in contact.replaced if name.rpartition(".")[2] in names)
    return f"The patch replaces parts of Python's library: {format_names(own)}." if own else ""


def _python_files(trial: ProofRun) -> list[ChangedFile]:
    return [
        ChangedFile(path, *(trial.text(tree, path).removeprefix("\ufeff") for tree in (trial.base, trial.proved)))
        for path in trial.parts.source
        if path.endswith(".py")
    ]


def _compare(
    trial: ProofRun, after: Workspace, files: list[ChangedFile], tests: tuple[str, ...], others: tuple[str, ...]
) -> Comparison | None:
    """Return the comparison; None if the tests cannot be run in one process. Raises NotCollected."""
    trial.say(ActivityMessage("Varying the calls of the tests that reproduce the issue"))
    after.restore(trial.proved)
    command = trial.node_command or trial.command
    try:
        with Evaluator(after, command, (*tests, *others), Event(), trial.proved) as evaluator:
            comparison = compare_versions(evaluator, files, tests, others)
            if lacks_variants(comparison.calls):
                with suppress(UsageError):  # the process may have ended, and may not start again
                    comparison = replace(comparison, copies=compare_copies(evaluator, files, tests))
            return comparison
    except NotCollected:
        raise
    except UsageError:
        return None


def _with_literals(trial: ProofRun, files: list[ChangedFile], tests: tuple[str, ...], found: Finding) -> Finding:
    """Return the finding, with a doubt if the patch certainly handles only literals of the tests."""
    sources = [source for test in tests if (source := _test_source(trial, test))]
    for file in files if sources else ():
        if not file.before or not file.after:
            continue
        line, sure = find_overfitting(file.before, file.after, sources, trial.issue.text)
        if sure:
            return replace(found, doubt=_handles_only(file.path, line))
        if line:
            where = f"{file.path}:{line} handles exactly the values of the test"
            advice = f"{where}: review it before you trust it."
            trial.add(Fact("limit", advice, {"path": file.path, "line": line}))
    return found


def _test_source(trial: ProofRun, id: str) -> str:
    """Return the text of a test function of pytest or unittest; "" if it is not found."""
    path, wanted = find_test_file(id, trial.trees.files(trial.proved)), function_name(id)
    tree = parse(trial.text(trial.proved, path)) if path else None
    functions = functions_of(tree).items() if tree else ()
    return next((ast.unparse(node) for name, node in functions if name.rpartition(".")[2] == wanted), "")
