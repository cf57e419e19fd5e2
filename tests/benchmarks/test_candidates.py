"""The table of the benchmark of candidate rates: medians, ratios, different verdicts, and bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.candidates import Row, main, table


def test_table_shows_medians_ratios_and_different_verdicts() -> None:
    rows = [
        Row("one", 10, 1000.0, 100.0, 10.0, 5, 5, {"fail": 9, "pass": 1}, []),
        Row("two", 10, 4000.0, 100.0, 20.0, 5, 4, {"fail": 10}, ["a.py:1 replace: fail, alone pass"]),
        Row("three", 10, 3000.0, 300.0, 0.0, 0, 0, {}, [], (2.0, 1.0), (3.0, 1.1)),
    ]
    head, *lines = table(rows).splitlines()
    assert "a fork" in head
    assert "fail 9 pass 1" in lines[0]
    assert "4/5" in lines[1]
    assert lines[2].strip() == "a.py:1 replace: fail, alone pass"
    assert "docker 3.00 s (1.10 CPU)" in lines[3]
    assert (
        "3,000 in one process; 100 with a fork each (30.0 times as many); 10 with a pytest start each (300" in lines[4]
    )
    assert [line.rpartition(" ")[2] for line in lines[5:]] == ["1.50", "1.10"]


def test_table_without_pytest_starts_has_no_ratio() -> None:
    assert "0 with a pytest start each (none)" in table([Row("one", 1, 1.0, 1.0, 0.0, 0, 0, {}, [])])


def test_folder_without_programs_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--repo", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert "has no QuixBugs program" in output.err
    assert "git clone" in output.err
