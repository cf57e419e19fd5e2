"""The search for a repair: runs candidates against the tests, the likeliest first, until a limit is reached."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aci.guest.source_encoding import as_utf8, from_utf8, text_encoding
from aci.observation.untrusted_text import one_line
from extensions.experiment.evaluator.candidate_evaluator import Candidate, Evaluator, TimeLimits
from extensions.experiment.evaluator.condition_probes import ConditionProber
from extensions.experiment.evaluator.spectrum import Spectrum, trace_tests
from extensions.experiment.source.source_file import Source
from extensions.experiment.source.syntax_trees import UNREADABLE as UNPARSABLE
from extensions.repair.analysis.helper_modules import find_test_helpers
from extensions.repair.analysis.literal_hints import expected_exceptions, literal_hints
from extensions.repair.analysis.suspicious_statements import Suspect, find_suspects
from extensions.repair.behaviour_choice import Choice
from extensions.repair.candidate_order import order_candidates
from extensions.repair.edit_descriptions import count_passing
from extensions.repair.edit_selection import FEW, SECONDS, choose_edit
from extensions.repair.search_progress import Memory, NoMemory, SearchProgress
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from threading import Event

    from aci.localization.place_ranking import RankedPlace
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Trees

MOST_FILES = 12
RIVALS = (300, 3000)
"""Minimum and maximum number of edits that are tried after the first plausible one, to find other plausible edits
(rivals) to compare it with. The maximum is raised to the number of edits tried before the first plausible one. Both
numbers are doubled if there are few failing tests."""
LESS_LIKELY = 100
"""After the minimum number of RIVALS, the search ends when the current edit is less likely than the first plausible one
by this factor."""
RIVAL_SECONDS = 8.0
"""Maximum number of CPU seconds spent on rivals, or as many as were used until the first plausible edit, if that is
more."""
WATCHING = 1 / 3
"""Maximum share of a search's CPU time and wall-clock time that is used to trace the tests."""
CHOOSING_SHARE = 0.25
"""Share of a search's time that is reserved for comparing plausible edits."""
ENOUGH = 60
MOST_PASSING, MOST_COMPARED = 120, 20
KEPT_EVERY, TOLD_EVERY = 2.0, 0.25
"""Seconds between two saves of the tried edits, and between two progress reports."""
UNREACHED = "No failing test fails when it is run alone in one process and reaches the repository's own Python."
TOO_LATE = "The time limit was reached before the failing tests were traced."
UNREADABLE = "The repository's code that the failing tests run cannot be parsed as Python."


@dataclass(frozen=True, slots=True)
class RepairTask:
    """The task of a repair search: the tests to fix and the files to edit.

    The `failing` tests must be made to pass in `workspace`, which contains the files of `tree`, and the `passing` tests
    must still pass. `command` runs the tests. `text` is the text of the issue, and `places` are the locations in the
    code that it refers to, likeliest first.
    """

    workspace: Workspace
    trees: Trees
    tree: str
    failing: Sequence[str]
    passing: Sequence[str]
    command: str
    text: str = ""
    places: Sequence[RankedPlace] = ()

    def read(self, path: str) -> bytes | None:
        """Return the contents of a file in `tree`, or None if there is no such file or it is too large."""
        try:
            return self._file(path)
        except (FileNotFoundError, IsADirectoryError, UsageError):
            return None

    def hints(self) -> list[str]:
        """Return the literals in the failing tests and the issue."""
        return literal_hints(self._file, self.failing, self.text)

    def without_test_helpers(self, spectrum: Spectrum) -> Spectrum:
        """Return the spectrum without suspected lines in modules that only help the tests."""
        suspected = list(dict.fromkeys(path for path, _ in spectrum.suspicion))
        helpers = find_test_helpers(suspected, self.trees.files(self.tree), self.read)
        return replace(
            spectrum, suspicion={place: score for place, score in spectrum.suspicion.items() if place[0] not in helpers}
        )

    def expected_exceptions(self, spectrum: Spectrum) -> tuple[str, ...]:
        """Return the names of the exceptions that failing tests expect but that were not raised."""
        return expected_exceptions(self._file, spectrum.failing)

    def _file(self, path: str) -> bytes:
        return self.trees.read(self.tree, path)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a search.

    It contains the current activity (`doing`), the numbers of places and candidates tried, the CPU seconds used by the
    target program, the number of candidates that this process tries per second, the number of plausible candidates, and
    a description of the first plausible one.
    """

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
        return f"{text}; {count_passing(self.plausible)}, first {self.best}" if self.plausible else text


@dataclass
class SearchResult:
    """The result of a search.

    `why` is the reason why nothing could be tried, or "" if something was tried. `cut_short` is true if a time limit
    ended the search.
    """

    choice: Choice = field(default_factory=Choice)
    suspects: list[Suspect] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    places: int = 0
    tried: int = 0
    cpu: float = 0.0
    seconds: float = 0.0
    why: str = ""
    cut_short: bool = False
    originals: dict[str, bytes] = field(default_factory=dict)
    """The bytes of the files of the repository; `sources` hold them as UTF-8."""

    def new_data(self, candidate: Candidate) -> bytes:
        """Return the content of the candidate's file after the edit, in the file's encoding."""
        return self.new_text(candidate).encode(text_encoding(self.originals[candidate.path]))

    def smallest_edit(self, candidate: Candidate) -> tuple[str, str]:
        """Return the old and the new text, in the form that the `edit` tool expects."""
        original = self.originals[candidate.path]
        return smallest_edit(original.decode(text_encoding(original)), self.new_text(candidate))

    def new_text(self, candidate: Candidate) -> str:
        """Return the text of the candidate's file after the edit."""
        data = next(source.data for source in self.sources if source.path == candidate.path)
        return from_utf8(candidate.apply(data).decode(), self.originals[candidate.path])


def search(
    question: RepairTask,
    cpu_seconds: float,
    cancel: Event,
    tell: Callable[[Progress], None] = lambda progress: None,
    memory: Memory | None = None,
    end: float = math.inf,
    fillings: Sequence[Candidate] = (),
) -> SearchResult:
    """Search for edits that fix the tests, using at most `cpu_seconds` of the target program's CPU time, and compare
    the plausible ones.

    The search ends at the latest when the monotonic clock reaches `end`. After the first plausible edit, more edits are
    tried to find others to compare it with. Edits that `memory` contains from an earlier search for the same problem
    are not tried again; their CPU seconds count towards the limit. With `fillings` (`cloze.py`), all of them are
    tried and no template, and they are compared with the plausible edits in `memory`.

    Raises UsageError if the tests cannot be run in one process, and Cancelled when `cancel` is set. A cancelled search
    can be resumed if it has a `memory`.
    """
    started = time.monotonic()
    tried = SearchProgress(memory or NoMemory())
    found = SearchResult()
    tell(Progress("tracing the tests"))
    names = [*question.failing, *question.passing]
    with Evaluator(question.workspace, question.command, names, cancel, question.tree) as evaluator:
        left = end - time.monotonic()
        spectrum = trace_tests(evaluator, question.failing, question.passing, WATCHING * cpu_seconds, WATCHING * left)
        spectrum = question.without_test_helpers(spectrum)
        found.suspects = find_suspects(spectrum, question.read, question.places)
        near = list(dict.fromkeys(suspect.path for suspect in found.suspects))[:MOST_FILES]
        paths = dict.fromkeys([*near, *(hit.path for hit in (*tried.hits, *fillings))])
        found.originals = {path: question.read(path) or b"" for path in paths}
        found.sources, reasons = _sources(found.originals)
        unseen = (
            UNREADABLE + "".join(reasons[:1]) if spectrum.failing else UNREACHED if time.monotonic() < end else TOO_LATE
        )
        found.why = "" if found.sources else unseen
        if found.sources:
            literals = question.hints()
            hunt = SearchRun(
                evaluator, spectrum, cpu_seconds, tried, end - min(SECONDS, CHOOSING_SHARE * max(0.0, left))
            )
            if fillings:
                hunt.cpu_seconds += evaluator.cpu  # the tests were traced again, which took as long as many fillings
                hunt.run(iter(fillings), tell, every=True)
            else:
                prober, expected = ConditionProber(evaluator, spectrum), question.expected_exceptions(spectrum)
                hunt.run(order_candidates(found.sources, found.suspects, spectrum, prober, literals, expected), tell)
            found.cut_short = hunt.cut_short
            tell(hunt.progress("comparing plausible edits"))
            found.choice = choose_edit(
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


class SearchRun:
    """Runs candidates until the CPU seconds are used up, enough rivals of the first plausible edit have been tried, or
    `end` is reached. `tried` records the candidates that were run.

    `cut_short` is true if a time limit ended the run. `sought` is true if all candidates, or at least the minimum
    number of rivals of the first plausible edit, have been tried.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        spectrum: Spectrum,
        cpu_seconds: float,
        tried: SearchProgress,
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
        """The likelihood of the last edit that was not a retry."""
        self._began, self._before = time.monotonic(), tried.count

    @property
    def cpu(self) -> float:
        """CPU seconds used by the target program, including in earlier processes."""
        return self.tried.cpu + self.evaluator.cpu

    def run(self, stream: Iterator[Candidate], tell: Callable[[Progress], None], every: bool = False) -> None:
        """Run the candidates of a stream, or `every` one of them for which there is time. The tried candidates are
        saved every few seconds and at the end, even after an error."""
        last_report = self._began = last_save = time.monotonic()

        def tick() -> None:
            nonlocal last_report, last_save
            now = time.monotonic()
            if now - last_report >= TOLD_EVERY:
                last_report = now
                tell(self.progress("trying edits"))
            if now - last_save >= KEPT_EVERY:
                last_save = now
                self.tried.keep(self.cpu)

        over = self._is_late if every else self._is_over
        fresh = (candidate for candidate in stream if not self.tried.knows(candidate))
        self.evaluator.tick = tick
        try:
            for judged in self.evaluator.evaluate(fresh, self.failing, self.passing, self.limits, over):
                self.tried.add(judged, self.cpu)
                self._last = self._last if judged.again else judged.candidate.score
                tick()
                if self._has_enough and not every:
                    break
        finally:
            self.evaluator.tick = lambda: None
            self.tried.keep(self.cpu)
        self.cut_short = not self._has_enough and (self.cpu >= self.cpu_seconds or time.monotonic() >= self.end)
        tried = self.tried.count if every else self._rivals
        self.sought = not over() or self._has_enough or tried >= RIVALS[0]

    def progress(self, doing: str) -> Progress:
        tried, passed = self.tried, time.monotonic() - self._began
        rate = (tried.count - self._before) / passed if passed > 0 else 0.0
        best = tried.hits[0] if tried.hits else None
        words = f"{best.description} in {best.path}:{best.line}" if best else ""
        return Progress(doing, len(tried.places), tried.count, self.cpu, rate, len(tried.least), words)

    def _is_late(self) -> bool:
        return self.cpu >= self.cpu_seconds or time.monotonic() >= self.end

    def _is_over(self) -> bool:
        return self._has_enough or self.cpu >= self._most or time.monotonic() >= self.end

    @property
    def _has_enough(self) -> bool:
        """Whether enough rivals were tried to judge the first plausible edit.

        Edits are counted instead of seconds, so that another machine or a resumed search gets the same result.
        """
        if (first := self.tried.first) is None:
            return False
        tried, (least, most) = self._rivals, RIVALS
        is_unlikely = self._last < self.tried.hits[0].score / LESS_LIKELY
        enough = tried >= max(most, first.count) or (tried >= least and is_unlikely)
        return enough or (len(self.tried.hits) >= ENOUGH and len(self.tried.least) >= ENOUGH)

    @property
    def _rivals(self) -> float:
        """The number of edits tried after the first plausible one, halved if there are few failing tests."""
        first = self.tried.first
        return (self.tried.count - first.count) / self._times if first else 0.0

    @property
    def _most(self) -> float:
        """The CPU seconds after which no more edits are tried."""
        if (first := self.tried.first) is None:
            return self.cpu_seconds
        return min(self.cpu_seconds, first.cpu + self._times * max(RIVAL_SECONDS, first.cpu))

    @property
    def _times(self) -> int:
        return 2 if len(self.failing) <= FEW else 1


def _sources(files: Mapping[str, bytes]) -> tuple[list[Source], list[str]]:
    """Return the files that can be parsed, and why others cannot, each in a sentence after a space."""
    found, reasons = [], []
    for path, data in files.items():
        try:
            found.append(Source(path, as_utf8(data)))
        except UNPARSABLE as error:
            reasons.append(f" In {path}: {one_line(str(error))}.")
    return found, reasons


def _covering(spectrum: Spectrum) -> list[str]:
    """Return passing tests that run a suspected line, in the suite's order, since some tests depend on earlier ones."""
    suspected = defaultdict(set)
    for path, line in spectrum.suspicion:
        suspected[path].add(line)
    near = [one for one in spectrum.passing if any(suspected[path] & lines for path, lines in one.lines.items())]
    quick = {one.test for one in sorted(near, key=lambda one: one.seconds)[:MOST_PASSING]}
    return [one.test for one in near if one.test in quick]


def _limits(spectrum: Spectrum) -> TimeLimits:
    """Return the time limits of the tests: ten times the measured duration of each test, within bounds.

    A failing test may have stopped early, so its duration is assumed to be at least the 75th percentile of all
    durations, up to a bound.
    """

    def limit(seconds: float) -> float:
        return min(5.0, max(0.06, 10 * seconds))

    done = sorted(one.seconds for one in (*spectrum.failing, *spectrum.passing) if one.outcome in ("passed", "failed"))
    usual = min(0.1, done[len(done) * 3 // 4]) if done else 0.0
    failing = {
        one.test: limit(max(usual, one.seconds) if one.outcome == "failed" else usual) for one in spectrum.failing
    }
    unseen = dict.fromkeys(spectrum.unseen, limit(usual))
    return TimeLimits(unseen | failing | {one.test: limit(one.seconds) for one in spectrum.passing})


def smallest_edit(before: str, after: str) -> tuple[str, str]:
    """Return the old and the new text of the lines that differ, with enough context to make the old text unique and not
    empty."""
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
