"""`swe-agent fix` as a process: output, results and files."""

import subprocess
from pathlib import Path

import pytest

from tests.conftest import committed, git
from tests.e2e.conftest import STRICT_TEST, TEST_CORE, answer, call, write
from tests.submodule_repository import add_submodule
from trajectories.journal import read

pytestmark = pytest.mark.slow

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]
FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)


@pytest.fixture
def solving_model(machine):
    return machine.script(answer("Both.", ADD_TEST, FIX, call("run_tests"), call("submit")))


@pytest.mark.parametrize("workspace", KINDS)
def test_scripted_model_fix_is_plausible_without_an_examiner(machine, calculator, issue_file, solving_model, workspace):
    machine.workspace = workspace
    before = git(calculator, "status", "--porcelain")
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    assert result["returncode"] == result["exit"] == 6
    assert result["verdict"] | {"red": True, "green": True, "red_again": True, "no_loss": True} == result["verdict"]
    assert (result["verdict"]["kind"], result["verdict"]["evidence"]) == ("plausible", "none")
    assert set(result) >= {"run", "exit", "patch", "verdict", "usage", "steps", "seconds", "directory"}
    assert result["usage"] == {
        "dollars": 0.0002, "input_tokens": 100, "cached_tokens": 0, "output_tokens": 20, "calls": 1
    }  # fmt: skip
    assert Path(result["directory"], "patch.diff").read_text() == result["patch"]
    assert git(calculator, "status", "--porcelain") == before, "the user's files are unchanged without --apply"
    git(calculator, "apply", str(Path(result["directory"], "patch.diff")))
    assert "return a + b" in (calculator / "calc/core.py").read_text()


def test_plain_output_shows_steps_diff_proof_and_directory(machine, calculator, issue_file, solving_model):
    completed = machine.run(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model, "--plain"
    )
    assert "coder edit tests/test_core.py" in completed.stderr
    assert "+    return a + b" in completed.stdout
    assert "Plausible: a test fails without the change" in completed.stdout
    assert completed.returncode == 6
    assert "it fails again without the source changes  yes" in completed.stdout
    assert "\x1b[" not in completed.stdout + completed.stderr
    directory = machine.runs()[0]
    assert str(directory) in completed.stdout
    git(calculator, "diff", "--exit-code")
    script = directory / "proof.sh"
    assert f"patch={directory}/patch.diff" in script.read_text()
    repeated = subprocess.run(["sh", script], cwd=calculator, capture_output=True, text=True, check=False)
    assert (repeated.returncode, repeated.stdout.splitlines()[-1]) == (0, "The proof holds."), repeated
    git(calculator, "diff", "--exit-code")


def test_fix_with_tests_that_need_a_submodule(machine, calculator, issue_file, tmp_path):
    add_submodule(calculator, committed(tmp_path / "sums", {"sums.py": "def add(a, b):\n    return a + b\n"}), "vendor")
    test = TEST_CORE.replace("from calc", "from vendor.sums import add as sums\nfrom calc", 1)
    assert test != TEST_CORE
    edits = [
        call("edit", path="vendor/sums.py", old="a + b", new="a - b"),
        call("shell", command="echo 'broken =' > vendor/sums.py"),
        call("edit", path="tests/test_core.py", old="", new=test),
    ]
    model = machine.script(
        {"n": 1} | answer("All.", *edits, FIX),
        {"n": 2} | answer("Undo.", call("shell", command="git status")),
        answer("Done.", call("submit")),
    )
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert result["verdict"]["kind"] == "plausible", result
    assert "vendor/" not in result["patch"]
    script = Path(result["directory"], "proof.sh")
    repeated = subprocess.run(["sh", script], cwd=calculator, capture_output=True, text=True, check=False)
    assert (repeated.returncode, repeated.stdout.splitlines()[-1]) == (0, "The proof holds."), repeated


def test_uncommitted_work_is_part_of_base_and_kept(machine, calculator, issue_file, solving_model):
    write(calculator, {"calc/text.py": "def shout(word):\n    return word.upper() + ''\n", "new.txt": "mine\n"})
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model, "--apply")
    assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible"), result["stderr"]
    assert "calc/text.py" not in result["patch"]
    assert "return a + b" in (calculator / "calc/core.py").read_text()
    assert (calculator / "new.txt").read_text() == "mine\n"
    assert read(Path(result["directory"])).run.base.changes == 2


def test_base_option_ignores_working_tree(machine, calculator, issue_file, solving_model):
    write(calculator, {"calc/core.py": "broken ="})
    result = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model, "--base", "HEAD"
    )
    assert result["verdict"]["kind"] == "plausible", result["stderr"]


def test_branch_option_commits_fix_to_new_branch(machine, calculator, issue_file, solving_model):
    arguments = (
        "fix",
        "--repo",
        calculator,
        "--issue-file",
        issue_file,
        "--model",
        solving_model,
        "--branch",
        "fix-sum",
    )
    result = machine.json(*arguments)
    assert (result["exit"], result["verdict"]["kind"]) == (6, "plausible")
    assert git(calculator, "show", "fix-sum:calc/core.py").count("a + b") == 1
    assert git(calculator, "log", "-1", "--format=%s", "fix-sum") == "add() subtracts"
    assert git(calculator, "rev-parse", "fix-sum^") == git(calculator, "rev-parse", "HEAD")
    assert git(calculator, "status", "--porcelain") == ""
    for name, message in (("fix-sum", "exists already"), ("bad name..", "is not a valid")):
        refused = machine.json(*arguments[:-1], name)
        assert (refused["returncode"], set(refused) - {"returncode", "stderr"}) == (2, {"error"}), (
            "refused before any cost"
        )
        assert message in refused["error"]["message"]


def test_reproduction_test_from_file_proves_fix(machine, calculator, issue_file, tmp_path):
    (tmp_path / "test_mine.py").write_text(TEST_CORE)
    model = machine.script(answer("Fix.", FIX, call("submit")))
    result = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", model,
        "--reproduce", tmp_path / "test_mine.py",
    )  # fmt: skip
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    assert "tests/test_mine.py" in result["patch"]


def test_edits_of_existing_tests_are_in_patch_only_when_allowed(machine, calculator, issue_file):
    weaken = call("edit", path="tests/test_text.py", old='"A"', new='"A" or 1')
    model = machine.script(answer("Both.", ADD_TEST, FIX, weaken, call("submit")))
    for flags, edited in (([], False), (["--update-tests"], True)):
        result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, *flags)
        assert result["verdict"]["kind"] == "plausible", result["stderr"]
        assert ("tests/test_text.py" in result["patch"]) is edited
        assert "tests/test_core.py" in result["patch"]


@pytest.mark.parametrize("location", ["inside", "from a subfolder", "a node", "unittest", "only in the working tree"])
def test_reproduction_test_can_be_given_by_any_path(machine, calculator, issue_file, tmp_path, location):
    write(calculator, {"tests/test_core.py": TEST_CORE})
    if location != "only in the working tree":
        git(calculator, "add", "-A")
        git(calculator, "commit", "-qm", "A failing test")
    name, cwd, options = {
        "inside": (calculator / "tests/test_core.py", None, []),
        "from a subfolder": ("test_core.py", calculator / "tests", []),
        "a node": (f"{calculator}/tests/test_core.py::CoreTest::test_add", None, []),
        "unittest": ("tests/test_core.py", None, ["--test", "python3 -m unittest discover"]),
        "only in the working tree": ("tests/test_core.py", None, ["--base", "HEAD"]),
    }[location]
    model = machine.script(answer("Fix.", FIX, call("submit")))
    arguments = (
        "fix",
        "--repo",
        calculator,
        "--issue-file",
        issue_file,
        "--model",
        model,
        "--reproduce",
        name,
        *options,
    )
    result = machine.json(*arguments, cwd=cwd)
    is_new = location == "only in the working tree"
    judged = result["exit"], result["verdict"]["kind"], result["verdict"]["evidence"]
    # A test of the base that the user names is independent evidence, as the fix is general.
    assert judged == ((6, "plausible", "none") if is_new else (0, "verified", "earlier tests")), result["stderr"]
    assert ("tests/test_core.py" in result["patch"]) is is_new


def test_wrong_patch_is_unproven(machine, calculator, issue_file):
    wrong = call("edit", path="calc/core.py", old="return a - b", new="return 6")
    result = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file,
        "--model", machine.script(answer("Six.", ADD_TEST, wrong, call("submit"))),
    )  # fmt: skip
    assert (result["exit"], result["verdict"]["kind"], result["verdict"]["green"]) == (6, "unproven", False)


def test_run_without_change_has_no_fix(machine, calculator, issue_file):
    model = machine.script(answer("Nothing.", call("submit"), n=1), answer("Hm."))
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert (result["exit"], result["patch"], result["verdict"]["kind"]) == (1, "", "none")


def test_runs_are_listed_shown_and_replayed(machine, calculator, issue_file, solving_model):
    first = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    replayed = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", f"replay:{first['run']}"
    )
    assert replayed["patch"] == first["patch"]
    assert replayed["usage"]["dollars"] == 0
    runs = machine.json("runs")["runs"]
    assert [run["run"] for run in runs] == [replayed["run"], first["run"]]
    assert (
        runs[1] | {"exit": 6, "ended": "plausible", "dollars": 0.0002, "resumable": False, "issue": "add() subtracts"}
        == runs[1]
    )
    completed = machine.run("show", first["run"], "--plain")
    assert completed.returncode == 0
    assert "main#2" in completed.stdout
    assert "+    return a + b" in completed.stdout
    assert first["run"] in machine.run("runs").stdout


def test_template_strategy_needs_no_model(machine, calculator):
    write(calculator, {"tests/test_core.py": STRICT_TEST})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "A failing test")
    result = machine.json("fix", "--repo", calculator, "--text", "add() in calc/core.py subtracts", "--apply")
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    assert result["usage"]["calls"] == 0
    assert (calculator / "calc/core.py").read_text().startswith("def add(a, b):")


def test_template_strategy_without_failing_test_has_no_patch(machine, calculator):
    result = machine.json("fix", "--repo", calculator, "--text", "add() in calc/core.py subtracts")
    assert (result["exit"], result["patch"]) == (1, "")
    assert "calc/core.py" in result["word"]


def test_keys_of_host_are_neither_in_workspace_nor_in_run(machine, calculator, issue_file):
    canary = "canary-4f1d9c27ab"
    machine.extra |= {"OPENAI_API_KEY": canary, "MY_TOKEN": canary, "UNRELATED": f"x{canary}"}
    model = machine.script(
        answer("Look.", call("shell", command="env; cat /proc/$PPID/environ; true"), FIX, call("submit"), n=1),
        answer("No test is needed.", call("submit")),
    )
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    files_with_key = [
        file for file in Path(result["directory"]).rglob("*") if file.is_file() and canary.encode() in file.read_bytes()
    ]
    assert files_with_key == []
    assert canary not in result["stderr"]


def test_key_in_issue_is_not_stored(machine, calculator):
    canary = "canary-4f1d9c27ab"
    machine.extra |= {"SHOP_API_KEY": canary}
    model = machine.script(answer("Fix.", FIX, call("submit"), n=1), answer("No test is needed.", call("submit")))
    result = machine.json(
        "fix", "--repo", calculator, "--text", f"With the key {canary} add() subtracts.", "--model", model
    )
    assert result["exit"] == 6, result
    files_with_key = [
        file for file in Path(result["directory"]).rglob("*") if file.is_file() and canary.encode() in file.read_bytes()
    ]
    assert files_with_key == []


def test_repository_can_be_given_by_url(machine, calculator, issue_file, solving_model):
    result = machine.json("fix", "--repo", calculator.as_uri(), "--issue-file", issue_file, "--model", solving_model)
    assert result["verdict"]["kind"] == "plausible", result["stderr"]


MAKE_GIT_DIR = "mkdir -p demo/objects demo/refs; touch demo/objects/a demo/refs/a; echo x > demo/HEAD"
EMBEDDED = call("shell", command=MAKE_GIT_DIR)
TASKS = call("shell", command="mkdir .vscode; echo '{}' > .vscode/tasks.json")


@pytest.mark.parametrize("option", [("--apply",), ("--branch", "fixed")], ids=["apply", "branch"])
def test_delivery_names_files_that_run_automatically_and_refuses_embedded_git_directories(
    machine, calculator, issue_file, option
):
    arguments = ("fix", "--repo", calculator, "--issue-file", issue_file, "--model")
    flagging = machine.script(answer("Both.", ADD_TEST, FIX, TASKS, call("run_tests"), call("submit")))
    result = machine.json(*arguments, flagging, *option)
    assert result["flagged"] == {".vscode/tasks.json": "takes effect when an editor opens the folder"}
    assert "Check these before you use them: .vscode/tasks.json (takes effect" in result["effects"][0]
    git(calculator, "checkout", "-qf", ".")
    git(calculator, "clean", "-qfd")
    git(calculator, "branch", "-D", "fixed") if "--branch" in option else None
    attacking = machine.script(answer("Both.", ADD_TEST, FIX, EMBEDDED, call("run_tests"), call("submit")))
    result = machine.json(*arguments, attacking, *option)
    assert (result["returncode"], result["error"]["code"]) == (2, 2)
    assert result["error"]["message"].startswith("The patch is not delivered: demo/HEAD (a part of a git directory")
    assert not (calculator / "demo").exists()
    assert not git(calculator, "branch", "--list", "fixed")
    again = machine.run("resume", result["run"], *option)
    assert (again.returncode, "The patch is not delivered: demo/HEAD" in again.stderr + again.stdout) == (2, True)
    assert not (calculator / "demo").exists()
    assert f"git apply {result['directory']}/patch.diff" in result["error"]["fix"]
    git(calculator, "apply", f"{result['directory']}/patch.diff")
    assert (calculator / "demo/HEAD").exists()
