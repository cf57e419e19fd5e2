"""`show` and `runs` with journals of earlier versions."""

from __future__ import annotations

import json

import pytest

from extensions.run_views.commands import runs, show
from tests.agent.runs.test_earlier_journals import NAMES, earlier

__all__ = ["earlier"]


@pytest.mark.parametrize("name", NAMES)
def test_earlier_run_is_shown_and_listed(earlier, name, monkeypatch, capsys):
    run = earlier(name)
    monkeypatch.setenv("SWE_AGENT_STATE", str(run.state))
    assert show.command(run.directory.name, plain=True) == 0
    output = capsys.readouterr().out
    assert "add() subtracts" in output
    assert "edit calc.py return a - b → return a + b" in output
    assert show.command(run.directory.name, "3", plain=True) == 0
    assert "+    return a + b" in capsys.readouterr().out
    assert runs.command(json=True) == 0
    (line,) = json.loads(capsys.readouterr().out)["runs"]
    assert (line["run"], line["resumable"]) == (run.directory.name, False)
    assert line["ended"] == ("undone" if name == "session" else "plausible")
