"""The command `mcp` where the SDK is missing."""

from __future__ import annotations

import sys

import pytest

from agent.cli.command_line import run
from agent.installation import extra_advice


def test_missing_sdk_is_explained(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert run(["mcp"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "needs the package mcp, which is not installed" in err
    assert extra_advice("mcp") in err
    assert "'swe-agent[mcp]'" not in err, "a name that somebody else could publish on an index"
