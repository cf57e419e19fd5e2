"""The regression benchmark of versions: results of `locate` and `fix`, the history of figures, and its chart."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import self
from benchmarks._self_chart import chart
from benchmarks._self_task import FIX, LOCATE, Task, measure_task, read_tasks
from extensions.lab.commands import synth
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError, WorkspaceError

ID = "local__shop.plant.12345678"
BUGGY, RIGHT = "def total(a, b):\n    return a - b\n", "def total(a, b):\n    return a + b\n"
TESTS = """\
from shop import total


def test_sum():
    assert total(1, 2) == 3
    assert total(5, 2) == 7
    assert total(-2, 9) == 7


def test_zero():
    assert total(4, 0) == 4
"""
DIFF = """\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -1,2 +1,2 @@
 def total(a, b):
-    return a - b
+    return {}
"""
RIGHT_DIFF, WRONG_DIFF = DIFF.format("a + b"), DIFF.format("a * b + 1")
PLACES = {
    "files": [{"path": "other.py"}, {"path": "shop.py"}],
    "functions": [
        {"path": "other.py", "name": "total"},
        {"path": "shop.py", "name": "x"},
        {"path": "shop.py", "name": "total"},
    ],
}
FAKE = """\
import json, os, sys, time
given = json.loads(sys.argv[1])
open(given["log"], "a").write(json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]) + "\\n")
time.sleep(given.get("sleep", 0))
answer = given[sys.argv[2]]
print(answer if isinstance(answer, str) else json.dumps(answer))
sys.exit(given["code"])
"""
MakeTasks = Callable[..., Path]


@pytest.fixture
def make_tasks(make_repo: MakeRepo, tmp_path: Path) -> MakeTasks:
    def make(name: str = "tasks", id: str = ID, **fields: object) -> Path:
        if not (tmp_path / "shop.bundle").exists():
            repo = make_repo({"shop.py": BUGGY, "test_shop.py": TESTS})
            git(repo, "branch", "-q", ID)
            git(repo, "bundle", "create", "-q", str(tmp_path / "shop.bundle"), ID)
            (tmp_path / "base").write_text(git(repo, "rev-parse", "HEAD").strip())
        row = {
            "instance_id": id,
            "repo": "local/shop",
            "base_commit": (tmp_path / "base").read_text(),
            "patch": RIGHT_DIFF,
            "problem_statement": "total(1, 2) gives a wrong result",
            "FAIL_TO_PASS": json.dumps(["test_shop.py::test_sum"]),
            "PASS_TO_PASS": json.dumps(["test_shop.py::test_zero"]),
            "bundle": "./shop.bundle",
            "test": f"{shlex.quote(sys.executable)} -m pytest -q",
            "kind": "plant",
            "operator": "swapped_arguments",
            "symbols": ["shop.py:total"],
        }
        row |= fields
        file = tmp_path / f"{name}.jsonl"
        file.write_text(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")
        return file

    return make


def fake(tmp_path: Path, fix: object = "", code: int = 0, locate: object = PLACES, **more: object) -> list[str]:
    """Return a command that prints these answers and ends with this exit code, and logs how it was called."""
    program = tmp_path / "fake.py"
    program.write_text(FAKE)
    given = {"fix": fix, "locate": locate, "code": code, "log": str(tmp_path / "log"), **more}
    return [sys.executable, str(program), json.dumps(given)]


def calls(tmp_path: Path) -> list[Any]:
    log = tmp_path / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def only(file: Path) -> Task:
    [task] = read_tasks([file])
    return task


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "kind", "patch", "expected"),
    [
        (0, "verified", RIGHT_DIFF, ("right", True)),
        (0, "verified", WRONG_DIFF, ("wrong", True)),
        (6, "plausible", WRONG_DIFF, ("wrong", True)),
        (6, "unproven", RIGHT_DIFF, ("right", False)),
        (6, "unproven", WRONG_DIFF, ("wrong", False)),
        (1, "none", "", ("no patch", False)),
    ],
)
def test_patch_is_judged_by_all_tests_of_the_row(
    make_tasks: MakeTasks, tmp_path: Path, code: int, kind: str, patch: str, expected: tuple[str, bool]
) -> None:
    row = measure_task(FIX, only(make_tasks()), fake(tmp_path, {"patch": patch, "verdict": {"kind": kind}}, code), 60)
    assert (row["outcome"], row["verified"]) == expected
    assert row["cpu"] > 0


@pytest.mark.slow
def test_patch_that_breaks_a_passing_test_is_wrong(make_tasks: MakeTasks, tmp_path: Path) -> None:
    row = measure_task(FIX, only(make_tasks()), fake(tmp_path, {"patch": DIFF.format("3")}), 60)
    assert row["outcome"] == "wrong"


@pytest.mark.parametrize(
    ("code", "printed"), [(3, {"error": {"message": "no"}}), (0, "no JSON"), (0, {"verdict": {}}), (0, "[]")]
)
def test_command_without_a_result_failed(make_tasks: MakeTasks, tmp_path: Path, code: int, printed: object) -> None:
    row = measure_task(FIX, only(make_tasks()), fake(tmp_path, printed, code), 60)
    assert row["outcome"] == "failed"
    assert f"exit code {code}" in row["why"]


def test_ranks_are_those_of_the_first_changed_places(make_tasks: MakeTasks, tmp_path: Path) -> None:
    file = make_tasks(symbols=["shop.py:gone", "shop.py:total"])
    row = measure_task(LOCATE, only(file), fake(tmp_path), 60)
    assert (row["outcome"], row["file"], row["function"]) == ("done", 2, 3)
    row = measure_task(LOCATE, only(make_tasks(symbols=["shop.py:gone"])), fake(tmp_path), 60)
    assert (row["outcome"], row["function"]) == ("done", None)
    row = measure_task(LOCATE, only(file), fake(tmp_path, locate={"files": []}), 60)
    assert row["outcome"] == "failed"


@pytest.mark.slow
def test_command_that_takes_too_long_is_ended(make_tasks: MakeTasks, tmp_path: Path) -> None:
    task = only(make_tasks())
    assert measure_task(LOCATE, task, fake(tmp_path, sleep=100), 0.5)["outcome"] == "out of time"
    assert measure_task(FIX, task, fake(tmp_path, sleep=100), 0.5)["outcome"] == "out of time"


def test_version_runs_with_its_documented_command_line_and_without_the_users_settings(
    make_tasks: MakeTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("SWE_AGENT_MODEL", "m")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    task = only(make_tasks())
    measure_task(LOCATE, task, fake(tmp_path), 60)
    measure_task(FIX, task, fake(tmp_path, {"patch": ""}, 1), 60)
    (locate, folder, _), (fix, _, variables) = calls(tmp_path)
    text = f"--text={task.gold.row['problem_statement']}"
    assert locate == ["locate", f"--repo={folder}", text, "--json", "--top=10"]
    assert fix[2:] == [
        *(text, "--json", "--strategy=templates", "--workspace=local", f"--test={task.gold.row['test']}")
    ]
    assert not {"OPENAI_API_KEY", "SWE_AGENT_MODEL", "PYTHONPATH"} & variables.keys()
    assert Path(variables["SWE_AGENT_STATE"]).parent == Path(variables["XDG_CACHE_HOME"]).parent
    assert not Path(folder).exists()


def test_lost_bundle_is_named(make_tasks: MakeTasks, tmp_path: Path) -> None:
    task = only(make_tasks())
    (tmp_path / "shop.bundle").unlink()
    with pytest.raises(WorkspaceError, match="cannot be checked out"):
        measure_task(LOCATE, task, fake(tmp_path), 60)


def test_files_of_others_and_files_with_the_same_tasks_are_refused(make_tasks: MakeTasks) -> None:
    with pytest.raises(UsageError, match="hold the same task"):
        read_tasks([make_tasks(), make_tasks("again")])
    with pytest.raises(UsageError, match="has no operator"):
        read_tasks([make_tasks(operator=None)])


def test_digest_depends_on_what_is_measured(make_tasks: MakeTasks) -> None:
    digest = only(make_tasks()).digest
    assert only(make_tasks(difficulty={"rank": 1})).digest == digest
    assert only(make_tasks(id="owner__shop.plant.12345678", repo="owner/shop")).digest == digest
    assert only(make_tasks(problem_statement="Another text")).digest != digest


def version(name: str = "aaaaaaaa", date: str = "2026-01-01T00:00:00+00:00", *command: str) -> self.Version:
    return self.Version(name, date, command)


def test_recorded_results_are_not_measured_again(make_tasks: MakeTasks) -> None:
    jobs = self.choose_jobs([only(make_tasks())], 0)
    key = {"version": "aaaaaaaa", "what": LOCATE, "task": jobs[0].task.digest, "limit": 60}
    row = {**key, "outcome": "done", "file": 1, "function": None, "cpu": 2.0}
    others = [
        row | {"outcome": "failed"},
        row,
        row | {"version": "bbbbbbbb", "file": 9},
        row | {"limit": 30, "file": 8},
    ]
    file = self.measured_file(jobs[0].task)
    file.write_text("".join(json.dumps(one) + "\n" for one in others) + '{"version": "aa')  # interrupted
    assert self.measure(jobs, version(), 60, 1, print) == [row]
    assert len(file.read_text().splitlines()) == 4


@pytest.mark.slow
def test_failed_result_is_tried_again(make_tasks: MakeTasks, tmp_path: Path) -> None:
    file = make_tasks()
    jobs = self.choose_jobs(read_tasks([file]), 0)
    said: list[str] = []
    for locate, outcome in (("no JSON", "failed"), (PLACES, "done"), ("not called", "done")):
        tried = version("aaaaaaaa", "2026", *fake(tmp_path, locate=locate))
        [row] = self.measure(jobs, tried, 60, 2, said.append)
        assert row["outcome"] == outcome
    assert len(calls(tmp_path)) == len(said) == 2
    assert row["function"] == 3
    assert len(self.measured_file(jobs[0].task).read_text().splitlines()) == 2


@pytest.mark.slow
def test_interrupt_ends_the_commands_and_says_how_to_continue(make_tasks: MakeTasks, tmp_path: Path) -> None:
    words = [str(make_tasks()), "--fix=0", "--version=HEAD", f"--swe-agent={shlex.join(fake(tmp_path, sleep=3600))}"]
    running = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.self", *words],
        cwd=self.ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not calls(tmp_path):
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130
    assert "Run the same command again" in said
    assert not Path(calls(tmp_path)[0][1]).exists()


def row_of(what: str, outcome: str, **more: object) -> dict[str, Any]:
    empty = {"file": None, "function": None} if what == LOCATE else {"verified": False}
    return {"what": what, "outcome": outcome, "cpu": 2.0, **empty, **more}


def measured(make_tasks: MakeTasks) -> tuple[list[self.Job], list[dict[str, Any]]]:
    files = [
        make_tasks("a", "local__a.plant.1"),
        make_tasks("b", "local__b.mutate.1", kind="mutate", operator="simple_change"),
        make_tasks("c", "local__c.plant.2", operator="dropped_guard"),
    ]
    rows = [
        row_of(LOCATE, "done", file=1, function=5),
        row_of(LOCATE, "done", file=2, function=1, cpu=5.0),
        row_of(LOCATE, "out of time"),
        row_of(FIX, "right", verified=True),
        row_of(FIX, "wrong", verified=True, cpu=64.0),
        row_of(FIX, "no patch"),
    ]
    return self.choose_jobs(read_tasks(files)), rows


def test_figures_count_all_tasks_kinds_and_operators(make_tasks: MakeTasks) -> None:
    line = self.history_line(version(), *measured(make_tasks), 60)
    located, fixed = line["all"][LOCATE], line["all"][FIX]
    assert {name: located[f"{name}@{k}"] for name in ("file", "function") for k in (1,)} == {"file": 1, "function": 1}
    assert (located["tasks"], located["function@5"], located["out of time"], located["cpu"]) == (3, 2, 1, 3.0)
    assert (fixed["tasks"], fixed["right"], fixed["wrong"], fixed["no patch"]) == (3, 1, 1, 1)
    assert (fixed["right_verified"], fixed["wrong_verified"], fixed["cpu"]) == (1, 1, 22.67)
    assert line["kinds"]["plant"][FIX]["tasks"] == 2
    assert line["kinds"]["mutate"][FIX]["wrong_verified"] == 1
    assert list(line["operators"]) == ["mutate simple_change", "plant dropped_guard", "plant swapped_arguments"]


def test_no_figures_if_every_command_failed(make_tasks: MakeTasks) -> None:
    jobs, rows = measured(make_tasks)
    failed = [row | {"outcome": "failed", "why": "exit code 1: No module"} for row in rows]
    with pytest.raises(WorkspaceError, match="No module"):
        self.history_line(version(), jobs, failed, 60)


def test_fix_can_be_limited_to_some_tasks_of_each_kind(make_tasks: MakeTasks) -> None:
    tasks = [only(make_tasks("a")), only(make_tasks("b", "local__b.plant.1"))]
    tasks.insert(1, Task(tasks[0].file, tasks[0].instance, tasks[0].gold))
    tasks.append(only(make_tasks("c", "local__c.mutate.1", kind="mutate")))
    first, second, other, mutant = (self.Job(FIX, task) for task in tasks)
    located = [self.Job(LOCATE, task) for task in tasks]
    assert self.choose_jobs(tasks, 1) == [*located, first, mutant]
    assert self.choose_jobs(tasks, 2) == [*located, first, other, mutant]
    assert self.choose_jobs(tasks) == [*located, first, other, mutant, second]


def test_history_has_one_line_for_each_version_and_set_of_tasks(make_tasks: MakeTasks, tmp_path: Path) -> None:
    jobs, rows = measured(make_tasks)
    file = tmp_path / "history.jsonl"
    late = self.history_line(version("bbbbbbbb", "2026-02-01T00:00:00+00:00"), jobs, rows, 60)
    early = self.history_line(version(), jobs, rows, 60)
    fewer = self.history_line(version(), jobs[:3], rows[:3], 60)
    sooner = self.history_line(version(), jobs, rows, 30)
    assert len({line["tasks"] for line in (early, fewer, sooner)}) == 3
    for line in (late, early, fewer, late | {"date": "2026-03-01T00:00:00+00:00"}):
        lines = self.add_line(file, line)
    mine = [line for line in lines if line["tasks"] == late["tasks"]]
    assert [(line["version"], line["date"][:7]) for line in mine] == [("aaaaaaaa", "2026-01"), ("bbbbbbbb", "2026-03")]
    assert len(lines) == 3
    assert self.read_history(file) == lines


def test_broken_history_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text("{}\nx\n{}\n")
    with pytest.raises(UsageError, match=r"Line 2 of .* is not JSON"):
        self.read_history(tmp_path / "history.jsonl")


def test_plot_has_only_lines_of_the_same_tasks(
    make_tasks: MakeTasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs, rows = measured(make_tasks)
    history, plot = tmp_path / "history.jsonl", tmp_path / "plot.svg"
    self.add_line(history, self.history_line(version("bbbbbbbb"), jobs, rows, self.SECONDS))
    self.add_line(history, self.history_line(version("cccccccc"), jobs, rows, 60))
    monkeypatch.setattr(self, "measure", lambda *_: rows)
    files = [str(job.task.file) for job in jobs[:3]]
    assert self.main([*files, "--out", str(history), "--plot", str(plot)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(self.read_history(history)) == 3
    text = plot.read_text()
    assert "bbbbbbbb" in text
    assert shown["version"] in text
    assert "cccccccc" not in text


def test_chart_shows_shares_and_cpu_seconds(make_tasks: MakeTasks) -> None:
    jobs, rows = measured(make_tasks)
    late = self.history_line(version("bb<b", "2026-02-01T00:00:00+00:00"), jobs, rows, 60)
    early = self.history_line(version(), jobs, [*rows[:3], *rows[5:] * 3], 60)
    found = chart([late, early])
    ET.fromstring(found)
    assert "Versions aaaaaaaa, bb&lt;b: function located @1 33.33, 33.33; function located @5 66.67, 66.67; " in found
    assert "repaired 0, 33.33; wrong but plausible 0, 33.33; locate 3, 3; fix 2, 22.67<" in found
    assert found.index("2026-01-01") < found.index("2026-02-01")
    alone = chart([self.history_line(version(), jobs[:3], rows[:3], 60)])
    ET.fromstring(alone)
    assert "repaired -" in alone


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--version", "HEAD"], "--swe-agent and --version belong together"),
        (["--swe-agent", "x"], "--swe-agent and --version belong together"),
        (["--swe-agent", "x", "--version", "no-such"], "There is no revision 'no-such'"),
    ],
)
def test_wrong_options_are_one_sentence(capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert self.main(["tasks.jsonl", *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_this_checkout_repairs_a_task(
    make_tasks: MakeTasks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history, plot = tmp_path / "history.jsonl", tmp_path / "plot.svg"
    assert self.main([str(make_tasks()), "--out", str(history), "--plot", str(plot)]) == 0, capsys.readouterr()
    [line] = self.read_history(history)
    located, fixed = line["all"][LOCATE], line["all"][FIX]
    assert (located["tasks"], located["file@1"], located["function@1"]) == (1, 1, 1)
    assert (fixed["tasks"], fixed["right"], fixed["wrong_verified"]) == (1, 1, 0)
    assert min(fixed["cpu"], located["cpu"]) > 0.1
    ET.fromstring(plot.read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tasks_are_those_that_synth_writes(make_repo: MakeRepo, tmp_path: Path) -> None:
    shop = "def price(count, each):\n    if count < 0:\n        return 0\n    return count * each\n"
    checks = ("price(-2, 3) == 0", "price(2, 3) == 6", "price(1, 5) == 5", "1")
    tests = [f"def test_{place}():\n    assert {check}\n" for place, check in enumerate(checks)]
    repo = make_repo({"shop.py": shop, "test_shop.py": "\n\n".join(["from shop import price\n", *tests])})
    file, history = tmp_path / "tasks.jsonl", tmp_path / "history.jsonl"
    test = f"{shlex.quote(sys.executable)} -m pytest -q"
    options = {"count": 1, "kinds": "plant", "workspace": "local", "test": test, "plain": True}
    assert synth.command(str(repo), file, **options) == 0
    assert self.main([str(file), "--fix", "0", "--out", str(history)]) == 0
    [line] = self.read_history(history)
    assert (line["all"][LOCATE]["tasks"], line["all"][LOCATE]["file@1"], line["all"][FIX]["tasks"]) == (1, 1, 0)
