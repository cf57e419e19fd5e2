"""The benchmark of performance commits: reading the list, the project's change, the summary, and one run."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from benchmarks.performance_commits import (
    Row,
    Speedup,
    check_out_parent,
    load_row,
    main,
    measure,
    read_change,
    read_commits,
    summary,
)
from benchmarks.verdict_cases import create_repository
from tests.slow_function import SLOW
from trajectories.errors import UsageError

FAST = """\
def unique(items):
    return list(dict.fromkeys(items))
"""
TEST = """\
from subject import unique


def test_unique():
    assert unique([1, 2, 3, 2, 3]) == [1, 2, 3]
    assert unique(list(range(60)) * 2) == list(range(60))
"""


def create_history(folder: Path) -> dict[str, Any]:
    """Create a project whose second commit makes a function faster, as a mirror; return the commit's row."""
    create_repository(folder, {"subject.py": SLOW, "test_subject.py": TEST, "old.py": "", "NEWS.txt": "1.0\n"})
    (folder / "subject.py").write_text(FAST)
    (folder / "test_subject.py").write_text(TEST + "\n\ndef test_empty():\n    assert unique([]) == []\n")
    (folder / "NEWS.txt").write_text("1.1: faster\n")
    (folder / "old.py").unlink()
    identity = ["-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run(["git", *identity, "commit", "-qam", "Faster unique"], cwd=folder, check=True)
    (folder / ".git").rename(folder.parent / "repo")
    shutil.rmtree(folder)
    command = ["git", f"--git-dir={folder.parent / 'repo'}", "rev-parse", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return {
        "project": "some/project",
        "commit": commit,
        "function": "subject.py:unique",
        "workload": "python -m pytest -q",
        "packages": [],
        "message": "Faster unique",
    }


def create_mirror(folder: Path) -> dict[str, Any]:
    (folder / "some+project" / "work").mkdir(parents=True)
    return create_history(folder / "some+project" / "work")


def row(expert: Speedup, ours: Speedup | None = None, commit: str = "a" * 40) -> Row:
    return Row("some/project", commit, "subject.py:unique", expert, ours)


def test_base_has_only_files_of_parent(tmp_path: Path) -> None:
    commit = create_mirror(tmp_path)["commit"]
    check_out_parent(tmp_path / "some+project" / "repo", commit, tmp_path / "base")
    assert (tmp_path / "base" / "subject.py").read_text() == SLOW
    assert (tmp_path / "base" / "test_subject.py").read_text() == TEST
    log = subprocess.run(["git", "log", "--all", "--format=%s"], cwd=tmp_path / "base", capture_output=True, check=True)
    assert log.stdout.decode().split() == ["Start"]


def test_change_has_only_python_files_without_tests(tmp_path: Path) -> None:
    commit = create_mirror(tmp_path)["commit"]
    change = read_change(tmp_path / "some+project" / "repo", commit)
    assert change == {"subject.py": FAST.encode(), "old.py": None}


def test_incomplete_list_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.json"
    file.write_text('[{"project": "some/project", "commit": "a"}]')
    with pytest.raises(UsageError, match="has no function"):
        read_commits(file)
    file.write_text("[")
    with pytest.raises(SystemExit):
        main([str(file), "--repos", str(tmp_path)])
    assert "cannot be read" in capsys.readouterr().err


def test_summary_compares_worthwhile_commits() -> None:
    rows = [
        row(Speedup("right", ratio=4.0), Speedup("adopted, faster", ratio=2.0, cpu=30)),
        row(Speedup("refused", "late", ratio=2.0), Speedup("adopted, faster", ratio=4.0, cpu=10)),
        row(Speedup("right", ratio=1.1), Speedup("nothing adopted", ratio=1.0)),
        row(Speedup("wrong", "f(1): was 1, is 2"), Speedup("nothing adopted", ratio=1.0)),
    ]
    assert list(summary(rows)) == [
        "2 of 4 changes of the projects are at least 1.2x faster",
        "expert: median 3.00x, harmonic mean 2.67x",
        "ours: median 3.00x, harmonic mean 2.67x",
        "ours / expert: harmonic mean 0.80, capped at 1: 0.67",
        "ours at least 0.95 of the expert: 1 of 2 (50%)",
        "CPU seconds of a run: median 20",
        "expert right: 2",
        "expert refused: 1",
        "  some/project@aaaaaaaaaa: late",
        "expert wrong: 1",
        "  some/project@aaaaaaaaaa: f(1): was 1, is 2",
    ]


def test_interrupted_benchmark_is_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit = create_mirror(tmp_path)
    (tmp_path / "list.json").write_text(json.dumps([commit]))
    done = row(Speedup("right", ratio=2.0), Speedup("adopted, faster", ratio=1.9), commit["commit"])
    (tmp_path / "rows.json").write_text(
        json.dumps([{**vars(done), "expert": vars(done.expert), "ours": vars(done.ours)}])
    )
    words = [str(tmp_path / "list.json"), "--repos", str(tmp_path), "--json", str(tmp_path / "rows.json")]
    assert main(words) == 0
    assert "ours: median 1.90x" in capsys.readouterr().out
    assert load_row(json.loads((tmp_path / "rows.json").read_text())[0]) == done
    with pytest.raises(SystemExit):
        main([*words, "--only", "other/project@abc"])
    assert "there is no other/project@abc" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_speed_ups_of_project_and_strategy_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = create_mirror(tmp_path)
    monkeypatch.setattr("benchmarks.performance_commits.make_environment", lambda *_: tmp_path)
    with ProcessPoolExecutor(1, get_context("fork")) as pool:
        found = pool.submit(measure, commit, tmp_path, tmp_path, "", False).result()
    assert found.expert.status == "right", found
    assert found.expert.ratio > 2
    assert found.breach == "old.py was changed too; only subject.py may change."
    assert found.ours
    assert found.ours.status == "adopted, faster", found
    assert found.ours.ratio > 2
    assert found.ours.cpu > 0
