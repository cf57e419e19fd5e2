"""Running a repository's tests and reading what came of each.

Results come from `aci/inside/results.py`, one file of ours placed in the workspace outside the repository: any
command that ends up running pytest loads it as a plug-in, `python -m unittest` is run through it. Other commands
are judged by their exit code. What the file reports is checked against the exit code and against its own counts.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, ClassVar, Literal, get_args

from aci.commands import detect_command, importing
from aci.workspace import Ran, Workspace
from trajectories.errors import UsageError

Outcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
RANK = {"skipped": 0, "xfailed": 1, "xpassed": 2, "passed": 3, "error": 4, "failed": 5}
LOSS = {"passed": 0, "xpassed": 0, "xfailed": 1, "skipped": 1, "error": 2, "failed": 3}
"""Of several lines for one test within a run the highest RANK counts, of its results in two runs the highest LOSS."""
CUT = "TimeUp"
SESSION = "tests"
UNITTEST = re.compile(r"(?<=\s)-m\s+unittest(?=\s|$)", re.MULTILINE)
UNREACHABLE = b"No module named 'swe_agent_results'"
RESULTS_LIMIT = 200_000_000
TEST_LIMIT = 60.0
"""Seconds that one test may take where an alarm can end it, so that a test that hangs does not hide the others."""


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test, or of a file that could not be collected (`error`).

    `id` is pytest's node id or unittest's dotted name. `path` and `line` are where the test is written. Of a failure,
    `error` is the exception's type and `trace` the repository's own frames `path:line:function`, innermost last.
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
    def cut(self) -> bool:
        """Whether it was still running when the time of the whole run was up, which says nothing of the test."""
        return self.error == CUT


@dataclass(frozen=True, slots=True)
class Report:
    """What a test command did.

    `complete`: every session that started also finished, and all its tests ran. `granularity` is `command` where only
    the exit code is known. `notes` say in words what does not fit together.
    """

    results: tuple[TestResult, ...]
    command: str
    code: int
    output: bytes = b""
    granularity: Literal["test", "file", "command"] = "test"
    timed_out: bool = False
    seconds: float = 0.0
    complete: bool = True
    notes: tuple[str, ...] = ()
    _by_id: dict[str, TestResult] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {result.id: result for result in self.results})

    @property
    def failed(self) -> tuple[str, ...]:
        return tuple(result.id for result in self.results if result.bad)

    @property
    def passed(self) -> tuple[str, ...]:
        return tuple(result.id for result in self.results if result.ok)

    @property
    def counts(self) -> dict[str, int]:
        """How many tests had each outcome; outcomes that did not occur are left out."""
        found = {outcome: sum(result.outcome == outcome for result in self.results) for outcome in OUTCOMES}
        return {outcome: count for outcome, count in found.items() if count}

    @property
    def ok(self) -> bool:
        """Whether everything ran to its end and nothing failed."""
        ran = bool(self.results) or self.granularity == "command"
        return ran and self.complete and not self.timed_out and not self.failed and self.code == 0

    @property
    def ended_well(self) -> bool:
        """Whether the exit code tells no trouble that the results do not: a crash at the very end, a plug-in's no."""
        if self.granularity == "command":
            return True
        return self.complete and (0 <= self.code <= 2 if self.failed else self.code in (0, 5))

    def find(self, id: str) -> TestResult | None:
        """The test's result, else the error of the file, module or class that holds it."""
        if id in self._by_id:
            return self._by_id[id]
        holders = [id[: cut.start()] for cut in re.finditer(r"::|[.\[/]", id)]
        found = [self._by_id[holder] for holder in reversed(holders) if holder in self._by_id]
        return next((result for result in found if result.outcome == "error"), None)

    def joined(self, other: Report) -> Report:
        """Of each test the worse of its results in two runs, and not one that was cut off; all else is the other's."""
        ours = [result for result in self.results if result.id not in other._by_id]
        pairs = [(self._by_id.get(result.id, result), result) for result in other.results]
        worse = [max(pair, key=lambda one: -1 if one.cut else LOSS[one.outcome]) for pair in pairs]
        return replace(
            other,
            results=(*worse, *ours),
            seconds=self.seconds + other.seconds,
            complete=self.complete and other.complete,
            notes=tuple(dict.fromkeys((*self.notes, *other.notes))),
        )

    def summary(self) -> str:
        """One line: `3 failed, 120 passed in 2.1 s`."""
        order = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")
        found = self.counts
        counts = [f"{n} {name}{'s' * (name == 'error' and n > 1)}" for name in order if (n := found.get(name))]
        if self.granularity == "command":
            counts = [f"exit code {self.code}"]
        state = ", timed out" if self.timed_out else "" if self.complete else ", not finished"
        return f"{', '.join(counts) or 'no tests ran'} in {self.seconds:.1f} s{state}"


def run_tests(workspace: Workspace, command: str = "", nodes: Sequence[str] = (), timeout: float = 600) -> Report:
    """Run the tests by `command`, or as the repository suggests, narrowed to `nodes` if any are given.

    A node is a pytest node id, a unittest dotted name, a file or a folder; nodes that do not exist are passed over.
    A command that is judged by its exit code cannot be narrowed. `timeout` is in seconds, for the whole command; a test
    that takes a minute of it (or half) fails. Raises UsageError if no test command is given and none can be found.
    """
    command = command or detect_command(workspace, SESSION)
    folder = f"{workspace.harness}/results-{secrets.token_hex(8)}"
    out = f"{folder}/out.jsonl"
    asked = {
        "out": out,
        "root": workspace.root,
        "nodes": _outermost(nodes),
        "cache": f"{folder}/cache",
        "limit": min(TEST_LIMIT, timeout / 2),
    }
    plugin = files("aci.inside").joinpath("results.py").read_bytes()
    workspace.write(f"{folder}/swe_agent_results.py", plugin)
    workspace.write(f"{folder}/run.json", json.dumps(asked).encode())
    words = importing(folder, UNITTEST.sub("-m swe_agent_results", command))
    workspace.write(f"{folder}/command.sh", words.encode() + b"\n")
    ran = workspace.run(_shell_line(workspace.root, folder), timeout, SESSION)
    report = _report(command, ran, _lines(workspace, out))
    if not report.results and UNREACHABLE in ran.output:
        # The command hides our file from Python (-I, env -i, tox): then its exit code must do.
        workspace.write(f"{folder}/command.sh", b"unset PYTEST_PLUGINS\n" + command.encode() + b"\n")
        report = _report(command, workspace.run(_shell_line(workspace.root, folder), timeout, SESSION), [])
    workspace.run(f"rm -rf {shlex.quote(folder)}", session=SESSION)
    return report


def _outermost(nodes: Sequence[str]) -> list[str]:
    """The nodes without those that lie in a folder among them: some runners then leave out the folder's other files."""
    folders = [f"{node.rstrip('/')}/" for node in nodes if "::" not in node and not node.endswith(".py")]
    return [node for node in nodes if not any(node.startswith(folder) and node != folder for folder in folders)]


def _shell_line(root: str, folder: str) -> str:
    """Runs command.sh in a process of its own, so that nothing it does to its shell is left behind."""
    place = shlex.quote(folder)
    return (
        f"(cd {shlex.quote(root)} && "
        "PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 "
        f'SWE_AGENT_RUN={place}/run.json PYTHONPATH={place}"${{PYTHONPATH:+:$PYTHONPATH}}" '
        'PYTEST_PLUGINS=swe_agent_results"${PYTEST_PLUGINS:+,$PYTEST_PLUGINS}" '
        f'"$(command -v bash || command -v sh)" {place}/command.sh)'
    )


def _lines(workspace: Workspace, path: str) -> list[dict[str, Any]]:
    """The lines of a results file; what is not one of ours (torn by a kill, or written by others) is passed over."""
    try:
        data = workspace.read(path, RESULTS_LIMIT)
    except (OSError, UsageError):
        return []
    found = []
    for line in data.split(b"\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _report(command: str, ran: Ran, lines: list[dict[str, Any]]) -> Report:
    starts = [line for line in lines if "start" in line]
    finishes = [line for line in lines if "finish" in line]
    results = _results(lines)
    if not starts:
        notes = _trouble(ran, any_results=False)
        return Report(
            (), command, ran.code, ran.output, "command", ran.timed_out, ran.seconds, not ran.timed_out, notes
        )
    begun = sum("running" in line for line in lines)
    expected = sum(_number(line.get("expected")) for line in finishes)
    complete = len(starts) == len(finishes) and begun >= expected and not ran.timed_out
    notes = _trouble(ran, any_results=True) + _mismatches(ran, complete, results.values())
    if len(finishes) < len(starts) and (left := _left_running(lines)) and left not in results:
        reason = "still running when time was up" if ran.timed_out else f"the run ended here with exit code {ran.code}"
        path = left.partition("::")[0] if "::" in left else ""
        results[left] = TestResult(left, "error", reason, path, error=CUT if ran.timed_out else "")
    ordered = tuple(results.values())
    return Report(ordered, command, ran.code, ran.output, "test", ran.timed_out, ran.seconds, complete, notes)


def _results(lines: list[dict[str, Any]]) -> dict[str, TestResult]:
    """By id, in the order of the run; of several lines for one test (phases, subtests, reruns) the worst counts."""
    found: dict[str, TestResult] = {}
    for line in lines:
        result = _result(line)
        if result and (result.id not in found or RANK[result.outcome] > RANK[found[result.id].outcome]):
            found[result.id] = result
    return found


def _result(line: dict[str, Any]) -> TestResult | None:
    id, outcome = line.get("id"), line.get("outcome")
    if not isinstance(id, str) or outcome not in OUTCOMES:
        return None
    frames = line.get("trace") if isinstance(line.get("trace"), list) else []
    trace = tuple(":".join(map(str, frame)) for frame in frames or () if isinstance(frame, list))
    message, path, error = (str(line.get(name, "")) for name in ("message", "path", "error"))
    seconds = line.get("seconds")
    took = float(seconds) if isinstance(seconds, int | float) else 0.0
    return TestResult(id, outcome, message, path, _number(line.get("line")), took, error, trace)


def _left_running(lines: list[dict[str, Any]]) -> str:
    """The test that had begun and not ended when the lines stop."""
    for line in reversed(lines):
        if isinstance(line.get("running"), str):
            return str(line["running"])
        if "id" in line:
            return ""
    return ""


def _trouble(ran: Ran, any_results: bool) -> tuple[str, ...]:
    if ran.timed_out:
        return (f"The test command did not end within {ran.seconds:.0f} s.",)
    if ran.code in (126, 127):
        return (f"The test command could not be run: {ran.text.strip()[-300:]}",)
    if ran.code > 128:
        return (f"The test command was ended by signal {ran.code - 128}.",)
    if ran.code and not any_results:
        return (f"The test command ended with exit code {ran.code}: {ran.text.strip()[-300:]}",)
    return ()


def _mismatches(ran: Ran, complete: bool, results: Collection[TestResult]) -> tuple[str, ...]:
    notes = []
    any_bad = any(result.bad for result in results)
    if ended := [result.id for result in results if result.error == "RanTooLong"]:
        notes.append(f"Ended because they ran too long: {', '.join(ended[:5])}{' …' if len(ended) > 5 else ''}.")
    if not complete and not ran.timed_out:
        notes.append(f"The test run ended with exit code {ran.code} before all its tests were reported.")
    if complete and any_bad and ran.code == 0:
        notes.append("The command exited with 0 although tests failed.")
    if complete and not any_bad and ran.code not in (0, 5):
        notes.append(f"The command exited with {ran.code} although no test failed.")
    return tuple(notes)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
