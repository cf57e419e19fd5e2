"""Generation of useful, stable and small test cases for the functions of a file."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Event
from typing import Any

from aci.runtime.workspace import Workspace
from extensions.testgen.argument_generation import TEXTS
from extensions.testgen.call_builder import CallBuilder
from extensions.testgen.case_rendering import HELPERS
from extensions.testgen.case_search import CaseSearch, KeptCase, choose_cases, deadline
from extensions.testgen.case_shrinking import CaseShrinker, ShrinkingGoal
from extensions.testgen.existing_coverage import ExistingCoverage
from extensions.testgen.module_exerciser import Case, CaseOutcome, ExampleRecord, ModuleExerciser
from extensions.testgen.mutants import Mutant
from extensions.testgen.usage_examples import texts_in, usage_examples, with_other_texts, written_arguments
from extensions.testgen.usage_mining import (
    Subject,
    code_constants,
    free_names,
)

SEED = 1
EXPLORED, SEARCHED, SHRUNK, CONFIRMING = 0.1, 0.55, 0.28, 0.05
"""Fractions of the time budget for reading and running examples, for searching, for shrinking cases and for repeating
calls that hang."""
SHARE_FOR_READING = 0.03
"""Maximum fraction of the time budget for reading examples, and also for reading the arguments of calls."""
EXAMPLES_AT_ONCE, AT_ONCE = 24, 6
"""Number of examples that are run at a time, and of cases that are run on all mutants at a time."""
CONFIRMED = 2.0
"""Number of CPU seconds for repeating a timed-out call before it is reported as hanging."""
MOST_TROUBLE = 12


@dataclass(frozen=True, slots=True)
class GeneratedCases:
    """The generated `cases`, with the mutants (by number) that they kill and the arcs (pairs of lines) that they
    execute.

    `usable` are the mutants that could be tried. `trouble` contains messages about calls that fail unintentionally.
    `harms` counts the harmful actions that were prevented, by kind.
    """

    module: str
    cases: tuple[CaseOutcome, ...]
    arcs: frozenset[tuple[int, int]]
    killed: frozenset[int]
    usable: frozenset[int]
    tried: int = 0
    why: str = ""
    trouble: tuple[str, ...] = ()
    harms: Mapping[str, int] = field(default_factory=dict)
    unsteady: int = 0

    def as_json(self) -> dict[str, Any]:
        value = asdict(self)
        value["cases"] = [outcome_as_json(one) for one in self.cases]
        return value | {name: sorted(value[name]) for name in ("arcs", "killed", "usable")}


def cases_from_json(value: Mapping[str, Any]) -> GeneratedCases:
    """Restore the cases from the form that `as_json` returns."""
    sets = {name: frozenset(value[name]) for name in ("killed", "usable")}
    arcs = frozenset((before, after) for before, after in value["arcs"])
    cases = tuple(outcome_from_json(one) for one in value["cases"])
    return GeneratedCases(**{**value, **sets, "arcs": arcs, "cases": cases, "trouble": tuple(value["trouble"])})


def outcome_as_json(seen: CaseOutcome) -> dict[str, Any]:
    """Return a case in the form that `outcome_from_json` reads."""
    value = asdict(seen)
    return value | {"arcs": sorted(seen.arcs)}


def outcome_from_json(value: Mapping[str, Any]) -> CaseOutcome:
    """Read a case from its form in a run's record."""
    case = value["case"]
    made = Case(tuple(case["lines"]), case["call"], tuple(case["watch"]), case["about"])
    arcs = frozenset((before, after) for before, after in value["arcs"])
    asserts = tuple((kind, expression, text) for kind, expression, text in value["asserts"])
    return CaseOutcome(**{**value, "case": made, "arcs": arcs, "asserts": asserts})


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A request for tests: the file's bytes, its functions and mutants, the existing coverage, the files with
    examples of its use, and the names that the user asks for.

    `most` is that of `CaseSearch`.
    """

    path: str
    data: bytes
    subjects: Sequence[Subject]
    mutants: Sequence[Mutant]
    standing: ExistingCoverage
    examples: Mapping[str, bytes]
    wanted: Sequence[str] = ()
    most: int = 0


def generate_cases(
    room: Workspace,
    asked: GenerationRequest,
    cancel: Event,
    seconds: float,
    tell: Callable[[str], None] = lambda text: None,
) -> GeneratedCases:
    """Search for cases, keep a few, shrink them, and drop those that fail under another hash seed.

    Raises UsageError if the module cannot be imported, and Cancelled if `cancel` is set.
    """
    with (
        closing(ModuleExerciser(room, asked.path, asked.mutants, cancel)) as exercise,
        closing(ModuleExerciser(room, asked.path, (), cancel, hash_seed=1)) as witness,
    ):
        search = _search(exercise, asked, seconds, cancel)
        stop = partial(_report_progress, search, tell)
        why = search.run(deadline(seconds * SEARCHED, stop))
        kept = _keep_steady(witness, search.kept)
        small = _shrink_cases(exercise, search, kept, deadline(seconds * SHRUNK, stop))
        final = _keep_steady(witness, small)
        cases = [one.seen for one in final]
        arcs = frozenset(arc for one in cases for arc in one.arcs if search.is_own(arc))
        killed = frozenset(number for one in final for number in one.killed)
        return GeneratedCases(
            str(exercise.offers.get("module")),
            tuple(cases),
            arcs,
            killed,
            exercise.usable(),
            search.cases,
            why,
            tuple(_trouble(exercise, search, deadline(seconds * CONFIRMING, stop))),
            dict(search.harms),
            len(search.kept) - len(kept) + search.dropped["unsteady"],
        )


def _report_progress(search: CaseSearch, tell: Callable[[str], None]) -> None:
    tell(f"{search.cases} calls tried, {len(search.kept)} useful, {len(search.alive)} mutants left")


def explore_examples(
    exercise: ModuleExerciser, examples: Sequence[Case], over: Callable[[], bool]
) -> list[ExampleRecord]:
    """Run as many of the examples as there is time for."""
    records: list[ExampleRecord] = []
    for start in range(0, len(examples), EXAMPLES_AT_ONCE):
        if over():
            break
        records += exercise.explore(examples[start : start + EXAMPLES_AT_ONCE])
    return records


def _search(exercise: ModuleExerciser, asked: GenerationRequest, seconds: float, cancel: Event) -> CaseSearch:
    maker = CallBuilder(exercise.offers, code_constants(asked.data), SEED, asked.wanted)
    package = str(exercise.offers.get("module")).partition(".")[0]
    shared = [name for name in exercise.offers["shared"] if not name.startswith("_")]
    known = {*dir(builtins), *HELPERS, *maker.functions, *maker.classes, *shared, package}
    no_builtins = known.difference(dir(builtins))
    over = deadline(seconds * EXPLORED, cancel.is_set)
    reading = deadline(seconds * SHARE_FOR_READING, cancel.is_set)
    examples = usage_examples(asked.examples, exercise.offers, known, reading)
    reading = deadline(seconds * SHARE_FOR_READING, cancel.is_set)
    arguments = written_arguments(asked.examples, exercise.offers, no_builtins, reading)
    records = explore_examples(exercise, examples, over)
    records += explore_examples(exercise, with_other_texts(examples, records), over)
    maker.learn_examples(records)
    maker.evidence.record_written(arguments)
    names = {one.name for one in asked.subjects}
    owners = {name.split(".")[0] for name in names}
    seeds = [one.case for one in records if one.case.about and maker.may_call(one.case.about)]
    about = [one for one in seeds if one.about in names or one.about in owners]
    alive = set(exercise.usable()) - asked.standing.killed
    lines = [one.reach for one in asked.mutants]
    goals = set(asked.standing.arcs), alive
    written = {text for one in records for text in (*one.case.lines, one.case.call, *(call[2] for call in one.calls))}
    natural = {*TEXTS, *(text for code in written for text in texts_in(code))}
    return CaseSearch(exercise, maker, asked.subjects, lines, about, *goals, asked.most, natural)


def _keep_steady(witness: ModuleExerciser, kept: Sequence[KeptCase]) -> list[KeptCase]:
    """Return the cases that also pass in another process with another hash seed."""
    checked = witness.check([(one.seen, ()) for one in kept])
    return [one for one, noticed in zip(kept, checked, strict=True) if noticed.steady]


def _shrink_cases(
    exercise: ModuleExerciser, search: CaseSearch, kept: Sequence[KeptCase], over: Callable[[], bool]
) -> list[KeptCase]:
    """Choose a few cases that reach all goals, and shrink each."""
    covered_before = search.arcs - {arc for one in search.kept for arc in one.arcs}
    all_killed = frozenset(number for one in search.kept for number in one.killed)
    noticed: list[frozenset[int]] = []
    for start in range(0, len(kept), AT_ONCE):
        part = kept[start : start + AT_ONCE]
        if over():  # when time is up, use the kills known from the search
            noticed += [one.killed for one in part]
            continue
        numbers = [[each for each in sorted(all_killed) if search.mutant_lines[each] & one.seen.lines] for one in part]
        units = [(one.seen, own) for one, own in zip(part, numbers, strict=True)]
        noticed += [found.killed | one.killed for found, one in zip(exercise.check(units), part, strict=True)]
    goals = [
        frozenset[object](arc for arc in one.seen.arcs if search.is_own(arc) and arc not in covered_before) | own
        for one, own in zip(kept, noticed, strict=True)
    ]
    chosen = [
        ShrinkingGoal(
            seen,
            frozenset(one for one in own if isinstance(one, tuple)),
            frozenset(one for one in own if isinstance(one, int)),
        )
        for seen, own in choose_cases(kept, goals)
    ]
    small = CaseShrinker(exercise, search.can_be_test, over, search.natural).shrink(chosen)
    return [KeptCase(seen, goal.arcs, goal.mutants) for seen, goal in zip(small, chosen, strict=True)]


def _trouble(exercise: ModuleExerciser, search: CaseSearch, over: Callable[[], bool]) -> list[str]:
    """Return messages about unintended failures; calls that timed out are first repeated with more time."""
    sentences: list[str] = []
    hanging: set[str] = set()
    for (function, kind, line), seen in sorted(search.trouble.items(), key=lambda one: str(one[0]))[:MOST_TROUBLE]:
        call = "; ".join((*seen.case.lines, seen.case.call))
        if len(call) > 160 or free_names(seen.case) & {""}:
            continue
        if kind == "late":
            owner = function.split(".")[0]
            if owner in hanging or over():
                continue
            hanging.add(owner)
            again = exercise.observe([seen.case], CONFIRMED)[0]
            if again.kind == "late":
                sentences.append(f"{call} does not finish within {CONFIRMED:g} s of CPU time")
        elif kind == "died":
            sentences.append(f"{call} ends the process, or waits forever")
        else:
            sentences.append(f"{call} raises {seen.error} in {function}, line {line}: {seen.text[:100]}")
    return sentences
