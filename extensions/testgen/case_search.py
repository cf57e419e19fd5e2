"""Search for cases that cover uncovered code and kill surviving mutants.

It pursues many goals at once, as DynaMOSA does (Panichella et al., TSE 2018): arcs (transitions between lines) that no
case covers yet, and surviving mutants. A case is kept if it is the first to reach a goal.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from extensions.testgen.call_builder import CallBuilder, GeneratedCase
from extensions.testgen.case_mutation import CaseMutator
from extensions.testgen.module_exerciser import Case, CaseOutcome, ModuleExerciser
from extensions.testgen.usage_mining import Subject

BATCH, PLATEAU = 24, 8000
"""Number of cases per batch, and number of cases that reach no new goal after which the search ends."""
TRIED, AGAIN = 300, 0.25
"""Number of cases on which each mutant is always tried, and the probability that it is tried on each later case."""
PATIENT = 25
"""Number of calls after which a function is half as likely to be chosen as an uncalled one with the same number of
remaining goals."""
MAKING = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__setstate__")
MOST_LATE = 3
"""Number of hangs after which a function is chosen less often."""


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case that was the first to reach some goals, with the arcs that it covered and the mutants that it killed."""

    seen: CaseOutcome
    arcs: frozenset[tuple[int, int]]
    killed: frozenset[int]


@dataclass
class CaseSearch:
    """The search for cases.

    `arcs` holds the arcs in the subjects' lines that cases cover so far, `alive` the numbers of the surviving mutants.
    `trouble` holds the shortest case for each kind of unintended failure; these cases are reported but do not become
    tests.
    """

    exercise: ModuleExerciser
    maker: CallBuilder
    subjects: Sequence[Subject]
    mutant_lines: Sequence[frozenset[int]]
    seeds: list[Case]
    arcs: set[tuple[int, int]]
    alive: set[int]
    most: int = 0
    """Number of cases after which the search ends; 0 for no such end."""
    natural: Collection[str] = ()
    """Texts that a person would write."""
    kept: list[KeptCase] = field(default_factory=list)
    trouble: dict[tuple[str, str, int], CaseOutcome] = field(default_factory=dict)
    harms: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.maker.chance.random())
        self.changer = CaseMutator(self.maker)
        every = {one: self._tested_subjects(one) for one in self.maker.names()}
        self._subjects_of = {one: names for one, names in every.items() if names} or every
        self.callable = list(self._subjects_of)
        self.owners = {line: one for one in self.subjects for line in range(one.first, one.last + 1)}
        self._tries: Counter[int] = Counter()
        self._called: Counter[str] = Counter()
        self._late: Counter[str] = Counter()
        self._checked: set[Case] = set()
        self._makers: defaultdict[str, list[Case]] = defaultdict(list)
        self._since = 0

    def run(self, until: Callable[[], bool]) -> str:
        """Search until all goals are reached, PLATEAU cases reach no new goal, or `until()` returns true; return the
        reason for the end."""
        while True:
            if not self.alive and not self._uncovered():
                return "every goal is reached"
            if self._since >= PLATEAU:
                return "a plateau"
            if self.most and self.cases >= self.most:
                return "the limit of calls was reached"
            if until() or not self.callable:
                return "the time limit was reached" if self.callable else "there is nothing to call"
            self._run_batch([self._next() for _ in range(BATCH)])

    def _run_batch(self, batch: Sequence[GeneratedCase]) -> None:
        self.cases += len(batch)
        found = self.exercise.observe([one.case for one in batch])
        chosen: list[tuple[CaseOutcome, list[int]]] = []
        new_of: list[frozenset[tuple[int, int]]] = []
        for one, seen in zip(batch, found, strict=True):
            self._called[one.case.about] += 1
            own = frozenset(arc for arc in seen.arcs if self.is_own(arc))
            new = own - self.arcs
            self.maker.learn(one.given, seen.kind == "returned" or bool(new) or seen.meant)
            if seen.kind in ("late", "died"):
                self.maker.learn(one.given, good=False)
            if _is_function(seen):
                self._makers[seen.case.about] = [seen.case, *self._makers[seen.case.about]][:MOST_MAKERS]
            if one.malicious or not self.can_be_test(seen):
                self._remember(seen)
                continue
            # Only a repeated program is dropped. Two cases with equal lines and results differ in their arguments, and
            # only one of them may kill the mutant of a boundary.
            if not new and seen.case in self._checked:
                continue
            self._checked.add(seen.case)
            reached = self._reached(seen)
            if new or reached:
                chosen.append((seen, reached))
                new_of.append(new)
        better = False
        for (seen, _), noticed, new in zip(chosen, self.exercise.check(chosen, once=True), new_of, strict=True):
            if not noticed.steady:
                self.dropped["unsteady"] += 1
                continue
            fresh, killed = new - self.arcs, noticed.killed & self.alive
            if fresh or killed:
                self.kept.append(KeptCase(seen, fresh, frozenset(killed)))
                self.changer.remember(seen.case)
                self.arcs |= fresh
                self.alive -= killed
                better = True
        self._since = 0 if better else self._since + len(batch)

    def can_be_test(self, seen: CaseOutcome) -> bool:
        """Whether a case can be a test: it asserts something, or raises an intended exception."""
        if seen.kind == "returned":
            return self._asserts_something(seen)
        return seen.kind == "raised" and bool(seen.name) and (seen.meant or self._is_documented(seen))

    def _remember(self, seen: CaseOutcome) -> None:
        """Record unintended failures and harmful actions that were prevented."""
        if seen.kind == "raised" and seen.line and seen.error not in NOISE:
            self._keep_shortest((seen.function, seen.error, seen.line), seen)
        elif seen.kind in ("late", "died"):
            self._late[seen.case.about] += 1
            self._keep_shortest((seen.case.about, seen.kind, 0), seen)
        elif seen.kind == "harm":
            self.harms[seen.harm] += 1

    def _keep_shortest(self, kind: tuple[str, str, int], seen: CaseOutcome) -> None:
        old = self.trouble.get(kind)
        if old is None or len("".join((*seen.case.lines, seen.case.call))) < len(
            "".join((*old.case.lines, old.case.call))
        ):
            self.trouble[kind] = seen

    def _asserts_something(self, seen: CaseOutcome) -> bool:
        """Whether a case asserts more than a class, and more than a None result of a function that never returns a
        value."""
        found = [one for one in seen.asserts if one[0] != "isa" and not one[1].startswith("type(")]
        if any(one != RETURNS_NONE for one in found) or not found:
            return bool(found)
        is_called = re.search(rf"\b{seen.case.about.rpartition('.')[2]}\b", seen.case.call)
        return bool(is_called) and any(one.returns for one in self.subjects if one.lines & seen.lines)

    def _is_documented(self, seen: CaseOutcome) -> bool:
        docs = [one.doc for one in self.subjects if one.lines & seen.lines]
        return any(seen.error in doc for doc in docs)

    # Selection of the next case

    def _next(self) -> GeneratedCase:
        if self.seeds:
            return GeneratedCase(self.seeds.pop(0))
        if self._makers and self.chance.random() < RESULT_CALLED:
            cases = self._makers[self.chance.choice(list(self._makers))]
            return self.changer.called(self.chance.choice(cases))
        if self.kept and self.chance.random() < 0.55:
            seen = self._near_a_goal().seen
            owner = next((text for kind, what, text in seen.asserts if (kind, what) == ("isa", "result")), "")
            if owner in self.maker.classes and self.chance.random() < 0.25:
                return self.changer.chained(seen.case, owner)
            return self.changer.changed(seen.case)
        return self.maker.case(self._function())

    def _function(self) -> str:
        """Choose a function at random, weighted by its remaining goals and its previous calls."""
        lines = [*self._uncovered(), *(line for number in self.alive for line in self.mutant_lines[number])]
        left = Counter(self.owners[line].name for line in lines if line in self.owners)
        weights = []
        for name in self.callable:
            goals = sum(left[one] for one in self._subjects_of[name])
            factor = 0.1 if self._late[name] >= MOST_LATE else 1.0
            weights.append(factor * (goals + 0.3) / (1 + self._called[name] / PATIENT))
        (name,) = self.chance.choices(self.callable, weights)
        return name

    def _near_a_goal(self) -> KeptCase:
        """Return a kept case that runs the line of a surviving mutant, or comes near an uncovered line."""
        goals = [self.mutant_lines[number] for number in sorted(self.alive)]
        uncovered = sorted(self._uncovered())
        goals += [frozenset({line}) for line in uncovered]
        if goals:
            goal = self.chance.choice(goals)
            line = min(goal)
            owner = self.owners.get(line)
            near = [one for one in self.kept if goal & one.seen.lines]
            if not near and owner:
                near = [one for one in self.kept if owner.lines & one.seen.lines]
                near.sort(key=lambda one: -max((at for at in one.seen.lines & owner.lines if at < line), default=0))
                near = near[:4]
            if near:
                return self.chance.choice(near)
        return self.chance.choice(self.kept)

    # Goals

    def _uncovered(self) -> set[int]:
        run = {line for _, line in self.arcs}
        return {line for one in self.subjects for line in one.lines} - run

    def is_own(self, arc: tuple[int, int]) -> bool:
        line = arc[1] if arc[1] > 0 else arc[0]
        return line in self.owners

    def _tested_subjects(self, name: str) -> list[str]:
        """Return the names of the subjects that a call of `name` tests.

        For a class, these are the methods that create an object.
        """
        if name in self.maker.classes:
            return [one.name for one in self.subjects if one.name in {f"{name}.{made}" for made in MAKING}]
        return [one.name for one in self.subjects if one.name == name or one.name.startswith(f"{name}.")]

    def _reached(self, seen: CaseOutcome) -> list[int]:
        """Return the surviving mutants in the lines that ran; mutants tried TRIED times are included only with
        probability AGAIN."""
        lines, found = seen.lines, []
        for number in sorted(self.alive):
            if self.mutant_lines[number] & lines:
                self._tries[number] += 1
                if self._tries[number] <= TRIED or self.chance.random() < AGAIN:
                    found.append(number)
        return found


RETURNS_NONE = ("is", "result", "None")
FUNCTIONS = {"'function'", "'method'", "'builtin_function_or_method'", "'partial'"}
"""Classes of results that are functions, for example one returned by a decorator; the search then calls them."""
MOST_MAKERS, RESULT_CALLED = 8, 0.15
"""Number of cases with such results that are kept for each function, and probability that one of them is called."""
NOISE = {"TypeError", "AttributeError", "NameError", "SyntaxError", "Harm", "SystemExit", "MemoryError", "ImportError"}
"""Exceptions that usually mean, with generated arguments, that an argument had the wrong type."""


def _is_function(seen: CaseOutcome) -> bool:
    return any(what == "type(result).__name__" and text in FUNCTIONS for _, what, text in seen.asserts)


def deadline(seconds: float, stop: Callable[[], object]) -> Callable[[], bool]:
    """Return a function that tells whether `seconds` of wall time have passed; it first calls `stop()`, which may
    raise."""
    end = time.monotonic() + seconds

    def over() -> bool:
        stop()
        return time.monotonic() > end

    return over


def choose_cases(
    kept: Sequence[KeptCase], goals: Iterable[frozenset[object]]
) -> list[tuple[CaseOutcome, frozenset[object]]]:
    """Choose a few cases that together reach all goals; return each with the goals that no case before it reaches.

    The choice is greedy: the case that reaches the most remaining goals comes first, and the shortest of several such
    cases.
    """
    left = [(one.seen, set(own)) for one, own in zip(kept, goals, strict=True)]
    found: list[tuple[CaseOutcome, frozenset[object]]] = []
    while left:
        best = max(left, key=lambda one: (len(one[1]), -len("".join((*one[0].case.lines, one[0].case.call)))))
        if not best[1]:
            break
        reached = frozenset(best[1])
        found.append((best[0], reached))
        left = [(seen, own - reached) for seen, own in left if seen is not best[0]]
    return found
