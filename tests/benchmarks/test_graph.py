"""The benchmark of the code graph, on a small repository."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.graph import PROJECTS, Cost, cost, median, project_of
from tests.conftest import MakeRepo, git

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_project_is_measured_and_missing_peers_have_no_cost(make_repo: MakeRepo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "def load():\n    pass\n", "b.py": "from a import load\nload()\n"})
    for number in range(3):
        (repo / "a.py").write_text(f"def load():\n    return {number}\n")
        git(repo, "commit", "-qam", "Another number")
    (tmp_path / "repos" / "some+one").mkdir(parents=True)
    git(repo, "clone", "-q", "--bare", ".", str(tmp_path / "repos" / "some+one" / "repo"))
    command = ["--repos", str(tmp_path / "repos"), "--runs", "1", "--project", "any/one@HEAD:load", "--json"]
    command += ["--visit", "some/one", "--visit", "not/there"]
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.graph", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tables = json.loads(result.stdout)
    rows = {row["what"]: row for row in tables["any/one"]}
    assert {name for name, row in rows.items() if row["cost"] is None} == {"aider's repo map, cold", "LocAgent's graph"}
    assert all(row["cost"]["cpu"] > 0 and row["cost"]["megabytes"] > 5 for row in rows.values() if row["cost"])
    assert rows["cold graph on disk"]["ratio"] > 0
    assert {"locate, empty cache", "locate, next commit", "locate, warm"} <= rows.keys()
    assert [row["what"] for row in tables["memory"]] == ["first tree, one process", "1 trees, one process"]


def test_cost_of_failing_command_raises() -> None:
    with pytest.raises(RuntimeError, match="ended with 3"):
        cost([sys.executable, "-c", "raise SystemExit(3)"])


def test_median_is_taken_for_each_figure() -> None:
    assert median([Cost(1, 9, 5), Cost(2, 8, 1), Cost(7, 1, 6)]) == Cost(2, 8, 5)


def test_projects_are_found_under_any_owner(tmp_path: Path) -> None:
    (tmp_path / "fork+django" / "repo").mkdir(parents=True)
    project = project_of(PROJECTS[0], tmp_path)
    assert project.git_dir == tmp_path / "fork+django" / "repo"
    assert project.function == "force_str"
