"""The replay of other agents' runs: each format is read, and what ours costs and misses comes out as it should."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks._needs import TextIndex, missed
from benchmarks._recorded import read_run
from benchmarks.observations import compare, main
from trajectories.records import Action

SYSTEM = "You fix issues with a shell. " * 100
TASK = (
    "<pr_description>\nConsider the following PR description:\nadd() subtracts.\n</pr_description>\n" + "Rules. " * 300
)
LISTING = "\n".join(f"./src/package_{n % 7}/module_{n}.py" for n in range(300))
LINES = [f"    value_{n} = compute_something({n})" for n in range(60)]
SOURCE = "def add(a, b):\n" + "\n".join(LINES) + "\n    return a - b"
NUMBERED = "\n".join(f"     {n}\t{line}" for n, line in enumerate(SOURCE.split("\n"), 1))
CALLS = [("find . -name '*.py'", LISTING), ("cat src/add.py", SOURCE), ("sed -i 's/a - b/a + b/' src/add.py", "")]


def mini(fenced: bool) -> Any:
    said: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]
    for number, (command, output) in enumerate(CALLS):
        shown = f"<returncode>0</returncode>\n<output>\n{output}\n</output>"
        if fenced:
            said += [{"role": "assistant", "content": f"THOUGHT: on.\n```bash\n{command}\n```"}]
            said += [{"role": "user", "content": shown}]
        else:
            call = {"id": f"c{number}", "function": {"name": "bash", "arguments": json.dumps({"command": command})}}
            said += [{"role": "assistant", "content": None, "tool_calls": [call]}]
            said += [{"role": "tool", "tool_call_id": f"c{number}", "content": shown}]
    return {"info": {}, "messages": [*said, {"role": "exit", "content": ""}]}


def swe_agent() -> Any:
    steps = [{"action": c, "observation": o, "response": "On.", "thought": "On.", "state": "{}"} for c, o in CALLS]
    history = [{"role": "system", "content": SYSTEM, "agent": "main"}, {"role": "user", "content": TASK}]
    history += [{"role": "assistant", "content": "A demonstration.", "is_demo": True}]
    for command, output in CALLS:
        history += [
            {"role": "assistant", "content": command},
            {"role": "user", "content": f"{output}\n(Open file: n/a)"},
        ]
    return {"environment": "main", "trajectory": steps, "history": history, "info": {}}


def openhands() -> Any:
    sent = [{"role": "system", "content": f"{SYSTEM}<function=…>"}]
    sent += [{"role": "user", "content": f"Here's a running example.\n<uploaded_files>\n{TASK}"}]
    plain: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]
    for number, (command, output) in enumerate(CALLS):
        call = {"id": f"c{number}", "function": {"name": "execute_bash", "arguments": json.dumps({"command": command})}}
        notes = "\n[The command completed with exit code 0.]\n[Current working directory: /repo]"
        plain += [{"role": "assistant", "content": "On.", "tool_calls": [call]}]
        plain += [{"role": "tool", "tool_call_id": f"c{number}", "content": output + notes}]
        sent += [{"role": "assistant", "content": f"On.\n<function=execute_bash>{command}"}]
        sent += [{"role": "user", "content": f"EXECUTION RESULT of [execute_bash]:\n{output}{notes}"}]
    answer = {"role": "assistant", "content": "Done."}
    return {"messages": sent, "fncall_messages": plain, "fncall_response": {"choices": [{"message": answer}]}}


def events() -> Any:
    found: list[dict[str, Any]] = [
        {"id": 0, "source": "agent", "action": "system", "args": {"content": SYSTEM}},
        {"id": 1, "source": "user", "action": "message", "args": {"content": TASK}},
    ]
    for number, (command, output) in enumerate(CALLS):
        found.append(
            {"id": 2 * number + 2, "source": "agent", "action": "run", "args": {"command": command, "thought": "On."}}
        )
        found.append({"id": 2 * number + 3, "cause": 2 * number + 2, "observation": "run", "content": output})
    return {"history": found}


def trae() -> Any:
    steps = []
    for number, (command, output) in enumerate(CALLS):
        call = {"call_id": f"c{number}", "name": "bash", "arguments": {"command": command}}
        result = {"call_id": f"c{number}", "result": output, "error": ""}
        steps.append({"llm_response": {"content": "On."}, "tool_calls": [call], "tool_results": [result]})
    first = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]
    return {"llm_interactions": [{"input_messages": first}], "agent_steps": [*steps, {"llm_response": None}]}


def chat() -> Any:
    return mini(fenced=False)["messages"]


FORMATS: dict[str, Callable[[], Any]] = {
    "mini1": lambda: mini(fenced=True),
    "mini2": lambda: mini(fenced=False),
    "swe-agent": swe_agent,
    "openhands": openhands,
    "events": events,
    "trae": trae,
    "chat": chat,
}


def written(path: Path, found: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_tells_the_same_run(tmp_path: Path, name: str) -> None:
    run = read_run(written(tmp_path / "a.json", FORMATS[name]()))
    assert SYSTEM in run.system
    assert run.issue == "add() subtracts."
    acted = [turn for turn in run.turns if turn.actions]
    assert [turn.actions[0].tool for turn in acted] == ["shell"] * 3
    assert [turn.actions[0].arguments["command"] for turn in acted] == [command for command, _ in CALLS]
    assert [turn.raw[0].rstrip("\n") for turn in acted] == [output for _, output in CALLS]
    assert all(output in turn.sent[0] for turn, (_, output) in zip(acted, CALLS, strict=True))


def test_calls_of_an_editor_are_ours(tmp_path: Path) -> None:
    given = [
        {"command": "view", "path": "a.py", "view_range": [3, 9]},
        {"command": "str_replace", "path": "a.py", "old_str": "x", "new_str": "y"},
        {"command": "create", "path": "b.py", "file_text": "z"},
        {"command": "undo_edit", "path": "a.py"},
    ]
    found = trae()
    found["agent_steps"] = [
        {
            "llm_response": {"content": ""},
            "tool_calls": [{"call_id": "c", "name": "str_replace_editor", "arguments": each}],
        }
        for each in given
    ]
    run = read_run(written(tmp_path / "a.json", found))
    assert [turn.actions[0] for turn in run.turns] == [
        Action("view", {"path": "a.py", "start": 3, "end": 9}, "c"),
        Action("edit", {"path": "a.py", "old": "x", "new": "y"}, "c"),
        Action("edit", {"path": "b.py", "new": "z"}, "c"),
        Action("undo", {"path": "a.py"}, "c"),
    ]


def test_a_run_costs_less_where_its_harness_was_wordy(tmp_path: Path) -> None:
    found = compare(read_run(written(tmp_path / "a.json", mini(fenced=False))))
    assert found.calls == 3
    assert found.ours.input < found.theirs.input
    assert found.ours.price < found.theirs.price < found.theirs.whole
    sent = [len(SYSTEM), len(TASK), *(len(output) for _, output in CALLS[:2])]
    assert found.theirs.input >= sum(size * times for size, times in zip(sent, (3, 3, 2, 1), strict=True))
    assert found.missed == []


def test_what_a_later_step_needed_and_was_cut_is_counted(tmp_path: Path) -> None:
    run = mini(fenced=False)
    deep = LISTING.split("\n")[150].removeprefix("./")
    call = {"id": "c9", "function": {"name": "bash", "arguments": json.dumps({"command": f"cat {deep}"})}}
    run["messages"][-1:] = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    found = compare(read_run(written(tmp_path / "a.json", run)))
    assert (found.cut, found.folded) == (1, 0)
    assert found.missed == ["4 cut: module_150", f"4 cut: {deep}"]
    assert found.rate == 0.25


def test_a_file_viewed_through_an_editor_is_shown_by_our_view(tmp_path: Path) -> None:
    run = trae()
    call = {"call_id": "v", "name": "str_replace_editor", "arguments": {"command": "view", "path": "add.py"}}
    text = f"Here's the result of running `cat -n` on add.py:\n{NUMBERED}\n"
    step = {"llm_response": {"content": ""}, "tool_calls": [call], "tool_results": [{"call_id": "v", "result": text}]}
    run["agent_steps"] = [step, *run["agent_steps"]]
    found = compare(read_run(written(tmp_path / "a.json", run)))
    assert found.calls == 4
    assert found.missed == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"command": "grep -rn compute_total src"}, ["compute_total"]),
        ({"old": "    return first + second + third"}, ["return first + second + third"]),
        ({"command": "cat src/deep/place.py"}, ["src/deep/place.py"]),
        ({"command": "sed -n '137,139p' a.py"}, ["line 137"]),
        ({"command": "print the value"}, []),
        ({"command": "python -c '__name__'"}, []),
    ],
)
def test_what_is_missed(arguments: dict[str, Any], found: list[str]) -> None:
    told = TextIndex(
        ["a.py:137:def compute_total(first):", "    return first + second + third", "src/deep/place.py __name__"]
    )
    action = Action("shell", arguments)
    assert missed([action], told, TextIndex()) == found
    assert missed([action], told, told) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        written(tmp_path / "mini" / f"{number}.traj.json", mini(fenced=True))
    written(tmp_path / "openhands" / "a.json", openhands())
    written(tmp_path / "openhands" / "notes.json", {"no": "run"})
    given = ["--trajectories", str(tmp_path)]
    assert main([*given, "--limit", "2", "--json"]) == 0
    said = capsys.readouterr()
    rows = json.loads(said.out)["sources"]
    assert {name: row["runs"] for name, row in rows.items()} == {"mini": 2, "openhands": 1, "all": 3}
    assert rows["all"]["tokens_%"] < 100
    assert "notes.json: left out" in said.err
    assert main([*given, "--missed"]) == 0
    assert "openhands" in capsys.readouterr().out


def test_without_runs_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trajectories", str(tmp_path)]) == 1
    assert main(["--trajectories", str(tmp_path / "none")]) == 1
    assert "No recorded run in" in capsys.readouterr().err
