"""What a user can get wrong: one clear sentence, the right exit code, no traceback, nothing lost."""

import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import TEST_CORE, answer, call, write
from trajectories.journal import read

FIX = call("edit", path="calc/core.py", old="return a - b", new="return a + b")
ADD_TEST = call("edit", path="tests/test_core.py", old="", new=TEST_CORE)


def refused(done: subprocess.CompletedProcess, code: int, *said: str) -> None:
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    text = " ".join((done.stderr + done.stdout).split())
    for part in said:
        assert part in text


@pytest.fixture
def fixing(machine):
    """A model that solves the issue at once."""
    return machine.script(answer("Both.", ADD_TEST, FIX, call("submit")))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--repo", "/nowhere/at/all", "--text", "x"], 2, "/nowhere/at/all"),
        (["--repo", "{plain}", "--text", "x"], 2, "not in a git repository"),
        (["--repo", "{empty}", "--text", "x"], 2, "no commit"),
        (["--repo", "{repo}", "--text", "x", "--base", "v9"], 2, "v9"),
        (["--repo", "{repo}", "--text", "  \n"], 2, "is empty"),
        (["--repo", "{repo}", "--issue-file", "{latin}"], 2, "not UTF-8"),
        (["--repo", "{repo}", "--issue-file", "/nowhere"], 2, "cannot be read"),
        (["--repo", "{repo}"], 2, "No issue was given"),
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
def test_clear_sentence_and_right_code(machine, calculator, tmp_path, arguments, code, said):
    (tmp_path / "latin.md").write_bytes("caf\xe9".encode("latin-1"))
    write(tmp_path / "plain", {"a.py": ""})
    git(write(tmp_path / "empty", {}) if (tmp_path / "empty").mkdir() else tmp_path / "empty", "init", "-q")
    places = {
        "repo": calculator,
        "plain": tmp_path / "plain",
        "empty": tmp_path / "empty",
        "latin": tmp_path / "latin.md",
    }
    done = machine.run("fix", *(argument.format(**places) for argument in arguments), "--json")
    refused(done, code, said)
    error = json.loads(done.stdout)["error"]
    assert error["code"] == code
    assert error["message"].endswith((".", "?"))


@pytest.mark.slow
def test_without_json_sentence_is_on_stderr(machine, calculator):
    done = machine.run("fix", "--repo", calculator)
    refused(done, 2, "No issue was given")
    assert done.stdout == ""
    assert done.stderr.startswith("swe-agent: ")


@pytest.mark.slow
def test_bad_settings_are_named(machine, calculator):
    (machine.home / "config.toml").write_text("budget = 'lots'\n")
    refused(machine.run("runs"), 3, "budget")
    (machine.home / "config.toml").write_text("budget = [")
    refused(machine.run("runs"), 3, "config.toml cannot be read")
    (machine.home / "config.toml").write_text("")
    write(calculator, {".swe-agent.toml": 'model = "expensive"\n'})
    for folder in (calculator, calculator / "calc"):
        refused(machine.run("fix", "--repo", folder, "--text", "x"), 3, "it may set image, setup and test only")
    done = machine.run("fix", "--repo", calculator, "--text", "x", "--base", "HEAD", "--strategy", "react")
    refused(done, 3, "needs a model")  # the base has no such file


@pytest.mark.slow
def test_no_tests_in_repository(machine, tmp_path):
    bare = write(tmp_path / "bare", {"a.py": "def f():\n    return 1\n"})
    git(bare, "init", "-q")
    git(bare, "add", "-A")
    git(bare, "commit", "-qm", "x")
    done = machine.run("fix", "--repo", bare, "--text", "f() in a.py is wrong")
    refused(done, 1, "No tests were found", "a.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "said"), [("no-such-command", "no-such-command"), ("sleep 600", "timed out"), ("exit 3", "")]
)
def test_test_command_that_cannot_be_used_is_not_proof(machine, calculator, issue_file, fixing, test, said):
    machine.extra["SWE_AGENT_TEST_TIMEOUT"] = "3"
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--test", test)
    assert told["returncode"] == told["exit"] == 6
    assert told["verdict"]["kind"] == "unproven"
    assert told["patch"]
    assert said in " ".join(told["verdict"]["notes"])


@pytest.mark.slow
def test_edits_outside_repository_are_observations(machine, calculator, issue_file, tmp_path):
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
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert told["verdict"]["kind"] == "verified", told["stderr"]
    step = read(Path(told["directory"])).steps["main"][1]
    assert [observation.ok for observation in step.observations] == [False] * 4
    assert (tmp_path / "outside.txt").read_text() == "mine"
    assert not Path("/etc/swe-agent-test").exists()


@pytest.mark.slow
def test_what_model_gets_wrong_is_told_to_it(machine, calculator, issue_file):
    model = machine.script(
        answer("", n=1),
        answer("Unknown.", call("teleport", to="moon"), call("view"), call("view", path=5, lines="x"), n=2),
        answer("Big.", call("edit", path="big.txt", old="", new="x" * 10_000_000), n=3),
        answer("y" * 10_000_000, call("shell", command="head -c 10000000 /dev/zero | tr '\\0' z"), n=4),
        answer("In.", ADD_TEST, FIX, call("submit"), n=5),
    )
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--budget", "50")
    assert told["verdict"]["kind"] == "verified", told["stderr"]
    steps = read(Path(told["directory"])).steps["main"]
    assert "no action" in steps[1].observations[0].text
    assert [observation.ok for observation in steps[2].observations] == [False] * 3
    assert "write less at a time" in steps[3].observations[0].text
    assert all(len(observation.text) < 20_000 for step in steps for observation in step.observations)
    assert (Path(told["directory"]) / "journal.jsonl").stat().st_size < 2_000_000


@pytest.mark.slow
def test_model_that_only_talks_is_stopped(machine, calculator, issue_file):
    model = machine.script(answer("Hm."))
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert (told["exit"], told["patch"], told["steps"]) == (1, "", 4)
    assert "without an action" in told["error"]["message"]


@pytest.mark.slow
def test_script_without_answer_keeps_best_tree(machine, calculator, issue_file):
    model = machine.script(answer("Edit.", FIX, n=1))
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model)
    assert told["exit"] == told["returncode"] == 6
    assert "+    return a + b" in told["patch"]
    assert "answers ask 2" in told["error"]["message"]


@pytest.mark.slow
def test_budget_ends_run_with_nothing_done(machine, calculator, issue_file):
    model = machine.script(*(answer("Look.", call("search", pattern=f"word{n}"), n=n) for n in range(1, 99)))
    for limit, code in (("--budget", 4), ("--max-tokens", 4), ("--max-steps", 1)):
        value = {"--budget": "0.02", "--max-tokens": "9000", "--max-steps": "2"}[limit]
        told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, limit, value)
        assert told["exit"] == told["returncode"] == code, told
        assert limit.strip("-").partition("-")[2] in told["error"]["fix"] or limit in told["error"]["fix"]
        if limit == "--budget":
            assert told["usage"]["dollars"] <= 0.02


@pytest.mark.slow
def test_clock_ends_run(machine, calculator, issue_file):
    model = machine.script(answer("Wait.", call("shell", command="sleep 600")))
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--max-time", "2")
    assert told["exit"] == 1
    assert "2 seconds" in told["error"]["message"]


@pytest.mark.slow
def test_two_runs_on_one_repository_at_once(machine, calculator, issue_file, fixing):
    arguments = ("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: machine.json(*arguments, "--apply"), range(2))
    codes = sorted((first["returncode"], second["returncode"]))
    assert codes in ([0, 0], [0, 2])
    assert (calculator / "calc/core.py").read_text().count("a + b") == 1
    assert first["run"] != second["run"]


AT_ONCE = 0.1


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [AT_ONCE, 0.5, 1.5, 2.5])
def test_interrupted_at_any_moment(machine, calculator, issue_file, seconds):
    """Ctrl-C: exit 130; if a run was begun it is listed as resumable and ends well."""
    model = machine.script(
        answer("Slow.", call("shell", command="sleep 4"), n=1), answer("In.", ADD_TEST, FIX, call("submit"), n=2)
    )
    process = subprocess.Popen(
        machine.command("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model, "--json"),
        env=machine.environment, cwd=machine.home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip  # a shell's background jobs, and so these tests in one, begin with SIGINT ignored
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everybody in the group gets it
    out, err = process.communicate(timeout=100)
    if process.returncode == -signal.SIGINT or "KeyboardInterrupt" in err:
        assert not machine.runs(), "Python itself was still starting"
        return
    if seconds == AT_ONCE and process.returncode == 0:
        return  # an interrupt that falls into a finalizer while Python starts is lost there, before any line of ours
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["code"] == 130
    assert "Traceback" not in err
    if not machine.runs():
        return
    listed = machine.json("runs")["runs"]
    assert [run["resumable"] for run in listed] == [True]
    told = machine.json("resume", listed[0]["run"])
    assert told["verdict"]["kind"] == "verified", told["stderr"]


@pytest.mark.slow
def test_state_folder_that_cannot_be_used(machine, calculator, issue_file, fixing):
    for state in ("/etc/passwd", "/proc/nope"):
        machine.extra["SWE_AGENT_STATE"] = state
        done = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing, "--json")
        refused(done, 5, "cannot be stored")
        assert json.loads(done.stdout)["error"]["code"] == 5


@pytest.mark.slow
def test_finished_run_needs_users_repository_no_more(machine, calculator, issue_file, fixing):
    first = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    calculator.rename(calculator.with_name("gone"))
    again = machine.json("resume", first["run"])
    assert (again["returncode"], again["patch"]) == (0, first["patch"])


@pytest.mark.slow
def test_run_that_was_never_begun_is_said(machine):
    folder = machine.home / "state" / "runs" / "20260101-empty"
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_text("")
    for command in ("show", "resume"):
        refused(machine.run(command, "20260101-empty"), 5, "was not started")
    assert machine.run("runs").returncode == 0


@pytest.mark.slow
def test_escape_sequences_of_strangers_stay_out_of_terminal(machine, calculator, fixing):
    done = machine.run("fix", "--repo", calculator, "--text", "\x1b[2J\x1b]0;mine\x07title", "--model", fixing)
    assert "\x1b]" not in done.stdout + done.stderr
    assert "\x1b[2J" not in done.stdout + done.stderr


@pytest.mark.slow
def test_run_that_another_process_works_on(machine, calculator, issue_file):
    model = machine.script(answer("Slow.", call("shell", command="sleep 20")))
    process = subprocess.Popen(
        machine.command("fix", "--repo", calculator, "--issue-file", issue_file, "--model", model),
        env=machine.environment, cwd=machine.home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (machine.runs() and (machine.runs()[0] / "trees.git").exists() and (machine.runs()[0] / "out").exists()):
        time.sleep(0.1)
    time.sleep(2)
    refused(machine.run("resume", machine.runs()[0].name), 75, "Another process is working on the run")
    process.terminate()
    assert process.wait(timeout=30) == 130


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "Docker"),
        ({"SWE_AGENT_IMAGE": "swe-agent/not-there:1"}, "not-there"),
    ],
)
@pytest.mark.docker
def test_docker_that_cannot_be_used(machine, calculator, issue_file, fixing, setting, said):
    machine.workspace = "docker"
    machine.extra |= setting
    done = machine.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    refused(done, 5, said)
    assert machine.json("runs")["runs"][0]["resumable"]


@pytest.mark.slow
def test_docker_not_running_needs_no_docker_to_be_said(machine, calculator, issue_file, fixing):
    machine.workspace = "docker"
    machine.extra["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    told = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", fixing)
    assert told["returncode"] == told["exit"] == told["error"]["code"] == 5
    assert "--workspace local" in told["error"]["fix"]
    machine.extra.clear()
    machine.workspace = "local"
    doctor = machine.run("doctor")
    assert doctor.returncode == 0, doctor.stdout


@pytest.mark.slow
def test_apply_refuses_what_user_changed_meanwhile(machine, calculator, issue_file):
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
    told = json.loads(out)
    assert (process.returncode, told["error"]["code"]) == (2, 2), err
    assert (calculator / "calc/core.py").read_text() == "mine = True\n"
    assert not (calculator / "tests/test_core.py").exists()
    assert Path(told["directory"], "patch.diff").read_text() == told["patch"]

    git(calculator, "checkout", "-q", "calc/core.py")
    again = machine.json("resume", told["run"])
    assert again["returncode"] == 0
    assert "a + b" in (calculator / "calc/core.py").read_text()
