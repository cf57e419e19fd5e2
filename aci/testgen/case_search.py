"""The search for cases that cover what nothing covers and notice mutants that nothing notices.

Many goals at once, after DynaMOSA (Panichella et al., TSE 2018): steps that no case takes, and living mutants; a case
is kept if it reaches a goal first. CodaMosa (Lemieux et al., ICSE 2023) is where the plateau is from.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from aci.generating.calls import Made, Maker
from aci.generating.changing import Changer
from aci.generating.exercise import Case, Exercise, Seen
from aci.generating.reading import Subject

BATCH, PLATEAU = 24, 8000
"""Cases at once, and without a new goal before the search ends."""
TRIED, AGAIN = 300, 0.25
"""Cases that a mutant is tried on for certain, and the share of the later ones."""
PATIENT = 25
"""Calls of one function after which it is called half as often, for each goal that is left in it."""
MAKING = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__setstate__")
MOST_LATE = 3
"""How often a function may hang before what hangs there is not tried on purpose any more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A case that reached goals first: the steps and mutants that are its own."""

    seen: Seen
    arcs: frozenset[tuple[int, int]]
    killed: frozenset[int]


@dataclass
class Search:
    """Looks for cases. `arcs` are steps in the subjects' lines that some case takes, `alive` the mutants left.

    `trouble` holds what broke without meaning to, the first of each kind: it makes no test, but it is told.
    """

    exercise: Exercise
    maker: Maker
    subjects: Sequence[Subject]
    mutant_lines: Sequence[frozenset[int]]
    seeds: list[Case]
    arcs: set[tuple[int, int]]
    alive: set[int]
    kept: list[Kept] = field(default_factory=list)
    trouble: dict[tuple[str, str, int], Seen] = field(default_factory=dict)
    harms: Counter[str] = field(default_factory=Counter)
    cases: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.maker.chance.random())
        self.changer = Changer(self.maker)
        every = {one: self._concerns(one) for one in self.maker.names()}
        self._concerned = {one: names for one, names in every.items() if names} or every
        self.callable = list(self._concerned)
        self.owners = {line: one for one in self.subjects for line in range(one.first, one.last + 1)}
        self._tries: Counter[int] = Counter()
        self._called: Counter[str] = Counter()
        self._late: Counter[str] = Counter()
        self._outcomes: set[tuple[object, ...]] = set()
        self._since = 0

    def run(self, until: Callable[[], bool]) -> str:
        """Search until there is nothing left to find, nothing new was found for long, or `until()`; why it ended."""
        while True:
            if not self.alive and not self._uncovered():
                return "every goal is reached"
            if self._since >= PLATEAU:
                return "a plateau"
            if until() or not self.callable:
                return "the time is up" if self.callable else "nothing of it can be called"
            self._turn([self._next() for _ in range(BATCH)])

    def _turn(self, made: Sequence[Made]) -> None:
        self.cases += len(made)
        found = self.exercise.observe([one.case for one in made])
        chosen: list[tuple[Seen, list[int]]] = []
        new_of: list[frozenset[tuple[int, int]]] = []
        for one, seen in zip(made, found, strict=True):
            self._called[one.case.about] += 1
            own = frozenset(arc for arc in seen.arcs if self.is_own(arc))
            new = own - self.arcs
            self.maker.learn(one.given, seen.kind == "returned" or bool(new) or seen.meant)
            if seen.kind in ("late", "died"):
                self.maker.learn(one.given, good=False)
            if not self.tells(seen):
                self._remember(seen)
                continue
            outcome = (own, seen.asserts, seen.error)
            if not new and outcome in self._outcomes:
                continue
            self._outcomes.add(outcome)
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
                self.kept.append(Kept(seen, fresh, frozenset(killed)))
                self.changer.remember(seen.case)
                self.arcs |= fresh
                self.alive -= killed
                better = True
        self._since = 0 if better else self._since + len(made)

    def tells(self, seen: Seen) -> bool:
        """Whether it can be a test: it asserts something, or raises what is meant to be raised."""
        if seen.kind == "returned":
            return self._asserts_something(seen)
        return seen.kind == "raised" and bool(seen.name) and (seen.meant or self._is_documented(seen))

    def _remember(self, seen: Seen) -> None:
        """What broke without meaning to, and what was stopped."""
        if seen.kind == "raised" and seen.line and seen.error not in NOISE:
            self._keep_shortest((seen.function, seen.error, seen.line), seen)
        elif seen.kind in ("late", "died"):
            self._late[seen.case.about] += 1
            self._keep_shortest((seen.case.about, seen.kind, 0), seen)
        elif seen.kind == "harm":
            self.harms[seen.harm] += 1

    def _keep_shortest(self, kind: tuple[str, str, int], seen: Seen) -> None:
        old = self.trouble.get(kind)
        if old is None or len("".join((*seen.case.lines, seen.case.call))) < len(
            "".join((*old.case.lines, old.case.call))
        ):
            self.trouble[kind] = seen

    def _asserts_something(self, seen: Seen) -> bool:
        """Whether it says more than that a function which gives nothing gave None."""
        others = [one for one in seen.asserts if one != ("is", "result", "None")]
        if others or not seen.asserts:
            return bool(others)
        return any(one.returns for one in self.subjects if one.lines & seen.lines)

    def _is_documented(self, seen: Seen) -> bool:
        docs = [one.doc for one in self.subjects if one.lines & seen.lines]
        return any(seen.error in doc for doc in docs)

    # What is tried next

    def _next(self) -> Made:
        if self.seeds:
            return Made(self.seeds.pop(0))
        if self.kept and self.chance.random() < 0.55:
            seen = self._near_a_goal().seen
            if FUNCTION in seen.asserts and self.chance.random() < 0.5:
                return self.changer.called(seen.case)
            owner = next((text for kind, what, text in seen.asserts if (kind, what) == ("isa", "result")), "")
            if owner in self.maker.classes and self.chance.random() < 0.25:
                return self.changer.chained(seen.case, owner)
            return self.changer.changed(seen.case)
        return self.maker.case(self._function())

    def _function(self) -> str:
        """What has goals left, and was not tried in vain too often."""
        lines = [*self._uncovered(), *(line for number in self.alive for line in self.mutant_lines[number])]
        left = Counter(self.owners[line].name for line in lines if line in self.owners)
        weights = []
        for name in self.callable:
            goals = sum(left[one] for one in self._concerned[name])
            tame = 0.1 if self._late[name] >= MOST_LATE else 1.0
            weights.append(tame * (goals + 0.3) / (1 + self._called[name] / PATIENT))
        (name,) = self.chance.choices(self.callable, weights)
        return name

    def _near_a_goal(self) -> Kept:
        """A kept case that runs the line of a living mutant, or gets near a line that nothing runs."""
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

    def _concerns(self, name: str) -> list[str]:
        """The subjects that a call of this name is for: a class is called for what makes an object, an attribute that
        may be a function for the same."""
        if name in self.maker.classes or name in self.maker.attributes:
            owner = name.partition(".")[0]
            return [one.name for one in self.subjects if one.name in {f"{owner}.{made}" for made in MAKING}]
        return [one.name for one in self.subjects if one.name == name or one.name.startswith(f"{name}.")]

    def _reached(self, seen: Seen) -> list[int]:
        """The living mutants in what ran, without those that have been tried often."""
        lines, found = seen.lines, []
        for number in sorted(self.alive):
            if self.mutant_lines[number] & lines:
                self._tries[number] += 1
                if self._tries[number] <= TRIED or self.chance.random() < AGAIN:
                    found.append(number)
        return found


FUNCTION = ("equal", "type(result).__name__", "'function'")
"""Of what gives a function, as decorators do: what that does is seen when it is called."""
NOISE = {"TypeError", "AttributeError", "NameError", "SyntaxError", "Harm", "SystemExit", "MemoryError", "ImportError"}
"""Of made-up arguments these say mostly that they were of the wrong type."""


def until(seconds: float, stop: Callable[[], object]) -> Callable[[], bool]:
    """Says when so many seconds of the clock are over. `stop()` may raise before."""
    end = time.monotonic() + seconds

    def over() -> bool:
        stop()
        return time.monotonic() > end

    return over


def chosen(kept: Sequence[Kept], goals: Iterable[frozenset[object]]) -> list[tuple[Seen, frozenset[object]]]:
    """Few of the cases that reach all goals which any of them reaches, each with those that are left to it.

    Greedy: the one with most goals left first, of those the shortest.
    """
    left = [(one.seen, set(own)) for one, own in zip(kept, goals, strict=True)]
    found: list[tuple[Seen, frozenset[object]]] = []
    while left:
        best = max(left, key=lambda one: (len(one[1]), -len("".join((*one[0].case.lines, one[0].case.call)))))
        if not best[1]:
            break
        reached = frozenset(best[1])
        found.append((best[0], reached))
        left = [(seen, own - reached) for seen, own in left if seen is not best[0]]
    return found
