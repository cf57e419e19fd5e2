"""Seeing whether an environment serves: the base's tests are run for a while, and what they lack is told."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from aci.environments.plan import Plan
from aci.environments.room import Done
from trajectories.trees import Trees

TIME = 120
"""Seconds for which tests are run; those of a large suite that come later are not tried."""

MOST_FILES = 2000
OPTIONS = "-p no:cacheprovider -p no:randomly"
_COMMANDS = {
    "python": f"python3 -m pytest {OPTIONS}",
    "node": "npm test",
    "go": "go test ./...",
    "rust": "cargo test --offline",
}
# Without -q: one more than the repository's own addopts have would hide the counts.
_COLLECT = f"python3 -m pytest --collect-only {OPTIONS}"
_UNITTEST = "python3 -m unittest discover"
_TEST = re.compile(r"(?:^|/)(?:tests?/.*|test[^/]*|[^/]*_test|conftest)\.py$")
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_NUMBER = r"(?<!\d)(\d{1,9})"  # tests may print anything: a longer one is none, and is looked at once
_COLLECTED = re.compile(
    rf"{_NUMBER}(?:/\d{{1,9}})? tests? collected|collected {_NUMBER} items?|^{_NUMBER} tests? found", re.MULTILINE
)
_COUNTS = re.compile(rf"{_NUMBER} (passed|failed|errors?|skipped|xfailed|xpassed)\b")
_TOLD = re.compile(r"^[ \t]*(?:Tests:?\s.*|\d+ (?:passing|failing)\b.*)$", re.MULTILINE)
_TELLS = re.compile(rf"{_NUMBER} (pass(?:ed|ing)|fail(?:ed|ing))\b")

Run = Callable[[str, float], Done]


@dataclass(frozen=True, slots=True)
class Tried:
    """What running came to, in words and counts; -1 is unknown. `lacking` is what was said where not all is well."""

    summary: str
    command: str = ""
    collected: int = -1
    passed: int = -1
    failed: int = -1
    lacking: str = ""
    failing: bool = False
    """Whether tests were seen to fail, or could not be run."""

    def better(self, other: Tried) -> bool:
        """Whether more tests pass; where they are not counted, whether this succeeds and the other does not."""
        if min(self.passed, other.passed) >= 0:
            return (self.passed, -self.failed) > (other.passed, -other.failed)
        return other.failing and bool(self.command) and not self.failing


def tried(run: Run, plan: Plan, test: str = "") -> Tried:
    """Run the tests, by `test` if somebody says how."""
    place = f"cd {shlex.quote(plan.folder.rstrip('/'))} && " if plan.folder else ""
    known = _COMMANDS.get(plan.language, "")
    command = test or (f"{place}{known}" if known and plan.language != "python" else known)
    if not command:
        return Tried("not tried: how they are run is not known")
    if not test and plan.language == "python":
        if run("python3 -c 'import pytest' 2>/dev/null", 60).code:
            return _exit_code(run, _UNITTEST)
        return _pytest(run, command)
    return _exit_code(run, command)


def _pytest(run: Run, command: str) -> Tried:
    done = run(_COLLECT, 2 * TIME)
    found = _COLLECTED.findall(done.output)
    collected = int(next((number for number in found[-1] if number), 0)) if found else 0
    if done.code not in (0, 5) or not collected:
        bad = {word: int(number) for number, word in _COUNTS.findall(done.output.strip().rpartition("\n")[2])}
        errors = next((bad[word] for word in ("error", "errors") if word in bad), 0)
        what = f"{collected} collected, {errors} files cannot be" if collected else "none could be collected"
        lacking = "" if done.timed_out else done.output
        return Tried(what, _COLLECT, collected, 0, lacking=lacking, failing=done.code != 5)
    done = run(_within(command), TIME + 60)
    last = done.output.strip().rpartition("\n")[2]
    counts = {word.rstrip("s"): int(number) for number, word in _COUNTS.findall(last)}
    bad_ones = counts.get("failed", 0) + counts.get("error", 0)
    words = ", ".join(f"{number} {word}" for word, number in counts.items()) or "none ended"
    cut = f" in the first {_spent(done)} s" if sum(counts.values()) < collected else ""
    return Tried(
        f"{collected} collected, {words}{cut}",
        command,
        collected,
        counts.get("passed", 0),
        bad_ones,
        done.output if bad_ones else "",
        bad_ones > 0,
    )


def _exit_code(run: Run, command: str) -> Tried:
    done = run(_within(command), TIME + 60)
    passed, failed = _counted(done.output)
    if done.timed_out or done.code in (124, 130, 137):
        return Tried(f"`{command}` goes on for more than {_spent(done)} s", command, -1, passed, failed)
    if done.code:
        what = f"`{command}` ends with exit code {done.code}"
        return Tried(what, command, -1, passed, failed, done.output, failing=True)
    return Tried(f"`{command}` succeeds", command, -1, passed, failed)


def _counted(output: str) -> tuple[int, int]:
    """How many passed and failed by the last words of mocha, jest or vitest; -1 where they are none of theirs."""
    counts = {word[:4]: int(number) for line in _TOLD.findall(output) for number, word in _TELLS.findall(line)}
    return (counts.get("pass", 0), counts.get("fail", 0)) if counts else (-1, -1)


def _spent(done: Done) -> int:
    """Whole seconds; what is done to end tests that go on is none of theirs."""
    return min(TIME, int(done.seconds))


def _within(command: str) -> str:
    """Interrupted when time is up, as by a user, so that it tells what it has done."""
    shell = f"sh -c {shlex.quote(command)}"
    return f"command -v timeout >/dev/null && exec timeout -s INT {TIME} {shell}; exec {shell}"


def imports_of_tests(trees: Trees, tree: str) -> frozenset[str]:
    """The top names that the repository's tests import."""
    found: set[str] = set()
    tests = [entry for path, entry in trees.files(tree).items() if _TEST.search(path) and entry.size < 1_000_000]
    for entry in tests[:MOST_FILES]:
        found |= {name.decode() for name in _IMPORT.findall(trees.read_blob(entry.id))}
    return frozenset(found)
