"""The metadata of the tool `session`, and the question before it types."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.test_metadata import row
from tools.base import Toolbox, ToolCall, metadata_of
from trajectories import plugins


def test_metadata_of_session(monkeypatch: pytest.MonkeyPatch) -> None:
    toolbox = Toolbox(["session"])
    tool = toolbox.tools["session"]
    expected = (True, "other", "input", (), "other", "unknown", "The result of {}", True, "revert")
    assert row(tool.metadata) == expected
    assert metadata_of("session") == tool.metadata
    assert toolbox.is_built_in(tool)
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert "session" not in Toolbox().tools


@pytest.mark.parametrize(("name", "asked"), [("pdb", ("n\n", "")), ("a b", None)])
def test_user_is_asked_about_input_of_named_terminals(name: str, asked: tuple[str, str] | None) -> None:
    tool = Toolbox(["session"]).tools["session"]
    workspace: Any = SimpleNamespace(root="/repo", folder=lambda: "/repo/src")
    assert tool.metadata.consent is not None
    arguments = tool.arguments({"name": name, "input": "n\n"})
    question = tool.metadata.consent(ToolCall(arguments, workspace, "", lambda nodes: ""))
    assert (question and (question.subject, question.folder)) == asked
