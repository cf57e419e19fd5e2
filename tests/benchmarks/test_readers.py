"""The benchmark of readers, with those that are installed here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.readers import rows
from tests.trajectories.exports.random_runs import Made
from trajectories.records import Action


@pytest.mark.slow
def test_each_format_is_given_to_its_reader(tmp_path: Path) -> None:
    made = Made()
    made.say("Mend it.")
    made.ask("I look.", [Action("shell", {"command": "ls"}), Action("edit", {"path": "a"}, "id")], ["calc.py", "No."])
    made.ask("Done.", ())
    here = [sys.executable]
    found = {(row.format, row.reader.split()[0]): row for row in rows([made.material()], {"openai": here}, tmp_path)}
    assert found["chat", "openai"].ok, found["chat", "openai"].told
    assert found["chat", "openai"].told == "1 conversations"
    assert found["atif", "harbor"].ok is None


def test_reader_that_does_not_take_file_is_named_with_its_words(tmp_path: Path) -> None:
    made = Made()
    made.ask()
    (row, *_) = rows([made.material()], {"harbor": [sys.executable, "/nowhere"]}, tmp_path)
    assert (row.format, row.ok) == ("atif", False)
    assert "Error" in row.told
