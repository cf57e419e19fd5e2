"""A run as `show` tells it: whole, one step, as it goes on in another process; a page at a time; clean."""

import os
import pty
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.commands import show as command
from agent.console.pager import Lines
from agent.engine.loop import is_submission, loop
from agent.engine.task import Task
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.run_ownership import register
from agent.runs import run_follower
from agent.runs.run_follower import follow_run, is_held
from agent.runs.run_listing import LOCKS
from tests.agent.conftest import Bench, act, line
from tests.conftest import committed
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import Journal, encode, lock_run, read
from trajectories.journal import Lines as Records
from trajectories.records import (
    Action,
    Base,
    Exit,
    Issue,
    Note,
    Observation,
    Once,
    Reply,
    Run,
    Step,
    Turn,
    Verdict,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of some steps, of which one writes and one has an output that was cut."""
    folder = tmp_path_factory.mktemp("made")
    bench = Bench(folder, committed(folder / "repo", {"calc.py": "def add(a, b):\n    return a - b\n"}))
    bench.begin(
        line("I look.", act("view", path="calc.py"), n=1),
        line("I mend it.", act("edit", path="calc.py", old="a - b", new="a + b"), n=2),
        line("I print a lot.", act("shell", command="seq 1 20000"), n=3),
        line("Done.", act("submit", summary="It adds."), n=4),
    )

    def strategy(task: Task) -> Generator[Step, None, Outcome]:
        task.note("phase", "mend")
        yield from loop(task, is_submission)
        return task.best()

    bench.drive(strategy)
    return bench.directory


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Somebody's state."""
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path / "state" / "runs"


@pytest.fixture
def run(user, made):
    shutil.copytree(made, user / made.name)
    register(user / made.name, user.parent)
    return user / made.name


def shown(capsys, *words: str, **flags: Any) -> str:
    assert command.command(*words, **flags) == 0
    return capsys.readouterr().out


def test_run_is_told_step_by_step(run, capsys):
    told = shown(capsys, run.name)
    at = [told.index(part) for part in ("add() subtracts", "── mend ──", "I look.", "$ view calc.py", "I mend it.")]
    assert at == sorted(at)
    assert f"run {run.name}" in told


def test_one_step_is_told_whole_with_its_diff(run, capsys):
    steps = {step.actions[0].tool: step for step in read(run).steps["main"] if step.actions}
    told = shown(capsys, run.name, steps["edit"].id)
    for part in ("  old: a - b", "-    return a - b", "+    return a + b", "calc.py  +1 -1", "50 tokens in"):
        assert part in told
    cut = steps["shell"]
    assert cut.observations[0].out is not None
    assert "\n10000\n" not in cut.observations[0].text
    assert "\n10000\n" in shown(capsys, run.name, str(cut.n))


def test_output_that_is_gone_is_told_as_model_saw_it(run, capsys):
    step = next(step for step in read(run).steps["main"] if any(seen.out for seen in step.observations))
    for file in (run / "out").iterdir():
        file.unlink()
    assert "is missing.]" in shown(capsys, run.name, step.id)


def test_changed_file_is_told_by_its_path(run, capsys):
    (edit,) = (step for step in read(run).steps["main"] if step.actions and step.actions[0].tool == "edit")
    assert "\n\ncalc.py  +1 -1\ndiff --git " in shown(capsys, run.name, edit.id)


def test_step_is_named_as_elsewhere_and_by_its_request(run, capsys):
    told = shown(capsys, run.name, "2")
    assert told == shown(capsys, f"{run.name}@2") == shown(capsys, f"{run.name}@main#2")
    assert told == shown(capsys, run.name, "main?2")


def test_edit_has_arrow_between_old_and_new(run, capsys):
    assert "$ edit calc.py a - b → a + b\n" in shown(capsys, run.name)


def test_run_without_end_says_who_goes_on_with_it(run, capsys):
    lock = lock_run(run)
    assert "Not ended" not in shown(capsys, run.name)
    if LOCKS.exists():
        assert shown(capsys, run.name).endswith("\nStill running.\n")
    lock.release()
    assert shown(capsys, run.name).endswith(f"\nNot ended: `swe-agent resume {run.name}` resumes it.\n")


@pytest.mark.parametrize("step", ["main#99", "99", "side#1", "main#", "#", "-1", "main?99", "?"])
def test_step_that_is_not_there_is_told(run, step):
    with pytest.raises(UsageError) as error:
        command.command(run.name, step)
    assert error.value.fix


def test_step_cannot_be_followed(run):
    with pytest.raises(UsageError):
        command.command(run.name, "1", follow=True)


def many(folder: Path) -> Path:
    """A run with attempts on branches, what was said of them, and turns."""
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
        Exit("unproven", 1, verdict=Verdict("unproven", red=True, notes=("a note",))),
    ]
    folder.mkdir(parents=True)
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    register(folder, folder.parent.parent)
    return folder


def test_branches_scores_and_turns_are_told(user, capsys):
    told = shown(capsys, many(user / "one").name).splitlines()
    assert told[2] == "Forked from other@main#1."
    assert [each.split() for each in told[4:8]] == [
        ["main", "1", "step"],
        ["main/try-1", "1", "step", "from", "main#1"],
        ["main/try-2", "1", "step", "from", "main#1", "verified"],
        ["score:", "half", "as", "fast", "(ratio", "0.5)"],
    ]
    assert "main/try-2 score: half as fast (ratio 0.5)" in told
    assert "Ended: done." in " ".join(told)
    assert "and faster? (build)" in told


# As it goes on in another process


class Heard(Lines):
    """Lines as they come, for a test that waits for one."""

    def __init__(self) -> None:
        super().__init__(plain=True)
        self.said: list[str] = []
        self.came = threading.Condition()

    def line(self, text: str = "", style: str = "") -> None:
        with self.came:
            self.said.append(text)
            self.came.notify_all()

    def until(self, part: str) -> None:
        with self.came:
            assert self.came.wait_for(lambda: any(part in each for each in self.said), timeout=60), self.said


def test_run_is_followed_until_nobody_works_on_it(user, monkeypatch):
    monkeypatch.setattr(run_follower, "QUIET", 0.0)
    monkeypatch.setattr(run_follower, "PAUSE", 0.01)
    directory = many(user / "one")
    out = Heard()
    journal = Journal(directory)
    codes: list[int] = []
    watching = threading.Thread(target=lambda: codes.append(follow_run(directory, out)))
    watching.start()
    out.until("Slow")
    journal.append(
        Turn("go on", "build"),
        Reply("I think.", (Action("view", {"path": "calc.py"}),), model="m", branch="main", ask=1),
    )
    out.until("… view calc.py")
    journal.append(Step("main", 1, "", "coder", "t" * 40, 1, (Action("view"),), (Observation("the file"),)))
    out.until("the file")
    assert sum("I think." in each for each in out.said) == 1, "a reply is told once"
    assert watching.is_alive()
    journal.close()
    watching.join(60)
    assert codes == [0]
    assert f"swe-agent resume {directory.name}" in out.said[-1]


def test_run_that_ended_is_followed_to_its_end(run, capsys, monkeypatch):
    monkeypatch.setattr(run_follower, "QUIET", 0.0)
    journal = Journal(run)
    journal.append(Exit("done", 0))
    journal.close()
    told = shown(capsys, run.name, follow=True)
    assert str(run) in told.splitlines()[-1]


def test_who_leaves_ends_looking_only(run, monkeypatch, capsys):
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("agent.runs.run_follower.time.sleep", interrupted)
    with_it = lock_run(run)
    assert command.command(run.name, follow=True) == 130
    with_it.release()


def test_reader_that_leaves_early_ends_looking_quietly(run, monkeypatch):
    there, here = os.pipe()
    os.close(there)
    lock = lock_run(run)
    with os.fdopen(here, "w") as closed:
        monkeypatch.setattr("sys.stdout", closed)
        assert command.command(run.name, follow=True) == 0
        assert command.command(run.name) == 0
    lock.release()


def test_half_line_waits_for_its_other_half(run):
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


def test_what_is_no_run_or_none_any_more_is_told(run, user, monkeypatch):
    (run.parent / "empty").mkdir()
    with pytest.raises(UsageError, match="no run"):
        command.command("empty", follow=True)

    def removed(seconds: float) -> None:
        if run.exists():
            run.rename(run.with_name(".gone-one"))

    monkeypatch.setattr(run_follower, "QUIET", -1.0)
    monkeypatch.setattr("agent.runs.run_follower.time.sleep", removed)
    lock = lock_run(run)
    with pytest.raises(UsageError, match="no run"):
        command.command(run.name, follow=True)
    lock.release()
    assert not run.exists(), "who looks makes no folder"


def test_whether_run_is_held_is_seen_without_holding_it(run):
    assert not is_held(run)
    lock = lock_run(run)
    assert is_held(run)
    lock.release()
    Journal(run).close()


# A page at a time


def on_a_terminal(words: list[str], **environment: str) -> bytes:
    """What a terminal gets of a command."""
    there, here = pty.openpty()
    known = os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"} | environment
    with subprocess.Popen(words, stdin=here, stdout=here, stderr=here, env=known) as process:
        os.close(here)
        got = b""
        while True:
            try:
                more = os.read(there, 65_536)
            except OSError:
                break
            if not more:
                break
            got += more
    os.close(there)
    assert process.returncode == 0, got
    return got


@pytest.mark.slow
def test_terminal_gets_pages_in_colour(run, user):
    code = "import sys; from swe_agent import main; main()"
    pager = user / "pager.py"
    pager.write_text("import sys\nprint('PAGED'); print(repr(sys.stdin.readline())); sys.exit(0)\n")
    words = [sys.executable, "-c", code, "show", run.name]
    paged = on_a_terminal(words, PAGER=f"{sys.executable} {pager}", NO_COLOR="")
    assert b"PAGED" in paged
    assert b"\\x1b[1madd() subtracts" in paged
    assert b"PAGED" not in on_a_terminal(words, PAGER="cat")


@pytest.mark.parametrize("pager", ["no-such-pager -x", "'", ""])
def test_without_pager_it_is_told_at_once(run, capsys, monkeypatch, pager):
    monkeypatch.setenv("PAGER", pager)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert "I look." in shown(capsys, run.name)
