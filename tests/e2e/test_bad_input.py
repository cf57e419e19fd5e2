"""User errors: a clear message, the right exit code, no traceback, nothing lost."""

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aci.docker.docker_daemon import OTHER_WORKSPACE
from tests.conftest import git
from tests.e2e.conftest import TEST_CORE, answer, call, write
from trajectories.journal import read

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)


def assert_refused(completed: subprocess.CompletedProcess, code: int, *messages: str) -> None:
    assert completed.returncode == code, completed.stderr
    assert "Traceback" not in completed.stderr + completed.stdout
    text = " ".join((completed.stderr + completed.stdout).split())
    for message in messages:
        assert message in text


@pytest.fixture
def solving_model(machine):
    """A model that solves the issue at once."""
    return machine.script(answer("Both.", ADD_TEST, FIX, call("submit")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--repo", "/nowhere/at/all", "--text", "x"], 2, "/nowhere/at/all"),
        (["--repo", "{plain}", "--text", "x"], 2, "not in a git repository"),
        (["--repo", "{empty}", "--text", "x"], 2, "no commit"),
        (["--repo", "{repo}", "--text", "x", "--base", "v9"], 2, "v9"),
        (["--repo", "{repo}", "--text", "  \n"], 2, "is empty"),
        (["--repo", "{repo}", "--issue-file", "{latin}"], 2, "not UTF-8"),
        (["--repo", "{repo}", "--issue-file", "/nowhere"], 2, "cannot be read"),
        (["--repo", "{repo}"], 2, "No test fails"),
        (["--repo", "{repo}", "--text", "a", "--issue-file", "{latin}"], 2, "--issue-file and --text"),
        (["--repo", "{repo}", "--issue", "https://example.org/x"], 2, "not the address of an issue"),
        (["--repo", "{repo}", "--text", "x", "--strategy", "magic"], 2, "no strategy named 'magic'"),
        (["--repo", "{repo}", "--text", "x", "--workspace", "cloud"], 2, "workspace"),
        (["--repo", "{repo}", "--text", "x", "--budget", "-1"], 2, "budget"),
        (["--repo", "{repo}", "--text", "x", "--model", "scripted:/nowhere"], 3, "/nowhere cannot be read"),
        (["--repo", "{repo}", "--text", "x", "--model", "replay:nothing"], 2, "no run named 'nothing'"),
        (["--repo", "{repo}", "--text", "x", "--model", "gpt-9"], 3, "gpt-9"),
        (["--repo", "{repo}", "--text", "x", "--strategy", "react"], 3, "needs a model"),
        (["--repo", "{repo}", "--text", "x", "--reproduce", "/nowhere/test_x.py"], 2, "cannot be read"),
        (["--repo", "{repo}", "--text", "x", "--apply", "--branch", "b"], 2, "Choose one"),
        (["--bogus"], 2, "--bogus"),
    ],
)
def test_bad_argument_gives_message_and_exit_code(machine, calculator, tmp_path, arguments, code, message):
    (tmp_path / "latin.md").write_bytes("caf\xe9".encode("latin-1"))
    write(tmp_path / "plain", {"a.py": ""})
    git(write(tmp_path / "empty", {}) if (tmp_path / "empty").mkdir() else tmp_path / "empty", "init", "-q")
    places = {
        "repo": calculator,
        "plain": tmp_path / "plain",
        "empty": tmp_path / "empty",
        "latin": tmp_path / "latin.md",
    }
    completed = machine.run("fix", *(argument.format(**places) for argument in arguments), "--json")
    assert_refused(completed, code, message)
    error = json.loads(completed.stdout)["error"]
    assert error["code"] == code
    assert error["message"].endswith((".", "?"))


@pytest.mark.slow
def test_error_without_json_is_on_stderr(machine, calculator):
    completed = machine.run("fix", "--repo", calculator, "--text", " ")
    assert_refused(completed, 2, "is empty")
    assert completed.stdout == ""
    assert completed.stderr.startswith("swe-agent: ")


@pytest.mark.slow
def test_bad_settings_are_reported(machine, calculator):
    (machine.home / "config.toml").write_text("budget = 'lots'\n")
    assert_refused(machine.run("runs"), 3, "budget")
    (machine.home / "config.toml").write_text("budget = [")
    assert_refused(machine.run("runs"), 3, "config.toml cannot be read")
    (machine.home / "config.toml").write_text("")
    write(calculator, {".swe-agent.toml": 'model = "expensive"\n'})
    for folder in (calculator, calculator / "calc"):
        assert_refused(
            machine.run("fix", "--repo", folder, "--text", "x"), 3, "it may set only image, setup, test and serve"
        )
    completed = machine.run("fix", "--repo", calculator, "--text", "x", "--base", "HEAD", "--strategy", "react")
    assert_refused(completed, 3, "needs a model")  # the base has no such file


@pytest.mark.slow
def test_repository_without_tests_is_refused(machine, tmp_path):
    bare = write(tmp_path / "bare", {"a.py": "def f():\n    return 1\n"})
    git(bare, "init", "-q")
    git(bare, "add", "-A")
    git(bare, "commit", "-qm", "x")
    completed = machine.run("fix", "--repo", bare, "--text", "f() in a.py is wrong")
    assert_refused(completed, 1, "No tests were found", "a.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "message"), [("no-such-command", "no-such-command"), ("sleep 600", "timed out"), ("exit 3", "")]
)
def test_unusable_test_command_proves_nothing(machine, calculator, issue_file, solving_model, test, message):
    machine.extra["SWE_AGENT_TEST_TIMEOUT"] = "3"
    result = machine.json(
        "fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model, "--test", test
    )
    assert result["returncode"] == result["exit"] == 6
    assert result["verdict"]["kind"] == "unproven"
    assert result["patch"]
    assert message in " ".join(result["verdict"]["notes"])


@pytest.mark.slow
def test_edits_outside_repository_fail(machine, calculator, issue_file, tmp_path):
    (calculator / "link.txt").symlink_to(tmp_path / "outside.txt")
    (tmp_path / "outside.txt").write_text("mine")
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", "link")
    model = machine.script(
        answer(
            "Out.",
            call("edit", path="../../outside.txt", old="", new="theirs"),
            call("edit", path="/etc/swe-agent-test", old="", new="theirs"),
            call("edit", path="link.txt", old="mine", new="theirs"),
            call("view", path="../../../etc/passwd"),
            n=1,
        ),
        answer("In.", ADD_TEST, FIX, call("submit"), n=2),
    )
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    step = read(Path(result["directory"])).steps["main"][1]
    assert [observation.ok for observation in step.observations] == [False] * 4
    assert (tmp_path / "outside.txt").read_text() == "mine"
    assert not Path("/etc/swe-agent-test").exists()


@pytest.mark.slow
def test_bad_calls_of_model_are_reported_to_it(machine, calculator, issue_file):
    model = machine.script(
        answer("", n=1),
        answer("Unknown.", call("teleport", to="moon"), call("view"), call("view", path=5, lines="x"), n=2),
        answer("Big.", call("edit", path="big.txt", old="", new="x" * 10_000_000), n=3),
        answer("y" * 10_000_000, call("shell", command="head -c 10000000 /dev/zero | tr '\\0' z"), n=4),
        answer("In.", ADD_TEST, FIX, call("submit"), n=5),
    )
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--budget", "50")
    assert result["verdict"]["kind"] == "plausible", result["stderr"]
    steps = read(Path(result["directory"])).steps["main"]
    assert "no action" in steps[1].observations[0].text
    assert [observation.ok for observation in steps[2].observations] == [False] * 3
    assert "write less at a time" in steps[3].observations[0].text
    assert all(len(observation.text) < 20_000 for step in steps for observation in step.observations)
    assert (Path(result["directory"]) / "journal.jsonl").stat().st_size < 2_000_000


@pytest.mark.slow
def test_model_without_actions_is_stopped(machine, calculator, issue_file):
    model = machine.script(answer("Hm."))
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert (result["exit"], result["patch"], result["steps"]) == (1, "", 4)
    assert "without an action" in result["error"]["message"]


@pytest.mark.slow
def test_script_that_ends_keeps_best_tree(machine, calculator, issue_file):
    model = machine.script(answer("Edit.", FIX, n=1))
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert result["exit"] == result["returncode"] == 6
    assert "+    return a + b" in result["patch"]
    assert "has no reply for request 2" in result["error"]["message"]


@pytest.mark.slow
def test_limit_ends_run_without_patch(machine, calculator, issue_file):
    model = machine.script(*(answer("Look.", call("search", pattern=f"word{n}"), n=n) for n in range(1, 99)))
    for limit, code in (("--budget", 4), ("--max-tokens", 4), ("--max-steps", 1)):
        value = {"--budget": "0.02", "--max-tokens": "9000", "--max-steps": "2"}[limit]
        result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, limit, value)
        assert result["exit"] == result["returncode"] == code, result
        assert limit.strip("-").partition("-")[2] in result["error"]["fix"] or limit in result["error"]["fix"]
        if limit == "--budget":
            assert result["usage"]["dollars"] <= 0.02


@pytest.mark.slow
def test_time_limit_ends_run(machine, calculator, issue_file):
    model = machine.script(answer("Wait.", call("shell", command="sleep 600")))
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--max-time", "2")
    assert result["exit"] == 1
    assert "2 seconds" in result["error"]["message"]


@pytest.mark.slow
def test_two_concurrent_runs_apply_one_fix(machine, calculator, issue_file, solving_model):
    arguments = ("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: machine.json(*arguments, "--apply"), range(2))
    codes = sorted((first["returncode"], second["returncode"]))
    assert codes in ([6, 6], [2, 6])
    assert (calculator / "calc/core.py").read_text().count("a + b") == 1
    assert first["run"] != second["run"]


IMMEDIATELY = 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [IMMEDIATELY, 0.5, 1.5, 2.5])
def test_interrupt_at_any_moment_leaves_resumable_run(machine, calculator, issue_file, seconds):
    """Ctrl-C: exit code 130; if a run was started it is listed as resumable and can be resumed."""
    model = machine.script(
        answer("Slow.", call("shell", command="sleep 4"), n=1), answer("In.", ADD_TEST, FIX, call("submit"), n=2)
    )
    process = subprocess.Popen(
        machine.command("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--json"),
        env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip  # background jobs of a shell, and so these tests, start with SIGINT ignored
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole process group
    out, err = process.communicate(timeout=100)
    if process.returncode == -signal.SIGINT or "KeyboardInterrupt" in err:
        assert not machine.runs(), "Python itself was still starting"
        return
    if seconds == IMMEDIATELY and process.returncode == 0:
        return  # an interrupt in a finalizer while Python starts does not reach our code
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["code"] == 130
    assert "Traceback" not in err
    if not machine.runs():
        return
    runs = machine.json("runs")["runs"]
    assert [run["resumable"] for run in runs] == [True]
    result = machine.json("resume", runs[0]["run"])
    assert result["verdict"]["kind"] == "plausible", result["stderr"]


@pytest.mark.slow
def test_unusable_state_folder_is_reported(machine, calculator, issue_file, solving_model):
    for state in ("/etc/passwd", "/proc/nope"):
        machine.extra["SWE_AGENT_STATE"] = state
        completed = machine.run(
            "fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model, "--json"
        )
        assert_refused(completed, 5, "cannot be stored")
        assert json.loads(completed.stdout)["error"]["code"] == 5


@pytest.mark.slow
def test_finished_run_can_be_resumed_without_repository(machine, calculator, issue_file, solving_model):
    first = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    calculator.rename(calculator.with_name("gone"))
    resumed = machine.json("resume", first["run"])
    assert (resumed["returncode"], resumed["patch"]) == (6, first["patch"])
    assert resumed["verdict"] == first["verdict"]


@pytest.mark.slow
def test_run_that_was_not_started_is_reported(machine):
    folder = machine.home / "state" / "runs" / "20260101-empty"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text("")
    for command in ("show", "resume"):
        assert_refused(machine.run(command, "20260101-empty"), 5, "was not started")
    assert machine.run("runs").returncode == 0


@pytest.mark.slow
def test_escape_sequences_in_issue_are_not_printed(machine, calculator, solving_model):
    completed = machine.run(
        "fix", "--repo", calculator, "--text", "\x1b[2J\x1b]0;mine\x07title", "--model", solving_model
    )
    assert "\x1b]" not in completed.stdout + completed.stderr
    assert "\x1b[2J" not in completed.stdout + completed.stderr


@pytest.mark.slow
def test_run_of_another_process_cannot_be_resumed(machine, calculator, issue_file):
    model = machine.script(answer("Slow.", call("shell", command="sleep 20")))
    process = subprocess.Popen(
        machine.command("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model),
        env=machine.environment, cwd=machine.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (machine.runs() and (machine.runs()[0] / "trees.git").exists() and (machine.runs()[0] / "out").exists()):
        time.sleep(0.1)
    time.sleep(2)
    assert_refused(machine.run("resume", machine.runs()[0].name), 75, "Another process is working on the run")
    process.terminate()
    assert process.wait(timeout=30) == 130


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "Docker"),
        ({"SWE_AGENT_IMAGE": "swe-agent/not-there:1"}, "not-there"),
    ],
)
@pytest.mark.docker
def test_unusable_docker_is_reported(machine, calculator, issue_file, solving_model, setting, message):
    machine.workspace = "docker"
    machine.extra |= setting
    completed = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    assert_refused(completed, 5, message)
    assert machine.json("runs")["runs"][0]["resumable"]


@pytest.mark.slow
def test_docker_that_is_not_running_is_reported(machine, calculator, issue_file, solving_model):
    machine.workspace = "docker"
    machine.extra["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", solving_model)
    assert result["returncode"] == result["exit"] == result["error"]["code"] == 5
    assert f"--workspace {OTHER_WORKSPACE}" in result["error"]["fix"]
    machine.extra.clear()
    machine.workspace = "local"
    doctor = machine.run("doctor")
    assert doctor.returncode == 0, doctor.stdout


@pytest.mark.slow
def test_apply_refuses_files_changed_by_user_meanwhile(machine, calculator, issue_file):
    model = machine.script(answer("Slow.", call("shell", command="sleep 3"), ADD_TEST, FIX, call("submit")))
    process = subprocess.Popen(
        machine.command("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--apply", "--json"),
        env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not list(machine.runs()):
        time.sleep(0.05)
    time.sleep(1)
    (calculator / "calc/core.py").write_text("mine = True\n")
    out, err = process.communicate(timeout=60)
    result = json.loads(out)
    assert (process.returncode, result["error"]["code"]) == (2, 2), err
    assert (calculator / "calc/core.py").read_text() == "mine = True\n"
    assert not (calculator / "tests/test_core.py").exists()
    assert Path(result["directory"], "patch.diff").read_text() == result["patch"]

    git(calculator, "checkout", "-q", "calc/core.py")
    resumed = machine.json("resume", result["run"])
    assert (resumed["returncode"], resumed["verdict"]["kind"]) == (6, "plausible")
    assert "a + b" in (calculator / "calc/core.py").read_text()
