"""`swe-agent diff`: files of two steps, of one run or two, and the first difference of two runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extensions.replay.commands.diff import command
from tests.agent.conftest import act, line
from tests.agent.runs.test_replaced_run import REPLACED, damaged_run
from trajectories.errors import RunBroken, UsageError

__all__ = ["damaged_run"]
HOSTILE = "\x1b]0;title\x07\x1b[31mred [bold]x[/bold]"


@pytest.fixture
def runs(bench, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two runs of one repository that differ from their second step on."""

    def strategy(task):
        for _ in range(2):
            reply = task.ask()
            yield task.step(reply, task.act(reply.actions))
        return task.best()

    names = []
    for second in (act("edit", path="calc.py", old="a - b", new=f"a + b  # {HOSTILE}"), act("shell", command="rm *")):
        new = act("edit", path="new.txt", old="", new="one\ntwo\n")
        names.append(bench.begin(line("", new, n=1), line("", second, n=2)).name)
        bench.drive(strategy)
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))
    return names[0], names[1]


def run_diff(capsys: pytest.CaptureFixture, *arguments: str, **options: bool) -> str:
    assert command(*arguments, **{"stat": False, "json": False, "plain": True, **options}) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_diff_compares_files_of_two_steps(runs, capsys) -> None:
    name = runs[0]
    assert run_diff(capsys, f"{name}@0", f"{name}@main#1", stat=True) == "A new.txt  +2 -0\n"
    report = json.loads(run_diff(capsys, f"{name}@1", f"{name}@2", json=True))
    assert (report["left"], report["right"]) == (f"{name}@main#1", f"{name}@main#2")
    assert report["files"] == [{"path": "calc.py", "status": "M", "added": 1, "removed": 1}]
    assert HOSTILE in report["diff"]
    output = run_diff(capsys, f"{name}@1", f"{name}@2")
    assert "+    return a + b" in output
    assert "\x1b" not in output
    assert "are the same" in run_diff(capsys, f"{name}@1", f"{name}@1")


@pytest.mark.slow
def test_diff_compares_steps_of_two_runs(runs, capsys) -> None:
    one, other = runs
    before = {path: path.stat().st_mtime_ns for path in _files(runs)}
    report = json.loads(run_diff(capsys, f"{one}@2", f"{other}@2", json=True, stat=True))
    assert [(row["status"], row["path"]) for row in report["files"]] == [("D", "calc.py"), ("D", "new.txt")]
    assert {path: path.stat().st_mtime_ns for path in _files(runs)} == before  # the command changes no run


def _files(runs: tuple[str, str]) -> list[Path]:
    from agent.config.settings import load_settings

    return [path for name in runs for path in (load_settings().runs / name).rglob("*")]


@pytest.mark.slow
def test_diff_of_two_runs_shows_first_difference(runs, capsys) -> None:
    report = json.loads(run_diff(capsys, *runs, json=True))
    assert (report["same"], report["first"]["n"], report["first"]["what"]) == (1, 2, "action")
    output = run_diff(capsys, *runs)
    assert "First difference at main#2 (action); identical before it: 1 step." in output
    assert "[bold]x[/bold]" in output  # file content is not read as markup
    assert "\x1b" not in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ("{0}@1", "{1}", "One side names a step"),
        ("{0}@9", "{0}@1", "main has the steps 1 to 2"),
        ("{0}@main/x#1", "{0}@1", "its branches with steps are main"),
        ("nothing@1", "{0}@1", "no run named 'nothing'"),
        ("{0}@", "{0}@1", "is not a step of a run"),
        ("{0}@1", "@1", "is not a step of a run"),
        ("x" * 5000 + "@1", "{0}@1", "no run named"),
    ],
    ids=["one-side", "number", "branch", "run", "no-step", "no-run", "long"],
)
def test_unknown_run_or_step_is_rejected(runs, capsys, left: str, right: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run_diff(capsys, left.format(*runs), right.format(*runs))


@pytest.mark.parametrize(
    ("path", "content", "row"),
    [
        ("a b/c.txt", "x\n", ("A", "a b/c.txt", 1, 0)),
        ("é.txt", "x\n", ("A", "é.txt", 1, 0)),
        ("bytes.bin", "\0\1\2", ("A", "bytes.bin", 0, 0)),
        ("empty", "", ("A", "empty", 0, 0)),
    ],
    ids=["blank", "accent", "binary", "empty"],
)
def test_diff_handles_any_file_name_and_content(
    bench, monkeypatch, capsys, path: str, content: str, row: tuple
) -> None:
    bench.begin()
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))

    def strategy(task):
        yield task.adopt(task.trees.write({path: content.encode()}, task.tree), "as it is")
        return task.best()

    bench.drive(strategy)
    name = bench.directory.name
    (entry,) = json.loads(run_diff(capsys, f"{name}@0", f"{name}@1", json=True))["files"]
    assert (entry["status"], entry["path"], entry["added"], entry["removed"]) == row


def test_replaced_object_is_not_shown_in_diff(damaged_run: Path) -> None:
    with pytest.raises(RunBroken, match=REPLACED):
        command(f"{damaged_run.name}@0", f"{damaged_run.name}@1", stat=False, json=False, plain=True)
