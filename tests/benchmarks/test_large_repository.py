"""The benchmark of a large repository: both sides are measured, in a repository that is not large."""

from __future__ import annotations

import json

import pytest

from benchmarks.large_repository import FOLDERS, main


@pytest.mark.slow
def test_both_sides_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--files", str(FOLDERS + 100), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["files"] == FOLDERS + 100
    assert min(figures["cpu"], figures["git cpu"], figures["ratio"]) > 0
