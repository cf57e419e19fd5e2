"""Repair without a model: candidates from templates, the likeliest first, run against the tests until time is up."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from aci.candidates import Candidate, Evaluator, Limits
from aci.spectrum import Observed, Spectrum, observe
from agent.moves.template_order import ordered
from agent.moves.template_source import Source

if TYPE_CHECKING:
    from threading import Event

    from aci.workspace import Workspace
    from trajectories.trees import Trees

MOST_FILES = 12
BATCH, BATCH_SECONDS, RIVAL_SECONDS = 3000, 8.0, 10.0
ENOUGH = 60
MOST_PASSING = 120


@dataclass(frozen=True, slots=True)
class Plausible:
    """An edit with which all given tests pass; `new_text` is the whole file. `alike` others behave the same."""

    path: str
    new_text: str
    description: str
    function: str
    line: int
    alike: int = 0


@dataclass
class Search:
    """What a search found and did: `plausible` best first, `suspects` as (path, line, suspicion)."""

    plausible: list[Plausible] = field(default_factory=list)
    suspects: list[tuple[str, int, float]] = field(default_factory=list)
    tried: int = 0
    seconds: float = 0.0


def search(
    workspace: Workspace,
    trees: Trees,
    base_tree: str,
    failing: Sequence[str],
    passing: Sequence[str],
    command: str,
    budget_seconds: float,
    cancel: Event,
) -> Search:
    """Look for edits that make all `failing` tests pass and keep the `passing` ones that cover the edited file.

    The workspace must stand at `base_tree`. Takes about `budget_seconds`, less if plausible edits come early; then
    as long again as the first took is spent on rivals, and the one most others behave like comes first.
    """
    started = time.monotonic()
    evaluator = Evaluator(workspace, command)
    spectrum = observe(evaluator, failing, passing, budget_seconds / 3)
    found = Search(suspects=[(path, line, score) for (path, line), score in list(spectrum.suspicion.items())[:20]])
    if spectrum.failing:
        sources = _sources(trees, base_tree, spectrum)
        hunt = Hunt(evaluator, spectrum, started + budget_seconds, cancel)
        hits = hunt.run(ordered(sources, spectrum))
        found.tried = hunt.tried
        found.plausible = [_plausible(sources, hit, alike) for hit, alike in hunt.ranked(hits)]
    found.seconds = time.monotonic() - started
    return found


class Hunt:
    """Runs candidates in growing batches until time is up or enough were found."""

    def __init__(self, evaluator: Evaluator, spectrum: Spectrum, end: float, cancel: Event) -> None:
        self.evaluator, self.spectrum, self.end, self.cancel = evaluator, spectrum, end, cancel
        self.tried = 0
        self.failing = [one.test for one in sorted(spectrum.failing, key=lambda one: one.seconds)] + [*spectrum.unseen]
        self.passing = _covering(spectrum)
        self.limits = _limits(spectrum)
        self.patient = Limits({test: max(5.0, 2 * seconds) for test, seconds in self.limits.seconds.items()})

    def run(self, candidates: Iterator[Candidate]) -> list[Candidate]:
        """The plausible ones. After the first, as long again as it took is spent on rivals of it."""
        hits: list[Candidate] = []
        waiting: list[Candidate] = []
        began = time.monotonic()
        while self._goes_on() and len(hits) < ENOUGH:
            waiting += islice(candidates, BATCH - len(waiting))
            if not waiting:
                break
            verdicts = self._evaluate(waiting, self.limits, BATCH_SECONDS)
            found = _those(waiting, verdicts, "plausible")
            slow = _those(waiting, verdicts, "slow")
            if slow and not hits and not found and self._goes_on():
                found = _those(slow, self._evaluate(slow, self.patient, 2 * BATCH_SECONDS), "plausible")
            if found and not hits:
                self.end = min(self.end, time.monotonic() + max(RIVAL_SECONDS, time.monotonic() - began))
            hits += found
            waiting = [candidate for index, candidate in enumerate(waiting) if index not in verdicts]
        return hits

    def _goes_on(self) -> bool:
        return self.end - time.monotonic() > 1 and not self.cancel.is_set()

    def ranked(self, hits: Sequence[Candidate]) -> list[tuple[Candidate, int]]:
        """The hit that adds least of each behaviour, the one that most others agree with first, then the rest; each
        with how many others behave exactly like it."""
        behaviours = self._behaviours(hits)
        alike: dict[object, list[int]] = defaultdict(list)
        for index, behaviour in enumerate(behaviours):
            alike[behaviour].append(index)
        agreed = agreements(behaviours, [hit.score**2 for hit in hits])
        groups = sorted(alike.values(), key=lambda group: -agreed[group[0]])
        for group in groups:
            group.sort(key=lambda index: hits[index].growth)
        order = [group[0] for group in groups] + [index for group in groups for index in group[1:]]
        return [(hits[index], len(alike[behaviours[index]]) - 1) for index in order]

    def _evaluate(self, batch: Sequence[Candidate], limits: Limits, seconds: float) -> dict[int, str]:
        seconds = min(seconds, self.end - time.monotonic())
        verdicts = self.evaluator.evaluate(batch, self.failing, self.passing, limits, seconds)
        self.tried += len(verdicts)
        return dict(sorted(verdicts.items()))

    def _behaviours(self, hits: Sequence[Candidate]) -> list[tuple[str, ...]]:
        """What each hit answers on many inputs of its function; hits that cannot be called so stand for themselves."""
        found: list[tuple[str, ...]] = [(f"hit {index}",) for index in range(len(hits))]
        for place in dict.fromkeys((hit.path, hit.function) for hit in hits if hit.function):
            group = [index for index, hit in enumerate(hits) if (hit.path, hit.function) == place]
            if len(group) > 1 and not self.cancel.is_set():
                tests = [*self.failing, *self.passing[:20]]
                limit = max(0.1, min(self.limits.seconds.values(), default=0.1))
                answers = self.evaluator.behave([hits[index] for index in group], tests, limit, 30)
                for number, index in enumerate(group):
                    if answers.get(number):
                        found[index] = (str(place), *answers[number])
        return found


def _those(batch: Sequence[Candidate], verdicts: dict[int, str], wanted: str) -> list[Candidate]:
    return [batch[index] for index, verdict in verdicts.items() if verdict == wanted]


def agreements(behaviours: Sequence[tuple[str, ...]], weights: Sequence[float]) -> list[float]:
    """For each behaviour the weight of those that answer alike, as a share, summed over all inputs.

    A crash counts against it as much as the commonest answer counts for others.
    """
    scores = [0.0] * len(behaviours)
    for place in range(max(map(len, behaviours), default=0)):
        answers = [one[place] if place < len(one) else "" for one in behaviours]
        votes: dict[str, float] = defaultdict(float)
        for answer, weight in zip(answers, weights, strict=True):
            if answer and not answer.startswith("!"):
                votes[answer] += weight
        most, total = max(votes.values(), default=0.0), sum(votes.values()) or 1.0
        for index, answer in enumerate(answers):
            scores[index] += (-most if answer.startswith("!") else votes.get(answer, 0.0)) / total
    return scores


def _sources(trees: Trees, tree: str, spectrum: Spectrum) -> list[Source]:
    found = []
    for path in spectrum.paths[:MOST_FILES]:
        try:
            found.append(Source(path, trees.read(tree, path)))
        except (SyntaxError, ValueError, FileNotFoundError, RecursionError):
            continue
    return found


def _covering(spectrum: Spectrum) -> list[str]:
    """Passing tests that run a suspected line, in the suite's order: some lean on what those before them left."""
    suspected = defaultdict(set)
    for path, line in spectrum.suspicion:
        suspected[path].add(line)
    near = [one for one in spectrum.passing if any(suspected[path] & lines for path, lines in one.lines.items())]
    quick = {one.test for one in sorted(near, key=lambda one: one.seconds)[:MOST_PASSING]}
    return [one.test for one in near if one.test in quick]


def _limits(spectrum: Spectrum) -> Limits:
    """Ten times what a test took; for failing tests, which may stop early, what the longest of all took."""

    def limit(seconds: float) -> float:
        return min(5.0, max(0.06, 10 * seconds))

    done: list[Observed] = [
        one for one in (*spectrum.failing, *spectrum.passing) if one.outcome in ("passed", "failed")
    ]
    longest = limit(min(0.1, max((one.seconds for one in done), default=0.0)))
    limits = dict.fromkeys((*(one.test for one in spectrum.failing), *spectrum.unseen), longest)
    return Limits(limits | {one.test: limit(one.seconds) for one in spectrum.passing})


def _plausible(sources: Sequence[Source], hit: Candidate, alike: int) -> Plausible:
    source = next(source for source in sources if source.path == hit.path)
    name = hit.function.qualname if hit.function else ""
    return Plausible(hit.path, hit.apply(source.data).decode(), hit.description, name, hit.line, alike)


def smallest_edit(before: str, after: str) -> tuple[str, str]:
    """Old and new text of the lines that differ, with as many around as make the old text unique and not empty."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - head
    tail = next(
        (at for at, (a, b) in enumerate(zip(reversed(old), reversed(new), strict=False)) if a != b or at == most), most
    )
    while True:
        text = "".join(old[head : len(old) - tail])
        at = len("".join(old[:head]))
        if (text and before.find(text) == at == before.rfind(text)) or (head == tail == 0):
            return text, "".join(new[head : len(new) - tail])
        head, tail = max(0, head - 1), max(0, tail - 1)
