"""Tests written by a model for code that the search did not cover: it is asked for tests, they are run, and failures
are reported to it, until a round adds no test.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import quote_fully
from extensions.testgen.case_generation import GeneratedCases, outcome_as_json, outcome_from_json
from extensions.testgen.case_rendering import HELPERS
from extensions.testgen.coverage_loop import LIMIT_OF_WRITTEN, FileCoverage
from extensions.testgen.coverage_prompts import callees, read_tests, slice_of_function
from extensions.testgen.module_exerciser import Case, CaseOutcome, ModuleExerciser
from extensions.testgen.usage_mining import Subject

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

REPAIRS = 2
MOST_TRIED = 40
"""Maximum number of mutants that are tried to check that a test asserts something about the code."""
MOST_MUTANTS, MOST_EXAMPLES, MOST_WRONG, LONGEST_SOURCE = 15, 3, 8, 12_000
RAISES = {"pytest": "with pytest.raises(Error):", "unittest": "with self.assertRaises(Error):"}


@dataclass
class CoverageState:
    """The coverage of a file so far: the arcs that were run, the numbers of the detected mutants, and the accepted
    cases."""

    cover: FileCoverage
    found: GeneratedCases
    arcs: set[tuple[int, int]]
    killed: set[int]
    cases: list[CaseOutcome] = field(default_factory=list)
    given_up: set[str] = field(default_factory=set)
    """Functions that the model was already asked about."""

    def left(self) -> tuple[Subject, set[int], list[int]] | None:
        """Return the function with the least coverage, its lines that no test runs, and its undetected mutants."""
        run = {after for _, after in self.arcs}
        alive = self.found.usable - self.killed
        options = []
        for one in self.cover.subjects:
            mutants = [number for number in sorted(alive) if one.first <= self.cover.mutants[number].line <= one.last]
            lines = set(one.lines - run)
            options.append((one, lines, mutants))
        options = [one for one in options if (one[1] or one[2]) and one[0].name not in self.given_up]
        return max(options, key=lambda one: 3 * len(one[1]) + len(one[2]), default=None)


def ask_for_tests(task: Task, more: CoverageState) -> Generator[Step, None, None]:
    """Ask the model for tests, one function per round, until a round adds nothing or no function is left."""
    for number in range(task.turn.settings.rounds):
        left = more.left()
        if left is None:
            return
        subject, lines, mutants = left
        before = len(more.arcs), len(more.killed)
        yield task.say(_opening(task, more, subject, lines, mutants))
        for turn in range(1 + REPAIRS):
            reply = task.ask(tools=False)
            yield task.step(reply, ())
            name = f"tried {more.cover.path} {number} {turn}"
            text = reply.text
            result = task.once(name, lambda text=text, subject=subject: _try_tests(more, subject, text))  # type: ignore[misc]
            kept = [outcome_from_json(one) for one in result["kept"]]
            more.cases += kept
            more.arcs |= {arc for one in kept for arc in one.arcs}
            more.killed |= set(result["killed"])
            if not result["wrong"] or turn == REPAIRS:
                break
            summary = f"{len(kept)} of your tests were accepted." if kept else "None of your tests was accepted."
            wrong = quote_fully("\n".join(result["wrong"][:MOST_WRONG]))
            yield task.say(task.prompt("again", kept=summary, wrong=wrong))
        if (len(more.arcs), len(more.killed)) == before:
            return
        more.given_up.add(subject.name)


def _opening(task: Task, more: CoverageState, subject: Subject, lines: set[int], mutants: list[int]) -> str:
    cover = more.cover
    about = [one for one in more.found.cases if one.case.about == subject.name] or list(more.found.cases)
    style = cover.style()
    text = cover.text(about[:MOST_EXAMPLES], more.found.module) if about else ""
    heads = callees(cover.data, subject)
    faults = [f"- line {cover.mutants[number].line}: {cover.mutants[number].what}" for number in mutants[:MOST_MUTANTS]]
    return task.prompt(
        "start",
        function=subject.name,
        path=cover.path,
        raises=RAISES[style],
        source=quote_fully(slice_of_function(cover.data, subject, lines)[:LONGEST_SOURCE]),
        callees=quote_fully("\n".join(["It calls:", *heads])) if heads else "",
        mutants=quote_fully("\n".join(["Faults that no test detects:", *faults])) if faults else "",
        examples=quote_fully(f"Some of the existing tests:\n{text}") if text else "",
    )


def _try_tests(more: CoverageState, subject: Subject, reply: str) -> dict[str, Any]:
    """Run the tests of a reply; return the `kept` tests, the mutants that they detect, and what is `wrong` with the
    other tests."""
    cover = more.cover
    found, wrong = read_tests(reply, subject.name, _names(cover.data), {more.found.module.split(".")[0]})
    if not found and not wrong:
        wrong = ["There is no test function in your reply."]
    kept: list[CaseOutcome] = []
    killed: set[int] = set()
    with (
        closing(cover.task.branch.place.fork(cover.task.tree)) as room,
        closing(ModuleExerciser(room, cover.path, cover.mutants, cover.task.branch.cancel)) as exercise,
        closing(ModuleExerciser(room, cover.path, (), cover.task.branch.cancel, hash_seed=1)) as witness,
    ):
        arcs = set(more.arcs)
        for name, case in found:
            seen, why = _run_test(exercise, witness, case)
            if why:
                wrong.append(f"{name}: {why}")
                continue
            alive = sorted(number for number in more.found.usable - more.killed - killed)
            reached = [number for number in alive if cover.mutants[number].reach & seen.lines]
            (noticed,) = exercise.check([(seen, reached)], LIMIT_OF_WRITTEN)
            new = {arc for arc in seen.arcs if cover.is_own(arc)} - arcs
            if not new and not noticed.killed:
                wrong.append(f"{name}: it passes, but runs no new line and detects no new fault.")
                continue
            if not noticed.killed and not _notices(exercise, more, seen, reached):
                wrong.append(
                    f"{name}: it passes, but it also passes with each fault that was put into the code it runs."
                )
                continue
            kept.append(seen)
            arcs |= new
            killed |= noticed.killed
    return {"kept": [outcome_as_json(one) for one in kept], "killed": sorted(killed), "wrong": wrong}


def _notices(exercise: ModuleExerciser, more: CoverageState, seen: CaseOutcome, tried: list[int]) -> bool:
    """Return whether a test detects a mutant that other tests detect already; otherwise it asserts nothing about the
    code."""
    rest = sorted(more.found.usable - set(tried))
    reached = [number for number in rest if more.cover.mutants[number].reach & seen.lines]
    (noticed,) = exercise.check([(seen, reached[:MOST_TRIED])], LIMIT_OF_WRITTEN)
    return bool(noticed.killed)


def _run_test(exercise: ModuleExerciser, witness: ModuleExerciser, case: Case) -> tuple[CaseOutcome, str]:
    """Run a test; return its result and the reason why it cannot be accepted, or "" if it can."""
    (seen,) = exercise.observe([case], LIMIT_OF_WRITTEN)
    if seen.kind == "raised":
        return seen, f"it fails: {seen.error}: {seen.text}" if seen.text else f"it fails: {seen.error}"
    if seen.kind != "returned":
        words = {"late": "it does not end in time", "harm": f"it was stopped before {seen.harm}"}
        return seen, f"{words.get(seen.kind, 'it ends the process')}."
    for one in (exercise, witness):
        (noticed,) = one.check([(seen, ())], LIMIT_OF_WRITTEN)
        if not noticed.steady:
            return seen, "it does not pass every time."
    return seen, ""


def _names(data: bytes) -> set[str]:
    """Return the names that tests can use: builtins, and all names that the module's code binds."""
    found = {*dir(builtins), *HELPERS}
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found
