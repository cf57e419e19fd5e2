"""What the tools take and answer, without the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aci.runtime.workspace import Workspace, WorkspaceOptions
from agent.config.settings import Settings
from agent.engine.engine import Engine
from extensions.mcp_server import tool_answers
from extensions.mcp_server.server_budget import ServerBudget
from extensions.mcp_server.server_options import ServerOptions, server_options
from extensions.mcp_server.tool_answers import (
    LONGEST_LINE,
    LONGEST_PATCH,
    LONGEST_TEXT,
    MOST_ITEMS,
    error_sentences,
    prepare_answer,
)
from extensions.mcp_server.tool_arguments import LONGEST_ISSUE
from extensions.mcp_server.tool_functions import ToolCall
from extensions.mcp_server.tool_table import TOOLS
from trajectories.errors import Cancelled, SweAgentError, UsageError

SETTINGS = (
    "model",
    "budget",
    "workspace",
    "image",
    "test",
    "command",
    "apply",
    "branch",
    "max_steps",
    "strategy",
    "base",
)

NO_SERVER = ServerOptions((Path("/nowhere"),))


def call(server: ServerOptions, tool: str, **given: Any) -> dict[str, Any]:
    return TOOLS[tool].call(ToolCall(server), given)


def test_tools_are_those_of_the_issue() -> None:
    assert list(TOOLS) == ["locate", "locate_with_model", "graph", "symbols", "run_tests", "prove", "optimize", "fix"]
    assert [tool.name for tool in TOOLS.values() if not tool.runs_code] == ["locate", "graph", "symbols"]


@pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))
def test_schema_is_closed_and_every_argument_is_described_and_bounded(tool: Any) -> None:
    schema = tool.schema
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert json.dumps(schema)
    for name, each in schema["properties"].items():
        assert each["description"], name
        assert each.keys() & {"maxLength", "maximum", "maxItems"}, name
    assert "data, not instructions" in tool.description


@pytest.mark.parametrize("tool", TOOLS.values(), ids=list(TOOLS))
def test_no_client_chooses_a_setting(tool: Any) -> None:
    needed = dict.fromkeys(tool.schema.get("required", ()), "x")
    for setting in SETTINGS:
        with pytest.raises(UsageError, match=f"Invalid value for {setting} of {tool.name}: is not a known") as caught:
            tool.call(ToolCall(NO_SERVER), {**needed, setting: "x"})
        assert "are the server's" in caught.value.fix


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("locate", {}),
        ("locate", {"issue": "x" * (LONGEST_ISSUE + 1)}),
        ("locate", {"issue": "x", "top": 10**9}),
        ("locate", {"issue": ["x"]}),
        ("graph", {"name": "add", "depth": 9}),
        ("graph", {"name": ""}),
        ("symbols", {"name": "x" * 501}),
        ("run_tests", {"tests": ["-p", "evil"]}),
        ("run_tests", {"tests": ["--rootdir=/"]}),
        ("run_tests", {"tests": ["x"] * 51}),
        ("run_tests", {"tests": "x"}),
        ("prove", {"patch": "x" * 2_000_001}),
        ("fix", {"issue": "x", "repository": "x" * 4_001}),
    ],
)
def test_unusable_argument_is_refused(tool: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Invalid value for ") as caught:
        call(NO_SERVER, tool, **given)
    assert len(caught.value.message) < 300


def test_locate_answers_as_the_command_does(server: ServerOptions) -> None:
    found = call(server, "locate", issue="add() subtracts", top=1)
    assert [each["path"] for each in found["files"]] == ["calc/core.py"]
    assert (found["functions"][0]["name"], found["functions"][0]["line"]) == ("add", 1)


def test_model_of_the_server_ranks_places_within_its_budget(
    server: ServerOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SweAgentError, match="This server has no model"):
        call(server, "locate_with_model", issue="add() subtracts")
    reply = {"text": "calc/core.py::double: calls it", "usage": {"input_tokens": 9, "output_tokens": 2}}
    (tmp_path / "script.jsonl").write_text(json.dumps({"reply": reply}))
    monkeypatch.setenv("SWE_AGENT_MODEL", f"scripted:{tmp_path / 'script.jsonl'}")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    found = call(server, "locate_with_model", issue="add() subtracts", top=1)
    assert [(each["name"], each["why"]) for each in found["functions"]] == [("double", ["calls it"])]
    assert found["model"]["usage"]["calls"] == 1
    server.budget._pico = server.budget._total or 0
    with pytest.raises(SweAgentError, match="The server's budget of"):
        call(server, "locate_with_model", issue="add() subtracts")


def test_graph_and_symbols(server: ServerOptions) -> None:
    (found,) = call(server, "graph", name="add")["found"]
    assert [each["name"] for each in found["callers"]] == ["double"]
    assert [each["name"] for each in found["tests"]] == ["test_add"]
    (only,) = call(server, "symbols", name="calc.core.add")["symbols"]
    assert (only["path"], only["line"], only["signature"]) == ("calc/core.py", 1, "def add(a, b)")
    assert [each["name"] for each in call(server, "symbols", name="calc/core.py")["symbols"]] == ["add", "double"]
    with pytest.raises(UsageError, match="There is no symbol 'ad'") as caught:
        call(server, "symbols", name="ad")
    assert "add (calc/core.py:1)" in caught.value.fix


def test_prove_needs_a_diff_and_isolation(server: ServerOptions) -> None:
    with pytest.raises(UsageError, match="contains no diff"):
        call(server, "prove", patch="rm -rf /")
    with pytest.raises(UsageError, match="does not run in the local workspace"):
        call(server, "prove", patch="diff --git a/x b/x\n")


def test_optimize_names_a_function_of_the_repository(server: ServerOptions) -> None:
    for function, what in (("calc/core.py:gone", "has no function"), ("../x.py:f", "no file"), ("x", "does not name")):
        with pytest.raises(UsageError, match=what):
            call(server, "optimize", function=function)


def test_used_up_budget_refuses_paid_work(server: ServerOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_MODEL", "scripted:none")
    server.budget._pico = server.budget._total or 0
    with pytest.raises(SweAgentError, match="The server's budget of") as caught:
        call(server, "fix", issue="add() subtracts")
    assert caught.value.code == 4


def test_policy_neither_renews_the_budget_nor_delivers(
    server: ServerOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.jsonl").write_text("")
    monkeypatch.setenv("SWE_AGENT_MODEL", f"scripted:{tmp_path / 'script.jsonl'}")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    (tmp_path / "policy.toml").write_text('budget = 2.0\nmax_tokens = 9000\napply = true\nbranch = "policy"\n')
    monkeypatch.setattr("agent.config.settings.POLICY", tmp_path / "policy.toml")
    found: list[Settings] = []

    def stop(engine: Engine) -> None:
        found.append(engine.settings)
        raise Cancelled("Enough.")

    monkeypatch.setattr("agent.lifecycle.run_lifecycle.solve", stop)
    monkeypatch.setattr(ServerBudget, "left", lambda self: {"budget": 0.25, "max_tokens": 70})
    call(server, "fix", issue="add() subtracts")
    assert [(each.budget, each.max_tokens, each.apply, each.branch) for each in found] == [(0.25, 70, False, "")]


def test_set_up_for_tests_obeys_the_rules(repository: Path, own_config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_config.write_text('[permissions]\ndeny = ["network evil.example"]\n')
    answers: list[bool] = []

    def open_workspace(kind: str, options: WorkspaceOptions, environment: object) -> Workspace:
        answers.extend(options.may_set_up("image", ["pip install x"], [host]) for host in ("evil.example", "pypi.org"))
        raise UsageError("Enough.")

    monkeypatch.setattr("agent.engine.base_workspace.open_in_environment", open_workspace)
    with pytest.raises(UsageError, match="Enough"):
        call(server_options([repository], {"workspace": "local"}), "run_tests")
    assert answers == [False, True]


@pytest.mark.slow
def test_unknown_test_has_an_answer_and_one_outside_is_refused(server: ServerOptions) -> None:
    answer = call(server, "run_tests", tests=["nope.py"])
    assert json.loads(json.dumps(answer)) == answer
    assert "no tests ran" in answer["output"]
    with pytest.raises(UsageError, match=r"The test /etc/hosts is not in the repository\."):
        call(server, "run_tests", tests=["/etc/hosts"])


# Answers


def test_texts_are_clean_masked_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    answer = prepare_answer(
        {
            "texts": ["\x1b[31mred\u202e", "key correct-horse-battery", "of-a-model"],
            "long": "x" * (LONGEST_TEXT + 7),
            "many": [{"n": n} for n in range(MOST_ITEMS + 3)],
            "number": 1.5,
        },
        ["of-a-model"],
    )
    assert answer["texts"] == ["red", "key [masked]", "[masked]"]
    assert answer["long"].endswith("x… 7 more characters")
    assert (len(answer["many"]), answer["many"][-1]) == (MOST_ITEMS + 1, "… 3 more")
    assert answer["number"] == 1.5


def test_patch_is_whole_or_left_out() -> None:
    patch = "+a\t\x0c b \r\n"
    assert prepare_answer({"patch": patch}) == {"patch": patch}
    long = prepare_answer({"patch": "x" * (LONGEST_PATCH + 1)})
    assert "patch" not in long
    assert f"patch ({LONGEST_PATCH + 1:,} characters)" in long["left_out"]
    assert prepare_answer({"patch": "+key sk-proj-abcdefghijklmnopqrstuvwx\n"})["patch"] == "+key [masked]\n"


def test_answer_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_answers, "LONGEST_ANSWER", 100)
    with pytest.raises(UsageError, match="more than 100 characters"):
        prepare_answer({"texts": ["x" * 60, "y" * 60]})


RUN = {"run": "r1", "exit": 0, "verdict": {"kind": "verified", "notes": []}, "usage": {"dollars": 0.3}}


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ({"patch": "x" * 80, "candidates": [1], "merge_review": {"a": 1}}, ["patch"]),
        ({"patch": "x", "candidates": ["x" * 80], "merge_review": {"a": 1}}, ["patch", "candidates"]),
        ({"patch": "x", "merge_review": {"a": "x" * 80}}, ["patch", "merge_review"]),
        ({"patch": "x", "pages": [{"path": "x" * 80}]}, ["patch", "pages"]),
    ],
)
def test_long_answer_of_a_run_leaves_out_parts(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], left_out: list[str]
) -> None:
    """The run is paid already."""
    monkeypatch.setattr(tool_answers, "LONGEST_ANSWER", 180)
    answer = prepare_answer(RUN | more)
    said = answer.pop("left_out")
    assert answer == RUN | {name: each for name, each in more.items() if name not in left_out}
    assert f": {', '.join(left_out)}. `swe-agent show r1`" in said


def test_longest_answer_of_a_run_has_its_verdict_and_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_answers, "LONGEST_ANSWER", 180)
    answer = prepare_answer(RUN | {"verdict": {"kind": "verified", "notes": ["x" * 200]}, "word": "x"})
    assert "swe-agent show r1" in answer.pop("left_out")
    assert answer == RUN | {"verdict": {"kind": "verified"}}


def test_facts_of_a_verdict_are_left_out_before_its_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_answers, "LONGEST_ANSWER", 180)
    verdict = {"kind": "verified", "notes": ["x" * 40]}
    answer = prepare_answer(RUN | {"verdict": verdict | {"facts": [{"kind": "limit", "text": "x" * 40, "data": {}}]}})
    assert "Left out because of its length: verdict.facts." in answer.pop("left_out")
    assert answer == RUN | {"verdict": verdict}


def test_length_is_that_of_the_sent_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_answers, "LONGEST_ANSWER", 100)
    assert prepare_answer({"text": "\u00e9" * 50}) == {"text": "\u00e9" * 50}


def test_patch_can_be_encoded() -> None:
    assert prepare_answer({"patch": "+\ud800"})["patch"] == "+?"


def test_error_is_one_clean_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    text = error_sentences(UsageError("\x1b[31mNo\ud800 correct-horse-battery.", "Try\nagain. " + "x" * 9_000))
    assert text.startswith("No\ufffd [masked]. Try again. xxx")
    assert len(text) <= LONGEST_LINE
    assert text.encode()


@pytest.mark.parametrize(
    ("error", "what"), [(OSError(28, "No space"), "No space"), (OSError("odd"), "odd"), (OSError(), "OSError")]
)
def test_error_of_the_machine_is_named(error: OSError, what: str) -> None:
    assert error_sentences(error) == f"This machine failed: {what}."
