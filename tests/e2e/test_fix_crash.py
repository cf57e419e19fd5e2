"""kill -9 at random moments and records: a resumed run has the same result as an uninterrupted one."""

import json
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from extensions.repair.search_progress import WIDTH
from tests.conftest import copy_run, git
from tests.e2e.conftest import STRICT_TEST, TEST_CORE, Machine, answer, call, write
from tests.e2e.kill_runner import account, is_started, run_and_kill
from tests.e2e.plugin import install
from tests.sampling import SEED, sample
from trajectories.journal import read
from trajectories.records import Exit, Note, Run, Turn

pytestmark = pytest.mark.slow

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture
def script(machine: Machine) -> str:
    """Two attempts, one of them correct; each branch edits, tests and submits."""
    machine.plugins = install(machine.home / "site")
    wrong = call("edit", path="calc/core.py", old="return a - b", new="return a * b")
    correct = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
    return machine.script(
        answer(
            "Look.",
            call("view", path="calc/core.py"),
            call("shell", command="echo note > notes.txt"),
            branch="main",
            n=1,
        ),
        answer(
            "A test.",
            call("edit", path="tests/test_core.py", old="", new=TEST_CORE),
            call("submit"),
            branch="main",
            n=2,
        ),
        answer("Fine.", call("shell", command="rm notes.txt"), branch="main/review", n=1),
        answer("Done.", call("submit"), branch="main/review", n=2),
        answer("Times.", wrong, call("run_tests"), branch="main/try-1", n=1),
        answer("Hm.", call("submit"), branch="main/try-1", n=2),
        answer("Plus.", correct, branch="main/try-2", n=1),
        answer("Test it.", call("run_tests"), branch="main/try-2", n=2),
        answer("Good.", call("submit"), branch="main/try-2", n=3),
        answer("All there.", call("submit"), branch="main", n=3),
    )


def fix_arguments(machine: Machine, repository: Path, issue_file: str, script: str) -> list[str]:
    return [
        "fix", "--repo", str(repository), "--issue-file", issue_file, "--model", script, "--strategy", "all-structures",
        "--test", "python3 -m unittest discover", "--json",
    ]  # fmt: skip


def check_resumed(result: dict, directory: Path, uninterrupted: dict) -> None:
    """Compare a resumed run with the uninterrupted one."""
    assert (result["exit"], result["patch"]) == (uninterrupted["exit"], uninterrupted["patch"]), result["stderr"]
    assert result["verdict"]["kind"] == uninterrupted["verdict"]["kind"] == "plausible"
    money = account(directory)
    assert sorted(money["replies"]) == sorted(uninterrupted["money"]["replies"])
    assert money["settled"] == pytest.approx(uninterrupted["money"]["settled"])
    assert result["usage"]["dollars"] == pytest.approx(money["settled"] + money["in flight"])
    assert result["usage"]["calls"] == money["calls"]


@pytest.fixture
def uninterrupted(
    machine: Machine, calculator: Path, issue_file: str, script: str, request: pytest.FixtureRequest
) -> dict:
    """The result of an uninterrupted run."""
    machine.workspace = getattr(request, "param", "local")
    started = time.monotonic()
    completed = machine.run(*fix_arguments(machine, calculator, issue_file, script))
    assert completed.returncode == 6, completed.stderr
    result = json.loads(completed.stdout)
    return result | {"seconds": time.monotonic() - started, "money": account(Path(result["directory"]))}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("uninterrupted", KINDS, indirect=True)
def test_run_killed_at_random_moments_is_resumed(machine, calculator, issue_file, script, uninterrupted):
    rng = random.Random(SEED)
    for moment in [rng.uniform(0.3, 1.0) * uninterrupted["seconds"] for _ in range(2)]:
        before = set(machine.runs())
        run_and_kill(machine, fix_arguments(machine, calculator, issue_file, script), moment)
        for directory in set(machine.runs()) - before:
            if is_started(directory):
                check_resumed(machine.json("resume", directory.name), directory, uninterrupted)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("uninterrupted", KINDS, indirect=True)
def test_run_cut_at_any_record_is_resumed(machine, uninterrupted):
    directory = Path(uninterrupted["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(n for n, record in enumerate(read(directory).records) if not isinstance(record, Run | Turn))
    for length in sample(list(range(first, len(lines))), 3):
        copied = directory.parent / f"cut-{length}"
        torn = lines[length][: len(lines[length]) // 2]
        copy_run(directory, copied, b"".join(lines[:length]) + torn)
        check_resumed(machine.json("resume", copied.name), copied, uninterrupted)
        shutil.rmtree(copied)


@pytest.mark.timeout(3600)
def test_template_run_cut_at_any_record_is_resumed(machine, calculator):
    write(calculator, {"tests/test_core.py": STRICT_TEST})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    arguments = ["fix", "--repo", str(calculator), "--text", "add() in calc/core.py subtracts"]
    uninterrupted = machine.json(*arguments)
    assert uninterrupted["verdict"]["kind"] == "plausible", uninterrupted["stderr"]
    directory = Path(uninterrupted["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for length in sample(list(range(2, len(lines))), 2):
        copied = directory.parent / f"cut-{length}"
        copy_run(directory, copied, b"".join(lines[:length]) + lines[length][:7])
        resumed = machine.json("resume", copied.name)
        assert resumed["verdict"]["kind"] == "plausible", f"{length}: {resumed['stderr']}"
        assert resumed["patch"] == uninterrupted["patch"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workspace", KINDS)
def test_killed_search_is_resumed_where_it_stopped(machine, calculator, workspace):
    """Recorded candidates are not tried again, and the search ends before --max-time."""
    machine.workspace = workspace
    slow_test = TEST_CORE.replace(", 5)", ", sum(range(300_000)) and object())")  # or all candidates are tried too soon
    write(calculator, {"tests/test_core.py": slow_test})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    arguments = ["fix", "--repo", str(calculator), "--text", "add() in calc/core.py fails", "--max-time", "90"]
    command = machine.command(*arguments, "--json")
    process = subprocess.Popen(
        command, env=machine.environment, cwd=machine.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not (runs := machine.runs()) or not tried_digests(runs[0]):
            assert process.poll() is None, "the run ended before anything was tried"
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    before = tried_digests(runs[0])
    result = machine.json("resume", runs[0].name, timeout=200)
    after = tried_digests(runs[0])
    assert (result["exit"], result["patch"]) == (1, ""), result["stderr"]
    assert after[: len(before)] == before
    assert len(set(after)) == len(after) > len(before)


def tried_digests(directory: Path) -> list[bytes]:
    """The digests of the candidates that the run has tried, in order."""
    if not is_started(directory):
        return []
    parts = [once.value for (_, name), once in read(directory).results.items() if name.startswith("tried ")]
    data = b"".join((directory / "out" / str(part["digests"])).read_bytes() for part in parts)
    return [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]


def test_resume_of_finished_run_returns_its_result(machine, uninterrupted):
    resumed = machine.json("resume", Path(uninterrupted["directory"]).name)
    for part in ("run", "exit", "patch", "verdict", "usage", "steps"):
        assert resumed[part] == uninterrupted[part]
    assert resumed["returncode"] == 6
    records = read(Path(uninterrupted["directory"])).records
    assert isinstance(records[-1], Exit)
    assert sum(isinstance(record, Note) and record.kind == "life" for record in records) == 1
