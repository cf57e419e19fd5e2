"""The generated cases of `benchmarks.batch`, and its arithmetic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._synthetic import cases, files
from benchmarks.batch import _covered, _worked


def test_same_seed_gives_same_cases() -> None:
    assert cases(20, 3) == cases(20, 3) != cases(20, 4)
    assert len({case.image for case in cases(20, 3)}) == 20


@pytest.mark.parametrize("case", cases(4), ids=lambda case: case.id)
def test_each_case_fails_until_it_is_fixed(case, tmp_path: Path) -> None:
    for name, text in (files(case) | {case.test_file: case.test}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def passes() -> bool:
        run = f"from runpy import run_path; run_path({case.test_file!r})['test_shown']()"
        command = [sys.executable, "-B", "-c", run]
        return subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0

    assert not passes()
    module = tmp_path / case.module
    assert module.read_text().count(case.wrong) == 1
    module.write_text(module.read_text().replace(case.wrong, case.right))
    assert passes()


def test_overlapping_times_count_once() -> None:
    assert _covered([(2.0, 3.0), (0.0, 1.0), (0.5, 1.5), (0.6, 0.7)]) == 2.5


def test_worker_time_spans_its_first_to_last_instance() -> None:
    lines = [
        {"what": "instance", "thread": 1, "began": 10.0, "seconds": 1.0},
        {"what": "instance", "thread": 1, "began": 12.0, "seconds": 3.0},
        {"what": "start", "thread": 1, "began": 0.0, "seconds": 99.0},
        {"what": "instance", "thread": 2, "began": 0.0, "seconds": 2.0},
    ]
    assert _worked(lines) == [5.0, 2.0]
