from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.outsider import install_tool
from tests.tools.conftest import Bench, MakeBench
from tools.base import Context, Tool, Toolbox, tool
from trajectories.errors import Cancelled, ConfigError, UsageError, WorkspaceError
from trajectories.records import Action, Observation


@tool(writes=False, kind="listing")
def sample(
    ctx: Context,
    path: str,
    lines: int = 20,
    how: Literal["short", "long"] = "short",
    share: float | None = None,
    nodes: list[str] | None = None,
    quiet: bool = False,
) -> str:
    """Do a thing.

    More about it.

    Args:
        path: File, relative to
            the repository.
        lines: How many.
        how: Which form.
        share: Of the whole.
        nodes: Which ones.
        quiet: Say less.
    """
    return f"{path} {lines} {how} {share} {nodes} {quiet}"


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    made = make_bench({"a.txt": "a\n"})
    made.toolbox.tools["sample"] = sample
    return made


def test_function_becomes_tool() -> None:
    assert sample.name == "sample"
    assert not sample.writes
    assert sample.schema["function"] == {
        "name": "sample",
        "description": "Do a thing.\n\nMore about it.",
        "parameters": {
            "type": "object",
            "required": ["path"],
            "properties": {
                "path": {"type": "string", "description": "File, relative to the repository."},
                "lines": {"type": "integer", "default": 20, "description": "How many."},
                "how": {"type": "string", "enum": ["short", "long"], "default": "short", "description": "Which form."},
                "share": {"type": "number", "description": "Of the whole."},
                "nodes": {"type": "array", "items": {"type": "string"}, "description": "Which ones."},
                "quiet": {"type": "boolean", "description": "Say less."},
            },
        },
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"path": "x", "lines": "12", "quiet": "true"}, {"lines": 12, "quiet": True}),
        ({"path": "x", "nodes": "one"}, {"nodes": ["one"]}),
        ({"path": "x", "nodes": '["one", "two"]'}, {"nodes": ["one", "two"]}),
        ({"path": "x", "lines": None, "share": "", "how": None}, {"lines": 20, "share": None, "how": "short"}),
        ({"path": 7, "share": "0.5"}, {"path": "7", "share": 0.5}),
    ],
)
def test_arguments_are_coerced(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert expected.items() <= sample.arguments(given).items()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "`path` is missing"),
        ({"path": "x", "line": 3}, "there is no argument `line` (did you mean `lines`?)"),
        ({"path": "x", "lines": "many"}, "`lines`: input should be a valid integer"),
        ({"path": "x", "how": "tall"}, "`how`: input should be 'short' or 'long', not 'tall'"),
        ({"path": "x\0y"}, "NUL"),
        ({"path": "x", "nodes": ["\ud800"]}, "lone surrogate"),
        ({"path": None}, "`path`: input should be a valid string, not None"),
    ],
)
def test_wrong_arguments_are_explained(bench: Bench, given: dict[str, Any], said: str) -> None:
    seen = bench("sample", **given)
    assert not seen.ok
    assert said in seen.text
    assert "Expected: sample(path: str, lines: int = 20" in seen.text or "NUL" in seen.text


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=2)
NAMES = st.sampled_from(["path", "lines", "how", "share", "nodes", "quiet"]) | st.text(max_size=8)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_arguments_are_taken_or_explained(given: dict[str, Any]) -> None:
    try:
        taken = sample.arguments(given)
    except UsageError as error:
        taken = {}
        said = error.message
    assert set(taken) == {"path", "lines", "how", "share", "nodes", "quiet"} or said.startswith("sample: ")


def test_unknown_tool_names_nearest(bench: Bench) -> None:
    seen = bench("serch", pattern="x")
    assert not seen.ok
    assert "did you mean `search`?" in seen.text
    assert "run_tests" in bench("wholly-other").text


def test_names_as_models_write_them(bench: Bench) -> None:
    assert bench.toolbox.get("functions.run-tests") is bench.toolbox.tools["run_tests"]
    assert bench.toolbox.writes(Action("edit"))
    assert not bench.toolbox.writes(Action("edit", error="torn"))
    assert not bench.toolbox.writes(Action("view"))
    assert not bench.toolbox.writes(Action("none"))


def test_arguments_that_could_not_be_read(bench: Bench) -> None:
    seen = bench.toolbox.run(Action("view", error="not JSON: " + "x" * 5000), bench.context())
    assert not seen.ok
    assert "not JSON" in seen.text
    assert "Expected: view(path: str" in seen.text
    assert len(seen.text) < 600


def raising(error: Exception) -> Tool:
    def fails(ctx: Context) -> str:
        """Fail."""
        raise error

    return tool(fails)


@pytest.mark.parametrize(
    "error", [UsageError("No.", "Do so."), FileNotFoundError(2, "no", "a.txt"), PermissionError("b")]
)
def test_what_model_gets_wrong_is_observation(bench: Bench, error: Exception) -> None:
    bench.toolbox.tools["fails"] = raising(error)
    seen = bench("fails")
    assert not seen.ok
    assert seen.text in ("No.\nDo so.", "There is no file a.txt.", "No permission for b.")


@pytest.mark.parametrize("error", [WorkspaceError("gone"), Cancelled("stop"), OSError(28, "disk full")])
def test_what_is_not_models_fault_is_raised(bench: Bench, error: Exception) -> None:
    bench.toolbox.tools["fails"] = raising(error)
    with pytest.raises(type(error)):
        bench("fails")


def test_no_answer_is_too_long_or_unclean(bench: Bench) -> None:
    def talks(ctx: Context) -> Observation:
        """Talk."""
        return Observation("\x1b[1mhunter2hunter2\n" + "word\n" * 10_000, data={"kept": 1})

    bench.toolbox.tools["talks"] = tool(kind="listing")(talks)
    seen = bench("talks")
    assert seen.text.startswith("[masked]\nword\n")
    assert len(seen.text) <= 2_500
    assert seen.out == 1
    assert seen.data == {"kept": 1}
    assert bench.outputs[0].count(b"word") == 10_000


def test_every_tool_has_schema_and_short_prompt() -> None:
    import json

    schemas = Toolbox().schemas()
    assert [schema["function"]["name"] for schema in schemas] == [
        "edit", "run_tests", "search", "session", "shell", "submit", "symbols", "undo", "view",
    ]  # fmt: skip
    assert len(json.dumps(schemas)) < 6_000


def test_toolbox_of_some_tools() -> None:
    assert list(Toolbox(["run-tests", "view"]).tools) == ["run_tests", "view"]
    with pytest.raises(UsageError, match="no tool named 'fly'"):
        Toolbox(["fly"])


@pytest.mark.parametrize("name", ["shell", "run_tests", "run-tests"])
def test_entry_point_does_not_replace_built_in_tool(name: str, tmp_path, monkeypatch) -> None:
    before = dict(Toolbox().tools)
    install_tool(tmp_path, monkeypatch, name)
    assert Toolbox().tools == before


def test_tool_may_not_call_itself_as_another(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "zoom", function="view")
    with pytest.raises(ConfigError, match="The function of the tool zoom is named 'view'"):
        Toolbox()


def test_tool_of_another_package_is_known_as_one(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "roll_out")
    toolbox = Toolbox()
    assert [name for name, tool in toolbox.tools.items() if not toolbox.is_built_in(tool)] == ["roll_out"]


def test_undescribed_parameter_is_error_of_ours() -> None:
    def bad(ctx: Context, path: str) -> str:
        """Do."""
        return path

    with pytest.raises(TypeError, match="path"):
        _ = tool(bad).schema
