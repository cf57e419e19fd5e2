"""The benchmark on QuixBugs: repositories without the reference solution, and comparison with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aci.testing.suite_run import run_tests
from benchmarks import quixbugs
from benchmarks.quixbugs import COMMAND, ISSUE, Row, build, line, main, opened, passes, programs, score, summary, wanted
from benchmarks.quixbugs_check import check
from trajectories.errors import UsageError

TEST = "from python_programs.largest import largest\n"
REFERENCE = "def largest(items):\n    return max(items)\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    files = {
        "python_programs/largest.py": REFERENCE.replace("max", "min"),
        "python_programs/node.py": "class Node:\n    pass\n",
        "correct_python_programs/largest.py": REFERENCE,
        "correct_python_programs/node.py": "",
        "python_testcases/test_largest.py": TEST,
        "python_testcases/load_testdata.py": "",
        "json_testcases/largest.json": "[[[1, 5, 3]], 5]\n[[[7, 2]], 7]\n",
        "conftest.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_repository_contains_no_reference(checkout: Path, tmp_path: Path) -> None:
    folder = build(checkout, "largest", tmp_path / "built")
    tracked = subprocess.run(["git", "-C", folder, "ls-files"], capture_output=True, text=True, check=True).stdout
    assert "python_programs/largest.py" in tracked
    assert "correct" not in tracked
    assert "max" not in "".join(file.read_text() for file in folder.rglob("*.py"))
    assert "max" not in ISSUE
    assert programs(checkout) == ["largest"]


@pytest.mark.parametrize(
    ("body", "agrees"),
    [
        ("sorted(items)[-1]", True),
        ("items[0]", False),
        ("float(max(items))", True),
        ("str(max(items))", False),
        ("1 / 0", False),
    ],
)
def test_agreement_compares_results(checkout: Path, tmp_path: Path, body: str, agrees: bool) -> None:
    repaired = tmp_path / "repaired.py"
    repaired.write_text(f"def largest(items):\n    return {body}\n")
    result = check(checkout, "largest", repaired)
    assert result["inputs"] >= 100
    assert (result["agree"] == result["inputs"]) is agrees
    assert bool(result["differ"]) is not agrees


@pytest.mark.slow
def test_program_that_exits_during_tests_is_not_plausible(checkout: Path, tmp_path: Path) -> None:
    tests = checkout / "python_testcases" / "test_largest.py"
    tests.write_text(f"{TEST}\n\ndef test_one():\n    assert largest([1, 2]) == 2\n")
    with opened(build(checkout, "largest", tmp_path / "built"), tmp_path) as (workspace, _, _):
        before = run_tests(workspace, COMMAND)
        assert before.failed == ("python_testcases/test_largest.py::test_one",)
        for text, is_plausible in (("import os\nos._exit(0)\n", False), (REFERENCE, True)):
            workspace.write("python_programs/largest.py", text.encode())
            assert passes(workspace, before) is is_plausible


def test_programs_are_selected_by_name(checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert wanted(checkout, "", 0) == wanted(checkout, "largest", 1) == ["largest"]
    with pytest.raises(UsageError, match="no program 'smallest'"):
        wanted(checkout, "largest,smallest", 0)
    assert main(["--repo", str(tmp_path / "none")]) == 2
    assert "git clone" in capsys.readouterr().err


def test_program_that_hangs_is_scored(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quixbugs, "SECONDS", 0.01)
    result = score(checkout, "largest", REFERENCE)
    assert result["inputs"] > result["agree"] == 0
    assert "no answers" in result["differ"]


def test_unmeasured_figures_are_left_out() -> None:
    fixed = Row("largest", plausible=True, agree=3, inputs=3, any_correct=True, seconds=2.0, verdict="plausible")
    assert "CPU" not in line(fixed)
    assert "median_cpu" not in summary([fixed, Row("other", verdict="error", differ="it was late")])
    searched = Row("largest", cpu=1.5, candidates=7)
    assert "1.50 CPU-s" in line(searched)
    assert summary([searched, Row("other")])["median_cpu"] == 1.5
