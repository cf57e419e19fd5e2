"""The line-based session as a process: stdout, stderr, exit codes and error messages."""

import json
import signal
import subprocess

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, Machine, answer, call

LOOK = call("view", path="calc/core.py")


@pytest.fixture
def run_session(machine: Machine, make_repo):
    """`run_session(input, *arguments)` runs a session in a repository, with this input on stdin."""
    root = make_repo(CALCULATOR)

    def run(input: str, *arguments: str, cwd=root, **environment: str) -> subprocess.CompletedProcess[str]:
        completed = subprocess.run(
            machine.command(*arguments), cwd=cwd, env=machine.environment | environment, input=input,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert "Traceback" not in completed.stderr + completed.stdout, completed.stderr
        return completed

    run.root = root
    return run


@pytest.mark.slow
def test_answers_go_to_stdout_and_progress_to_stderr(machine, run_session):
    model = machine.script(answer("Look.", LOOK, n=1), answer("It subtracts."))
    completed = run_session("What does add do?\n\n   \n!echo by hand\n", "--model", model, "--mode", "plan")
    assert completed.returncode == 0
    assert completed.stdout == "It subtracts.\nby hand\n"
    assert "view calc/core.py" in completed.stderr


@pytest.mark.slow
def test_patch_on_stdout_can_be_applied_with_git(machine, run_session):
    model = machine.script(
        answer("A Makefile.", call("edit", path="Makefile", old="", new="all:\n\techo tab"), n=1), answer("Done.", n=2)
    )
    completed = run_session("Add a Makefile", "--model", model, SWE_AGENT_TEST="true")
    patch, end, message = completed.stdout.partition("\\ No newline at end of file\n")
    assert "Done." in message
    assert "+\techo tab\n" in patch
    applied = subprocess.run(
        ["git", "apply", "--check"], cwd=run_session.root, input=patch + end, text=True, check=False
    )
    assert applied.returncode == 0


@pytest.mark.slow
def test_events_of_a_session_are_no_change_of_the_user(machine, run_session):
    model = machine.script(answer("It subtracts.", n=1), answer("Because of the minus.", n=2))
    arguments = ("--model", model, "--mode", "plan")
    questions = "What does add do?\nWhy does it?\n"
    refused = run_session(questions, *arguments, "--events", "events.jsonl")
    assert refused.returncode == 2
    assert "The events file events.jsonl would be one of the files of the repository" in refused.stderr
    assert not (run_session.root / "events.jsonl").exists()
    assert run_session(questions, *arguments, "--events", "../events.jsonl").returncode == 0
    events = [json.loads(line) for line in (run_session.root.parent / "events.jsonl").read_text().splitlines()]
    assert [event["record"]["author"] for event in events if event["type"] == "step"] == ["task", "coder"] * 2


@pytest.mark.slow
def test_session_ends_with_empty_stdin(run_session):
    assert run_session("").returncode == 0


@pytest.mark.slow
def test_quit_ends_session(machine, run_session):
    completed = run_session("/quit\nWhat?\n", "--model", machine.script(answer("Never.")))
    assert (completed.returncode, completed.stdout) == (0, "")


@pytest.mark.slow
def test_exit_code_is_that_of_last_request(machine, run_session):
    model = machine.script(answer("Yes.", n=1))
    assert run_session("/nope\n").returncode == 2
    assert run_session("/nope\nHi\n", "--model", model, "--mode", "plan").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "hurry"], "--mode cannot be 'hurry'"),
        (["--screen", "tiny"], "Invalid value for --screen"),
        (["--repo", "/nowhere"], "There is no folder /nowhere"),
        (["--subtree", "nothing"], "There is no folder nothing"),
        (["--budget", "-1"], "Invalid value for --budget: must be"),
        (["--resume", "nothing"], "no run named 'nothing'"),
        (["--bogus"], "--bogus"),
    ],
)
def test_bad_flag_is_reported(run_session, arguments, message):
    completed = run_session("/help\n", *arguments)
    assert completed.returncode == 2
    assert message in " ".join(completed.stderr.split())


def test_unknown_subcommand_suggests_resume(run_session):
    completed = run_session("", "session", "something")
    assert completed.returncode == 2
    assert "swe-agent --resume something" in completed.stderr


@pytest.mark.slow
def test_session_without_model_explains_how_to_set_one(run_session):
    completed = run_session("/locate add subtracts\n")
    assert "swe-agent config set model NAME" in completed.stderr
    assert "calc/core.py" in completed.stdout


@pytest.mark.slow
def test_broken_config_opens_with_defaults_and_runs_nothing(machine, run_session):
    (machine.home / "config.toml").write_text("budget = [")
    completed = run_session("/help locate\nDo something\n")
    assert f"{machine.home / 'config.toml'} cannot be read" in completed.stderr
    assert "`/locate [--model] WORDS`" in completed.stdout
    assert completed.returncode == 3
    assert not (machine.home / "state" / "runs").exists()


@pytest.mark.slow
def test_bad_value_in_config_is_reported_and_default_used(machine, run_session):
    (machine.home / "config.toml").write_text('budget = "much"\n[session]\nmouse = "maybe"\n')
    completed = run_session("/help\n")
    assert "budget in" in completed.stderr
    assert "session.mouse" in completed.stderr
    assert completed.returncode == 0


@pytest.mark.slow
def test_session_without_docker_suggests_local_workspace(machine, run_session):
    completed = run_session("/help\n", "--workspace", "docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert "--workspace local" in completed.stderr


@pytest.mark.slow
def test_session_answers_in_folder_without_git(machine, run_session, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "notes.txt").write_text("Buy milk.\n")
    model = machine.script(answer("Look.", call("view", path="notes.txt"), n=1), answer("Milk."))
    completed = run_session("What should I buy?\n", "--model", model, cwd=folder)
    assert (completed.returncode, completed.stdout) == (0, "Milk.\n")
    assert not (folder / ".git").exists()


@pytest.mark.slow
def test_session_answers_in_repository_without_commit(machine, run_session, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "notes.txt").write_text("Buy milk.\n")
    model = machine.script(answer("Look.", call("view", path="notes.txt"), n=1), answer("Milk."))
    completed = run_session("What should I buy?\n", "--model", model, cwd=folder)
    assert (completed.returncode, completed.stdout) == (0, "Milk.\n")


@pytest.mark.slow
def test_session_works_with_detached_head_and_unfinished_merge(machine, run_session):
    root = run_session.root
    git(root, "checkout", "-q", "--detach")
    (root / ".git" / "MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD") + "\n")
    completed = run_session("Hi\n", "--model", machine.script(answer("Hello.")), "--mode", "plan")
    assert (completed.returncode, completed.stdout) == (0, "Hello.\n")
    assert "in the middle of a merge" in completed.stderr


@pytest.mark.slow
def test_newest_run_is_resumed(machine, run_session):
    model = machine.script(answer("One.", n=1), answer("Two.", n=2))
    run_session("First?\n", "--model", model, "--mode", "plan")
    completed = run_session("Second?\n", "--resume")
    assert (completed.returncode, completed.stdout) == (0, "Two.\n")
    assert "Resuming the newest run" in completed.stderr
    (run,) = (machine.home / "state" / "runs").iterdir()
    resumed = run_session("/cost\n", "--resume", run.name)
    assert "2 calls" in resumed.stdout


@pytest.mark.slow
def test_print_answers_and_exits_without_reading_stdin(machine, run_session):
    model = machine.script(answer("It subtracts.", n=1), answer("Yes.", n=2))
    completed = run_session("Never read\n", "-p", "What does add do?", "--model", model, "--mode", "plan")
    assert (completed.returncode, completed.stdout) == (0, "It subtracts.\n")
    completed = run_session("Never read\n", "-c", "-p", "Sure?")
    assert (completed.returncode, completed.stdout) == (0, "Yes.\n")
    assert len(machine.runs()) == 1


@pytest.mark.slow
def test_exit_code_of_print_is_that_of_the_turn(run_session):
    completed = run_session("", "-p", "add subtracts")  # without a model, and nobody allows the tests
    assert completed.returncode == 1
    assert "calc/core.py" in completed.stdout


@pytest.mark.slow
def test_first_request_comes_before_those_of_stdin(machine, run_session):
    model = machine.script(answer("One.", n=1), answer("Two.", n=2))
    completed = run_session("Second?\n", "First of two?", "--model", model, "--mode", "plan")
    assert (completed.returncode, completed.stdout) == (0, "One.\nTwo.\n")


@pytest.mark.slow
def test_resume_without_runs_is_reported(run_session):
    assert "There is no other run of this repository yet" in run_session("", "--resume").stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_closes_session_cleanly(machine, run_session, number):
    model = machine.script(answer("Wait.", call("shell", command="sleep 300", timeout=600), n=1))
    (machine.home / "config.toml").write_text('[permissions]\nallow = ["command sleep"]\n')
    process = subprocess.Popen(
        machine.command("--model", model), cwd=run_session.root, env=machine.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stderr
    process.stdin.write("Wait for it\n")
    process.stdin.flush()
    for line in process.stderr:
        if "task" in line:
            break
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + error
    completed = run_session("/help\n", "--resume")
    assert completed.returncode == 0
