"""The metadata of the tool `docs`, and the question before it starts Python."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.tools.test_metadata import row
from tools.base import Toolbox, ToolCall, metadata_of
from trajectories import plugins


def test_metadata_of_docs(monkeypatch: pytest.MonkeyPatch) -> None:
    toolbox = Toolbox(["docs"])
    tool = toolbox.tools["docs"]
    expected = (False, "view", "", (), "other", "program", "The documentation of {}", True, "revert")
    assert row(tool.metadata) == expected
    assert metadata_of("docs") == tool.metadata
    assert toolbox.is_built_in(tool)
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert "docs" not in Toolbox().tools


@pytest.mark.parametrize(
    ("name", "subject"), [("`yaml.load`", "python package_docs.py yaml.load"), ("@scope/package", None)]
)
def test_only_names_of_python_packages_are_asked_about(name: str, subject: str | None) -> None:
    tool = Toolbox(["docs"]).tools["docs"]
    workspace: Any = SimpleNamespace(root="/repo", folder=lambda: "/repo/src")
    assert tool.metadata.consent is not None
    asked = tool.metadata.consent(ToolCall(tool.arguments({"name": name}), workspace, "", lambda nodes: ""))
    assert (asked and asked.subject) == subject
