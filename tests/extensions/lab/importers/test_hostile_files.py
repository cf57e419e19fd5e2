"""Untrusted trajectory files: each is imported, or refused with a message."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.lab.exports import atif, chat, markdown, rloo, sft, swe_agent
from trajectories import importers
from trajectories.errors import UsageError
from trajectories.journal import decode, encode

MINI = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Ho."}]}
SWE = {"trajectory": [{"action": "ls"}], "history": [{"role": "user", "content": "Hi."}], "info": {}}

leaf = st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(), max_size=8)
NAMES = """role content tool_calls function arguments extra actions command usage cost response output object type
thought action observation query is_demo thinking_blocks choices summary call_id"""
keys = st.sampled_from(NAMES.split())
roles = st.sampled_from(["system", "user", "assistant", "tool", "exit", "response", "function_call", "message"])
anything = st.recursive(
    leaf | roles, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)
parts = ["content", "tool_calls", "extra", "object", "output", "thought", "action", "thinking_blocks", "is_demo"]
message = st.fixed_dictionaries({"role": roles}, optional=dict.fromkeys(parts, anything))
messages = st.lists(message | anything, max_size=6)
minis = st.fixed_dictionaries({"messages": messages}, optional={"info": anything, "instance_id": anything})
runs = st.fixed_dictionaries(
    {"history": messages, "trajectory": st.lists(message | anything, max_size=4), "info": anything},
    optional={"replay_config": anything | st.text(), "attempts": anything},
)


def write_file(folder: Path, data: Any, name: str = "a.traj") -> Path:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.slow
@given(minis | runs | anything | messages)
def test_any_file_is_imported_or_refused(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = write_file(tmp_path_factory.getbasetemp(), data if not isinstance(data, str) else json.dumps(data))
    try:
        run_view = importers.load(path)
    except UsageError:
        return
    for record in run_view.trajectory.records:
        assert decode(encode(record)) == record  # NaN would not be
    for branch in run_view.trajectory.steps:
        replies = sum(branch == reply_branch for reply_branch, _ in run_view.trajectory.replies)
        assert all(isinstance(request, list) for request in run_view.requests(branch))
        assert len(list(run_view.requests(branch))) == len(list(run_view.answers(branch))) == replies
    for export in (chat.export, atif.export, swe_agent.export, markdown.export):
        with suppress(UsageError):
            exported = "".join(export([run_view]))
            assert export is not chat.export or [
                json.loads(row, parse_constant=pytest.fail) for row in exported.splitlines()
            ]
    assert min(run_view.spent.input_tokens, run_view.spent.calls, run_view.spent.dollars or 0) >= 0


@pytest.mark.parametrize("data", [MINI, SWE, {**SWE, "messages": []}], ids=["mini", "swe", "both"])
def test_format_is_detected_by_content(tmp_path: Path, data: dict[str, Any]) -> None:
    program = "mini-swe-agent" if data is MINI else "swe-agent"
    assert importers.load(write_file(tmp_path, data)).trajectory.turns[0].strategy == program


@pytest.mark.parametrize("claim", ["Verified", "verified ", "Verified.", "faster", "stuck"])
def test_claimed_proof_is_recorded_as_claim(tmp_path: Path, claim: str) -> None:
    run_view = importers.load(write_file(tmp_path, {**MINI, "info": {"exit_status": claim, "submission": "diff"}}))
    assert run_view.trajectory.exit is not None
    assert run_view.trajectory.exit.kind == f"called {claim.lower().strip()}"
    for export in (sft.export, rloo.export):
        with pytest.raises(UsageError):
            list(export([run_view, run_view]))


def test_name_of_run_is_file_name(tmp_path: Path) -> None:
    assert importers.load(write_file(tmp_path, MINI, "people__calc-1.traj.json")).name == "people__calc-1"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("not json", "is not JSON"),
        ("", "is not JSON"),
        ("{}", "not a trajectory in a known format"),
        ('{"messages": [{"role": "user"}, 3]}', "Entry 2 of the messages is not an object"),
        ('{"trajectory": [3], "history": [], "info": {}}', "Entry 1 of the trajectory is not an object"),
        ('{"messages": [{"role": "assistant", "content": ' + "[" * 200 + "]" * 200 + "}]}", "nested deeper than 100"),
        ("[" * 200_000 + "]" * 200_000, "nested too deep"),
        ("9" * 10_000, "is not JSON"),
    ],
    ids=["text", "empty", "none", "message", "step", "deep", "deeper", "number"],
)
def test_unreadable_file_is_refused(tmp_path: Path, data: str, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        importers.load(write_file(tmp_path, data))


def test_missing_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.traj"):
        with pytest.raises(UsageError, match="There is no file"):
            importers.load(path)


def test_too_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.traj"
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(UsageError, match="has more than 268,435,456 bytes"):
        importers.load(path)


@pytest.mark.parametrize("name", ["trajectory", "history", "messages", "attempts"])
def test_file_with_too_many_values_is_refused(tmp_path: Path, name: str) -> None:
    """Three bytes of JSON are a 60-byte object in memory, and turning it into a step takes longer than reading it."""
    empty = f'{{"history": [], "info": {{}}, "{name}": [{{}}{",{}" * 6_000_000}]}}'
    with pytest.raises(UsageError, match="contains more than 2,000,000 values"):
        importers.load(write_file(tmp_path, empty))


@pytest.mark.slow
@pytest.mark.parametrize("data", [SWE, MINI], ids=["swe", "mini"])
def test_file_with_too_many_steps_is_refused(tmp_path: Path, data: dict[str, Any]) -> None:
    many = {name: value * 60_000 if isinstance(value, list) else value for name, value in data.items()}
    with pytest.raises(UsageError, match="has more than 50,000 messages and steps"):
        importers.load(write_file(tmp_path, many))


@pytest.mark.slow
def test_too_many_steps_in_all_attempts_are_refused(tmp_path: Path) -> None:
    attempts = [SWE | {"trajectory": [{}] * 300}] * 100
    with pytest.raises(UsageError, match="has more than 50,000 messages and steps"):
        importers.load(write_file(tmp_path, {"attempts": attempts, "info": {}}))


@pytest.mark.slow
def test_long_realistic_trajectory_is_imported(tmp_path: Path) -> None:
    """Each of 100 steps has everything sent before it, and its text has as many commas and braces as code."""
    code = 'print({"a": [1, 2, 3]}, "b", "\\\\\\"", [], {})\n' * 40
    messages_sent = [{"role": role, "content": code} for role in ("user", "assistant") for _ in range(300)]
    steps = [{"action": "ls", "observation": code, "query": messages_sent[: 2 * at]} for at in range(100)]
    path = write_file(tmp_path, {"trajectory": steps, "history": messages_sent, "info": {}})
    assert path.read_bytes().count(b",") > 2_000_000
    assert len(importers.load(path).trajectory.replies) == 100


def test_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    call = '{"function": {"name": "bash\\ud800", "arguments": "{\\"b\\": \\"c\\\\ud800\\"}"}}'
    content = '{"messages": [{"role": "assistant", "content": "a\\ud800", "tool_calls": [' + call + "]}]}"
    reply = importers.load(write_file(tmp_path, content)).trajectory.replies["main", 1]
    assert (reply.text, reply.actions[0].tool, reply.actions[0].arguments) == ("a?", "bash?", {"b": "c?"})


@pytest.mark.parametrize("figure", ["9" * 400, "1e400", "-1", "NaN"], ids=["digits", "power", "minus", "nan"])
def test_invalid_cost_is_unknown(tmp_path: Path, figure: str) -> None:
    content = f'{{"messages": [{{"role": "assistant"}}], "info": {{"model_stats": {{"instance_cost": {figure}}}}}}}'
    assert importers.load(write_file(tmp_path, content)).spent.dollars is None


@pytest.mark.parametrize(
    "text",
    ["<issue>", "\nISSUE:\n", "Please solve this issue:\n\n\n", " ", "\n", "```bash\nx", "\nYou can"],
    ids=["tag", "mark", "please", "spaces", "lines", "fence", "can"],
)
def test_repetitive_text_is_imported_quickly(tmp_path: Path, text: str) -> None:
    """A pattern with quadratic backtracking on these would take hours."""
    content = "Please solve this issue:" + text * 300_000 + "x"
    messages_sent = [{"role": "user", "content": content}, {"role": "assistant", "content": content}]
    assert importers.load(write_file(tmp_path, {"messages": messages_sent})).trajectory.run is not None


def test_file_name_is_distinguished_from_run_name(tmp_path: Path) -> None:
    path = write_file(tmp_path, MINI, "odd")
    assert importers.is_file_name("a.traj")
    assert importers.is_file_name("a.traj.json")
    assert importers.is_file_name("output.jsonl")
    assert importers.is_file_name(str(path))
    assert not importers.is_file_name("20260101-120000-abcdef")
    assert not importers.is_file_name(str(tmp_path))
    assert not importers.is_file_name("/" + "a" * 5000)
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        importers.load(tmp_path / f"{'a' * 5000}.traj")
