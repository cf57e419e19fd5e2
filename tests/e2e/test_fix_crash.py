"""kill -9 at any moment, and at every record: the resumed run ends as if nothing had happened."""

import json
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from agent.repair.search_progress import WIDTH
from tests.conftest import copy_run, git
from tests.e2e.conftest import TELLING_TEST, TEST_CORE, Machine, answer, call, write
from tests.e2e.kill_runner import account, begun, killed
from tests.e2e.plugin import install
from tests.sampling import SEED, sample
from trajectories.journal import read
from trajectories.records import Exit, Note, Run, Turn

pytestmark = pytest.mark.slow

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture
def script(machine: Machine) -> str:
    """Two attempts, of which one is right; each branch edits, tests and submits."""
    machine.plugins = install(machine.home / "site")
    wrong = call("edit", path="calc/core.py", old="return a - b", new="return a * b")
    right = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
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
        answer("Plus.", right, branch="main/try-2", n=1),
        answer("Test it.", call("run_tests"), branch="main/try-2", n=2),
        answer("Good.", call("submit"), branch="main/try-2", n=3),
        answer("All there.", call("submit"), branch="main", n=3),
    )


def begin(machine: Machine, repository: Path, issue_file: str, script: str) -> list[str]:
    return [
        "fix", "--repo", str(repository), "--issue-file", issue_file, "--model", script, "--strategy", "all-structures",
        "--test", "python3 -m unittest discover", "--json",
    ]  # fmt: skip


def check(done: dict, directory: Path, whole: dict) -> None:
    """The resumed run against the one that was never interrupted."""
    assert (done["exit"], done["patch"]) == (whole["exit"], whole["patch"]), done["stderr"]
    assert done["verdict"]["kind"] == whole["verdict"]["kind"] == "verified"
    money = account(directory)
    assert sorted(money["replies"]) == sorted(whole["money"]["replies"])
    assert money["settled"] == pytest.approx(whole["money"]["settled"])
    assert done["usage"]["dollars"] == pytest.approx(money["settled"] + money["in flight"])
    assert done["usage"]["calls"] == money["calls"]


@pytest.fixture
def whole(machine: Machine, calculator: Path, issue_file: str, script: str, request: pytest.FixtureRequest) -> dict:
    """The run that nothing interrupts."""
    machine.workspace = getattr(request, "param", "local")
    started = time.monotonic()
    done = machine.run(*begin(machine, calculator, issue_file, script))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told | {"seconds": time.monotonic() - started, "money": account(Path(told["directory"]))}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("whole", KINDS, indirect=True)
def test_killed_at_random_moments(machine, calculator, issue_file, script, whole):
    chance = random.Random(SEED)
    for moment in [chance.uniform(0.3, 1.0) * whole["seconds"] for _ in range(2)]:
        before = set(machine.runs())
        killed(machine, begin(machine, calculator, issue_file, script), moment)
        for directory in set(machine.runs()) - before:
            if begun(directory):
                check(machine.json("resume", directory.name), directory, whole)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("whole", KINDS, indirect=True)
def test_killed_at_every_record(machine, whole):
    directory = Path(whole["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    first = next(n for n, record in enumerate(read(directory).records) if not isinstance(record, Run | Turn))
    for kept in sample(list(range(first, len(lines))), 3):
        copy = directory.parent / f"cut-{kept}"
        torn = lines[kept][: len(lines[kept]) // 2]
        copy_run(directory, copy, b"".join(lines[:kept]) + torn)
        check(machine.json("resume", copy.name), copy, whole)
        shutil.rmtree(copy)


@pytest.mark.timeout(3600)
def test_templates_killed_at_every_record(machine, calculator):
    write(calculator, {"tests/test_core.py": TELLING_TEST})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    arguments = ["fix", "--repo", str(calculator), "--text", "add() in calc/core.py subtracts"]
    whole = machine.json(*arguments)
    assert whole["verdict"]["kind"] == "verified", whole["stderr"]
    directory = Path(whole["directory"])
    lines = (directory / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for kept in sample(list(range(2, len(lines))), 2):
        copy = directory.parent / f"cut-{kept}"
        copy_run(directory, copy, b"".join(lines[:kept]) + lines[kept][:7])
        again = machine.json("resume", copy.name)
        assert (again["exit"], again["patch"]) == (0, whole["patch"]), (kept, again["stderr"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workspace", KINDS)
def test_search_that_was_killed_goes_on_where_it_was(machine, calculator, workspace):
    """What is on the record as tried is not tried again, and the search ends before --max-time does."""
    machine.workspace = workspace
    slowly = TEST_CORE.replace(", 5)", ", sum(range(300_000)) and object())")  # else all is tried too soon
    write(calculator, {"tests/test_core.py": slowly})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    arguments = ["fix", "--repo", str(calculator), "--text", "add() in calc/core.py fails", "--max-time", "90"]
    command = machine.command(*arguments, "--json")
    process = subprocess.Popen(
        command, env=machine.environment, cwd=machine.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not (runs := machine.runs()) or not tried(runs[0]):
            assert process.poll() is None, "it ended before anything was tried"
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    before = tried(runs[0])
    done = machine.json("resume", runs[0].name, timeout=200)
    after = tried(runs[0])
    assert (done["exit"], done["patch"]) == (1, ""), done["stderr"]
    assert after[: len(before)] == before
    assert len(set(after)) == len(after) > len(before)


def tried(directory: Path) -> list[bytes]:
    """The digests of what the run has tried, in order."""
    if not begun(directory):
        return []
    parts = [once.value for (_, name), once in read(directory).results.items() if name.startswith("tried ")]
    data = b"".join((directory / "out" / str(part["digests"])).read_bytes() for part in parts)
    return [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]


def test_resuming_finished_run_answers_as_it_ended(machine, whole):
    again = machine.json("resume", Path(whole["directory"]).name)
    for part in ("run", "exit", "patch", "verdict", "usage", "steps"):
        assert again[part] == whole[part]
    assert again["returncode"] == 0
    records = read(Path(whole["directory"])).records
    assert isinstance(records[-1], Exit)
    assert sum(isinstance(record, Note) and record.kind == "life" for record in records) == 1
