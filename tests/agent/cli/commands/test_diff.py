"""`swe-agent diff`: files of two steps, of one run or two, and where two runs part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.cli.commands.diff import command
from tests.agent.conftest import act, line
from trajectories.errors import UsageError

HOSTILE = "\x1b]0;title\x07\x1b[31mred [bold]x[/bold]"


@pytest.fixture
def runs(bench, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Two runs of one repository, the second of which goes another way after its first step."""

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


def told(capsys: pytest.CaptureFixture, *arguments: str, **options: bool) -> str:
    assert command(*arguments, **{"stat": False, "json": False, "plain": True, **options}) == 0
    return capsys.readouterr().out


@pytest.mark.slow
def test_files_of_two_steps(runs, capsys) -> None:
    name = runs[0]
    assert told(capsys, f"{name}@0", f"{name}@main#1", stat=True) == "A new.txt  +2 -0\n"
    found = json.loads(told(capsys, f"{name}@1", f"{name}@2", json=True))
    assert (found["left"], found["right"]) == (f"{name}@main#1", f"{name}@main#2")
    assert found["files"] == [{"path": "calc.py", "status": "M", "added": 1, "removed": 1}]
    assert HOSTILE in found["diff"]
    shown = told(capsys, f"{name}@1", f"{name}@2")
    assert "+    return a + b" in shown
    assert "\x1b" not in shown
    assert "are the same" in told(capsys, f"{name}@1", f"{name}@1")


@pytest.mark.slow
def test_files_of_steps_of_two_runs(runs, capsys) -> None:
    one, other = runs
    before = {path: path.stat().st_mtime_ns for path in _files(runs)}
    found = json.loads(told(capsys, f"{one}@2", f"{other}@2", json=True, stat=True))
    assert [(row["status"], row["path"]) for row in found["files"]] == [("D", "calc.py"), ("D", "new.txt")]
    assert {path: path.stat().st_mtime_ns for path in _files(runs)} == before  # nothing is written to a run


def _files(runs: tuple[str, str]) -> list[Path]:
    from agent.config.settings import load_settings

    return [path for name in runs for path in (load_settings().runs / name).rglob("*")]


@pytest.mark.slow
def test_where_two_runs_part(runs, capsys) -> None:
    found = json.loads(told(capsys, *runs, json=True))
    assert (found["same"], found["first"]["n"], found["first"]["what"]) == (1, 2, "action")
    shown = told(capsys, *runs)
    assert "First difference at main#2 (action); 1 step alike." in shown
    assert "[bold]x[/bold]" in shown  # text is no markup
    assert "\x1b" not in shown


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
def test_what_is_not_there_is_said(runs, capsys, left: str, right: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        told(capsys, left.format(*runs), right.format(*runs))


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
def test_files_of_any_name(bench, monkeypatch, capsys, path: str, content: str, row: tuple) -> None:
    bench.begin()
    monkeypatch.setenv("SWE_AGENT_STATE", str(bench.settings.state))

    def strategy(task):
        yield task.adopt(task.trees.write({path: content.encode()}, task.tree), "as it is")
        return task.best()

    bench.drive(strategy)
    name = bench.directory.name
    (found,) = json.loads(told(capsys, f"{name}@0", f"{name}@1", json=True))["files"]
    assert (found["status"], found["path"], found["added"], found["removed"]) == row
