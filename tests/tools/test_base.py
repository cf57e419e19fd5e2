from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.external_plugin import install_tool
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
    bench = make_bench({"a.txt": "a\n"})
    bench.toolbox.tools["sample"] = sample
    return bench


def test_function_becomes_tool() -> None:
    assert sample.name == "sample"
    assert not sample.metadata.writes
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
    ("given", "message"),
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
def test_wrong_arguments_are_explained(bench: Bench, given: dict[str, Any], message: str) -> None:
    observation = bench("sample", **given)
    assert not observation.ok
    assert message in observation.text
    assert "Expected: sample(path: str, lines: int = 20" in observation.text or "NUL" in observation.text


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=2)
NAMES = st.sampled_from(["path", "lines", "how", "share", "nodes", "quiet"]) | st.text(max_size=8)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_arguments_are_accepted_or_explained(given: dict[str, Any]) -> None:
    try:
        accepted = sample.arguments(given)
    except UsageError as error:
        accepted = {}
        message = error.message
    assert set(accepted) == {"path", "lines", "how", "share", "nodes", "quiet"} or message.startswith("sample: ")


def test_unknown_tool_suggests_nearest_name(bench: Bench) -> None:
    observation = bench("serch", pattern="x")
    assert not observation.ok
    assert "did you mean `search`?" in observation.text
    assert "run_tests" in bench("wholly-other").text


def test_spelling_of_tool_name_is_recognised(bench: Bench) -> None:
    assert bench.toolbox.get("functions.run-tests") is bench.toolbox.tools["run_tests"]
    assert bench.toolbox.writes(Action("edit"))
    assert not bench.toolbox.writes(Action("edit", error="torn"))
    assert not bench.toolbox.writes(Action("view"))
    assert not bench.toolbox.writes(Action("none"))


def test_unreadable_arguments_are_explained(bench: Bench) -> None:
    observation = bench.toolbox.run(Action("view", error="not JSON: " + "x" * 5000), bench.context())
    assert not observation.ok
    assert "not JSON" in observation.text
    assert "Expected: view(path: str" in observation.text
    assert len(observation.text) < 600


def failing_tool(error: Exception) -> Tool:
    def fails(ctx: Context) -> str:
        """Fail."""
        raise error

    return tool(fails)


@pytest.mark.parametrize(
    "error", [UsageError("No.", "Do so."), FileNotFoundError(2, "no", "a.txt"), PermissionError("b")]
)
def test_error_of_model_becomes_observation(bench: Bench, error: Exception) -> None:
    bench.toolbox.tools["fails"] = failing_tool(error)
    observation = bench("fails")
    assert not observation.ok
    assert observation.text in ("No.\nDo so.", "There is no file a.txt.", "No permission for b.")


@pytest.mark.parametrize("error", [WorkspaceError("gone"), Cancelled("stop"), OSError(28, "disk full")])
def test_error_of_environment_is_raised(bench: Bench, error: Exception) -> None:
    bench.toolbox.tools["fails"] = failing_tool(error)
    with pytest.raises(type(error)):
        bench("fails")


def test_observation_is_masked_and_shortened(bench: Bench) -> None:
    def talks(ctx: Context) -> Observation:
        """Talk."""
        return Observation("\x1b[1mhunter2hunter2\n" + "word\n" * 10_000, data={"kept": 1})

    bench.toolbox.tools["talks"] = tool(kind="listing")(talks)
    observation = bench("talks")
    assert observation.text.startswith("[masked]\nword\n")
    assert len(observation.text) <= 2_500
    assert observation.out == 1
    assert observation.data == {"kept": 1}
    assert bench.outputs[0].count(b"word") == 10_000


def test_every_offered_tool_has_schema_and_short_prompt() -> None:
    import json

    toolbox = Toolbox()
    schemas = toolbox.schemas()
    offered = [name for name, made in toolbox.tools.items() if not made.metadata.is_special]
    assert [schema["function"]["name"] for schema in schemas] == offered
    assert all(len(json.dumps(schema)) < 800 for schema in schemas)


@pytest.mark.parametrize("path", ["src/a.py", "./src//a.py", "src/a.py/", "src/../src/a.py", "{root}/src/a.py"])
def test_path_of_model_is_normalised(bench: Bench, path: str) -> None:
    assert bench.context().place(path.format(root=bench.workspace.root)) == "src/a.py"


@pytest.mark.parametrize(
    ("path", "placed"),
    [
        ("", "."),
        (".", "."),
        ("{root}/", "."),
        ("..a", "..a"),
        ("/etc//passwd", "/etc/passwd"),
        ("src/../../b", "{parent}/b"),
    ],
)
def test_root_is_dot_and_path_outside_repository_is_absolute(bench: Bench, path: str, placed: str) -> None:
    root = bench.workspace.root
    assert bench.context().place(path.format(root=root)) == placed.format(parent=root.rpartition("/")[0])


@pytest.mark.parametrize("writes", [True, False])
def test_current_tree_includes_earlier_actions_of_same_reply(bench: Bench, writes: bool) -> None:
    def lists(ctx: Context) -> str:
        """List the files."""
        return " ".join(ctx.trees.files(ctx.current_tree()))

    bench.toolbox.tools["lists"] = tool(writes=False)(lists)
    edit = Action("edit", {"path": "b.txt", "old": "", "new": "b\n"}) if writes else Action("sample", {"path": "b.txt"})
    observations = bench.run_step(edit, Action("lists", {}))
    assert observations[1].text == ("a.txt b.txt" if writes else "a.txt")


def test_toolbox_can_hold_selected_tools() -> None:
    assert list(Toolbox(["run-tests", "view"]).tools) == ["run_tests", "view"]
    with pytest.raises(UsageError, match="no tool named 'fly'"):
        Toolbox(["fly"])


@pytest.mark.parametrize("name", ["shell", "run_tests", "run-tests"])
def test_entry_point_does_not_replace_built_in_tool(name: str, tmp_path, monkeypatch) -> None:
    before = dict(Toolbox().tools)
    install_tool(tmp_path, monkeypatch, name)
    assert Toolbox().tools == before


def test_function_name_must_match_entry_point(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "zoom", function="view")
    with pytest.raises(ConfigError, match="The function of the tool zoom is named 'view'"):
        Toolbox()


def test_tool_of_another_package_is_not_built_in(tmp_path, monkeypatch) -> None:
    install_tool(tmp_path, monkeypatch, "roll_out")
    toolbox = Toolbox()
    assert [name for name, tool in toolbox.tools.items() if not toolbox.is_built_in(tool)] == ["roll_out"]


def test_undescribed_parameter_raises_type_error() -> None:
    def bad(ctx: Context, path: str) -> str:
        """Do."""
        return path

    with pytest.raises(TypeError, match="path"):
        _ = tool(bad).schema
