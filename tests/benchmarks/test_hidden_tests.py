"""Repositories of QuixBugs programs of which some tests are hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.testing.suite_run import run_tests
from benchmarks._hidden_tests import build_with, case_number, read_example
from benchmarks._patch_forms import Example
from benchmarks.quixbugs import COMMAND, opened

LOADER = """\
import json
from pathlib import Path

def load_json_testcases(name):
    file = Path(__file__).parents[1] / "json_testcases" / f"{name}.json"
    return [json.loads(line) for line in file.read_text().splitlines()]
"""
TEST = """\
import pytest
from load_testdata import load_json_testcases
from python_programs.largest import largest

@pytest.mark.parametrize("input_data,expected", load_json_testcases("largest"))
def test_largest(input_data, expected):
    assert largest(*input_data) == expected
"""
PLAIN = """\
from python_programs.largest import largest

NUMBERS = [1, 5]

def test_one():
    assert largest(NUMBERS) == 5

def test_two():
    assert largest([7, 2]) == 7

def test_three():
    assert largest([4]) == 4
"""


def write_checkout(folder: Path, test: str, cases: str) -> Path:
    files = {
        "python_programs/largest.py": "def largest(items):\n    return min(items)\n",
        "correct_python_programs/largest.py": "def largest(items):\n    return max(items)\n",
        "python_testcases/test_largest.py": test,
        "python_testcases/load_testdata.py": LOADER,
        "conftest.py": "",
        **({"json_testcases/largest.json": cases} if cases else {}),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


CASES = "[[[1, 5, 3]], 5]\n[[[7, 2]], 7]\n[[[4]], 4]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("test", "cases", "kept"),
    [
        (TEST, CASES, ["test_largest[input_data1-7]", "test_largest[input_data2-4]"]),
        (PLAIN, "", ["test_two", "test_three"]),
    ],
)
def test_only_kept_tests_and_an_unrelated_one_are_in_the_repository(
    tmp_path: Path, test: str, cases: str, kept: list[str]
) -> None:
    checkout = write_checkout(tmp_path / "checkout", test, cases)
    ids = [f"python_testcases/test_largest.py::{name}" for name in kept]
    with opened(build_with(checkout, "largest", tmp_path / "built", ids), tmp_path) as (workspace, _, _):
        report = run_tests(workspace, COMMAND)
    assert len(report.failed) == 1
    assert len(report.passed) == 2
    assert any("test_programs.py" in test for test in report.passed)
    left = "".join(file.read_text() for file in (tmp_path / "built").rglob("*test*/*largest*"))
    assert "5" not in left.replace("NUMBERS = [1, 5]", "")


def test_example_of_a_test_is_read(tmp_path: Path) -> None:
    checkout = write_checkout(tmp_path, TEST, CASES)
    assert read_example(checkout, "largest", "a.py::test_largest[input_data1-7]") == Example([[7, 2]], 7)
    assert read_example(checkout, "largest", "a.py::test_largest[input_data9-7]") is None
    assert read_example(checkout, "largest", "a.py::test_one") is None
    assert read_example(checkout, "unknown", "a.py::test_largest[input_data1-7]") is None
    assert case_number("a.py::test[input_data12-[1, 2]]") == 12
