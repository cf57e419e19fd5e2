"""The metadata of tools: the table of this program's tools, and the defaults for a tool of another package."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aci.observation.text_source import TextSource
from agent.conversation.compaction import AGE, VIEW_AGE
from agent.conversation.messages import Reader
from agent.engine.permission_checks import Scope
from agent.run_state.rewind import summarise_attempts
from tests.agent.conversation.new_conversation import messages
from tests.external_plugin import install_tool
from tools.base import Toolbox, ToolCall, ToolMetadata, metadata_of, not_needed, tool
from trajectories.plugins import built_in_plugins
from trajectories.records import Action, Observation, Reply, Step

TABLE = {
    # writes, kind, runs, reads, result, owner, title, asks, when_limited
    "ask_user": (False, "other", "", (), "other", "harness", "The result of {}", False, "revert"),
    "edit": (True, "other", "", (), "diff", "harness", "The result of {}", True, "check_path"),
    "run_tests": (True, "other", "", (), "tests", "program", "The output of the tests", True, "revert"),
    "search": (False, "search", "", ("path", "glob"), "other", "repository", "The result of a search", False, "revert"),
    "shell": (True, "view", "command", (), "command", "program", "The output of `{}`", True, "revert"),
    "submit": (False, "other", "", (), "other", "harness", "The result of {}", False, "refuse"),
    "symbols": (False, "view", "", (), "other", "repository", "The result of {}", False, "revert"),
    "undo": (True, "other", "", (), "other", "harness", "The result of {}", False, "refuse"),
    "view": (False, "view", "", ("path",), "file", "repository", "The file {}", False, "revert"),
}


def row(made: ToolMetadata) -> tuple[Any, ...]:
    said = (made.writes, made.kind, made.runs, made.reads, made.result, made.text.owner, made.text.title)
    return (*said, made.consent is not not_needed, made.when_limited)


def test_metadata_of_each_tool() -> None:
    tools = Toolbox(sorted(TABLE)).tools
    assert {name: row(made.metadata) for name, made in tools.items()} == TABLE
    assert TABLE.keys() | {"base"} == {name.replace("-", "_") for name in built_in_plugins("tools")}
    assert {name: metadata_of(name) for name in tools} == {name: made.metadata for name, made in tools.items()}


@pytest.mark.parametrize(("name", "looks"), [("view", True), ("submit", False), ("run_tests", False), ("edit", False)])
def test_tool_only_looks_if_it_returns_text_of_repository_without_writing(name: str, looks: bool) -> None:
    assert metadata_of(name).only_looks is looks


@pytest.mark.parametrize("name", TABLE)
def test_metadata_names_existing_arguments(name: str) -> None:
    made = Toolbox([name]).tools[name]
    argument = made.metadata.text.argument
    named = {*made.metadata.searched, argument} - {""}
    assert named <= made.schema["function"]["parameters"]["properties"].keys()


@pytest.mark.parametrize("name", ["fly", "base", "_metadata", ""])
def test_unknown_name_has_default_metadata(name: str) -> None:
    assert metadata_of(name) == ToolMetadata()


@pytest.mark.parametrize(("name", "meant"), [("run-tests", "run_tests"), ("functions.view", "view")])
def test_name_as_models_write_it_is_that_of_the_tool(name: str, meant: str) -> None:
    assert metadata_of(name) == Toolbox([meant]).tools[meant].metadata


def test_unreadable_package_has_default_metadata(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "zip_up")
    (tmp_path / "outsider_zip_up.py").write_text("raise RuntimeError\n")
    assert metadata_of("zip_up") == ToolMetadata()


def test_misspelt_metadata_raises_type_error() -> None:
    with pytest.raises(TypeError, match="write"):
        tool(write=False)(print)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "arguments", "subject", "folder"),
    [
        ("shell", {"command": "ls"}, "ls", "/repo/src"),
        ("shell", {"command": ""}, "", ""),
        ("edit", {"path": "a.py", "old": "x", "new": "y"}, None, None),
        ("edit", {"path": ".git/config", "old": "x", "new": "y"}, "edit .git/config", ""),
        ("run_tests", {}, "detected lib", ""),
        ("run_tests", {"nodes": ["a.py::b"]}, "detected a.py::b", ""),
        ("run_tests", {"command": "make test"}, "make test", ""),
        ("view", {"path": "/etc/passwd"}, None, None),
        ("undo", {}, None, None),
    ],
)
def test_question_has_subject_and_folder(name: str, arguments: dict[str, Any], subject: str, folder: str) -> None:
    made = Toolbox([name]).tools[name]
    workspace: Any = SimpleNamespace(root="/repo", folder=lambda: "/repo/src")
    assert made.metadata.consent is not None
    asked = made.metadata.consent(ToolCall(made.arguments(arguments), workspace, "lib", lambda nodes: "detected"))
    assert (asked and (asked.subject, asked.folder)) == (None if subject is None else (subject, folder))


# A tool of another package that declares nothing


def step(number: int, tool: str, text: str, **arguments: str) -> Step:
    action = Action(tool, dict(arguments))
    return Step("main", number, "", "coder", "t", number, (action,), (Observation(text),), at=0.0)


def test_result_of_external_tool_folds_when_old() -> None:
    long = "def function_that_is_long_enough():\n" * 200
    numbers = range(1, AGE + 3)
    steps = [step(number, "deploy" if number == 1 else "view", long, path="a.py") for number in numbers]
    replies = {("main", each.n): Reply("", each.actions, model="m", branch="main", ask=each.n) for each in steps}
    assert len(steps) < VIEW_AGE, "views of files fold later"
    request = messages("", steps, replies, Reader("m"), limits=[(len(steps) + 1, 20_000)])
    answers = [message["content"] for message in request.messages if message["role"] == "tool"]
    assert answers[0].startswith("[folded: deploy a.py, 201 lines")


@pytest.mark.parametrize("installed", [True, False])
def test_external_tool_without_metadata_has_safe_defaults(installed: bool, tmp_path, monkeypatch) -> None:
    if installed:
        install_tool(tmp_path, monkeypatch)
    found = metadata_of("deploy")
    assert row(found) == (True, "other", "", (), "other", "unknown", "The result of {}", True, "revert")
    assert found.consent is None


def test_external_tool_may_declare_its_text(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "look_up")
    file = tmp_path / "outsider_look_up.py"
    declared = '@tool(writes=False, text=TextSource("repository"))'
    file.write_text(file.read_text().replace("@tool", declared).replace("Context, tool", "Context, TextSource, tool"))
    assert metadata_of("look_up").text == TextSource("repository")
    steps = [step(1, "look_up", "found", target="x"), step(2, "deploy", "done", target="y")]
    assert summarise_attempts(steps) == "deploy y"


@pytest.mark.parametrize(
    ("name", "arguments", "refused"),
    [
        ("edit", {"path": "a.py"}, "Not changed: plan mode does not allow changes. Answer in words."),
        ("undo", {}, "Not run: plan mode does not allow changes. Answer in words."),
        ("submit", {}, "Not run: plan mode does not allow changes. Answer in words."),
        ("shell", {"command": "ls"}, ""),
        ("deploy", {}, ""),
    ],
)
def test_plan_mode_refuses_by_metadata(name: str, arguments: dict[str, str], refused: str, tmp_path, monkeypatch):
    install_tool(tmp_path, monkeypatch)
    made = Toolbox([name]).tools[name]
    assert Scope(nothing=True).refusal(made, Action(name, dict(arguments)), "/repo") == refused


def test_limited_folder_refuses_edits_outside_it() -> None:
    tools = Toolbox().tools
    scope = Scope("src")
    assert scope.refusal(tools["edit"], Action("edit", {"path": "/repo/src/a.py"}), "/repo") == ""
    assert scope.refusal(tools["edit"], Action("edit", {"path": "b.py"}), "/repo") == (
        "Not changed: only src/ may be changed."
    )
    assert scope.refusal(tools["submit"], Action("submit", {}), "/repo") == ""


def test_external_tool_cannot_declare_its_text_to_be_trusted(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "look_up")
    file = tmp_path / "outsider_look_up.py"
    declared = '@tool(text=TextSource("harness"), consent=not_needed)'
    imported = "Context, TextSource, not_needed, tool"
    file.write_text(file.read_text().replace("@tool", declared).replace("Context, tool", imported))
    assert (metadata_of("look_up").text, metadata_of("look_up").consent) == (TextSource(), None)
