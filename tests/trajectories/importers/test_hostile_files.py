"""Files of strangers: each is read, or refused in a sentence."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trajectories import importers
from trajectories.errors import UsageError
from trajectories.exports import atif, chat, markdown, rloo, sft, swe_agent
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


def written(folder: Path, data: Any, name: str = "a.traj") -> Path:
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


@pytest.mark.slow
@given(minis | runs | anything | messages)
def test_whatever_file_holds(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    path = written(tmp_path_factory.getbasetemp(), data if not isinstance(data, str) else json.dumps(data))
    try:
        material = importers.load(path)
    except UsageError:
        return
    for record in material.trajectory.records:
        assert decode(encode(record)) == record  # NaN would not be
    for branch in material.trajectory.steps:
        replies = sum(branch == of for of, _ in material.trajectory.replies)
        assert all(isinstance(sent, list) for sent in material.requests(branch))
        assert len(list(material.requests(branch))) == len(list(material.answers(branch))) == replies
    for export in (chat.export, atif.export, swe_agent.export, markdown.export):
        with suppress(UsageError):
            told = "".join(export([material]))
            assert export is not chat.export or [
                json.loads(row, parse_constant=pytest.fail) for row in told.splitlines()
            ]
    assert min(material.spent.input_tokens, material.spent.calls, material.spent.dollars or 0) >= 0


@pytest.mark.parametrize("data", [MINI, SWE, {**SWE, "messages": []}], ids=["mini", "swe", "both"])
def test_format_is_told_by_its_form(tmp_path: Path, data: dict[str, Any]) -> None:
    program = "mini-swe-agent" if data is MINI else "swe-agent"
    assert importers.load(written(tmp_path, data)).trajectory.turns[0].strategy == program


@pytest.mark.parametrize("claim", ["Verified", "verified ", "Verified.", "faster", "stuck"])
def test_nobody_says_that_it_was_proven_here(tmp_path: Path, claim: str) -> None:
    material = importers.load(written(tmp_path, {**MINI, "info": {"exit_status": claim, "submission": "diff"}}))
    assert material.trajectory.exit is not None
    assert material.trajectory.exit.kind == f"called {claim.lower().strip()}"
    for export in (sft.export, rloo.export):
        with pytest.raises(UsageError):
            list(export([material, material]))


def test_name_is_files(tmp_path: Path) -> None:
    assert importers.load(written(tmp_path, MINI, "people__calc-1.traj.json")).name == "people__calc-1"


@pytest.mark.parametrize(
    ("data", "said"),
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
def test_what_is_refused(tmp_path: Path, data: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        importers.load(written(tmp_path, data))


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no.traj"):
        with pytest.raises(UsageError, match="There is no file"):
            importers.load(path)


def test_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.traj"
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(UsageError, match="has more than 268,435,456 bytes"):
        importers.load(path)


@pytest.mark.parametrize("name", ["trajectory", "history", "messages", "attempts"])
def test_too_many_values(tmp_path: Path, name: str) -> None:
    """Three bytes of JSON are an object of sixty in memory, and a step made of it takes longer than to read it."""
    empty = f'{{"history": [], "info": {{}}, "{name}": [{{}}{",{}" * 6_000_000}]}}'
    with pytest.raises(UsageError, match="holds more than 2,000,000 values"):
        importers.load(written(tmp_path, empty))


@pytest.mark.parametrize("data", [SWE, MINI], ids=["swe", "mini"])
def test_too_many_steps(tmp_path: Path, data: dict[str, Any]) -> None:
    many = {name: value * 60_000 if isinstance(value, list) else value for name, value in data.items()}
    with pytest.raises(UsageError, match="has more than 50,000 messages and steps"):
        importers.load(written(tmp_path, many))


@pytest.mark.slow
def test_too_many_steps_of_all_attempts(tmp_path: Path) -> None:
    attempts = [SWE | {"trajectory": [{}] * 300}] * 100
    with pytest.raises(UsageError, match="has more than 50,000 messages and steps"):
        importers.load(written(tmp_path, {"attempts": attempts, "info": {}}))


def test_long_real_trajectory_is_read(tmp_path: Path) -> None:
    """Each of 100 steps has all that was sent before it, and its text has as many commas and braces as code has."""
    code = 'print({"a": [1, 2, 3]}, "b", "\\\\\\"", [], {})\n' * 40
    said = [{"role": role, "content": code} for role in ("user", "assistant") for _ in range(300)]
    steps = [{"action": "ls", "observation": code, "query": said[: 2 * at]} for at in range(100)]
    path = written(tmp_path, {"trajectory": steps, "history": said, "info": {}})
    assert path.read_bytes().count(b",") > 2_000_000
    assert len(importers.load(path).trajectory.replies) == 100


def test_half_character(tmp_path: Path) -> None:
    """What cannot be written anywhere is replaced on reading."""
    call = '{"function": {"name": "bash\\ud800", "arguments": "{\\"b\\": \\"c\\\\ud800\\"}"}}'
    said = '{"messages": [{"role": "assistant", "content": "a\\ud800", "tool_calls": [' + call + "]}]}"
    reply = importers.load(written(tmp_path, said)).trajectory.replies["main", 1]
    assert (reply.text, reply.actions[0].tool, reply.actions[0].arguments) == ("a?", "bash?", {"b": "c?"})


@pytest.mark.parametrize("figure", ["9" * 400, "1e400", "-1", "NaN"], ids=["digits", "power", "minus", "nan"])
def test_figure_that_is_none(tmp_path: Path, figure: str) -> None:
    said = f'{{"messages": [{{"role": "assistant"}}], "info": {{"model_stats": {{"instance_cost": {figure}}}}}}}'
    assert importers.load(written(tmp_path, said)).spent.dollars is None


@pytest.mark.parametrize(
    "text",
    ["<issue>", "\nISSUE:\n", "Please solve this issue:\n\n\n", " ", "\n", "```bash\nx", "\nYou can"],
    ids=["tag", "mark", "please", "spaces", "lines", "fence", "can"],
)
def test_no_text_takes_long(tmp_path: Path, text: str) -> None:
    """A pattern that looks again at all the rest from each of these would take hours."""
    words = "Please solve this issue:" + text * 300_000 + "x"
    said = [{"role": "user", "content": words}, {"role": "assistant", "content": words}]
    assert importers.load(written(tmp_path, {"messages": said})).trajectory.run is not None


def test_what_user_means(tmp_path: Path) -> None:
    path = written(tmp_path, MINI, "odd")
    assert importers.is_file_name("a.traj")
    assert importers.is_file_name("a.traj.json")
    assert importers.is_file_name(str(path))
    assert not importers.is_file_name("20260101-120000-abcdef")
    assert not importers.is_file_name(str(tmp_path))
    assert not importers.is_file_name("/" + "a" * 5000)
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        importers.load(tmp_path / f"{'a' * 5000}.traj")
