"""`swe-agent fork RUN@STEP`: a run's history up to a step, continued from there."""

import json
import os
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from agent.run_state.run_ownership import register
from tests.conftest import copy_run, git
from tests.e2e.conftest import CALCULATOR, ISSUE, TEST_CORE, Machine, answer, call, write
from tests.e2e.plugin import install
from tests.sampling import sample
from trajectories.journal import encode, read
from trajectories.records import Hold, Note, Reply, Run, Settle, Turn

pytestmark = pytest.mark.slow

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
WRONG = call("edit", path="calc/core.py", old="return a - b", new="return a * b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)
KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """One machine for all tests of this module: a run is made once and forked many times."""
    home = tmp_path_factory.mktemp("home")
    (home / "config.toml").write_text("[models.scripted]\nprice_in = 1.0\nprice_out = 5.0\nmax_output = 1000\n")
    return Machine(home)


@pytest.fixture(scope="module")
def calculator(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("calculator"), CALCULATOR)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A calculator")
    return folder


@pytest.fixture(scope="module")
def issue_file(machine):
    (machine.home / "issue.md").write_text(ISSUE)
    return machine.home / "issue.md"


@pytest.fixture(scope="module")
def script(machine):
    return machine.script(
        answer("It is multiplied here.", call("shell", command="echo note > notes.txt"), WRONG, n=1),
        answer("As you say: plus.", call("edit", path="calc/core.py", old="a * b", new="a + b"),
               call("submit"), contains="It is a sum"),
        answer("A test of it.", ADD_TEST, n=2),
        answer("No: plus.", call("edit", path="calc/core.py", old="a * b", new="a + b"), n=3),
        answer("Tidy.", call("shell", command="rm notes.txt"), call("run_tests"), call("submit"), n=4),
    )  # fmt: skip


def fix(machine, calculator, issue_file, model, *options):
    return machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--strategy", "react", *options
    )


@pytest.fixture(scope="module")
def parent(machine, calculator, issue_file, script):
    result = fix(machine, calculator, issue_file, script)
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    return result


@pytest.fixture
def copy(machine, parent) -> Path:
    """A copy of the parent that a test may change."""
    directory = Path(parent["directory"])
    target = directory.parent / f"copy-{len(machine.runs())}"
    copy_run(directory, target)
    return target


def bytes_of(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.timeout(600)
def test_fork_at_any_step_gives_same_patch_for_same_replies(machine, parent):
    directory = Path(parent["directory"])
    before = bytes_of(directory)
    steps = read(directory).all_steps()
    assert len(steps) == 6
    for step in sample(steps, 2):
        result = machine.json("fork", f"{parent['run']}@{step.n}")
        assert result["verdict"]["kind"] == "plausible", f"{step.id}: {result['stderr']}"
        assert result["patch"] == parent["patch"]
        assert result["run"] != parent["run"]
        expected_calls = sum(1 for later in steps[step.n :] if later.reply)
        assert result["usage"]["calls"] == expected_calls, "requests of the parent are neither repeated nor counted"
        forked = read(Path(result["directory"]))
        assert [s.tree for s in forked.steps["main"]][: step.n] == [s.tree for s in steps[: step.n]]
    assert bytes_of(directory) == before


def test_fork_copies_records_up_to_step(machine, parent):
    old = read(Path(parent["directory"]))
    result = machine.json("fork", f"{parent['run']}@main#3", "--budget", "1.5", "--max-steps", "50")
    new = read(Path(result["directory"]))
    first, turn, *rest = new.records
    assert isinstance(first, Run)
    assert isinstance(turn, Turn)
    assert (first.issue, first.base, first.prompts, first.tools) == (
        old.run.issue, old.run.base, old.run.prompts, old.run.tools,
    )  # fmt: skip
    assert first.id == result["run"]
    assert (first.settings["budget"], first.settings["max_steps"]) == (1.5, 50)
    at = next(number for number, record in enumerate(rest) if isinstance(record, Note) and record.kind == "forked")
    assert rest[at].data == {"run": parent["run"], "step": "main#3"}
    copied = [r for r in old.records[2 : old.records.index(old.steps["main"][2]) + 1]
            if not isinstance(r, Hold | Settle)]  # fmt: skip
    assert list(map(encode, rest[:at])) == list(map(encode, copied))
    store = Path(result["directory"], "trees.git")
    assert not (store / "objects/info/alternates").exists()
    shared_packs = list((Path(parent["directory"]) / "trees.git/objects/pack").glob("*.pack"))
    assert any((store / "objects/pack" / pack.name).stat().st_ino == pack.stat().st_ino for pack in shared_packs)
    assert git(store, "fsck", "--full") is not None


def test_fork_does_not_need_its_parent(machine, parent, copy):
    result = machine.json("fork", f"{copy}@5")
    shutil.rmtree(copy)
    second = machine.json("fork", f"{result['run']}@4")
    assert (second["verdict"]["kind"], second["patch"]) == ("plausible", parent["patch"]), second["stderr"]


def test_hint_is_added_to_conversation(machine, parent):
    result = machine.json("fork", f"{parent['run']}@2", "--hint", "It is a sum, not a product.")
    assert result["verdict"]["kind"] == "unproven", "this branch has no test"
    assert "+    return a + b" in result["patch"]
    steps = read(Path(result["directory"])).steps["main"]
    assert [step.author for step in steps[2:4]] == ["resume", "user"]
    assert steps[3].observations[0].text == "It is a sum, not a product."
    assert "hint was not used" not in result["stderr"]


def test_unused_hint_is_reported(machine, parent):
    result = machine.json("fork", f"{parent['run']}@5", "--hint", "Too late.")
    assert result["verdict"]["kind"] == "plausible"
    assert "hint was not used" in result["stderr"]


def test_fork_can_use_other_model(machine, parent):
    other = machine.script(answer("Plus and a test.", call("edit", path="calc/core.py", old="a * b", new="a + b"),
                                  ADD_TEST, call("submit")))  # fmt: skip
    result = machine.json("fork", f"{parent['run']}@2", "--model", other)
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    forked = read(Path(result["directory"]))
    assert forked.turns[-1].models == {"coder": other}
    assert {reply.model for reply in forked.replies.values()} == {
        other,
        read(Path(parent["directory"])).replies["main", 1].model,
    }


def test_fork_does_not_repeat_delivery_of_parent(machine, calculator, issue_file, script):
    first = fix(machine, calculator, issue_file, script, "--branch", "fix-sum")
    tip = git(calculator, "rev-parse", "fix-sum")
    second = machine.json("fork", f"{first['run']}@4")
    assert second["verdict"]["kind"] == "plausible", second["stderr"]
    assert git(calculator, "rev-parse", "fix-sum") == tip
    assert not [note for note in read(Path(second["directory"])).notes if note.kind in ("intent", "done")]
    other = machine.json("fork", f"{first['run']}@4", "--branch", "fix-sum-2")
    assert other["verdict"]["kind"] == "plausible"
    assert "return a + b" in git(calculator, "show", "fix-sum-2:calc/core.py")
    assert git(calculator, "status", "--porcelain") == ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workspace", KINDS)
def test_step_inside_parallel_attempts_can_be_forked(machine, calculator, issue_file, workspace, tmp_path):
    machine = replace(machine, workspace=workspace, plugins=install(tmp_path / "site"))
    model = machine.script(
        answer("A test.", ADD_TEST, call("submit"), branch="main", n=1),
        answer("Done.", call("submit"), branch="main/review", n=1),
        answer("Times.", WRONG, call("submit"), branch="main/try-1", n=1),
        answer("Plus.", FIX, branch="main/try-2", n=1),
        answer("Good.", call("submit"), branch="main/try-2", n=2),
        answer("All there.", call("submit"), branch="main", n=2),
    )
    arguments = ("--model", model, "--strategy", "all-structures", "--test", "python3 -m unittest discover")
    whole = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, *arguments)
    assert whole["verdict"]["kind"] == "plausible", whole["stderr"]
    for step in ("main/review#1", "main/try-2#2", "main#3"):
        result = machine.json("fork", f"{whole['run']}@{step}")
        assert result["verdict"]["kind"] == "plausible", f"{step}: {result['stderr']}"
        assert result["patch"] == whole["patch"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("{run}@99", "has no step main#99; main has the steps 1 to 6"),
        ("{run}@main/other#1", "has no step main/other#1; its branches with steps are main"),
        ("{run}@0", "has no step main#0"),
        ("{run}@seven", "has no step main#seven"),
        ("{run}@", "is not a step of a run"),
        ("{run}", "is not a step of a run"),
        ("@3", "is not a step of a run"),
        ("nothing@3", "no run named 'nothing'"),
    ],
)
def test_unknown_step_is_refused(machine, parent, name, message):
    before = machine.runs()
    completed = machine.run("fork", name.format(run=parent["run"]))
    assert (completed.returncode, completed.stdout) == (2, "")
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
    assert machine.runs() == before


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (("--budget", "-1"), 2, "Invalid value for --budget"),
        (("--effort", "huge"), 2, "Invalid value for --effort"),
        (("--model", "scripted:/nowhere"), 3, "cannot be read"),
        (("--apply", "--branch", "x"), 2, "both given"),
        (("--branch", "bad name.."), 2, "is not a valid"),
        (("--hint", "x" * 110_000), 2, "Keep it under"),
    ],
)
def test_bad_flag_leaves_no_run(machine, parent, flags, code, message):
    before = machine.runs()
    result = machine.json("fork", f"{parent['run']}@2", *flags)
    assert result["returncode"] == result["error"]["code"] == code
    assert message in f"{result['error']['message']} {result['error']['fix']}"
    assert machine.runs() == before


def rewrite(directory: Path, change) -> None:
    path = directory / "journal.jsonl"
    records = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records if record is not None))
    register(directory, directory.parent.parent)


def test_run_of_newer_version_is_refused(machine, copy):
    def newer(record):
        if record["type"] == "run":
            record["version"] = 99
        return record | ({"invention": 1} if record["type"] == "step" else {})

    rewrite(copy, newer)
    completed = machine.run("fork", f"{copy}@2")
    assert completed.returncode == 2
    assert "was made by a newer swe-agent: its journal has version 99" in completed.stderr


def test_step_without_reply_is_refused(machine, copy):
    rewrite(copy, lambda record: record if record["type"] != "reply" else None)
    completed = machine.run("fork", f"{copy}@2")
    assert completed.returncode == 5
    assert "reply of step main#2 is missing" in completed.stderr


def test_failed_copy_leaves_no_run(machine, copy):
    shutil.rmtree(copy / "trees.git")
    before = machine.runs()
    completed = machine.run("fork", f"{copy.name}@2")
    assert completed.returncode == 5
    assert "trees.git" in completed.stderr
    assert machine.runs() == before


def test_fork_to_other_file_system_copies_run(machine, parent):
    other = Path("/dev/shm")
    if not os.access(other, os.W_OK) or other.stat().st_dev == machine.home.stat().st_dev:
        pytest.skip("there is no second file system here")
    state = other / f"swe-agent-test-{os.getpid()}"
    try:
        register(Path(parent["directory"]), state)
        result = replace(machine, extra={"SWE_AGENT_STATE": str(state)}).json("fork", f"{parent['directory']}@5")
        assert (result["verdict"]["kind"], result["patch"]) == ("plausible", parent["patch"]), result["stderr"]
        assert result["directory"].startswith(str(state))
    finally:
        shutil.rmtree(state, ignore_errors=True)


def test_run_that_has_not_ended_can_be_forked(machine, parent, copy):
    rewrite(copy, lambda record: record if record["type"] != "exit" else None)
    result = machine.json("fork", f"{copy.name}@5")
    assert (result["verdict"]["kind"], result["patch"]) == ("plausible", parent["patch"])


def test_signed_blocks_are_copied_unchanged(machine, copy):
    block = '{"type": "thinking", "signature": "ä\\u0000=="}'

    rewrite(copy, lambda record: record | ({"blocks": [block]} if record["type"] == "reply" else {}))
    result = machine.json("fork", f"{copy.name}@5")
    replies = [record for record in read(Path(result["directory"])).records if isinstance(record, Reply)]
    assert [reply.blocks for reply in replies] == [(block,)] * 4
