"""The replay of runs of other agents: formats, costs, and text that was cut but needed later."""

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
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]
    for number, (command, output) in enumerate(CALLS):
        output_message = f"<returncode>0</returncode>\n<output>\n{output}\n</output>"
        if fenced:
            messages += [{"role": "assistant", "content": f"THOUGHT: on.\n```bash\n{command}\n```"}]
            messages += [{"role": "user", "content": output_message}]
        else:
            call = {"id": f"c{number}", "function": {"name": "bash", "arguments": json.dumps({"command": command})}}
            messages += [{"role": "assistant", "content": None, "tool_calls": [call]}]
            messages += [{"role": "tool", "tool_call_id": f"c{number}", "content": output_message}]
    return {"info": {}, "messages": [*messages, {"role": "exit", "content": ""}]}


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
    prompt_messages = [{"role": "system", "content": f"{SYSTEM}<function=…>"}]
    prompt_messages += [{"role": "user", "content": f"Here's a running example.\n<uploaded_files>\n{TASK}"}]
    messages: list[dict[str, Any]] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": TASK}]
    for number, (command, output) in enumerate(CALLS):
        call = {"id": f"c{number}", "function": {"name": "execute_bash", "arguments": json.dumps({"command": command})}}
        notes = "\n[The command completed with exit code 0.]\n[Current working directory: /repo]"
        messages += [{"role": "assistant", "content": "On.", "tool_calls": [call]}]
        messages += [{"role": "tool", "tool_call_id": f"c{number}", "content": output + notes}]
        prompt_messages += [{"role": "assistant", "content": f"On.\n<function=execute_bash>{command}"}]
        prompt_messages += [{"role": "user", "content": f"EXECUTION RESULT of [execute_bash]:\n{output}{notes}"}]
    answer = {"role": "assistant", "content": "Done."}
    return {
        "messages": prompt_messages,
        "fncall_messages": messages,
        "fncall_response": {"choices": [{"message": answer}]},
    }


def openhands_events() -> Any:
    events: list[dict[str, Any]] = [
        {"id": 0, "source": "agent", "action": "system", "args": {"content": SYSTEM}},
        {"id": 1, "source": "user", "action": "message", "args": {"content": TASK}},
    ]
    for number, (command, output) in enumerate(CALLS):
        events.append(
            {"id": 2 * number + 2, "source": "agent", "action": "run", "args": {"command": command, "thought": "On."}}
        )
        events.append({"id": 2 * number + 3, "cause": 2 * number + 2, "observation": "run", "content": output})
    return {"history": events}


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
    "events": openhands_events,
    "trae": trae,
    "chat": chat,
}


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_read_as_same_run(tmp_path: Path, name: str) -> None:
    run = read_run(write_json(tmp_path / "a.json", FORMATS[name]()))
    assert SYSTEM in run.system
    assert run.issue == "add() subtracts."
    turns = [turn for turn in run.turns if turn.actions]
    assert [turn.actions[0].tool for turn in turns] == ["shell"] * 3
    assert [turn.actions[0].arguments["command"] for turn in turns] == [command for command, _ in CALLS]
    assert [turn.raw[0].rstrip("\n") for turn in turns] == [output for _, output in CALLS]
    assert all(output in turn.sent[0] for turn, (_, output) in zip(turns, CALLS, strict=True))


def test_editor_calls_are_translated(tmp_path: Path) -> None:
    editor_calls = [
        {"command": "view", "path": "a.py", "view_range": [3, 9]},
        {"command": "str_replace", "path": "a.py", "old_str": "x", "new_str": "y"},
        {"command": "create", "path": "b.py", "file_text": "z"},
        {"command": "undo_edit", "path": "a.py"},
    ]
    recorded = trae()
    recorded["agent_steps"] = [
        {
            "llm_response": {"content": ""},
            "tool_calls": [{"call_id": "c", "name": "str_replace_editor", "arguments": each}],
        }
        for each in editor_calls
    ]
    run = read_run(write_json(tmp_path / "a.json", recorded))
    assert [turn.actions[0] for turn in run.turns] == [
        Action("view", {"path": "a.py", "start": 3, "end": 9}, "c"),
        Action("edit", {"path": "a.py", "old": "x", "new": "y"}, "c"),
        Action("edit", {"path": "b.py", "new": "z"}, "c"),
        Action("undo", {"path": "a.py"}, "c"),
    ]


def test_run_with_long_messages_costs_less(tmp_path: Path) -> None:
    comparison = compare(read_run(write_json(tmp_path / "a.json", mini(fenced=False))))
    assert comparison.calls == 3
    assert comparison.ours.input < comparison.theirs.input
    assert comparison.ours.price < comparison.theirs.price < comparison.theirs.whole
    sizes = [len(SYSTEM), len(TASK), *(len(output) for _, output in CALLS[:2])]
    assert comparison.theirs.input >= sum(size * times for size, times in zip(sizes, (3, 3, 2, 1), strict=True))
    assert comparison.missed == []


def test_cut_text_needed_later_is_counted(tmp_path: Path) -> None:
    run = mini(fenced=False)
    path = LISTING.split("\n")[150].removeprefix("./")
    call = {"id": "c9", "function": {"name": "bash", "arguments": json.dumps({"command": f"cat {path}"})}}
    run["messages"][-1:] = [{"role": "assistant", "content": "", "tool_calls": [call]}]
    comparison = compare(read_run(write_json(tmp_path / "a.json", run)))
    assert (comparison.cut, comparison.folded) == (1, 0)
    assert comparison.missed == ["4 cut: module_150", f"4 cut: {path}"]
    assert comparison.rate == 0.25


def test_file_viewed_in_editor_is_not_missed(tmp_path: Path) -> None:
    run = trae()
    call = {"call_id": "v", "name": "str_replace_editor", "arguments": {"command": "view", "path": "add.py"}}
    text = f"Here's the result of running `cat -n` on add.py:\n{NUMBERED}\n"
    step = {"llm_response": {"content": ""}, "tool_calls": [call], "tool_results": [{"call_id": "v", "result": text}]}
    run["agent_steps"] = [step, *run["agent_steps"]]
    comparison = compare(read_run(write_json(tmp_path / "a.json", run)))
    assert comparison.calls == 4
    assert comparison.missed == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"command": "grep -rn compute_total src"}, ["compute_total"]),
        ({"old": "    return first + second + third"}, ["return first + second + third"]),
        ({"command": "cat src/deep/place.py"}, ["src/deep/place.py"]),
        ({"command": "sed -n '137,139p' a.py"}, ["line 137"]),
        ({"command": "print the value"}, []),
        ({"command": "python -c '__name__'"}, []),
    ],
)
def test_missed_texts_are_found_in_arguments(arguments: dict[str, Any], expected: list[str]) -> None:
    shown = TextIndex(
        ["a.py:137:def compute_total(first):", "    return first + second + third", "src/deep/place.py __name__"]
    )
    action = Action("shell", arguments)
    assert missed([action], shown, TextIndex()) == expected
    assert missed([action], shown, shown) == []


def test_command_prints_json_and_missed_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        write_json(tmp_path / "mini" / f"{number}.traj.json", mini(fenced=True))
    write_json(tmp_path / "openhands" / "a.json", openhands())
    write_json(tmp_path / "openhands" / "notes.json", {"no": "run"})
    options = ["--trajectories", str(tmp_path)]
    assert main([*options, "--limit", "2", "--json"]) == 0
    output = capsys.readouterr()
    rows = json.loads(output.out)["sources"]
    assert {name: row["runs"] for name, row in rows.items()} == {"mini": 2, "openhands": 1, "all": 3}
    assert rows["all"]["tokens_%"] < 100
    assert "notes.json: left out" in output.err
    assert main([*options, "--missed"]) == 0
    assert "openhands" in capsys.readouterr().out


def test_command_without_runs_reports_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--trajectories", str(tmp_path)]) == 1
    assert main(["--trajectories", str(tmp_path / "none")]) == 1
    assert "No recorded run in" in capsys.readouterr().err
