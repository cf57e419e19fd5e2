"""The replay of recorded runs under rules of context: both formats are read, and the rules come out as they should."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.context import compare, main, read_conversations
from trajectories.journal import Journal
from trajectories.records import Action, Base, Issue, Note, Observation, Reply, Run, Step

SOURCE = "".join(f"def f{number}(x):\n    return x + {number}\n" for number in range(400))


def journal(folder: Path, calls: int) -> Path:
    """A run of ours with longer and shorter outputs."""
    folder.mkdir()
    with closing(Journal(folder)) as written:
        written.append(Run("r", Issue("t"), "/x", Base("c", "t"), prompts={"coder": "Fix."}, tools=({"name": "view"},)))
        written.append(Step("main", 1, "", "task", "t", None, (), (Observation("The issue."),)))
        written.append(Step("main/idle", 1, "", "task", "t", None, (), (Observation("Nobody is asked here."),)))
        for number in range(1, calls + 1):
            length = 800 + 60 * (number * number % 50)
            action = Action("shell", {"command": f"./tool {number}"})
            reply = Reply("I look at the next one. " * 20, (action,), "Hm.", model="m", branch="main", ask=number)
            seen = Observation(SOURCE[:length])
            written.append(reply, Step("main", number + 1, "", "coder", "t", number, (action,), (seen,)))
        written.append(Note("main", "phase", "over"))
    return folder


def trajectory(path: Path, calls: int, fenced: bool) -> Path:
    """A file as mini-swe-agent 2 writes it, with tool calls or with commands in the text."""
    said: list[dict[str, Any]] = [{"role": "system", "content": "Fix."}, {"role": "user", "content": "The issue."}]
    for number in range(calls):
        command = "ls -R" if number % 2 else f"cat f{number}.py"
        extra = {"actions": [{"command": command, "tool_call_id": f"c{number}"}]}
        content = f"I look.\n```mswea_bash_command\n{command}\n```" if fenced else None
        call = {"id": f"c{number}", "function": {"name": "bash", "arguments": json.dumps({"command": command})}}
        assistant = {"role": "assistant", "content": content, "extra": extra}
        answer = {"role": "tool", "tool_call_id": f"c{number}"}
        said.append(assistant if fenced else {**assistant, "tool_calls": [call]})
        said.append({**({"role": "user"} if fenced else answer), "content": f"<output>{SOURCE[:9_000]}</output>"})
    said.append({"role": "exit", "content": "", "extra": {"exit_status": "Submitted"}})
    path.write_text(json.dumps({"info": {}, "messages": said, "trajectory_format": "mini-swe-agent-1.1"}))
    return path


@pytest.mark.slow
def test_rules_on_a_long_run_of_ours(tmp_path: Path) -> None:
    whole, sliding, blocks, ours = compare(journal(tmp_path / "run", 40)).values()
    assert whole.calls == ours.calls == 40
    assert whole.output == ours.output > 0
    assert 1 <= ours.folds <= 8
    assert ours.price < whole.price < sliding.price
    assert ours.price < blocks.price
    assert sliding.input < ours.input < whole.input
    assert whole.cached > 0.9 * (whole.input - whole.input / 20)


@pytest.mark.parametrize("fenced", [False, True])
def test_trajectories_of_mini(tmp_path: Path, fenced: bool) -> None:
    path = trajectory(tmp_path / "a.traj.json", 12, fenced)
    (dialog,) = read_conversations(path)
    assert [step.reply for step in dialog.steps] == [None, *range(1, 13)]
    assert dialog.steps[1].actions[0].arguments == {"command": "cat f0.py"}
    assert dialog.steps[1].observations[0].text.startswith("<output>def f0")
    assert "cat" not in dialog.replies["main", 1].text
    whole, _, _, ours = compare(path).values()
    assert whole.calls == ours.calls == 12
    assert ours.input <= whole.input


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(journal(tmp_path / "run", 10)), str(trajectory(tmp_path / "a.traj.json", 3, False))]
    assert main([*runs, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["runs"]
    assert list(shown) == [*runs, "all"]
    assert shown["all"]["everything kept"]["dollar_ratio"] == 1.0
    assert shown["all"]["everything kept"]["calls"] == 13
    assert main(runs[:1]) == 0
    assert "break-even" in capsys.readouterr().out


def test_without_a_run_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([]) == 1
    assert "swe-agent fix --model" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), str(tmp_path)]) == 1
    assert "none: left out" in capsys.readouterr().err
