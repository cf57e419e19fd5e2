"""The benchmark of readers of exported formats, with the installed readers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.readers import rows
from tests.extensions.lab.exports.random_runs import Made
from trajectories.records import Action


@pytest.mark.slow
def test_each_format_is_read_by_its_reader(tmp_path: Path) -> None:
    run = Made()
    run.say("Fix it.")
    run.ask("I look.", [Action("shell", {"command": "ls"}), Action("edit", {"path": "a"}, "id")], ["calc.py", "No."])
    run.ask("Done.", ())
    python = [sys.executable]
    results = {(row.format, row.reader.split()[0]): row for row in rows([run.material()], {"openai": python}, tmp_path)}
    assert results["chat", "openai"].ok, results["chat", "openai"].told
    assert results["chat", "openai"].told == "1 conversations"
    assert results["atif", "harbor"].ok is None


def test_failing_reader_is_reported_with_its_error(tmp_path: Path) -> None:
    run = Made()
    run.ask()
    (row, *_) = rows([run.material()], {"harbor": [sys.executable, "/nowhere"]}, tmp_path)
    assert (row.format, row.ok) == ("atif", False)
    assert "Error" in row.told
