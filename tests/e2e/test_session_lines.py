"""The session as lines, as a real process: what it prints where, its exit code, what is wrong said in place."""

import signal
import subprocess

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, Machine, answer, call

LOOK = call("view", path="calc/core.py")


@pytest.fixture
def lines(machine: Machine, make_repo):
    """`lines(words, *arguments)`: a session in a repository, with these words on its stdin."""
    root = make_repo(CALCULATOR)

    def run(words: str, *arguments: str, cwd=root, **extra: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            machine.command(*arguments), cwd=cwd, env=machine.environment | extra, input=words,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

    run.root = root
    return run


@pytest.mark.slow
def test_answers_go_to_stdout_and_progress_to_stderr(machine, lines):
    model = machine.script(answer("Look.", LOOK, n=1), answer("It subtracts."))
    done = lines("What does add do?\n\n   \n!echo by hand\n", "--model", model, "--mode", "plan")
    assert done.returncode == 0
    assert done.stdout == "It subtracts.\nby hand\n"
    assert "view calc/core.py" in done.stderr


@pytest.mark.slow
def test_patch_on_stdout_is_one_that_git_takes(machine, lines):
    model = machine.script(
        answer("A Makefile.", call("edit", path="Makefile", old="", new="all:\n\techo tab"), n=1), answer("Done.", n=2)
    )
    done = lines("Make one", "--model", model, SWE_AGENT_TEST="true")
    patch, end, said = done.stdout.partition("\\ No newline at end of file\n")
    assert "Done." in said
    assert "+\techo tab\n" in patch
    taken = subprocess.run(["git", "apply", "--check"], cwd=lines.root, input=patch + end, text=True, check=False)
    assert taken.returncode == 0


def test_nothing_on_stdin_is_no_hang(lines):
    assert lines("").returncode == 0


def test_quit_ends_it(machine, lines):
    done = lines("/quit\nWhat?\n", "--model", machine.script(answer("Never.")))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.slow
def test_exit_code_is_that_of_last_request_that_failed(machine, lines):
    model = machine.script(answer("Yes.", n=1))
    assert lines("/nope\n").returncode == 2
    assert lines("/nope\nHi\n", "--model", model, "--mode", "plan").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mode", "hurry"], "--mode cannot be 'hurry'"),
        (["--screen", "tiny"], "--screen cannot be used"),
        (["--repo", "/nowhere"], "There is no folder /nowhere"),
        (["--subtree", "nothing"], "There is no folder nothing"),
        (["--budget", "-1"], "--budget cannot be used"),
        (["--resume", "nothing"], "no run named 'nothing'"),
        (["--bogus"], "--bogus"),
    ],
)
def test_bad_flag_is_one_sentence(lines, arguments, said):
    done = lines("/help\n", *arguments)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_word_that_is_no_subcommand(lines):
    done = lines("", "session", "something")
    assert done.returncode == 2
    assert "swe-agent --resume something" in done.stderr


@pytest.mark.slow
def test_without_model_it_says_how_to_name_one(lines):
    done = lines("/locate add subtracts\n")
    assert "swe-agent config set model NAME" in done.stderr
    assert "calc/core.py" in done.stdout


def test_broken_config_opens_with_defaults_and_runs_nothing(machine, lines):
    (machine.home / "config.toml").write_text("budget = [")
    done = lines("/help locate\nDo something\n")
    assert f"{machine.home / 'config.toml'} cannot be read" in done.stderr
    assert "`/locate WORDS`" in done.stdout
    assert done.returncode == 3
    assert not (machine.home / "state" / "runs").exists()


def test_bad_value_in_config_too(machine, lines):
    (machine.home / "config.toml").write_text('budget = "much"\n[session]\nmouse = "maybe"\n')
    done = lines("/help\n")
    assert "budget in" in done.stderr
    assert "session.mouse" in done.stderr
    assert done.returncode == 0


def test_without_docker_it_says_what_to_do(machine, lines):
    done = lines("/help\n", "--workspace", "docker", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert "--workspace local" in done.stderr


@pytest.mark.slow
def test_folder_without_git_can_be_asked_about(machine, lines, tmp_path):
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "notes.txt").write_text("Buy milk.\n")
    model = machine.script(answer("Look.", call("view", path="notes.txt"), n=1), answer("Milk."))
    done = lines("What is to be bought?\n", "--model", model, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Milk.\n")
    assert not (folder / ".git").exists()


@pytest.mark.slow
def test_repository_without_commit_too(machine, lines, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "notes.txt").write_text("Buy milk.\n")
    model = machine.script(answer("Look.", call("view", path="notes.txt"), n=1), answer("Milk."))
    done = lines("What is to be bought?\n", "--model", model, cwd=folder)
    assert (done.returncode, done.stdout) == (0, "Milk.\n")


@pytest.mark.slow
def test_detached_head_and_merge_half_done(machine, lines):
    root = lines.root
    git(root, "checkout", "-q", "--detach")
    (root / ".git" / "MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD") + "\n")
    done = lines("Hi\n", "--model", machine.script(answer("Hello.")), "--mode", "plan")
    assert (done.returncode, done.stdout) == (0, "Hello.\n")
    assert "in the middle of a merge" in done.stderr


@pytest.mark.slow
def test_newest_run_is_gone_on_with(machine, lines):
    model = machine.script(answer("One.", n=1), answer("Two.", n=2))
    lines("First?\n", "--model", model, "--mode", "plan")
    done = lines("Second?\n", "--resume")
    assert (done.returncode, done.stdout) == (0, "Two.\n")
    assert "Resuming the newest run" in done.stderr
    (run,) = (machine.home / "state" / "runs").iterdir()
    named = lines("/cost\n", "--resume", run.name)
    assert "2 calls" in named.stdout


def test_run_may_be_chosen_where_there_is_none(lines):
    assert "There is no other run of this repository yet" in lines("", "--resume").stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_closed_terminal_closes_session_in_order(machine, lines, number):
    model = machine.script(answer("Wait.", call("shell", command="sleep 300", timeout=600), n=1))
    (machine.home / "config.toml").write_text('[permissions]\nallow = ["command sleep"]\n')
    process = subprocess.Popen(
        machine.command("--model", model), cwd=lines.root, env=machine.environment,
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
    done = lines("/help\n", "--resume")
    assert done.returncode == 0
