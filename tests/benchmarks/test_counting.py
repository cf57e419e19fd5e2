"""The benchmark of instruction counts, on two tiny tasks."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from benchmarks.counting import main, order, read, spread

TASKS = [
    {
        "task": "sum",
        "entry": "total",
        "solutions": [
            "def total(n):\n    return sum(range(n))\n",
            "def total(n):\n    print(n)\n    a = 0\n    for i in range(n):\n        a += i\n    return a\n",
        ],
        "calls": [[300]],
    },
    {
        "task": "double",
        "entry": "Solution.double",
        "solutions": ["class Solution:\n    def double(self, x):\n        return [a * 2 for a in x]\n"] * 2,
        "calls": [[[1, 2, 3]]],
    },
]


def test_order_counts_pairs_with_clear_difference_only() -> None:
    assert order([[100, 200, 300]], [[100, 200, 300]]) == (3, 3)
    assert order([[100, 200, 300]], [[210, 200, 300]]) == (3, 2)
    assert order([[1000, 1001]], [[1001, 1000]]) == (0, 0)
    assert spread([100.0, 102.0]) == pytest.approx(0.02)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tasks_of_folder_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not shutil.which("valgrind") and os.environ.get("CI") != "true":
        pytest.skip("valgrind is not installed")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "some.jsonl").write_text("\n".join(map(json.dumps, TASKS)) + "\n")
    assert [task.name for task in read(tmp_path / "tasks", 1)] == ["sum"]
    result = tmp_path / "result.json"
    assert main(["--tasks", str(tmp_path / "tasks"), "--repeats", "2", "--json", str(result)]) == 0
    figures = json.loads(result.read_text())
    assert (figures["functions"], figures["solutions"], figures["repeats"], figures["backend"]) == (2, 4, 2, "valgrind")
    assert figures["spread"]["warm"]["largest"] < 0.001
    assert figures["order"]["warm"]["pairs"] == figures["order"]["warm"]["agreed"] == 1
    assert "pairs agree" in capsys.readouterr().out
