"""mini-swe-agent's trajectories in each form that it has written."""

import json
from typing import Any

import pytest

from trajectories.errors import UsageError
from trajectories.exports import chat
from trajectories.importers import mini_swe_agent
from trajectories.records import Step
from trajectories.run_data import RunView

TASK = "<pr_description>\nConsider the following PR description:\nAdd is wrong\nIt subtracts.\n</pr_description>\nGo."
OPENING = [{"role": "system", "content": "You help."}, {"role": "user", "content": TASK}]
PATCH = "diff --git a/calc.py b/calc.py\n"


def load(messages: list[dict[str, Any]], **info: Any) -> RunView:
    data = {
        "info": info,
        "messages": messages,
        "instance_id": "people__calc-7",
        "trajectory_format": "mini-swe-agent-1.1",
    }
    assert mini_swe_agent.reads(data)
    return mini_swe_agent.load(data, "a-file")


def coded(material: RunView) -> list[Step]:
    return [step for step in material.trajectory.all_steps() if step.author == "coder"]


def call(command: str, id: str) -> dict[str, Any]:
    arguments = '{"command": "' + command + '"}'
    return {"id": id, "type": "function", "function": {"name": "bash", "arguments": arguments}}


def test_of_calls() -> None:
    cost = {"usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}}}
    reply = {
        "role": "assistant",
        "content": "Look.",
        "reasoning_content": "Hm.",
        "tool_calls": [call("ls", "a"), call("false", "b")],
        "extra": {"cost": 0.25, "timestamp": 10.0, "response": cost},
    }
    seen = [
        {"role": "tool", "tool_call_id": "a", "content": "calc.py", "extra": {"returncode": 0, "timestamp": 11.0}},
        {"role": "tool", "tool_call_id": "b", "content": "", "extra": {"returncode": 1, "timestamp": 12.0}},
        {"role": "user", "content": "Be quick."},
    ]
    end = {"role": "exit", "content": PATCH, "extra": {"exit_status": "Submitted", "submission": PATCH}}
    last = {"role": "assistant", "content": "", "tool_calls": [call("submit", "c")]}
    material = load([*OPENING, reply, *seen, last, end], exit_status="Submitted", submission=PATCH)

    run = material.trajectory.run
    assert run is not None
    assert (run.issue.title, run.issue.body, run.issue.trust) == ("Add is wrong", "It subtracts.", "stranger")
    assert (run.repository, run.prompts["coder"], run.at) == ("people/calc", "You help.", 10.0)
    first, second = coded(material)
    assert [action.arguments for action in first.actions] == [{"command": "ls"}, {"command": "false"}]
    assert [(each.text, each.ok) for each in first.observations] == [("calc.py", True), ("", False)]
    assert (second.parent, second.observations, first.at) == ("main#3", (), 12.0)
    assert [step.observations[0].text for step in material.trajectory.all_steps() if step.author == "task"] == [
        TASK,
        "Be quick.",
    ]
    said = material.trajectory.replies["main", 1]
    assert (said.text, said.reasoning, said.usage and said.usage.cached_tokens) == ("Look.", "Hm.", 60)
    assert (material.spent.input_tokens, material.spent.output_tokens, material.spent.calls) == (100, 5, 2)
    assert material.trajectory.results["main", "patch"].value == PATCH
    ended = material.trajectory.exit
    assert ended is not None
    assert (ended.kind, ended.code, ended.verdict.verified) == ("called submitted", 6, False)
    assert [len(sent) for sent in material.requests("main")] == [2, 6]
    assert all(
        set(each) <= {"role", "content", "tool_calls", "tool_call_id"} for each in next(material.requests("main"))
    )


def test_of_fences() -> None:
    """Version 1 had its commands in the text, and its last message was the patch."""
    fenced = {"role": "assistant", "content": "THOUGHT: look.\n\n```bash\nls -la\n```"}
    two = {"role": "assistant", "content": "```bash\na\n```\nor\n```bash\nb\n```"}
    answers = [{"role": "user", "content": text} for text in ("<returncode>1</returncode>\nno", "One action!", PATCH)]
    material = load([*OPENING, fenced, answers[0], two, answers[1], fenced, answers[2]], submission=PATCH)
    first, wrong, last = coded(material)
    assert (first.actions[0].tool, first.actions[0].arguments) == ("bash", {"command": "ls -la"})
    assert material.trajectory.replies["main", 1].text == "THOUGHT: look."
    assert (first.observations[0].ok, wrong.actions, last.observations) == (False, (), ())
    assert material.trajectory.all_steps()[3].observations[0].text == "One action!"
    assert material.spent.dollars is None


def test_of_responses() -> None:
    """Where the Responses API was asked, a message is its whole answer."""
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "x", "name": "bash", "arguments": '{"command": "ls"}'},
    ]
    answer = {"type": "function_call_output", "call_id": "x", "output": "calc.py", "extra": {"returncode": 0}}
    wrong = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "No call."}]}
    material = load([*OPENING, {"object": "response", "output": output}, answer, wrong])
    (step,) = coded(material)
    said = material.trajectory.replies["main", 1]
    assert (said.text, said.reasoning) == ("Look.", "Hm.")
    assert (step.actions[0].id, step.observations[0].text) == ("x", "calc.py")
    assert material.trajectory.all_steps()[-1].observations[0].text == "No call."
    assert material.trajectory.exit is None


def test_bare_list() -> None:
    assert mini_swe_agent.reads(OPENING)
    material = mini_swe_agent.load([*OPENING, {"role": "assistant", "content": [{"type": "text", "text": "Hi."}]}], "f")
    assert material.trajectory.replies["main", 1].text == "Hi."
    assert (material.name, material.is_ours, material.trees) == ("f", False, None)


def test_how_it_ended() -> None:
    end = {"role": "exit", "content": "Out of money.", "extra": {"exit_status": "LimitsExceeded", "submission": ""}}
    ended = load([*OPENING, end], exit_status="LimitsExceeded").trajectory.exit
    assert ended is not None
    assert (ended.kind, ended.code, ended.message) == ("called limitsexceeded", 1, "Out of money.")


def test_answers_find_their_calls() -> None:
    reply = {"role": "assistant", "content": "", "tool_calls": [call("a", "A"), call("b", "B"), call("c", "C")]}
    seen = [
        {"role": "tool", "tool_call_id": "C", "content": "of c", "extra": {"returncode": 1}},
        {"role": "tool", "content": "of a"},
        {"role": "tool", "tool_call_id": "B", "content": "of b"},
    ]
    (step,) = coded(load([*OPENING, reply, *seen]))
    assert [(each.text, each.ok) for each in step.observations] == [("of a", True), ("of b", True), ("of c", False)]


def test_what_is_learned_is_what_was_said() -> None:
    """One conversation, with each command where the model wrote it."""
    talk = list(OPENING)
    for number in range(3):
        talk.append({"role": "assistant", "content": f"Look.\n\n```bash\nls {number}\n```", "tool_calls": None})
        talk.append({"role": "user", "content": f"<returncode>0</returncode>{number}"})
    (row,) = chat.export([load([*talk, {"role": "exit", "content": ""}])])
    expected = [{"role": each["role"], "content": each["content"]} for each in talk[:-1]]
    assert json.loads(row)["messages"] == expected


@pytest.mark.parametrize(
    "odd",
    [
        {"role": "assistant", "tool_calls": [{"function": {"name": "bash", "arguments": "{}"}}]},
        {"role": "user"},
        {"role": "user", "content": [3]},
        {"role": "tool", "content": "of no call"},
        {"role": "friend", "content": "Hi."},
    ],
    ids=["call", "content", "part", "answer", "role"],
)
def test_of_what_no_model_could_read_nothing_was_sent(odd: dict[str, Any]) -> None:
    material = load([*OPENING, odd, {"role": "assistant", "content": "Hi."}])
    assert not any(material.requests("main"))
    with pytest.raises(UsageError, match="are unknown"):
        list(chat.export([material]))
