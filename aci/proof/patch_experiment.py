"""Experiment with a patch: do its tests run what it changes, and does it do more than they ask?"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from threading import Event

from aci.proof.change_contact import changed_code, find_missing_contact
from aci.proof.changed_functions import ChangedFile, functions_of
from aci.proof.evidence import function_name
from aci.proof.generality import Comparison, Generality, compare_versions
from aci.proof.issue_relevance import find_irrelevance
from aci.proof.overfitting import find_overfitting
from aci.proof.proof_run import ProofRun
from aci.proof.varied_tests import compare_copies, judge_comparison, lacks_variants
from aci.repair.candidate_evaluator import Evaluator
from aci.repository.python_source import parse
from aci.runtime.workspace import Workspace
from trajectories.errors import UsageError

NOT_PYTHON = "Only calls of Python functions can be varied."
NOT_RUN = "The tests cannot be run in one process."


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a patch is general, why, and a reason not to verify it, or ""."""

    generality: Generality
    reason: str
    doubt: str = ""


def try_patch(trial: ProofRun, after: Workspace, tests: tuple[str, ...]) -> Finding:
    """Run the reproducing `tests` in one process with the patch, vary their calls, and judge the answers."""
    files = _python_files(trial)
    changed = changed_code(files, len(files) < len(trial.parts.source))
    if changed.is_empty:
        return Finding("undecided", find_missing_contact(changed, None), find_missing_contact(changed, None))
    if not all(_test_source(trial, test) for test in tests):
        return Finding("undecided", NOT_PYTHON)
    comparison = _compare(trial, after, [file for file in files if file.after], tests)
    if comparison is None:
        return _with_literals(trial, files, tests, Finding("undecided", NOT_RUN))
    if missing := find_missing_contact(changed, comparison.contact):
        return Finding("undecided", missing, missing)
    if comparison.contact and (irrelevance := find_irrelevance(trial, changed, comparison.contact)):
        return Finding("undecided", irrelevance, irrelevance)
    generality, reason = judge_comparison(comparison, trial.issue.text)
    if generality == "examples only":
        return Finding(generality, reason, f"The patch fits the tests' own values only. {reason}")
    found = Finding(generality, reason)
    return found if generality == "shown" else _with_literals(trial, files, tests, found)


def _python_files(trial: ProofRun) -> list[ChangedFile]:
    return [
        ChangedFile(path, trial.text(trial.base, path), trial.text(trial.proved, path))
        for path in trial.parts.source
        if path.endswith(".py")
    ]


def _compare(trial: ProofRun, after: Workspace, files: list[ChangedFile], tests: tuple[str, ...]) -> Comparison | None:
    """Return the comparison; None if the tests cannot be run in one process."""
    trial.say("Varying the calls of the tests that reproduce the issue")
    after.restore(trial.proved)
    command = trial.node_command or trial.command
    try:
        with Evaluator(after, command, tests, Event(), trial.proved) as evaluator:
            comparison = compare_versions(evaluator, files, tests)
            copies = compare_copies(evaluator, files, tests) if lacks_variants(comparison.calls) else ()
            return replace(comparison, copies=copies)
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
            where = f"{file.path}:{line} handles only the values of the test."
            return replace(found, doubt=f"{where} Solve the general case, and test other values.")
        if line:
            trial.note(f"{file.path}:{line} handles exactly the values of the test: review it before you trust it.")
    return found


def _test_source(trial: ProofRun, id: str) -> str:
    """Return the text of a test function of pytest or unittest; "" if it is not found."""
    name = id.partition("::")[0]
    parts = name.split(".")
    paths = [name, *("/".join(parts[:count]) + ".py" for count in range(len(parts) - 1, 0, -1))]
    tree = next((parse(text) for path in paths if (text := trial.text(trial.proved, path))), None)
    wanted = function_name(id)
    functions = functions_of(tree).items() if tree else ()
    return next((ast.unparse(node) for name, node in functions if name.rpartition(".")[2] == wanted), "")
