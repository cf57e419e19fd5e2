"""The main job from the outside: what a user sees, gets and keeps."""

from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import TELLING_TEST, TEST_CORE, answer, call, write
from trajectories.journal import read

pytestmark = pytest.mark.slow

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]
FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)


@pytest.fixture
def fixing(machine):
    return machine.script(answer("Both.", ADD_TEST, FIX, call("run_tests"), call("submit")))


@pytest.mark.parametrize("workspace", KINDS)
def test_scripted_model_ends_verified(machine, calculator, issue_file, fixing, workspace):
    machine.workspace = workspace
    before = git(calculator, "status", "--porcelain")
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    assert told["returncode"] == told["exit"] == 0
    assert told["verdict"] | {"red": True, "green": True, "red_again": True, "no_loss": True} == told["verdict"]
    assert told["verdict"]["kind"] == "verified"
    assert set(told) >= {"run", "exit", "patch", "verdict", "usage", "steps", "seconds", "directory"}
    assert told["usage"] == {
        "dollars": 0.0002, "input_tokens": 100, "cached_tokens": 0, "output_tokens": 20, "calls": 1
    }  # fmt: skip
    assert Path(told["directory"], "patch.diff").read_text() == told["patch"]
    assert git(calculator, "status", "--porcelain") == before, "nothing of the user's is touched unless asked"
    git(calculator, "apply", str(Path(told["directory"], "patch.diff")))
    assert "return a + b" in (calculator / "calc/core.py").read_text()


def test_person_sees_steps_diff_proof_and_where_it_lies(machine, calculator, issue_file, fixing):
    done = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--plain")
    assert "coder edit tests/test_core.py" in done.stderr
    assert "+    return a + b" in done.stdout
    assert "Verified" in done.stdout
    assert "it fails again with the source hunks taken out  yes" in done.stdout
    assert "\x1b[" not in done.stdout + done.stderr
    directory = machine.runs()[0]
    assert str(directory) in done.stdout
    git(calculator, "diff", "--exit-code")
    script = directory / "proof.sh"
    assert f"git apply {directory}/patch.diff" in script.read_text()


def test_uncommitted_work_is_base_and_stays(machine, calculator, issue_file, fixing):
    write(calculator, {"calc/text.py": "def shout(word):\n    return word.upper() + ''\n", "new.txt": "mine\n"})
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--apply")
    assert told["exit"] == 0, told["stderr"]
    assert "calc/text.py" not in told["patch"]
    assert "return a + b" in (calculator / "calc/core.py").read_text()
    assert (calculator / "new.txt").read_text() == "mine\n"
    assert read(Path(told["directory"])).run.base.changes == 2


def test_exactly_from_revision(machine, calculator, issue_file, fixing):
    write(calculator, {"calc/core.py": "broken ="})
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--base", "HEAD")
    assert told["verdict"]["kind"] == "verified", told["stderr"]


def test_branch_of_it(machine, calculator, issue_file, fixing):
    arguments = ("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--branch", "mend")
    told = machine.json(*arguments)
    assert told["exit"] == 0
    assert git(calculator, "show", "mend:calc/core.py").count("a + b") == 1
    assert git(calculator, "log", "-1", "--format=%s", "mend") == "add() subtracts"
    assert git(calculator, "rev-parse", "mend^") == git(calculator, "rev-parse", "HEAD")
    assert git(calculator, "status", "--porcelain") == ""
    for name, said in (("mend", "exists already"), ("bad name..", "is not a valid")):
        refused = machine.json(*arguments[:-1], name)
        assert (refused["returncode"], set(refused) - {"returncode", "stderr"}) == (2, {"error"}), "before it costs"
        assert said in refused["error"]["message"]


def test_given_reproduction_test_counts(machine, calculator, issue_file, tmp_path):
    (tmp_path / "test_mine.py").write_text(TEST_CORE)
    model = machine.script(answer("Fix.", FIX, call("submit")))
    told = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", model,
        "--reproduce", tmp_path / "test_mine.py",
    )  # fmt: skip
    assert told["verdict"]["kind"] == "verified", told["stderr"]
    assert "tests/test_mine.py" in told["patch"]


def test_edits_of_existing_tests_are_in_patch_only_when_allowed(machine, calculator, issue_file):
    weaken = call("edit", path="tests/test_text.py", old='"A"', new='"A" or 1')
    model = machine.script(answer("Both.", ADD_TEST, FIX, weaken, call("submit")))
    for flags, edited in (([], False), (["--update-tests"], True)):
        told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, *flags)
        assert told["verdict"]["kind"] == "verified", told["stderr"]
        assert ("tests/test_text.py" in told["patch"]) is edited
        assert "tests/test_core.py" in told["patch"]


@pytest.mark.parametrize("where", ["inside", "from a subfolder", "a node", "only in the working tree"])
def test_reproduction_tests_by_any_path(machine, calculator, issue_file, tmp_path, where):
    write(calculator, {"tests/test_core.py": TEST_CORE})
    if where != "only in the working tree":
        git(calculator, "add", "-A")
        git(calculator, "commit", "-qm", "A failing test")
    name, cwd, more = {
        "inside": (calculator / "tests/test_core.py", None, []),
        "from a subfolder": ("test_core.py", calculator / "tests", []),
        "a node": (f"{calculator}/tests/test_core.py::CoreTest::test_add", None, []),
        "only in the working tree": ("tests/test_core.py", None, ["--base", "HEAD"]),
    }[where]
    model = machine.script(answer("Fix.", FIX, call("submit")))
    arguments = ("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--reproduce", name, *more)
    told = machine.json(*arguments, cwd=cwd)
    assert told["verdict"]["kind"] == "verified", told["stderr"]
    assert ("tests/test_core.py" in told["patch"]) is (where == "only in the working tree")


def test_wrong_patch_is_not_verified(machine, calculator, issue_file):
    wrong = call("edit", path="calc/core.py", old="return a - b", new="return 6")
    told = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file,
        "--model", machine.script(answer("Six.", ADD_TEST, wrong, call("submit"))),
    )  # fmt: skip
    assert (told["exit"], told["verdict"]["kind"], told["verdict"]["green"]) == (6, "unproven", False)


def test_nothing_changed_is_no_fix(machine, calculator, issue_file):
    model = machine.script(answer("Nothing.", call("submit"), n=1), answer("Hm."))
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert (told["exit"], told["patch"], told["verdict"]["kind"]) == (1, "", "none")


def test_runs_show_and_replay(machine, calculator, issue_file, fixing):
    first = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    again = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", f"replay:{first['run']}")
    assert again["patch"] == first["patch"]
    assert again["usage"]["dollars"] == 0
    listed = machine.json("runs")["runs"]
    assert [run["run"] for run in listed] == [again["run"], first["run"]]
    assert listed[1] | {"exit": 0, "dollars": 0.0002, "resumable": False, "issue": "add() subtracts"} == listed[1]
    shown = machine.run("show", first["run"], "--plain")
    assert shown.returncode == 0
    assert "main#2" in shown.stdout
    assert "+    return a + b" in shown.stdout
    assert first["run"] in machine.run("runs").stdout


def test_templates_need_no_model(machine, calculator):
    write(calculator, {"tests/test_core.py": TELLING_TEST})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    told = machine.json("fix", "--repo", calculator, "--text", "add() in calc/core.py subtracts", "--apply")
    assert told["verdict"]["kind"] == "verified", told["stderr"]
    assert told["usage"]["calls"] == 0
    assert (calculator / "calc/core.py").read_text().startswith("def add(a, b):")


def test_without_failing_test_templates_claim_nothing(machine, calculator):
    told = machine.json("fix", "--repo", calculator, "--text", "add() in calc/core.py subtracts")
    assert (told["exit"], told["patch"]) == (1, "")
    assert "calc/core.py" in told["word"]


def test_keys_of_host_reach_neither_workspace_nor_run(machine, calculator, issue_file):
    canary = "canary-4f1d9c27ab"
    machine.extra |= {"OPENAI_API_KEY": canary, "MY_TOKEN": canary, "UNRELATED": f"x{canary}"}
    model = machine.script(
        answer("Look.", call("shell", command="env; cat /proc/$PPID/environ; true"), FIX, call("submit"))
    )
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    found = [
        file for file in Path(told["directory"]).rglob("*") if file.is_file() and canary.encode() in file.read_bytes()
    ]
    assert found == []
    assert canary not in told["stderr"]


def test_key_in_issue_goes_no_further(machine, calculator):
    canary = "canary-4f1d9c27ab"
    machine.extra |= {"SHOP_API_KEY": canary}
    model = machine.script(answer("Fix.", FIX, call("submit")))
    told = machine.json(
        "fix", "--repo", calculator, "--text", f"With the key {canary} add() subtracts.", "--model", model
    )
    assert told["exit"] == 6, told
    found = [
        file for file in Path(told["directory"]).rglob("*") if file.is_file() and canary.encode() in file.read_bytes()
    ]
    assert found == []


def test_repository_by_its_url(machine, calculator, issue_file, fixing):
    told = machine.json("fix", "--repo", calculator.as_uri(), "--issue-file", issue_file, "--model", fixing)
    assert told["verdict"]["kind"] == "verified", told["stderr"]
