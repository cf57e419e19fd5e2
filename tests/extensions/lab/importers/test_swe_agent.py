"""Import of SWE-agent's trajectories, in every version of its format."""

import json
from typing import Any

from extensions.lab.exports import chat
from extensions.lab.exports import swe_agent as swe_agent_file
from extensions.lab.importers import swe_agent
from trajectories.trajectory import RunView

TASK = "We're solving this:\nISSUE:\nAdd is wrong\nIt subtracts.\n\nINSTRUCTIONS:\nFix it."
SYSTEM = {"role": "system", "content": "You help.", "agent": "main"}
USER = {"role": "user", "content": TASK, "agent": "main"}
PATCH = "diff --git a/calc.py b/calc.py\n"
STATS = {"instance_cost": 0.5, "tokens_sent": 1000, "tokens_received": 20, "api_calls": 2}


def load(**data: Any) -> RunView:
    assert swe_agent.reads(data)
    return swe_agent.load(data, "people__calc-7")


def step_data(command: str, thought: str, observation: str, **changes: Any) -> dict[str, Any]:
    response = f"{thought}\n```\n{command}\n```"
    return {"action": f"{command}\n", "thought": thought, "response": response, "observation": observation, **changes}


def history_item(step: dict[str, Any], **changes: Any) -> dict[str, Any]:
    thought_and_action = {key: step[key] for key in ("thought", "action")}
    return {"role": "assistant", "content": step["response"], "agent": "main", **thought_and_action, **changes}


def test_textual_actions_are_imported() -> None:
    """Before version 1.0, commands were plain text and the state was a string."""
    look_step, submit_step = (
        step_data("ls", "Look.", "calc.py", state='{"open_file": "n/a"}'),
        step_data("submit", "Done.", ""),
    )
    demo = {"role": "user", "content": "A demonstration.\nISSUE:\nSomething else\n", "is_demo": True}
    output_item = {"role": "user", "content": "calc.py\n(Open file: n/a)"}
    run_view = load(
        environment="swe_main",
        trajectory=[look_step, submit_step],
        history=[SYSTEM, demo, USER, history_item(look_step), output_item, history_item(submit_step)],
        info={"exit_status": "submitted (exit_cost)", "submission": PATCH, "model_stats": STATS},
    )
    run, steps = run_view.trajectory.run, run_view.trajectory.all_steps()
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
    assert run_view.trajectory.replies["main", 1].text == "Look."
    assert (run_view.spent.dollars, run_view.spent.input_tokens, run_view.spent.calls) == (0.5, 1000, 2)
    assert run_view.trajectory.exit is not None
    assert (run_view.trajectory.exit.kind, run_view.trajectory.exit.code) == ("called submitted (exit_cost)", 6)
    assert list(run_view.requests("main")) == [[], []]


def test_tool_calls_are_imported() -> None:
    """Since 1.0 the history has tool calls; since 1.1 a step has its request."""
    call = {"id": "a", "type": "function", "function": {"name": "open", "arguments": '{"path": "calc.py"}'}}
    query = [SYSTEM, {**USER, "message_type": "observation"}]
    look_step = step_data("open calc.py", "Look.", "1:x", query=query, execution_time=0.1, state={})
    blocks = [{"type": "thinking", "thinking": "Hm.", "signature": "s"}]
    config = '{"agent": {"model": {"name": "gpt"}}, "problem_statement": {"text": "A title\\nA body", "id": "1"}}'
    run_view = load(
        trajectory=[look_step],
        history=[
            SYSTEM,
            USER,
            history_item(look_step, tool_calls=[call], thinking_blocks=blocks),
            {"role": "tool", "content": "1:x"},
        ],
        info={"swe_agent_version": "1.1.0", "model_stats": STATS},
        replay_config=config,
    )
    run, step = run_view.trajectory.run, run_view.trajectory.all_steps()[-1]
    assert run is not None
    assert (run.issue.title, run.issue.body, run.versions) == ("A title", "A body", {"swe-agent": "1.1.0"})
    assert (step.actions[0].tool, step.actions[0].arguments, step.actions[0].id) == ("open", {"path": "calc.py"}, "a")
    assert run_view.trajectory.replies["main", 1].reasoning == "Hm."
    assert run_view.trajectory.turns[0].models == {"coder": "gpt"}
    assert list(run_view.requests("main")) == [
        [{"role": "system", "content": "You help."}, {"role": "user", "content": TASK}]
    ]
    assert run_view.trajectory.exit is None


def test_attempts_are_imported_as_branches() -> None:
    """With retries, one file has several runs and the index of the best one."""

    def attempt(command: str, accept: float) -> dict[str, Any]:
        step = step_data(command, "Hm.", "")
        info = {"exit_status": "submitted", "review": {"accept": accept, "outputs": []}}
        return {"trajectory": [step], "history": [SYSTEM, USER, history_item(step)], "info": info}

    attempts = [attempt("one", 2.0), attempt("two", 7.5)]
    info = {"best_attempt_idx": 1, "submission": PATCH, "exit_status": "submitted", "model_stats": STATS}
    run_view = load(attempts=attempts, **{**attempts[1], "info": info})
    steps = run_view.trajectory.steps
    assert list(steps) == ["main/attempt-1", "main/attempt-2", "main"]
    assert steps["main/attempt-2"][-1].actions[0].arguments == {"command": "two"}
    assert steps["main"][0].observations[0].text == "Attempt 2 of 2 was chosen."
    scores = [note.data["accept"] for note in run_view.trajectory.notes if note.kind == "score"]
    assert scores == [2.0, 7.5]


def test_demonstration_without_trajectory_is_imported() -> None:
    step = step_data("ls", "Look.", "calc.py")
    run_view = load(history=[SYSTEM, USER, history_item(step), {"role": "user", "content": "calc.py"}])
    last = run_view.trajectory.all_steps()[-1]
    assert (last.actions[0].arguments, last.observations[0].text) == ({"command": "ls"}, "calc.py")


def test_step_without_history_item_is_imported() -> None:
    """An automatic submission at the end has no reply in the history, and no other reply is lost."""
    look_step, automatic_step = (
        step_data("ls", "Look.", "calc.py"),
        step_data("submit", "", "", response="Exit due to cost limit"),
    )
    run_view = load(trajectory=[look_step, automatic_step], history=[SYSTEM, USER, history_item(look_step)], info={})
    assert [step.actions[0].arguments["command"] for step in run_view.trajectory.all_steps()[1:]] == ["ls", "submit"]


def test_request_is_assigned_to_its_step() -> None:
    """Only some steps have their request; a reply is exported as later requests contain it, with its fence."""
    first, second, third = (step_data(f"ls {number}", "Look.", "calc.py") for number in range(3))
    second["query"] = [SYSTEM, {"role": "user", "content": [{"type": "text", "text": TASK, "cache_control": {}}]}]
    third["query"] = [
        *second["query"],
        {"role": "assistant", "content": second["response"]},
        {**USER, "content": "calc.py"},
    ]
    run_view = load(
        trajectory=[first, second, third], history=[SYSTEM, USER, history_item(first), history_item(second)], info={}
    )
    assert [len(request) for request in run_view.requests("main")] == [0, 2, 4]
    (row,) = chat.export([run_view])
    assert [message["content"] for message in json.loads(row)["messages"]][2:] == [
        second["response"],
        "calc.py",
        third["response"],
    ]
    queries = json.loads("".join(swe_agent_file.export([run_view])))["trajectory"]
    assert [len(step["query"]) for step in queries] == [0, 2, 4]


def test_verified_status_of_import_is_recorded_as_claim() -> None:
    attempt = {"trajectory": [step_data("ls", "", "")], "history": [USER], "info": {"exit_status": "verified"}}
    (note,) = load(attempts=[attempt], info={}).trajectory.notes
    assert note.text == "called verified"
