"""The check of an environment: it runs the base's tests for a limited time and reports failures and missing
packages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from aci.environments.environment_plan import Plan
from aci.observation.failure_cause import failure_cause
from aci.runtime.snapshots import submodule_of_module
from extensions.environments.setup_container import SetupResult
from trajectories.git_store.trees import Trees

TIME = 120
"""The time limit of the tests in seconds. In a large suite, the tests that would run after this time are skipped."""

MOST_FILES = 2000
OPTIONS = "-p no:cacheprovider -p no:randomly"
_COMMANDS = {
    "python": f"python3 -m pytest {OPTIONS}",
    "node": "npm test",
    "go": "go test ./...",
    "rust": "cargo test --offline",
}
# Without -q: together with a -q in the repository's addopts it would hide the counts.
_COLLECT = "--collect-only -p no:cacheprovider"
_UNITTEST = "python3 -m unittest discover"
_TEST = re.compile(r"(?:^|/)(?:tests?/.*|test[^/]*|[^/]*_test|conftest)\.py$")
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
# Tests may print anything, so longer numbers do not match, and each number is scanned only once.
_NUMBER = r"(?<!\d)(\d{1,9})"
_COLLECTED = re.compile(
    rf"{_NUMBER}(?:/\d{{1,9}})? tests? collected|collected {_NUMBER} items?|^{_NUMBER} tests? found", re.MULTILINE
)
_COUNTS = re.compile(rf"{_NUMBER} (passed|failed|errors?|skipped|xfailed|xpassed)\b")
_SUMMARY_LINE = re.compile(r"^[ \t]*(?:Tests:?\s.*|\d+ (?:passing|failing)\b.*)$", re.MULTILINE)
_NO_TESTS = re.compile(r"missing script: \W?test\W*$|^Error: no test specified$", re.MULTILINE | re.IGNORECASE)
"""What `npm test` prints without a script `test`, and with the one that `npm init` writes."""

_SUMMARY_COUNT = re.compile(rf"{_NUMBER} (pass(?:ed|ing)|fail(?:ed|ing))\b")

_UNITTEST_END = re.compile(rf"^Ran {_NUMBER} tests? in [^\n]*\n\n(FAILED[^\n]*)", re.MULTILINE)
_UNITTEST_ERRORS = re.compile(rf"errors={_NUMBER}")
_RESULT = re.compile(r"^[ \t]*--- (?:PASS|FAIL): |^test result: [^\n]* [1-9]\d* (?:passed|failed);", re.MULTILINE)
"""What `go test` and `cargo test` print for the results of tests."""

Run = Callable[[str, float], SetupResult]


@dataclass(frozen=True, slots=True)
class SmokeResult:
    """The result as text and counts; -1 stands for an unknown count. `lacking` is the output of a failed run, from
    which missing packages are determined."""

    summary: str
    command: str = ""
    collected: int = -1
    passed: int = -1
    failed: int = -1
    lacking: str = ""
    failing: bool = False
    """Whether tests failed or could not be run."""
    ran: bool = False
    """Whether the runner works: at least one test passed or failed, so that the set-up did not fail."""

    def better(self, other: SmokeResult) -> bool:
        """Return whether more tests pass; without counts, whether this run succeeds and the other does not."""
        if min(self.passed, other.passed) >= 0:
            return (self.passed, -self.failed) > (other.passed, -other.failed)
        return other.failing and bool(self.command) and not self.failing


def run_smoke_check(run: Run, plan: Plan, test: str = "") -> SmokeResult:
    """Run the tests with the command `test`, or with the language's usual command."""
    place = f"cd {shlex.quote(plan.folder.rstrip('/'))} && " if plan.folder else ""
    known = _COMMANDS.get(plan.language, "")
    command = test or (f"{place}{known}" if known and plan.language != "python" else known)
    if not command:
        return SmokeResult("not tried: the test command is not known")
    if not test and plan.language == "python":
        if run("python3 -c 'import pytest' 2>/dev/null", 60).code:
            return _exit_code(run, _UNITTEST)
        return _pytest(run, command)
    return _exit_code(run, command)


def collect_tests(run: Run, pytest: str) -> SmokeResult:
    """Collect the tests of a command that calls pytest. They are imported, but not run."""
    command = f"{pytest} {_COLLECT}"
    done = run(command, 2 * TIME)
    found = _COLLECTED.findall(done.output)
    collected = int(next((number for number in found[-1] if number), 0)) if found else 0
    if done.code not in (0, 5) or not collected:
        bad = {word: int(number) for number, word in _COUNTS.findall(done.output.strip().rpartition("\n")[2])}
        errors = next((bad[word] for word in ("error", "errors") if word in bad), 0)
        files = "1 file" if errors == 1 else f"{errors} files"
        what = f"{collected} collected, {files} cannot be" if collected else "no tests could be collected"
        is_empty = done.code == 5  # pytest's exit code without tests
        if not collected and not is_empty and (cause := failure_cause(done.output)):
            what += f": {cause}"
        lacking = "" if done.timed_out or is_empty else done.output
        return SmokeResult(what, command, collected, 0, lacking=lacking, failing=not is_empty)
    return SmokeResult(f"{collected} collected", command, collected)


def _pytest(run: Run, command: str) -> SmokeResult:
    found = collect_tests(run, command)
    collected = found.collected
    if found.passed == 0:  # none can run
        return found
    done = run(_with_time_limit(command), TIME + 60)
    last = done.output.strip().rpartition("\n")[2]
    counts = {word.rstrip("s"): int(number) for number, word in _COUNTS.findall(last)}
    bad_ones = counts.get("failed", 0) + counts.get("error", 0)
    words = ", ".join(f"{number} {word}" for word, number in counts.items()) or "none finished"
    cut = f" in the first {_seconds_run(done)} s" if sum(counts.values()) < collected else ""
    return SmokeResult(
        f"{collected} collected, {words}{cut}",
        command,
        collected,
        counts.get("passed", 0),
        bad_ones,
        done.output if bad_ones else "",
        bad_ones > 0,
        ran=any(counts.get(word) for word in ("passed", "failed", "xfailed", "xpassed")),
    )


def _exit_code(run: Run, command: str) -> SmokeResult:
    done = run(_with_time_limit(command), TIME + 60)
    passed, failed = _summary_counts(done.output)
    if done.timed_out or done.code in (124, 130, 137):
        return SmokeResult(f"`{command}` runs for more than {_seconds_run(done)} s", command, -1, passed, failed)
    if done.code and "npm test" in command and _NO_TESTS.search(done.output):
        return SmokeResult("none, as package.json names no command for them", command)
    if done.code:
        cause = failure_cause(done.output) if passed < 0 else ""
        what = f"`{command}` ends with exit code {done.code}{f': {cause}' if cause else ''}"
        return SmokeResult(what, command, -1, passed, failed, done.output, True, _has_results(done.output))
    return SmokeResult(f"`{command}` succeeds", command, -1, passed, failed)


def _has_results(output: str) -> bool:
    """Return whether a failed run has the result of at least one test; in unittest, a module that cannot be imported
    counts as a test with an error."""
    if unittest := _UNITTEST_END.search(output):
        return int(unittest[1]) > int((_UNITTEST_ERRORS.search(unittest[2]) or [0, 0])[1])
    return max(_summary_counts(output)) > 0 or _RESULT.search(output) is not None


def _summary_counts(output: str) -> tuple[int, int]:
    """Return how many tests passed and failed according to the summary of mocha, jest or vitest; -1 if there is
    none."""
    counts = {
        word[:4]: int(number) for line in _SUMMARY_LINE.findall(output) for number, word in _SUMMARY_COUNT.findall(line)
    }
    return (counts.get("pass", 0), counts.get("fail", 0)) if counts else (-1, -1)


def _seconds_run(done: SetupResult) -> int:
    """Return the number of whole seconds that the tests ran, without the time needed to stop them."""
    return min(TIME, int(done.seconds))


def _with_time_limit(command: str) -> str:
    """Return the command with a time limit. At the limit, the command is interrupted as by Ctrl-C, so that it prints
    its summary."""
    shell = f"sh -c {shlex.quote(command)}"
    return f"command -v timeout >/dev/null && exec timeout -s INT {TIME} {shell}; exec {shell}"


def collect_test_imports(trees: Trees, tree: str) -> frozenset[str]:
    """Return the top-level names of the modules that the repository's tests import, without modules that lie in its
    submodules: a package of that name is another project."""
    found: set[str] = set()
    files = trees.files(tree)
    tests = [entry for path, entry in files.items() if _TEST.search(path) and entry.size < 1_000_000]
    for entry in tests[:MOST_FILES]:
        found |= {name.decode() for name in _IMPORT.findall(trees.read_blob(entry.id))}
    return frozenset(name for name in found if not submodule_of_module(files, name))
