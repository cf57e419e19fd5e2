"""The transcript of a run that `show` prints: whole, one step, followed, and in a pager."""

import os
import pty
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from agent.console.pager import Lines
from agent.engine.loop import is_submission, loop
from agent.engine.task import Task
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.run_ownership import register
from agent.runs.run_listing import LOCKS
from extensions.run_views import run_follower
from extensions.run_views.commands import show as command
from extensions.run_views.run_follower import follow_run, is_held
from tests.agent.conftest import Bench, act, line
from tests.conftest import committed
from trajectories.errors import RunBroken, UsageError
from trajectories.facts import Fact
from trajectories.journal import Journal, encode, lock_run, read
from trajectories.journal import Lines as Records
from trajectories.records import Action, Base, Exit, Issue, Note, Observation, Once, Reply, Run, Step, Turn
from trajectories.verdict import Verdict


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory):
    """A run with a step that changes a file and one whose output was cut."""
    folder = tmp_path_factory.mktemp("made")
    bench = Bench(folder, committed(folder / "repo", {"calc.py": "def add(a, b):\n    return a - b\n"}))
    bench.begin(
        line("I look.", act("view", path="calc.py"), n=1),
        line("I fix it.", act("edit", path="calc.py", old="a - b", new="a + b"), n=2),
        line("I print a lot.", act("shell", command="seq 1 20000"), n=3),
        line("Done.", act("submit", summary="It adds."), n=4),
    )

    def strategy(task: Task) -> Generator[Step, None, Outcome]:
        task.note("phase", "fix")
        yield from loop(task.branch, is_submission)
        return task.best()

    bench.drive(strategy)
    return bench.directory


@pytest.fixture
def user(tmp_path, monkeypatch):
    """The folder of runs of a fresh user."""
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path / "state" / "runs"


@pytest.fixture
def run(user, recorded_run):
    shutil.copytree(recorded_run, user / recorded_run.name)
    register(user / recorded_run.name, user.parent)
    return user / recorded_run.name


def show(capsys, *command_line: str, **flags: Any) -> str:
    assert command.command(*command_line, **flags) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_transcript_shows_steps_in_order(run, capsys):
    output = show(capsys, run.name)
    parts = ("add() subtracts", "── fix ──", "I look.", "$ view calc.py", "I fix it.")
    positions = [output.index(part) for part in parts]
    assert positions == sorted(positions)
    assert f"run {run.name}" in output


def test_single_step_is_shown_in_full_with_its_diff(run, capsys):
    steps = {step.actions[0].tool: step for step in read(run).steps["main"] if step.actions}
    output = show(capsys, run.name, steps["edit"].id)
    for part in ("  old: a - b", "-    return a - b", "+    return a + b", "calc.py  +1 -1", "50 tokens in"):
        assert part in output
    cut = steps["shell"]
    assert cut.observations[0].out is not None
    assert "\n10000\n" not in cut.observations[0].text
    assert "\n10000\n" in show(capsys, run.name, str(cut.n))


def test_step_with_missing_output_shows_what_model_saw(run, capsys):
    step = next(step for step in read(run).steps["main"] if any(observation.out for observation in step.observations))
    for file in (run / "out").iterdir():
        file.unlink()
    assert "is missing.]" in show(capsys, run.name, step.id)


def test_diff_is_headed_by_path_of_changed_file(run, capsys):
    (edit,) = (step for step in read(run).steps["main"] if step.actions and step.actions[0].tool == "edit")
    assert "\n\ncalc.py  +1 -1\ndiff --git " in show(capsys, run.name, edit.id)


def test_step_is_found_by_number_id_or_request(run, capsys):
    output = show(capsys, run.name, "2")
    assert output == show(capsys, f"{run.name}@2") == show(capsys, f"{run.name}@main#2")
    assert output == show(capsys, run.name, "main?2")


def test_edit_is_shown_with_arrow_between_old_and_new(run, capsys):
    assert "$ edit calc.py a - b → a + b\n" in show(capsys, run.name)


def test_unfinished_run_is_shown_as_running_or_resumable(run, capsys):
    lock = lock_run(run)
    assert "Not ended" not in show(capsys, run.name)
    if LOCKS.exists():
        assert show(capsys, run.name).endswith("\nStill running.\n")
    lock.release()
    assert show(capsys, run.name).endswith(f"\nNot ended: `swe-agent resume {run.name}` resumes it.\n")


@pytest.mark.parametrize("step", ["main#99", "99", "side#1", "main#", "#", "-1", "main?99", "?"])
def test_unknown_step_is_reported(run, step):
    with pytest.raises(UsageError) as error:
        command.command(run.name, step)
    assert error.value.fix


def test_step_cannot_be_followed(run):
    with pytest.raises(UsageError):
        command.command(run.name, "1", follow=True)


def write_run(folder: Path) -> Path:
    """A run with attempts on branches, their scores, and two turns."""
    run = Run(folder.name, Issue("Slow"), "/home/ann/shop", Base("c" * 40, "t" * 40), {"workspace": "local"})
    outcome = {"tree": "t" * 40, "verdict": {"kind": "verified"}, "exit": ""}
    records = [
        run,
        Turn("fix", "optimize", {"coder": "m"}),
        Note("main", "phase", "rewrite"),
        Step("main", 1, "", "task", "t" * 40, None, (), (Observation("Begin."),)),
        Step("main/try-1", 1, "", "coder", "t" * 40, None, (), (Observation("One."),)),
        Step("main/try-2", 1, "", "coder", "t" * 40, None, (), (Observation("Two."),)),
        Note("main/try-2", "score", "half as fast", {"ratio": 0.5, "group": [1, 2]}),
        Note("main", "forked", "Forked from other@main#1.", {"run": "other"}),
        Once("main/try-2", "outcome", outcome),
        Exit("done", 0),
        Turn("and faster?", "build"),
        Exit("unproven", 1, verdict=Verdict("unproven", red=True, facts=(Fact("limit", "a note"),))),
    ]
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    register(folder, folder.parent.parent)
    return folder


def test_branches_scores_and_turns_are_shown(user, capsys):
    output = show(capsys, write_run(user / "one").name).splitlines()
    assert output[2] == "Forked from other@main#1."
    assert [each.split() for each in output[4:8]] == [
        ["main", "1", "step"],
        ["main/try-1", "1", "step", "from", "main#1"],
        ["main/try-2", "1", "step", "from", "main#1", "verified"],
        ["score:", "half", "as", "fast", "(ratio", "0.5)"],
    ]
    assert "main/try-2 score: half as fast (ratio 0.5)" in output
    assert "Ended: done." in " ".join(output)
    assert "and faster? (build)" in output


# Following a run of another process


class RecordedLines(Lines):
    """Lines that are recorded for a test to wait for."""

    def __init__(self) -> None:
        super().__init__(plain=True)
        self.recorded: list[str] = []
        self.changed = threading.Condition()

    def line(self, text: str = "", style: str = "") -> None:
        with self.changed:
            self.recorded.append(text)
            self.changed.notify_all()

    def wait_for_line(self, part: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: any(part in each for each in self.recorded), timeout=60), self.recorded


def test_run_is_followed_until_its_process_ends(user, monkeypatch):
    monkeypatch.setattr(run_follower, "QUIET", 0.0)
    monkeypatch.setattr(run_follower, "PAUSE", 0.01)
    directory = write_run(user / "one")
    out = RecordedLines()
    journal = Journal(directory)
    exit_codes: list[int] = []
    follower = threading.Thread(target=lambda: exit_codes.append(follow_run(directory, out)))
    follower.start()
    out.wait_for_line("Slow")
    journal.append(
        Turn("continue", "build"),
        Reply("I think.", (Action("view", {"path": "calc.py"}),), model="m", branch="main", ask=1),
    )
    out.wait_for_line("… view calc.py")
    journal.append(Step("main", 1, "", "coder", "t" * 40, 1, (Action("view"),), (Observation("the file"),)))
    out.wait_for_line("the file")
    assert sum("I think." in each for each in out.recorded) == 1, "a reply is shown once"
    assert follower.is_alive()
    journal.close()
    follower.join(60)
    assert exit_codes == [0]
    assert f"swe-agent resume {directory.name}" in out.recorded[-1]


def test_ended_run_is_followed_to_its_end(run, capsys, monkeypatch):
    monkeypatch.setattr(run_follower, "QUIET", 0.0)
    journal = Journal(run)
    journal.append(Exit("done", 0))
    journal.close()
    output = show(capsys, run.name, follow=True)
    assert str(run) in output.splitlines()[-1]


def test_interrupt_ends_following_only(run, monkeypatch, capsys):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("extensions.run_views.run_follower.time.sleep", interrupt)
    lock = lock_run(run)
    assert command.command(run.name, follow=True) == 130
    lock.release()


def test_closed_stdout_ends_show_without_error(run, monkeypatch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    lock = lock_run(run)
    with os.fdopen(write_end, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert command.command(run.name, follow=True) == 0
        assert command.command(run.name) == 0
    lock.release()


def test_partial_line_is_read_when_complete(run):
    journal = run / "journal.jsonl"
    whole = journal.read_bytes()
    cut = whole.rindex(b"\n", 0, -1) + 30
    journal.write_bytes(whole[:cut])
    tail = Records(journal)
    before = len(list(tail.new()))
    assert list(tail.new()) == []
    journal.write_bytes(whole)
    assert len(list(tail.new())) == 1
    assert before + 1 == len(read(run).records)
    with journal.open("ab") as file:
        file.write(b"no record\n" + encode(Exit("done", 0)))
    with pytest.raises(RunBroken, match=f"Line {before + 2} "):
        list(tail.new())


def test_following_missing_or_removed_run_is_reported(run, user, monkeypatch):
    (run.parent / "empty").mkdir()
    with pytest.raises(UsageError, match="no run"):
        command.command("empty", follow=True)

    def remove_run(seconds: float) -> None:
        if run.exists():
            run.rename(run.with_name(".gone-one"))

    monkeypatch.setattr(run_follower, "QUIET", -1.0)
    monkeypatch.setattr("extensions.run_views.run_follower.time.sleep", remove_run)
    lock = lock_run(run)
    with pytest.raises(UsageError, match="no run"):
        command.command(run.name, follow=True)
    lock.release()
    assert not run.exists(), "following creates no folder"


def test_lock_of_run_is_detected_without_locking_it(run):
    assert not is_held(run)
    lock = lock_run(run)
    assert is_held(run)
    lock.release()
    Journal(run).close()


# Pager


def run_in_terminal(command_line: list[str], **environment: str) -> bytes:
    """Run a command in a pseudo-terminal and return what it printed."""
    terminal, child_end = pty.openpty()
    environ = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment
    with subprocess.Popen(command_line, stdin=child_end, stdout=child_end, stderr=child_end, env=environ) as process:
        os.close(child_end)
        printed = b""
        while True:
            try:
                chunk = os.read(terminal, 65_536)
            except OSError:
                break
            if not chunk:
                break
            printed += chunk
    os.close(terminal)
    assert process.returncode == 0, printed
    return printed


@pytest.mark.slow
def test_terminal_output_is_paged_in_colour(run, user):
    code = "import sys; from swe_agent import main; main()"
    pager = user / "pager.py"
    pager.write_text("import sys\nprint('PAGED'); print(repr(sys.stdin.readline())); sys.exit(0)\n")
    command_line = [sys.executable, "-c", code, "show", run.name]
    paged = run_in_terminal(command_line, PAGER=f"{shlex.quote(sys.executable)} {pager}", NO_COLOR="")
    assert b"PAGED" in paged
    assert b"\\x1b[1madd() subtracts" in paged
    assert b"PAGED" not in run_in_terminal(command_line, PAGER="cat")


@pytest.mark.parametrize("pager", ["no-such-pager -x", "'", ""])
def test_run_is_printed_directly_without_usable_pager(run, capsys, monkeypatch, pager):
    monkeypatch.setenv("PAGER", pager)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "I look." in show(capsys, run.name)
