"""The search for a repair: candidates, the likeliest first, run against the tests until time is up."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aci.candidates import Candidate, Evaluator, Limits
from aci.probing import Prober
from aci.spectrum import Spectrum, observe
from agent.repair.choice import FEW, SECONDS, Choice, choose
from agent.repair.hints import awaited, hints
from agent.repair.order import ordered
from agent.repair.source import Source
from agent.repair.suspects import Suspect, suspects
from agent.repair.tried import Forgetful, Memory, Tried

if TYPE_CHECKING:
    from threading import Event

    from aci.localize import Hit
    from aci.workspace import Workspace
    from trajectories.trees import Trees

MOST_FILES = 12
RIVALS = (300, 3000)
"""How many edits are tried at least and at most after the first plausible one, for rivals of it; at most also as many
as were tried until then. With few failing tests twice as many, and down to the square of the likelihood: they say how
much the first is to be doubted."""
LESS_LIKELY = 10
"""Between these there are enough once an edit's likelihood is so many times less than that of the first plausible."""
RIVAL_SECONDS = 8.0
"""CPU seconds that this takes at most, or as many as were used until the first."""
WATCHING = 1 / 3
"""Share of a search's CPU seconds, and of its time, in which tests are watched."""
CHOOSING_SHARE = 0.25
"""Share of a search's time that is kept for comparing plausible edits."""
ENOUGH = 60
MOST_PASSING, MOST_COMPARED = 120, 20
KEPT_EVERY, TOLD_EVERY = 2.0, 0.25
"""Seconds after which what was tried is kept, and progress is told."""
UNREACHED = "No failing test fails when it is run alone in one process and gets into the repository's own Python."
TOO_LATE = "The time was up before the failing tests had been watched."
UNREADABLE = "What the failing tests run of the repository is no Python that can be read."


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be mended: in `workspace`, which stands at `tree`, the `failing` tests are to pass and the `passing`
    ones to go on passing; `command` runs them. `text` is the issue's, `places` are where it points at, likeliest first.
    """

    workspace: Workspace
    trees: Trees
    tree: str
    failing: Sequence[str]
    passing: Sequence[str]
    command: str
    text: str = ""
    places: Sequence[Hit] = ()

    def read(self, path: str) -> bytes | None:
        """A file as it is at `tree`, None where there is none."""
        try:
            return self._file(path)
        except FileNotFoundError:
            return None

    def hints(self) -> list[str]:
        """Literals that the failing tests and the issue name."""
        return hints(self._file, self.failing, self.text)

    def awaited(self, spectrum: Spectrum) -> tuple[str, ...]:
        """Names of the exceptions that failing tests wait for in vain."""
        return awaited(self._file, spectrum.failing)

    def _file(self, path: str) -> bytes:
        return self.trees.read(self.tree, path)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a search is: what it is `doing`, places and candidates tried, CPU seconds of the target, candidates a
    second of this process's, plausible ones, and the first of these in words."""

    doing: str
    places: int = 0
    tried: int = 0
    cpu: float = 0.0
    rate: float = 0.0
    plausible: int = 0
    best: str = ""

    def __str__(self) -> str:
        if not self.tried:
            return self.doing
        places = "1 place" if self.places == 1 else f"{self.places:,} places"
        text = f"{self.doing}: {self.tried:,} at {places}"
        text += f", {self.rate:,.0f} a second" if self.rate else ""
        return f"{text}; {self.plausible} pass the tests, first {self.best}" if self.plausible else text


@dataclass
class Found:
    """What a search found and did. `why` says why nothing could be tried, "" where something was; `cut_short`: its
    seconds or the clock ended it."""

    choice: Choice = field(default_factory=Choice)
    suspects: list[Suspect] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    places: int = 0
    tried: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    why: str = ""
    cut_short: bool = False

    def new_text(self, candidate: Candidate) -> str:
        """The candidate's file as a whole, edited."""
        return candidate.apply(self._data(candidate)).decode()

    def smallest_edit(self, candidate: Candidate) -> tuple[str, str]:
        """Old and new text as the `edit` tool takes them."""
        return smallest_edit(self._data(candidate).decode(), self.new_text(candidate))

    def _data(self, candidate: Candidate) -> bytes:
        return next(source.data for source in self.sources if source.path == candidate.path)


def search(
    question: Question,
    cpu_seconds: float,
    cancel: Event,
    tell: Callable[[Progress], None] = lambda progress: None,
    memory: Memory | None = None,
    end: float = math.inf,
) -> Found:
    """Look for edits within so many CPU seconds of the target, and compare the plausible ones; all is done by `end` on
    the monotonic clock. After the first, some more are tried for rivals of it. What `memory` has of an earlier search
    for the same is not tried again, and its seconds count.

    Raises UsageError where the tests cannot be run in one process, Cancelled when `cancel` is set: with a memory the
    search can then be gone on with.
    """
    started = time.monotonic()
    tried = Tried(memory or Forgetful())
    found = Found()
    tell(Progress("watching the tests"))
    names = [*question.failing, *question.passing]
    with Evaluator(question.workspace, question.command, names, cancel, question.tree) as evaluator:
        left = end - time.monotonic()
        spectrum = observe(evaluator, question.failing, question.passing, WATCHING * cpu_seconds, WATCHING * left)
        found.suspects = suspects(spectrum, question.read, question.places)
        near = list(dict.fromkeys(suspect.path for suspect in found.suspects))[:MOST_FILES]
        found.sources = _sources(question, [*near, *(hit.path for hit in tried.hits)])
        unseen = UNREADABLE if spectrum.failing else UNREACHED if time.monotonic() < end else TOO_LATE
        found.why = "" if found.sources else unseen
        if found.sources:
            literals = question.hints()
            hunt = Hunt(evaluator, spectrum, cpu_seconds, tried, end - min(SECONDS, CHOOSING_SHARE * max(0.0, left)))
            prober, waited = Prober(evaluator, spectrum), question.awaited(spectrum)
            hunt.run(ordered(found.sources, found.suspects, spectrum, prober, literals, waited), tell)
            found.cut_short = hunt.cut_short
            tell(hunt.progress("comparing what they answer"))
            found.choice = choose(
                evaluator,
                tried.least,
                hunt.failing or question.failing,
                hunt.passing[:MOST_COMPARED],
                hunt.shortest,
                found.sources,
                hints=literals,
                seconds=min(SECONDS, max(0.0, end - time.monotonic())),
                sought=hunt.sought,
            )
        found.cpu = tried.cpu + evaluator.cpu
    found.places, found.tried = len(tried.places), tried.count
    found.seconds = time.monotonic() - started
    return found


class Hunt:
    """Runs candidates until CPU seconds are used up, enough were found or the clock says `end`; adds to what was
    `tried`. `cut_short`: the seconds or the clock ended it. `sought`: all that there was has been tried, or as many
    rivals of the first plausible edit as its doubt takes at least."""

    def __init__(
        self,
        evaluator: Evaluator,
        spectrum: Spectrum,
        cpu_seconds: float,
        tried: Tried,
        end: float = math.inf,
    ) -> None:
        self.evaluator, self.spectrum, self.cpu_seconds = evaluator, spectrum, cpu_seconds
        self.tried, self.end = tried, end
        self.failing = [one.test for one in sorted(spectrum.failing, key=lambda one: one.seconds)] + [*spectrum.unseen]
        self.passing = _covering(spectrum)
        self.limits = _limits(spectrum)
        self.shortest = max(0.1, min(self.limits.seconds.values(), default=0.1))
        self.cut_short = self.sought = False
        self._last = math.inf
        """The likelihood of the last edit that was tried for the first time."""
        self._began, self._before = time.monotonic(), tried.count

    @property
    def cpu(self) -> float:
        """CPU seconds of the target, those of earlier processes included."""
        return self.tried.cpu + self.evaluator.cpu

    def run(self, stream: Iterator[Candidate], tell: Callable[[Progress], None]) -> None:
        """What was tried is kept every few seconds, and also when this ends with an error."""
        told = self._began = kept = time.monotonic()

        def tick() -> None:
            nonlocal told, kept
            now = time.monotonic()
            if now - told >= TOLD_EVERY:
                told = now
                tell(self.progress("trying edits"))
            if now - kept >= KEPT_EVERY:
                kept = now
                self.tried.keep(self.cpu)

        fresh = (candidate for candidate in stream if not self.tried.knows(candidate))
        self.evaluator.tick = tick
        try:
            for judged in self.evaluator.evaluate(fresh, self.failing, self.passing, self.limits, self._is_over):
                self.tried.add(judged, self.cpu)
                self._last = self._last if judged.again else judged.candidate.score
                tick()
                if self._has_enough:
                    break
        finally:
            self.evaluator.tick = lambda: None
            self.tried.keep(self.cpu)
        self.cut_short = not self._has_enough and (self.cpu >= self.cpu_seconds or time.monotonic() >= self.end)
        self.sought = not self._is_over() or self._has_enough or self._rivals >= RIVALS[0]

    def progress(self, doing: str) -> Progress:
        tried, passed = self.tried, time.monotonic() - self._began
        rate = (tried.count - self._before) / passed if passed > 0 else 0.0
        best = tried.hits[0] if tried.hits else None
        words = f"{best.description} in {best.path}:{best.line}" if best else ""
        return Progress(doing, len(tried.places), tried.count, self.cpu, rate, len(tried.least), words)

    def _is_over(self) -> bool:
        return self._has_enough or self.cpu >= self._most or time.monotonic() >= self.end

    @property
    def _has_enough(self) -> bool:
        """Whether so many were tried that it shows how much the first plausible one is to be doubted: counted, so that
        another machine, or a search that was resumed, comes to the same."""
        if (first := self.tried.first) is None:
            return False
        tried, (least, most) = self._rivals, RIVALS
        is_unlikely = self._last < self.tried.hits[0].score / LESS_LIKELY**self._times
        enough = tried >= max(most, first.count) or (tried >= least and is_unlikely)
        return enough or (len(self.tried.hits) >= ENOUGH and len(self.tried.least) >= ENOUGH)

    @property
    def _rivals(self) -> float:
        """How many edits were tried after the first plausible one, in the unit of RIVALS."""
        first = self.tried.first
        return (self.tried.count - first.count) / self._times if first else 0.0

    @property
    def _most(self) -> float:
        """The CPU seconds after which no more is tried."""
        if (first := self.tried.first) is None:
            return self.cpu_seconds
        return min(self.cpu_seconds, first.cpu + self._times * max(RIVAL_SECONDS, first.cpu))

    @property
    def _times(self) -> int:
        return 2 if len(self.failing) <= FEW else 1


def _sources(question: Question, paths: Iterable[str]) -> list[Source]:
    found = []
    for path in dict.fromkeys(paths):
        try:
            found.append(Source(path, question.read(path) or b""))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
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
    """Ten times what a test took; a failing one, which may stop early, has as much as most others at least."""

    def limit(seconds: float) -> float:
        return min(5.0, max(0.06, 10 * seconds))

    done = sorted(one.seconds for one in (*spectrum.failing, *spectrum.passing) if one.outcome in ("passed", "failed"))
    usual = min(0.1, done[len(done) * 3 // 4]) if done else 0.0
    failing = {
        one.test: limit(max(usual, one.seconds) if one.outcome == "failed" else usual) for one in spectrum.failing
    }
    unseen = dict.fromkeys(spectrum.unseen, limit(usual))
    return Limits(unseen | failing | {one.test: limit(one.seconds) for one in spectrum.passing})


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
