"""The benchmark's own parts: a repository without the reference, and agreement that notices a difference."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.quixbugs import ISSUE, build, programs
from benchmarks.quixbugs_check import check

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


def test_the_reference_stays_outside(checkout: Path, tmp_path: Path) -> None:
    folder = tmp_path / "built"
    folder.mkdir()
    build(checkout, "largest", folder)
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
def test_agreement_is_of_answers(checkout: Path, tmp_path: Path, body: str, agrees: bool) -> None:
    repaired = tmp_path / "repaired.py"
    repaired.write_text(f"def largest(items):\n    return {body}\n")
    found = check(checkout, "largest", repaired)
    assert found["inputs"] >= 100
    assert (found["agree"] == found["inputs"]) is agrees
    assert bool(found["differ"]) is not agrees
