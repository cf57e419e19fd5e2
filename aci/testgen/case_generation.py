"""From a file and its functions to a list of cases worth keeping, each steady, small and of use."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Event
from typing import Any

from aci.generating.calls import Maker
from aci.generating.exercise import Case, Exercise, Seen
from aci.generating.mutants import Mutant
from aci.generating.reading import Subject, attributes, constants, examples, free, from_tests
from aci.generating.rendering import HELPERS
from aci.generating.search import Kept, Search, chosen, until
from aci.generating.shrinking import Wanted, shrunk
from aci.generating.standing import Standing
from aci.workspace import Workspace

SEED = 1
SEARCHED, SHRUNK, CONFIRMING, AT_ONCE = 0.7, 0.2, 0.05, 6
"""Shares of the time: for the search, for making cases small, for looking again at what hangs; cases that are put to
all mutants at a time."""
CONFIRMED = 2.0
"""CPU seconds that a call has which did not end in time, before it is told that it hangs."""
MOST_TROUBLE = 12


@dataclass(frozen=True, slots=True)
class Found:
    """`cases` to be kept; `killed` mutants (numbers) and `arcs` are those that they reach, `usable` the mutants that
    could be tried. `trouble` are calls that break without meaning to, in sentences; `harms` says how often what was
    stopped.
    """

    module: str
    cases: tuple[Seen, ...]
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
        value["cases"] = [seen_as_json(one) for one in self.cases]
        return value | {name: sorted(value[name]) for name in ("arcs", "killed", "usable")}


def found_of(value: Mapping[str, Any]) -> Found:
    """As it was written with `as_json`."""
    sets = {name: frozenset(value[name]) for name in ("killed", "usable")}
    arcs = frozenset((before, after) for before, after in value["arcs"])
    cases = tuple(seen_of(one) for one in value["cases"])
    return Found(**{**value, **sets, "arcs": arcs, "cases": cases, "trouble": tuple(value["trouble"])})


def seen_as_json(seen: Seen) -> dict[str, Any]:
    """A case as `seen_of` reads it."""
    value = asdict(seen)
    return value | {"arcs": sorted(seen.arcs), "lines": sorted(seen.lines)}


def seen_of(value: Mapping[str, Any]) -> Seen:
    """A case as a run's record holds it."""
    case = value["case"]
    made = Case(tuple(case["lines"]), case["call"], tuple(case["watch"]), case["about"])
    arcs = frozenset((before, after) for before, after in value["arcs"])
    asserts = tuple((kind, expression, text) for kind, expression, text in value["asserts"])
    return Seen(**{**value, "case": made, "arcs": arcs, "asserts": asserts, "lines": frozenset(value["lines"])})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tested: the file's bytes, its functions, mutants, what tests do already, and files of tests."""

    path: str
    data: bytes
    subjects: Sequence[Subject]
    mutants: Sequence[Mutant]
    standing: Standing
    tests: Mapping[str, bytes]


def write(
    room: Workspace, asked: Asked, cancel: Event, seconds: float, tell: Callable[[str], None] = lambda said: None
) -> Found:
    """Search, keep few cases, make them small, and drop what is not the same under another hash seed.

    Raises UsageError where the module cannot be imported, Cancelled.
    """
    with (
        closing(Exercise(room, asked.path, asked.mutants, cancel)) as exercise,
        closing(Exercise(room, asked.path, (), cancel, hash_seed=1)) as witness,
    ):
        search = _search(exercise, asked)
        stop = partial(_told, search, tell)
        why = search.run(until(seconds * SEARCHED, stop))
        kept = _steady(witness, search.kept)
        small = _small(exercise, search, kept, until(seconds * SHRUNK, stop))
        held = _steady(witness, small)
        cases = [one.seen for one in held]
        arcs = frozenset(arc for one in cases for arc in one.arcs if search.is_own(arc))
        killed = frozenset(number for one in held for number in one.killed)
        return Found(
            str(exercise.offers.get("module")),
            tuple(cases),
            arcs,
            killed,
            exercise.usable(),
            search.cases,
            why,
            tuple(_trouble(exercise, search, until(seconds * CONFIRMING, stop))),
            dict(search.harms),
            len(search.kept) - len(kept) + search.dropped["unsteady"],
        )


def _told(search: Search, tell: Callable[[str], None]) -> None:
    tell(f"{search.cases} calls tried, {len(search.kept)} of use, {len(search.alive)} mutants left")


def _search(exercise: Exercise, asked: Asked) -> Search:
    maker = Maker(exercise.offers, constants(asked.data), SEED, attributes(asked.data))
    known = {*dir(builtins), *HELPERS, *maker.functions, *maker.classes}
    own = [name for one in asked.subjects for name in (one.name.split(".")[-1], one.name.split(".")[0])]
    seeds = [*examples(asked.data, known), *from_tests(asked.tests, known, own)]
    names = {one.name.split(".")[0] for one in asked.subjects} | {one.name for one in asked.subjects}
    about = [one for one in seeds if any(name.split(".")[-1] in one.call for name in names)]
    alive = set(exercise.usable()) - asked.standing.killed
    lines = [one.reach for one in asked.mutants]
    return Search(exercise, maker, asked.subjects, lines, about, set(asked.standing.arcs), alive)


def _steady(witness: Exercise, kept: Sequence[Kept]) -> list[Kept]:
    """Those that hold in another process with another hash seed."""
    checked = witness.check([(one.seen, ()) for one in kept])
    return [one for one, noticed in zip(kept, checked, strict=True) if noticed.steady]


def _small(exercise: Exercise, search: Search, kept: Sequence[Kept], over: Callable[[], bool]) -> list[Kept]:
    """Few cases that do what all did, each made small."""
    begun = search.arcs - {arc for one in search.kept for arc in one.arcs}
    ours = frozenset(number for one in search.kept for number in one.killed)
    noticed: list[frozenset[int]] = []
    for start in range(0, len(kept), AT_ONCE):
        part = kept[start : start + AT_ONCE]
        if over():  # then what each noticed first must do
            noticed += [one.killed for one in part]
            continue
        numbers = [[each for each in sorted(ours) if search.mutant_lines[each] & one.seen.lines] for one in part]
        units = [(one.seen, own) for one, own in zip(part, numbers, strict=True)]
        noticed += [found.killed | one.killed for found, one in zip(exercise.check(units), part, strict=True)]
    goals = [
        frozenset[object](arc for arc in one.seen.arcs if search.is_own(arc) and arc not in begun) | own
        for one, own in zip(kept, noticed, strict=True)
    ]
    found = []
    for seen, own in chosen(kept, goals):
        arcs = frozenset(one for one in own if isinstance(one, tuple))
        mutants = frozenset(one for one in own if isinstance(one, int))
        small = shrunk(exercise, Wanted(seen, arcs, mutants), search.tells, over)
        found.append(Kept(small, arcs, mutants))
    return found


def _trouble(exercise: Exercise, search: Search, over: Callable[[], bool]) -> list[str]:
    """What broke without meaning to, in sentences; what did not end in time is given more of it first."""
    told: list[str] = []
    hanging: set[str] = set()
    for (function, kind, line), seen in sorted(search.trouble.items(), key=lambda one: str(one[0]))[:MOST_TROUBLE]:
        call = "; ".join((*seen.case.lines, seen.case.call))
        if len(call) > 160 or free(seen.case) & {""}:
            continue
        if kind == "late":
            owner = function.split(".")[0]
            if owner in hanging or over():
                continue
            hanging.add(owner)
            again = exercise.observe([seen.case], CONFIRMED)[0]
            if again.kind == "late":
                told.append(f"{call} does not end within {CONFIRMED:g} s of CPU time")
        elif kind == "died":
            told.append(f"{call} ends the process, or waits for what does not come")
        else:
            told.append(f"{call} raises {seen.error} in {function}, line {line}: {seen.text[:100]}")
    return told
