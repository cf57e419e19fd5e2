"""Results of a test run, for each test and for the whole suite, built from the lines that runners' hooks write.

The lines are checked against the exit code and against their own counts.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

from aci.observation.failure_cause import failure_cause, last_line
from aci.observation.untrusted_text import clean_output
from aci.runtime.workspace import CommandResult
from aci.testing.pytest_plugins import missing_plugins
from trajectories.facts import Fact, missing_part, unique_facts

Line = dict[str, Any]
Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
RANK = {"skipped": 0, "xfailed": 1, "xpassed": 2, "passed": 3, "error": 4, "failed": 5}
LOSS = {"passed": 0, "xpassed": 0, "xfailed": 1, "skipped": 1, "error": 2, "failed": 3}
"""If a test has several lines in a run, the highest RANK counts; if it has results in two runs, the highest LOSS
counts."""
TIMED_OUT, TOO_LONG = "TimeUp", "RanTooLong"
SHELL_FAILED = 126
"""Lowest exit code that the shell itself uses: command not executable, not found, or ended by a signal."""
IN_PYTHON = ("pytest", "unittest")
PYTHON_FAILED = 2
"""Highest exit code that Python's test runners use for failed tests; pytest reports internal problems from 3 on. Other
runners have their own codes: cargo's is 101."""
UNREAD = missing_part(
    "Results of tests are known for Python only: the extension languages is not installed. Install swe-agent again."
)
"""Fact about a run whose tests may be in other languages, so that nothing may be concluded from its exit code."""
MOST_LAST_LINES = 20
"""Number of last lines of the output in which a rule that fails a run without failed tests is looked for, such as a
minimum coverage; earlier lines may be those of the tests."""
LARGEST = 1_000_000_000
"""Upper limit of line numbers, counts and seconds."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """The result of one test, or of a file that could not be collected (`error`).

    `id` is pytest's node id or unittest's dotted name. `path` and `line` are where the test is defined. For a failure,
    `error` is the exception's type, and `trace` lists the frames in the repository as `path:line:function`, innermost
    last.
    """

    __test__: ClassVar[bool] = False

    id: str
    outcome: Outcome
    message: str = ""
    path: str = ""
    line: int = 0
    seconds: float = 0.0
    error: str = ""
    trace: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.outcome in ("passed", "xpassed")

    @property
    def bad(self) -> bool:
        return self.outcome in ("failed", "error")

    @property
    def is_unloaded_file(self) -> bool:
        """Whether this is a test file that could not be imported or collected."""
        is_file = self.id.endswith(".py") or self.error in ("ImportError", "ModuleNotFoundError")
        return self.outcome == "error" and "::" not in self.id and is_file

    @property
    def cut(self) -> bool:
        """Whether the test was still running when the whole run timed out, so that its result is unknown."""
        return self.error == TIMED_OUT

    @property
    def too_long(self) -> bool:
        """Whether the test was ended because it exceeded the time limit per test."""
        return self.error == TOO_LONG


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """The report of a test command.

    `complete` tells whether every session that started also finished and ran all its tests. `granularity` is `command`
    if only the exit code is known. `facts` describe inconsistencies. Exit codes up to `highest` and those in `codes`
    can be explained by failed tests; runners announce `codes` (mocha's is the number of failures). `trouble` tells
    whether a runner reports failure, because of a test or one of the runner's own rules. `unasked` tells whether tests
    failed that were not requested; they are not in `results`. `limit` is the time limit of each test, in seconds.
    """

    results: tuple[TestResult, ...]
    command: str
    code: int
    output: bytes = b""
    granularity: Literal["test", "file", "command"] = "test"
    timed_out: bool = False
    seconds: float = 0.0
    complete: bool = True
    facts: tuple[Fact, ...] = ()
    highest: int = PYTHON_FAILED
    codes: tuple[int, ...] = ()
    trouble: bool = False
    unasked: bool = False
    limit: float = LARGEST
    _by_id: dict[str, TestResult] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {result.id: result for result in self.results})

    @property
    def notes(self) -> tuple[str, ...]:
        """The words of the facts."""
        return tuple(fact.text for fact in self.facts)

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(result.id for result in self.results if result.bad)

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(result.id for result in self.results if result.ok)

    @property
    def counts(self) -> dict[str, int]:
        """Number of tests with each outcome; outcomes that did not occur are omitted."""
        found = {outcome: sum(result.outcome == outcome for result in self.results) for outcome in OUTCOMES}
        return {outcome: count for outcome, count in found.items() if count}

    @property
    def ok(self) -> bool:
        """Whether the run was complete and nothing failed."""
        ran = bool(self.results) or self.granularity == "command"
        has_ended = ran and self.complete and not self.timed_out
        return has_ended and not self.failed and not self.is_unread and self.code == 0

    @property
    def is_unread(self) -> bool:
        """Whether there may be tests whose results are unknown, since an extension is not installed."""
        return UNREAD in self.facts

    @property
    def ended_well(self) -> bool:
        """Whether the results explain the exit code; they do not after a crash at the end, or a failure of a
        plug-in."""
        if self.granularity == "command":
            return True
        if not self.failed and not self.unasked:
            return self.complete and self.code in (0, 5)
        return self.complete and (0 <= self.code <= self.highest or self.code in self.codes)

    def find(self, id: str) -> TestResult | None:
        """Return the test's result, else the error of the file, module or class that contains it."""
        if id in self._by_id:
            return self._by_id[id]
        holders = [id[: cut.start()] for cut in re.finditer(r"::|[.\[/]", id)]
        found = [self._by_id[holder] for holder in reversed(holders) if holder in self._by_id]
        return next((result for result in found if result.outcome == "error"), None)

    def joined(self, other: SuiteReport) -> SuiteReport:
        """Return `other` merged with this report: for each test, the worse of the results that were not cut off."""
        ours = [result for result in self.results if result.id not in other._by_id]
        pairs = [(self._by_id.get(result.id, result), result) for result in other.results]
        worse = [max(pair, key=lambda one: -1 if one.cut else LOSS[one.outcome]) for pair in pairs]
        return replace(
            other,
            results=(*worse, *ours),
            seconds=self.seconds + other.seconds,
            complete=self.complete and other.complete,
            facts=unique_facts((*self.facts, *other.facts)),
        )

    def summary(self) -> str:
        """Return the summary in one line, such as `3 failed, 120 passed in 2.1 s`."""
        order = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
        found = self.counts
        cut = sum(result.cut for result in self.results)
        found["error"] = found.get("error", 0) - cut
        counts = [f"{n} {name}{'s' * (name == 'error' and n > 1)}" for name in order if (n := found.get(name))]
        counts += [f"{cut} cut off"] if cut else []
        if self.granularity == "command":
            counts = [f"exit code {self.code}"]
        state = ", timed out" if self.timed_out else "" if self.complete else ", not finished"
        return f"{', '.join(counts) or 'no tests ran'} in {self.seconds:.1f} s{state}"


def build_report(command: str, ran: CommandResult, lines: list[Line]) -> SuiteReport:
    """Build the report of a command from its lines. These are all lines of one call of a runner, with all their keys:

        {"start": "bats"}
        {"running": "test/a.bats::adds"}
        {"id": "test/a.bats::adds", "outcome": "failed", "message": "1 is not 2", "path": "test/a.bats", "line": 3,
         "seconds": 0.1, "error": "AssertionError", "trace": [["test/a.bats", 4, "adds"]]}
        {"unasked": 1}
        {"finish": 0, "expected": 1}

    A result needs only `id` and `outcome`. An id begins with the file or class and has `::` before the test's name. A
    frame in `trace` is `[path, line, function]`, innermost last. `unasked` reports a failed test that was not
    requested, instead of its result. `finish` is not 0 if the runner failed by a rule of its own; it may announce its
    exit code as `code`. Without it, or with fewer lines `running` than `expected`, the report is not complete. Other
    lines are skipped. Without a start line, only the exit code is known.
    """
    starts = [line for line in lines if "start" in line]
    finishes = [line for line in lines if "finish" in line]
    results = _results(lines)
    if not starts:
        facts = _trouble(ran, False, ())
        return SuiteReport(
            (), command, ran.code, ran.output, "command", ran.timed_out, ran.seconds, not ran.timed_out, facts
        )
    started = sum("running" in line for line in lines)
    expected = sum(_number(line.get("expected")) for line in finishes)
    complete = len(starts) == len(finishes) and started >= expected and not ran.timed_out
    unasked = any("unasked" in line for line in lines)
    codes = tuple(_number(line["code"]) for line in finishes if "code" in line)
    facts = _trouble(ran, True, codes) + _mismatches(ran, complete, results.values(), unasked)
    left_running = _left_running(lines) if len(finishes) < len(starts) else []
    for left in left_running[-1:] if ran.timed_out else left_running:
        if left and left not in results:
            reason = (
                "still running at the time-out" if ran.timed_out else f"the run ended here with exit code {ran.code}"
            )
            path = left.partition("::")[0] if "::" in left else ""
            results[left] = TestResult(left, "error", reason, path, error=TIMED_OUT if ran.timed_out else "")
    ordered = tuple(results.values())
    return SuiteReport(
        ordered,
        command,
        ran.code,
        ran.output,
        timed_out=ran.timed_out,
        seconds=ran.seconds,
        complete=complete,
        facts=facts,
        highest=PYTHON_FAILED if all(line["start"] in IN_PYTHON for line in starts) else SHELL_FAILED - 1,
        codes=codes,
        trouble=any(_number(line["finish"]) for line in finishes),
        unasked=unasked,
    )


def _results(lines: Iterable[Line]) -> dict[str, TestResult]:
    """Return results by id, in the order of the run; if a test has several lines (phases, subtests, reruns), the worst
    counts."""
    found: dict[str, TestResult] = {}
    for line in lines:
        result = _result(line)
        if result and (result.id not in found or RANK[result.outcome] > RANK[found[result.id].outcome]):
            found[result.id] = result
    return found


def _result(line: Line) -> TestResult | None:
    id, outcome = line.get("id"), line.get("outcome")
    if not isinstance(id, str) or not isinstance(outcome, str) or outcome not in OUTCOMES:
        return None
    frames = line.get("trace") if isinstance(line.get("trace"), list) else []
    trace = tuple(":".join(map(_text, frame)) for frame in frames or () if isinstance(frame, list))
    message, path, error = (_text(line.get(name, "")) for name in ("message", "path", "error"))
    seconds = line.get("seconds")
    took = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds <= LARGEST else 0.0
    return TestResult(_text(id), outcome, message, path, _number(line.get("line")), took, error, trace)


def _text(value: Any) -> str:
    """Return a string or number as a string that can be encoded as UTF-8; lone surrogates from JSON are escaped."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return str(_number(value))


def _left_running(lines: Iterable[Line]) -> list[str]:
    """Return, for each session, the test that had started but not finished, or ""."""
    found = [""]
    for line in lines:
        if isinstance(line.get("running"), str):
            found[-1] = _text(line["running"])
        elif "start" in line:
            found.append("")
        elif "id" in line:
            found[-1] = ""
    return found


def _trouble(ran: CommandResult, any_results: bool, codes: Collection[int]) -> tuple[Fact, ...]:
    if ran.timed_out:
        return (Fact("extent", f"The test command did not end within {ran.seconds:.0f} s."),)
    if ran.code in codes:
        return ()
    if ran.code in (126, 127):
        return (Fact("limit", f"The test command could not be run: {ran.text.strip()[-300:]}"),)
    if ran.code > 128:
        return (Fact("limit", f"The test command was killed by signal {ran.code - 128}."),)
    if ran.code and not any_results:
        cause = _cause(ran, clean_output(ran.output)[-300:])
        return (Fact("limit", f"The test command ended with exit code {ran.code}: {cause}"),)
    return ()


def _mismatches(ran: CommandResult, complete: bool, results: Collection[TestResult], unasked: bool) -> tuple[Fact, ...]:
    notes = []
    any_bad = unasked or any(result.bad for result in results)
    if ended := [result.id for result in results if result.too_long]:
        notes.append(f"Stopped because they ran too long: {', '.join(ended[:5])}{' …' if len(ended) > 5 else ''}.")
    if not complete and not ran.timed_out:
        why = "" if results else _cause(ran, last_line(ran.output))
        notes.append(f"The test run ended with exit code {ran.code} before all its tests were reported{_after(why)}")
    if complete and any_bad and ran.code == 0:
        notes.append("The command exited with 0 although tests failed.")
    if complete and not any_bad and ran.code not in (0, 5):
        if results:
            ending = "\n".join(clean_output(ran.output).split("\n")[-MOST_LAST_LINES:])
            notes.append(f"The command exited with {ran.code} although no test failed{_after(failure_cause(ending))}")
        else:
            why = _cause(ran, last_line(ran.output))
            notes.append(f"The test run ended with exit code {ran.code} and reported no test{_after(why)}")
    return tuple(Fact("limit", note) for note in notes)


def _cause(ran: CommandResult, otherwise: str) -> str:
    """Return why a runner could not run the tests, and which plug-ins it lacks; `otherwise` if it does not say why."""
    why = failure_cause(ran.output) or otherwise
    plugins = missing_plugins(clean_output(ran.output))
    return f"{why.rstrip('.')}. Not installed: {', '.join(plugins)}." if plugins else why


def _after(why: str) -> str:
    """Return the end of a sentence: a colon and the reason, or only the full stop."""
    return f": {why.removesuffix('.')}." if why else "."


def _number(value: Any) -> int:
    return min(value, LARGEST) if isinstance(value, int) and value > 0 else 0
