"""The replay of recorded runs under different context rules, for both formats of runs."""

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


def write_journal(folder: Path, calls: int) -> Path:
    """Write a run of swe-agent with outputs of different lengths."""
    folder.mkdir()
    with closing(Journal(folder)) as journal:
        journal.append(Run("r", Issue("t"), "/x", Base("c", "t"), prompts={"coder": "Fix."}, tools=({"name": "view"},)))
        journal.append(Step("main", 1, "", "task", "t", None, (), (Observation("The issue."),)))
        journal.append(Step("main/idle", 1, "", "task", "t", None, (), (Observation("Nobody is asked here."),)))
        for number in range(1, calls + 1):
            length = 800 + 60 * (number * number % 50)
            action = Action("shell", {"command": f"./tool {number}"})
            reply = Reply("I look at the next one. " * 20, (action,), "Hm.", model="m", branch="main", ask=number)
            observation = Observation(SOURCE[:length])
            journal.append(reply, Step("main", number + 1, "", "coder", "t", number, (action,), (observation,)))
        journal.append(Note("main", "phase", "over"))
    return folder


def write_trajectory(path: Path, calls: int, fenced: bool) -> Path:
    """Write a run of mini-swe-agent 2, with tool calls or with commands in the text."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "Fix."}, {"role": "user", "content": "The issue."}]
    for number in range(calls):
        command = "ls -R" if number % 2 else f"cat f{number}.py"
        extra = {"actions": [{"command": command, "tool_call_id": f"c{number}"}]}
        content = f"I look.\n```mswea_bash_command\n{command}\n```" if fenced else None
        call = {"id": f"c{number}", "function": {"name": "bash", "arguments": json.dumps({"command": command})}}
        assistant = {"role": "assistant", "content": content, "extra": extra}
        tool_message = {"role": "tool", "tool_call_id": f"c{number}"}
        messages.append(assistant if fenced else {**assistant, "tool_calls": [call]})
        messages.append(
            {**({"role": "user"} if fenced else tool_message), "content": f"<output>{SOURCE[:9_000]}</output>"}
        )
    messages.append({"role": "exit", "content": "", "extra": {"exit_status": "Submitted"}})
    path.write_text(json.dumps({"info": {}, "messages": messages, "trajectory_format": "mini-swe-agent-1.1"}))
    return path


@pytest.mark.slow
def test_rules_are_compared_on_long_run_of_swe_agent(tmp_path: Path) -> None:
    unlimited, sliding, blocks, own = compare(write_journal(tmp_path / "run", 40)).values()
    assert unlimited.calls == own.calls == 40
    assert unlimited.output == own.output > 0
    assert 1 <= own.folds <= 8
    assert own.price < unlimited.price < sliding.price
    assert own.price < blocks.price
    assert sliding.input < own.input < unlimited.input
    assert unlimited.cached > 0.9 * (unlimited.input - unlimited.input / 20)


@pytest.mark.parametrize("fenced", [False, True])
def test_trajectories_of_mini_swe_agent_are_compared(tmp_path: Path, fenced: bool) -> None:
    path = write_trajectory(tmp_path / "a.traj.json", 12, fenced)
    (conversation,) = read_conversations(path)
    assert [step.reply for step in conversation.steps] == [None, *range(1, 13)]
    assert conversation.steps[1].actions[0].arguments == {"command": "cat f0.py"}
    assert conversation.steps[1].observations[0].text.startswith("<output>def f0")
    assert "cat" not in conversation.replies["main", 1].text
    unlimited, _, _, own = compare(path).values()
    assert unlimited.calls == own.calls == 12
    assert own.input <= unlimited.input


def test_command_prints_json_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_journal(tmp_path / "run", 10)), str(write_trajectory(tmp_path / "a.traj.json", 3, False))]
    assert main([*runs, "--json"]) == 0
    runs_shown = json.loads(capsys.readouterr().out)["runs"]
    assert list(runs_shown) == [*runs, "all"]
    assert runs_shown["all"]["everything kept"]["dollar_ratio"] == 1.0
    assert runs_shown["all"]["everything kept"]["calls"] == 13
    assert main(runs[:1]) == 0
    assert "break-even" in capsys.readouterr().out


def test_command_without_runs_explains_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([]) == 1
    assert "swe-agent fix --model" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), str(tmp_path)]) == 1
    assert "none: left out" in capsys.readouterr().err
