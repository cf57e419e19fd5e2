"""Write tests for functions: the tests cover code that no test covers, detect mutants that no test detects, and pass
every time.

Without a model it runs a search based on DynaMOSA with inputs from the repository's examples and its own generator; a
model is asked for the rest, based on ChatUniTest (FSE 2024) and HITS (ASE 2024).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from agent.engine.permission_checks import REFUSED, may_test
from agent.run_state.attempt_outcome import Outcome
from extensions.testgen.changed_functions import parse_targets
from extensions.testgen.coverage_loop import FileCoverage, passes_with_new_tests, test_command
from extensions.testgen.model_cases import CoverageState, ask_for_tests
from trajectories.errors import UsageError
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from agent.engine.task import Task
    from extensions.testgen.case_generation import GeneratedCases
    from extensions.testgen.module_exerciser import CaseOutcome
    from trajectories.records import Step

ROLES = ()
AUTHOR = "write-tests"
MOST_DROPPED = 5


def solve(task: Task) -> Generator[Step, None, Outcome]:
    """For each file, measure its existing tests, search for new ones and write them; at the end, run all other tests
    together with the new ones."""
    words: list[str] = []
    if not may_test(task.branch):
        yield task.say(REFUSED, author=AUTHOR)
        return Outcome(task.turn.base.tree, Verdict(), "not_found")
    targets = parse_targets(task.turn.settings.function)
    for path, names in targets.items():
        try:
            yield from _cover(task, FileCoverage(task, path, names, len(targets)), words)
        except UsageError as error:
            words.append(f"{path}: {error.message} {error.fix}".strip())
        except OSError:
            words.append(f"{path}: there is no such file.")
    if task.tree == task.turn.base.tree:
        yield task.say("\n".join(["No test was written.", *words]), author=AUTHOR)
        return Outcome(task.turn.base.tree, Verdict(), "not_found")
    task.note("phase", "run the other tests with them")
    verdict = passes_with_new_tests(task, test_command(task))
    words += verdict.notes
    if verdict.lost:
        words.insert(
            0, f"No test was kept, because other tests fail with them: {', '.join(verdict.lost[:MOST_DROPPED])}."
        )
        yield task.adopt(task.turn.base.tree, words[0], author=AUTHOR)
        yield task.say("\n".join(words), author=AUTHOR)
        return Outcome(task.turn.base.tree, verdict, "not_found")
    yield task.say("\n".join(words), author=AUTHOR)
    return Outcome(task.tree, verdict, "written")


def _cover(task: Task, cover: FileCoverage, words: list[str]) -> Generator[Step, None, None]:
    """Write the tests of one file, and add a report to `words`.

    Tests that the search found are adopted before a model is asked, so that they are kept if the run is stopped.
    """
    if not cover.subjects:
        words.append(f"{cover.path} has no function to test.")
        return
    task.note("phase", f"measure the tests of {cover.path}")
    before = cover.existing_coverage()
    task.note("phase", f"search for tests of {cover.path}")
    found = cover.found()
    cases, dropped = cover.holding(found.cases, found.module)
    if cases:
        tree = task.trees.write({cover.place(): cover.text(cases, found.module).encode()}, task.tree)
        yield task.adopt(tree, f"{cover.place()}: {len(cases)} tests found by the search.", author=AUTHOR)
    killed = found.killed if len(cases) == len(found.cases) else cover.noticed(cases, found.usable)
    more = CoverageState(cover, found, set(before.arcs | cover.arcs(cases)), set(before.killed | killed))
    if task.turn.settings.model:
        task.note("phase", f"ask for tests of {cover.path}")
        yield from ask_for_tests(task, more)
        cases, others = _merge_cases(cover, cases, more.cases, found.module)
        dropped += others
        by_model = sum(not one.case.call for one in cases)
        if by_model:
            tree = task.trees.write({cover.place(): cover.text(cases, found.module).encode()}, task.tree)
            yield task.adopt(tree, f"{cover.place()}: {by_model} more written by the model.", author=AUTHOR)
        if by_model == len(more.cases):
            killed = frozenset(more.killed)
        elif by_model:
            killed = cover.noticed(cases, found.usable)
    killed |= before.killed
    start = cover.reach(before.arcs, before.killed, found.usable)
    after = cover.reach(before.arcs | cover.arcs(cases), killed, found.usable)
    if cases:
        written = sum(not one.case.call for one in cases)
        from_model = f", {written} tests by the model" if written else ""
        lines = [
            f"{cover.place()}: {len(cases)} tests of {cover.what}, from {found.tried} calls tried{from_model}; "
            f"{found.why}.",
            f"Before: {start}." + (f" {before.said}" if before.said else ""),
            f"After:  {after}.",
        ]
    else:
        why = "every test that was found gives different results from run to run" if found.unsteady else found.why
        why = "none of the tests that were found passes in the repository's runner" if dropped else why
        lines = [f"{cover.what}: no further test would improve on the present tests ({start}): {why}."]
    task.note("summary", lines[0], before=str(start), after=str(after))
    if cases and (needs := cover.needs(found.module)):
        lines.append(needs)
    words += [*lines, *_findings_text(found, dropped)]
    if cases and (left := cover.survivors(killed, found.usable)):
        words += ["Mutants that no test detects:", *(f"- {one}" for one in left)]


def _merge_cases(
    cover: FileCoverage, cases: list[CaseOutcome], written: list[CaseOutcome], module: str
) -> tuple[list[CaseOutcome], list[str]]:
    """Return the search's cases together with the model's tests that pass both alone and with these cases, and the
    dropped tests.

    The model's tests run alone first, so that a test that ends the runner does not affect others.
    """
    good, dropped = cover.holding(written, module, 1) if written else ([], [])
    if not good:
        return cases, dropped
    both, others = cover.holding([*cases, *good], module)
    return (both if all(one in both for one in cases) else cases), dropped + others


def _findings_text(found: GeneratedCases, dropped: list[str]) -> list[str]:
    """Return lines about suspicious behaviour, dropped tests, and calls that were not tested."""
    lines = []
    if found.trouble:
        lines += ["Suspicious behaviour, not turned into tests:", *(f"- {one}" for one in found.trouble)]
    if dropped:
        lines.append(f"Dropped, because they do not pass every time: {'; '.join(dropped[:MOST_DROPPED])}.")
    if found.harms:
        named = ", ".join(f"{name} ({count} times)" for name, count in sorted(found.harms.items()))
        lines.append(f"Stopped before they did harm, and not tested: {named}.")
    return lines
