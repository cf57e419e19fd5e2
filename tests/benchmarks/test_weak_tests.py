"""Parts of the benchmark of weak tests: outcomes of a row, selection of cases, and patches."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.weak_tests import Row, cut, patched

ROW = Row("gcd", 1, 1, behaviours=2, verified=True, correct=False, shown=True, cpu=1.0)


def test_search_and_command_are_rated_separately() -> None:
    assert (ROW.search_outcome, ROW.fix_outcome) == ("WRONG", "")
    refused = replace(ROW, verified=False, verdict="verified", fixed=False)
    assert (refused.search_outcome, refused.fix_outcome) == ("doubted, shown", "verified WRONG")
    other = replace(ROW, verdict="verified", fixed=True)
    assert (other.search_outcome, other.fix_outcome) == ("WRONG", "verified right")
    assert replace(ROW, verdict="unproven", fixed=True).fix_outcome == "unproven"
    assert replace(ROW, behaviours=0).search_outcome == "nothing found"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "json_testcases").mkdir()
    (tmp_path / "json_testcases" / "gcd.json").write_text("[1]\n[2]\n\n[3]\n[4]\n[5]\n")
    (tmp_path / "gcd.py").write_text("a\nb\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "First"]):
        identity = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *command], check=True)
    return tmp_path


@pytest.mark.parametrize("count", [1, 2, 3])
def test_cut_keeps_failing_case_and_is_reproducible(folder: Path, count: int) -> None:
    file = folder / "json_testcases" / "gcd.json"
    content, contents = file.read_text(), set()
    for _ in range(2):
        file.write_text(content)
        cut(folder, "gcd", [1, 3], count, random.Random("gcd 1"))
        contents.add(file.read_text())
    (lines,) = (text.splitlines() for text in contents)
    assert len(lines) == count
    assert {"[2]", "[4]"} & set(lines)


def test_patched_applies_patch_if_there_is_one(folder: Path) -> None:
    (folder / "gcd.py").write_text("a\nc\n")
    patch = subprocess.run(["git", "-C", str(folder), "diff"], capture_output=True, text=True, check=True).stdout
    subprocess.run(["git", "-C", str(folder), "checkout", "-q", "."], check=True)
    assert patched(folder, "", "gcd.py") == ""
    assert patched(folder, patch, "gcd.py") == "a\nc\n"
