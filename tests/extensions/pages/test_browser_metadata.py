"""The metadata of the tool `browser`, and that an extension's tool is one of this program."""

from __future__ import annotations

from tests.tools.test_metadata import row
from tools.base import Toolbox, metadata_of
from trajectories import plugins


def test_metadata_of_browser(monkeypatch) -> None:
    toolbox = Toolbox(["browser"])
    tool = toolbox.tools["browser"]
    expected = (False, "view", "", (), "other", "program", "The page after {}", False, "revert")
    assert row(tool.metadata) == expected
    assert metadata_of("browser") == tool.metadata
    assert toolbox.is_built_in(tool)
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert "browser" not in Toolbox().tools
