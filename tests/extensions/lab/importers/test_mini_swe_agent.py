"""Import of mini-swe-agent's trajectories, in every version of its format."""

import json
from typing import Any

import pytest

from extensions.lab.exports import chat
from extensions.lab.importers import mini_swe_agent
from trajectories.errors import UsageError
from trajectories.records import Step
from trajectories.trajectory import RunView

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


def coder_steps(run_view: RunView) -> list[Step]:
    return [step for step in run_view.trajectory.all_steps() if step.author == "coder"]


def call(command: str, id: str) -> dict[str, Any]:
    arguments = '{"command": "' + command + '"}'
    return {"id": id, "type": "function", "function": {"name": "bash", "arguments": arguments}}


def test_trajectory_with_tool_calls_is_imported() -> None:
    cost = {"usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}}}
    reply = {
        "role": "assistant",
        "content": "Look.",
        "reasoning_content": "Hm.",
        "tool_calls": [call("ls", "a"), call("false", "b")],
        "extra": {"cost": 0.25, "timestamp": 10.0, "response": cost},
    }
    outputs = [
        {"role": "tool", "tool_call_id": "a", "content": "calc.py", "extra": {"returncode": 0, "timestamp": 11.0}},
        {"role": "tool", "tool_call_id": "b", "content": "", "extra": {"returncode": 1, "timestamp": 12.0}},
        {"role": "user", "content": "Be quick."},
    ]
    exit_message = {"role": "exit", "content": PATCH, "extra": {"exit_status": "Submitted", "submission": PATCH}}
    last_reply = {"role": "assistant", "content": "", "tool_calls": [call("submit", "c")]}
    run_view = load([*OPENING, reply, *outputs, last_reply, exit_message], exit_status="Submitted", submission=PATCH)

    run = run_view.trajectory.run
    assert run is not None
    assert (run.issue.title, run.issue.body, run.issue.trust) == ("Add is wrong", "It subtracts.", "stranger")
    assert (run.repository, run.prompts["coder"], run.at) == ("people/calc", "You help.", 10.0)
    first, second = coder_steps(run_view)
    assert [action.arguments for action in first.actions] == [{"command": "ls"}, {"command": "false"}]
    assert [(observation.text, observation.ok) for observation in first.observations] == [
        ("calc.py", True),
        ("", False),
    ]
    assert (second.parent, second.observations, first.at) == ("main#3", (), 12.0)
    assert [step.observations[0].text for step in run_view.trajectory.all_steps() if step.author == "task"] == [
        TASK,
        "Be quick.",
    ]
    imported_reply = run_view.trajectory.replies["main", 1]
    assert (
        imported_reply.text,
        imported_reply.reasoning,
        imported_reply.usage and imported_reply.usage.cached_tokens,
    ) == ("Look.", "Hm.", 60)
    assert (run_view.spent.input_tokens, run_view.spent.output_tokens, run_view.spent.calls) == (100, 5, 2)
    assert run_view.trajectory.results["main", "patch"].value == PATCH
    run_exit = run_view.trajectory.exit
    assert run_exit is not None
    assert (run_exit.kind, run_exit.code, run_exit.verdict.verified) == ("called submitted", 6, False)
    assert [len(request) for request in run_view.requests("main")] == [2, 6]
    assert all(
        set(message) <= {"role", "content", "tool_calls", "tool_call_id"} for message in next(run_view.requests("main"))
    )


def test_commands_in_fences_are_imported() -> None:
    """In version 1 the commands are in the text, and the last message is the patch."""
    fenced_reply = {"role": "assistant", "content": "THOUGHT: look.\n\n```bash\nls -la\n```"}
    two_blocks = {"role": "assistant", "content": "```bash\na\n```\nor\n```bash\nb\n```"}
    answers = [{"role": "user", "content": text} for text in ("<returncode>1</returncode>\nno", "One action!", PATCH)]
    run_view = load(
        [*OPENING, fenced_reply, answers[0], two_blocks, answers[1], fenced_reply, answers[2]], submission=PATCH
    )
    first, unparsed_step, last_step = coder_steps(run_view)
    assert (first.actions[0].tool, first.actions[0].arguments) == ("bash", {"command": "ls -la"})
    assert run_view.trajectory.replies["main", 1].text == "THOUGHT: look."
    assert (first.observations[0].ok, unparsed_step.actions, last_step.observations) == (False, (), ())
    assert run_view.trajectory.all_steps()[3].observations[0].text == "One action!"
    assert run_view.spent.dollars is None


def test_responses_api_messages_are_imported() -> None:
    """With the Responses API, a message is the whole response."""
    output = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Look."}]},
        {"type": "function_call", "call_id": "x", "name": "bash", "arguments": '{"command": "ls"}'},
    ]
    answer = {"type": "function_call_output", "call_id": "x", "output": "calc.py", "extra": {"returncode": 0}}
    error_message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "No call."}]}
    run_view = load([*OPENING, {"object": "response", "output": output}, answer, error_message])
    (step,) = coder_steps(run_view)
    imported_reply = run_view.trajectory.replies["main", 1]
    assert (imported_reply.text, imported_reply.reasoning) == ("Look.", "Hm.")
    assert (step.actions[0].id, step.observations[0].text) == ("x", "calc.py")
    assert run_view.trajectory.all_steps()[-1].observations[0].text == "No call."
    assert run_view.trajectory.exit is None


def test_bare_list_of_messages_is_imported() -> None:
    assert mini_swe_agent.reads(OPENING)
    run_view = mini_swe_agent.load([*OPENING, {"role": "assistant", "content": [{"type": "text", "text": "Hi."}]}], "f")
    assert run_view.trajectory.replies["main", 1].text == "Hi."
    assert (run_view.name, run_view.is_ours, run_view.trees) == ("f", False, None)


def test_exit_status_is_imported() -> None:
    exit_message = {
        "role": "exit",
        "content": "Out of money.",
        "extra": {"exit_status": "LimitsExceeded", "submission": ""},
    }
    run_exit = load([*OPENING, exit_message], exit_status="LimitsExceeded").trajectory.exit
    assert run_exit is not None
    assert (run_exit.kind, run_exit.code, run_exit.message) == ("called limitsexceeded", 1, "Out of money.")


def test_outputs_are_matched_to_their_calls() -> None:
    reply = {"role": "assistant", "content": "", "tool_calls": [call("a", "A"), call("b", "B"), call("c", "C")]}
    outputs = [
        {"role": "tool", "tool_call_id": "C", "content": "of c", "extra": {"returncode": 1}},
        {"role": "tool", "content": "of a"},
        {"role": "tool", "tool_call_id": "B", "content": "of b"},
    ]
    (step,) = coder_steps(load([*OPENING, reply, *outputs]))
    assert [(observation.text, observation.ok) for observation in step.observations] == [
        ("of a", True),
        ("of b", True),
        ("of c", False),
    ]


def test_chat_export_repeats_imported_conversation() -> None:
    """It is one conversation, with each command where the model wrote it."""
    conversation = list(OPENING)
    for number in range(3):
        conversation.append({"role": "assistant", "content": f"Look.\n\n```bash\nls {number}\n```", "tool_calls": None})
        conversation.append({"role": "user", "content": f"<returncode>0</returncode>{number}"})
    (row,) = chat.export([load([*conversation, {"role": "exit", "content": ""}])])
    expected = [{"role": each["role"], "content": each["content"]} for each in conversation[:-1]]
    assert json.loads(row)["messages"] == expected


@pytest.mark.parametrize(
    "unknown_message",
    [
        {"role": "assistant", "tool_calls": [{"function": {"name": "bash", "arguments": "{}"}}]},
        {"role": "user"},
        {"role": "user", "content": [3]},
        {"role": "tool", "content": "of no call"},
        {"role": "friend", "content": "Hi."},
    ],
    ids=["call", "content", "part", "answer", "role"],
)
def test_requests_are_unknown_after_unreadable_message(unknown_message: dict[str, Any]) -> None:
    run_view = load([*OPENING, unknown_message, {"role": "assistant", "content": "Hi."}])
    assert not any(run_view.requests("main"))
    with pytest.raises(UsageError, match="are unknown"):
        list(chat.export([run_view]))
