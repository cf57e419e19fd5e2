"""SWE-agent's trajectories in each form that it has written."""

import json
from typing import Any

from trajectories.exports import chat
from trajectories.exports import swe_agent as swe_agent_file
from trajectories.importers import swe_agent
from trajectories.run_data import RunView

TASK = "We're solving this:\nISSUE:\nAdd is wrong\nIt subtracts.\n\nINSTRUCTIONS:\nFix it."
SYSTEM = {"role": "system", "content": "You help.", "agent": "main"}
USER = {"role": "user", "content": TASK, "agent": "main"}
PATCH = "diff --git a/calc.py b/calc.py\n"
STATS = {"instance_cost": 0.5, "tokens_sent": 1000, "tokens_received": 20, "api_calls": 2}


def load(**data: Any) -> RunView:
    assert swe_agent.reads(data)
    return swe_agent.load(data, "people__calc-7")


def acted(command: str, thought: str, seen: str, **more: Any) -> dict[str, Any]:
    response = f"{thought}\n```\n{command}\n```"
    return {"action": f"{command}\n", "thought": thought, "response": response, "observation": seen, **more}


def said(step: dict[str, Any], **more: Any) -> dict[str, Any]:
    kept = {key: step[key] for key in ("thought", "action")}
    return {"role": "assistant", "content": step["response"], "agent": "main", **kept, **more}


def test_of_words() -> None:
    """Before 1.0 commands were words, and a state was text."""
    look, stop = acted("ls", "Look.", "calc.py", state='{"open_file": "n/a"}'), acted("submit", "Done.", "")
    demo = {"role": "user", "content": "A demonstration.\nISSUE:\nSomething else\n", "is_demo": True}
    shown = {"role": "user", "content": "calc.py\n(Open file: n/a)"}
    material = load(
        environment="swe_main",
        trajectory=[look, stop],
        history=[SYSTEM, demo, USER, said(look), shown, said(stop)],
        info={"exit_status": "submitted (exit_cost)", "submission": PATCH, "model_stats": STATS},
    )
    run, steps = material.trajectory.run, material.trajectory.all_steps()
    assert run is not None
    assert (run.issue.title, run.issue.body, run.repository) == ("Add is wrong", "It subtracts.", "people/calc")
    assert [(step.author, len(step.actions)) for step in steps] == [
        ("demonstration", 0),
        ("task", 0),
        ("coder", 1),
        ("coder", 1),
    ]
    assert steps[2].actions[0].arguments == {"command": "ls"}
    assert steps[2].observations[0].text == "calc.py\n(Open file: n/a)"
    assert material.trajectory.replies["main", 1].text == "Look."
    assert (material.spent.dollars, material.spent.input_tokens, material.spent.calls) == (0.5, 1000, 2)
    assert material.trajectory.exit is not None
    assert (material.trajectory.exit.kind, material.trajectory.exit.code) == ("called submitted (exit_cost)", 6)
    assert list(material.requests("main")) == [[], []]


def test_of_calls() -> None:
    """Since 1.0 the history has calls; since 1.1 a step has what was sent."""
    call = {"id": "a", "type": "function", "function": {"name": "open", "arguments": '{"path": "calc.py"}'}}
    query = [SYSTEM, {**USER, "message_type": "observation"}]
    look = acted("open calc.py", "Look.", "1:x", query=query, execution_time=0.1, state={})
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]
    config = '{"agent": {"model": {"name": "gpt"}}, "problem_statement": {"text": "A title\\nA body", "id": "1"}}'
    material = load(
        trajectory=[look],
        history=[
            SYSTEM,
            USER,
            said(look, tool_calls=[call], thinking_blocks=blocks),
            {"role": "tool", "content": "1:x"},
        ],
        info={"swe_agent_version": "1.1.0", "model_stats": STATS},
        replay_config=config,
    )
    run, step = material.trajectory.run, material.trajectory.all_steps()[-1]
    assert run is not None
    assert (run.issue.title, run.issue.body, run.versions) == ("A title", "A body", {"swe-agent": "1.1.0"})
    assert (step.actions[0].tool, step.actions[0].arguments, step.actions[0].id) == ("open", {"path": "calc.py"}, "a")
    assert material.trajectory.replies["main", 1].reasoning == "Hm."
    assert material.trajectory.turns[0].models == {"coder": "gpt"}
    assert list(material.requests("main")) == [
        [{"role": "system", "content": "You help."}, {"role": "user", "content": TASK}]
    ]
    assert material.trajectory.exit is None


def test_of_attempts() -> None:
    """An agent that tries again has several runs in one file, and says which was best."""

    def attempt(command: str, accept: float) -> dict[str, Any]:
        step = acted(command, "Hm.", "")
        info = {"exit_status": "submitted", "review": {"accept": accept, "outputs": []}}
        return {"trajectory": [step], "history": [SYSTEM, USER, said(step)], "info": info}

    attempts = [attempt("one", 2.0), attempt("two", 7.5)]
    info = {"best_attempt_idx": 1, "submission": PATCH, "exit_status": "submitted", "model_stats": STATS}
    material = load(attempts=attempts, **{**attempts[1], "info": info})
    steps = material.trajectory.steps
    assert list(steps) == ["main/attempt-1", "main/attempt-2", "main"]
    assert steps["main/attempt-2"][-1].actions[0].arguments == {"command": "two"}
    assert steps["main"][0].observations[0].text == "Attempt 2 of 2 was chosen."
    scores = [note.data["accept"] for note in material.trajectory.notes if note.kind == "score"]
    assert scores == [2.0, 7.5]


def test_demonstration_has_history_alone() -> None:
    step = acted("ls", "Look.", "calc.py")
    material = load(history=[SYSTEM, USER, said(step), {"role": "user", "content": "calc.py"}])
    last = material.trajectory.all_steps()[-1]
    assert (last.actions[0].arguments, last.observations[0].text) == ({"command": "ls"}, "calc.py")


def test_steps_beside_history() -> None:
    """What the program did itself at the end (a submission) has no reply in the history; no reply is lost to it."""
    look, auto = acted("ls", "Look.", "calc.py"), acted("submit", "", "", response="Exit due to cost limit")
    material = load(trajectory=[look, auto], history=[SYSTEM, USER, said(look)], info={})
    assert [step.actions[0].arguments["command"] for step in material.trajectory.all_steps()[1:]] == ["ls", "submit"]


def test_what_was_sent_belongs_to_its_step() -> None:
    """Steps that do not tell it are among them; the answer is as the next ones were sent it, fence and all."""
    first, second, third = (acted(f"ls {number}", "Look.", "calc.py") for number in range(3))
    second["query"] = [SYSTEM, {"role": "user", "content": [{"type": "text", "text": TASK, "cache_control": {}}]}]
    third["query"] = [
        *second["query"],
        {"role": "assistant", "content": second["response"]},
        {**USER, "content": "calc.py"},
    ]
    material = load(trajectory=[first, second, third], history=[SYSTEM, USER, said(first), said(second)], info={})
    assert [len(sent) for sent in material.requests("main")] == [0, 2, 4]
    (row,) = chat.export([material])
    assert [message["content"] for message in json.loads(row)["messages"]][2:] == [
        second["response"],
        "calc.py",
        third["response"],
    ]
    queries = json.loads("".join(swe_agent_file.export([material])))["trajectory"]
    assert [len(step["query"]) for step in queries] == [0, 2, 4]


def test_stranger_has_verified_nothing() -> None:
    attempt = {"trajectory": [acted("ls", "", "")], "history": [USER], "info": {"exit_status": "verified"}}
    (note,) = load(attempts=[attempt], info={}).trajectory.notes
    assert note.text == "called verified"
