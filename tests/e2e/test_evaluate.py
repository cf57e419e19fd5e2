"""`swe-agent evaluate`, as a user starts it, on a repository with a bug and hidden tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, Machine, write

pytestmark = pytest.mark.timeout(300)

TESTS = (
    "import unittest\n\nfrom calc.core import add\n\n\nclass CoreTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n\n"
    "    def test_none(self):\n        self.assertEqual(add(0, 0), 0)\n"
)
WAITING = "\n    def test_waiting(self):\n        self.assertEqual(open({fifo!r}).read(), 'go on')\n"
FICKLE = (
    "\n    def test_fickle(self):\n        with open({file!r}, 'a+') as file:\n            file.write('x')\n"
    "            file.seek(0)\n            self.assertEqual(len(file.read()) % 2, 0)\n"
)
OFFICIAL = [  # swebench 4.1, harness/reporting.py
    "total_instances",
    "submitted_instances",
    "completed_instances",
    "resolved_instances",
    "unresolved_instances",
    "empty_patch_instances",
    "error_instances",
    "completed_ids",
    "incomplete_ids",
    "empty_patch_ids",
    "submitted_ids",
    "resolved_ids",
    "unresolved_ids",
    "error_ids",
    "schema_version",
    "unstopped_instances",
    "unstopped_containers",
    "unremoved_images",
]
OUTSIDE = "diff --git a/../evil b/../evil\nnew file mode 100644\n--- /dev/null\n+++ b/../evil\n@@ -0,0 +1 @@\n+evil\n"


@dataclass
class Judge:
    """A user with instances of one repository, and what was predicted for them."""

    machine: Machine
    repository: Path
    folder: Path

    def patch(self, **files: str) -> str:
        """The diff that makes these files so."""
        write(self.repository, files)
        git(self.repository, "add", "-A")
        found = git(self.repository, "diff", "--cached") + "\n"
        git(self.repository, "reset", "-q", "--hard")
        return found

    def solution(self, operator: str = "+") -> str:
        core = CALCULATOR["calc/core.py"].replace("a - b", f"a {operator} b")
        return self.patch(**{"calc/core.py": core})

    def instance(self, name: str, more: str = "", **values: object) -> dict[str, object]:
        passing = [
            f"tests/test_core.py::CoreTest::{test}" for test in ("test_none", "test_fickle") if test in TESTS + more
        ]
        row = {
            "instance_id": name,
            "repo": "acme/calc",
            "base_commit": git(self.repository, "rev-parse", "HEAD"),
            "problem_statement": "add() subtracts",
            "patch": self.solution(),
            "test_patch": self.patch(**{"tests/test_core.py": TESTS + more}),
            "FAIL_TO_PASS": json.dumps(["tests/test_core.py::CoreTest::test_add"]),
            "PASS_TO_PASS": json.dumps(passing),
        }
        return row | values

    def lines(self, name: str, rows: list[dict[str, object]]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def predicted(self, name: str, **patches: str | None) -> Path:
        rows = [
            {"instance_id": each.replace("_", "-"), "model_name_or_path": "us/one", "model_patch": patch}
            for each, patch in patches.items()
        ]
        return self.lines(name, rows)

    def words(self, instances: Path, predictions: object, *more: str) -> list[str]:
        given = [
            "--instances",
            str(instances),
            "--predictions",
            str(predictions),
            "--repos",
            str(self.folder / "repos"),
        ]
        return ["evaluate", *given, "--out", str(self.out), "--workers", "1", *more]

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def folder_of(self, name: str, run: str = "evaluate", model: str = "us__one") -> Path:
        return self.out / "logs" / "run_evaluation" / run / model / name


@pytest.fixture
def judge(machine: Machine, tmp_path: Path) -> Judge:
    repository = write(tmp_path / "repos" / "acme" / "calc", CALCULATOR)
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A calculator")
    return Judge(machine, repository, tmp_path)


@pytest.mark.slow
def test_right_wrong_empty_missing_and_refused_are_told_apart(judge: Judge) -> None:
    names = ["c-right", "c-wrong", "c-empty", "c-missing", "c-refused"]
    instances = judge.lines("instances.jsonl", [judge.instance(name) for name in names])
    solution = judge.solution()
    wrong = judge.solution("*")
    predictions = judge.predicted(
        "all_preds.jsonl", c_right=solution, c_wrong=wrong, c_empty=None, c_refused=OUTSIDE, c_strange=solution
    )
    words = judge.words(instances, predictions, "--repeats", "1")
    told = judge.machine.json(*words)
    assert told["returncode"] == 0, told
    (run,) = told["runs"]
    assert run["resolved"] == ["c-right"]
    assert run["unresolved"] == ["c-wrong"]
    assert run["empty"] == ["c-empty"]
    assert run["missing"] == ["c-missing"]
    assert run["errors"] == ["c-refused"]
    assert (told["resolved"], told["total"], told["rate"]) == (1, 5, 0.2)
    assert told["interval"][0] < 0.2 < told["interval"][1]
    assert told["repositories"]["acme/calc"]["total"] == 5
    assert "1 predictions of" in told["stderr"], "the one that is of no instance"
    assert not list(judge.folder.rglob("evil"))
    _is_as_the_harness_writes_it(judge)

    before = {path: path.stat().st_mtime_ns for path in judge.out.rglob("graded.json")}
    again = judge.machine.run(*words)
    assert again.returncode == 0
    assert "3 of 3 predictions are already graded." in again.stderr
    assert {path: path.stat().st_mtime_ns for path in judge.out.rglob("graded.json")} == before
    for said in ("20.0%", "acme/calc", "c-missing", "c-refused"):
        assert said in again.stdout


def _is_as_the_harness_writes_it(judge: Judge) -> None:
    report = json.loads((judge.out / "us__one.evaluate.json").read_text())
    assert list(report) == OFFICIAL
    assert report["schema_version"] == 2
    assert report["error_ids"] == ["c-refused"]
    assert report["incomplete_ids"] == ["c-missing"]
    assert report["completed_ids"] == ["c-right", "c-wrong"]
    kept = {path.name for path in judge.folder_of("c-right").iterdir()}
    assert kept >= {"report.json", "test_output.txt", "patch.diff", "eval.sh", "run_instance.log"}
    one = json.loads((judge.folder_of("c-wrong") / "report.json").read_text())["c-wrong"]
    assert one["resolved"] is False
    assert one["patch_successfully_applied"] is True
    assert one["tests_status"]["FAIL_TO_PASS"]["failure"] == ["tests/test_core.py::CoreTest::test_add"]
    assert one["tests_status"]["PASS_TO_PASS"]["success"] == ["tests/test_core.py::CoreTest::test_none"]
    output = (judge.folder_of("c-wrong") / "test_output.txt").read_text()
    between = output.split(">>>>> Start Test Output")[1].split(">>>>> End Test Output")[0]
    assert "FAILED tests/test_core.py::CoreTest::test_add" in between
    assert "PASSED tests/test_core.py::CoreTest::test_none" in between
    assert not (judge.folder_of("c-refused") / "report.json").exists(), "there it is an error, too"


@pytest.mark.slow
def test_instances_that_tell_nothing_are_quarantined_once(judge: Judge) -> None:
    solved = judge.instance("c-solved", FAIL_TO_PASS=["tests/test_core.py::CoreTest::test_none"], PASS_TO_PASS=[])
    rows = [judge.instance("c-right"), judge.instance("c-broken", patch=judge.solution("*")), solved]
    instances = judge.lines("instances.jsonl", rows)
    right = judge.solution()
    predictions = judge.predicted("all_preds.jsonl", c_right=right, c_broken=right)
    words = judge.words(instances, predictions, "--gold", "--repeats", "1")
    told = judge.machine.json(*words)
    assert told["quarantined"] == {
        "c-broken": "its own patch fails tests/test_core.py::CoreTest::test_add",
        "c-solved": "its tests pass without any patch",
    }
    assert (told["resolved"], told["total"]) == (1, 1)
    report = json.loads((judge.out / "us__one.evaluate.json").read_text())
    assert list(report) == [*OFFICIAL, "quarantined_ids"]
    assert report["submitted_ids"] == ["c-right"]

    before = {path: path.stat().st_mtime_ns for path in judge.out.rglob("graded.json")}
    assert len(before) == 6, "five of gold and base, and one prediction"
    shown = judge.machine.run(*words).stdout
    assert {path: path.stat().st_mtime_ns for path in judge.out.rglob("graded.json")} == before
    assert "Quarantined, not counted: 2" in shown
    assert "c-broken: its own patch fails tests/test_core.py::CoreTest::test_add" in shown


@pytest.mark.slow
def test_changed_prediction_is_graded_anew(judge: Judge) -> None:
    instances = judge.lines("instances.jsonl", [judge.instance("c-1")])
    first = judge.words(instances, judge.predicted("preds.jsonl", c_1=judge.solution("*")), "--repeats", "1")
    assert judge.machine.json(*first)["resolved"] == 0
    judge.predicted("preds.jsonl", c_1=judge.solution())
    assert judge.machine.json(*first)["resolved"] == 1


@pytest.mark.slow
def test_test_that_flips_with_gold_too_is_named_and_not_counted(judge: Judge) -> None:
    fickle = FICKLE.format(file=str(judge.folder / "times"))
    instances = judge.lines("instances.jsonl", [judge.instance("c-1", fickle)])
    told = judge.machine.json(*judge.words(instances, "gold"))
    test = "tests/test_core.py::CoreTest::test_fickle"
    assert told["runs"][0]["flaky"] == {"c-1": [test]}
    assert told["resolved"] == 1
    report = json.loads((judge.folder_of("c-1", model="gold") / "report.json").read_text())["c-1"]
    assert report["tests_status"]["PASS_TO_PASS"]["failure"] == []
    assert report["resolved"] is True
    assert test in (judge.folder_of("c-1", model="gold") / "run_instance.log").read_text()


@pytest.mark.slow
def test_batch_with_repeats_is_compared_with_another(judge: Judge) -> None:
    instances = judge.lines("instances.jsonl", [judge.instance(name) for name in ("c-1", "c-2")])
    right, wrong = judge.solution(), judge.solution("*")
    judge.predicted("batch/all_preds.jsonl", c_1=right, c_2=wrong)
    judge.predicted("batch/repeat-2/all_preds.jsonl", c_1=right, c_2=right)
    judge.lines("batch/results.jsonl", [{"instance": name, "dollars": 0.5} for name in ("c-1", "c-2")] * 2)
    judge.predicted("other/all_preds.jsonl", c_1=wrong, c_2=wrong)
    judge.lines("other/results.jsonl", [{"instance": name, "dollars": 0.25} for name in ("c-1", "c-2")])
    other = judge.folder / "other"
    words = judge.words(instances, judge.folder / "batch", "--repeats", "1", "--compare", str(other))
    told = judge.machine.json(*words)
    assert told["rate"] == 0.75
    assert told["repeats"] == {"rates": [0.5, 1.0], "mean": 0.75, "variance": 0.125, "pass_at": {"1": 0.75, "2": 1.0}}
    assert [run["run_id"] for run in told["runs"]] == ["evaluate", "evaluate.2"]
    compared = told["comparison"]
    assert (compared["instances"], compared["b"], compared["c"], compared["p"]) == (2, 0, 1, 1.0)
    assert compared["only_second"] == ["c-1"]
    assert compared["means"] == 0.75
    assert compared["costs"]["difference"] == 0.25
    assert (judge.out / "us__one.evaluate.2.json").exists()
    shown = judge.machine.run(*words[:-1], str(judge.out / "us__one.evaluate.other.json")).stdout
    assert "only these 1, only those 0" in shown
    assert "pass@2 100.0%" in shown


@pytest.fixture
def halted(judge: Judge) -> Iterator[tuple[Judge, list[str], subprocess.Popen[str]]]:
    """An evaluation whose first instance is graded, while the tests of the second one wait."""
    fifo = judge.folder / "fifo"
    os.mkfifo(fifo)
    rows = [judge.instance("c-1"), judge.instance("c-2", WAITING.format(fifo=str(fifo)))]
    words = judge.words(judge.lines("instances.jsonl", rows), "gold", "--repeats", "1")
    with (
        subprocess.Popen(
            judge.machine.command(*words),
            env=judge.machine.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # ignored in the background
        ) as process,
        fifo.open("w"),  # waits until the test reads
    ):
        fifo.unlink()
        fifo.write_text("go on")
        yield judge, words, process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_evaluation_goes_on(
    halted: tuple[Judge, list[str], subprocess.Popen[str]], number: signal.Signals
) -> None:
    judge, words, process = halted
    process.send_signal(number)
    _, said = process.communicate(timeout=200)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 130
        assert "Start it again with the same --out to continue." in said
        assert "Traceback" not in said
    assert (judge.folder_of("c-1", model="gold") / "graded.json").exists()
    assert not (judge.folder_of("c-2", model="gold") / "graded.json").exists()
    again = judge.machine.json(*words)
    assert again["resolved"] == 2
    assert "1 of 2 predictions are already graded." in again["stderr"]


@pytest.mark.slow
def test_two_at_time_in_one_folder_are_one_too_many(
    halted: tuple[Judge, list[str], subprocess.Popen[str]],
) -> None:
    judge, words, _ = halted
    second = judge.machine.run(*words)
    assert second.returncode == 75
    assert "Another process is evaluating in" in second.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("preds.jsonl", '{"instance_id": "c-1", "model_patch": ""}\nrubbish\n', "is not JSON"),
        ("preds.json", '{"c-1": 3}', "is not an object"),
        ("preds.jsonl", '{"instance_id": 3, "model_patch": ""}\n', "has no instance_id"),
        ("preds.jsonl", '{"instance_id": "c-1", "model_patch": 3}\n', "must be text"),
        ("preds.jsonl", '{"instance_id": "c-9", "model_patch": ""}\n', "No prediction of"),
        (
            "preds.jsonl",
            '{"instance_id": "c-1", "model_patch": "x"}\n' * 2 + '{"instance_id": "c-1", "model_patch": ""}\n',
            "two predictions",
        ),
        ("preds.jsonl", "", "holds no predictions"),
        ("preds.jsonl", '{"instance_id": "c-1", "patch": "x"}\n', "has no model_patch"),
        ("folder/other", "", "There is neither"),
        ("", "", "There are no predictions in"),
    ],
)
def test_predictions_that_are_none_are_one_clear_sentence(judge: Judge, name: str, content: str, said: str) -> None:
    instances = judge.lines("instances.jsonl", [judge.instance("c-1")])
    path = judge.folder / name if name else judge.folder / "nowhere"
    if name:
        write(judge.folder, {name: content})
    ran = judge.machine.run(*judge.words(instances, path.parent if "folder" in name else path))
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--run-id", "../x"], "cannot name a folder"),
        (["--run-id", "gold"], "Choose another name"),
        (["--filter", "nothing"], "None of"),
        (["--repeats", "0"], "greater than or equal to 1"),
        (["--out", "/dev/null"], "is not a folder"),
    ],
)
def test_bad_flags_are_one_clear_sentence(judge: Judge, more: list[str], said: str) -> None:
    instances = judge.lines("instances.jsonl", [judge.instance("c-1")])
    ran = judge.machine.run(*judge.words(instances, "gold", *more))
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_comparison_with_what_shares_no_instance_is_one_clear_sentence(judge: Judge) -> None:
    instances = judge.lines("instances.jsonl", [judge.instance("c-1")])
    (judge.folder / "report.json").write_text('{"resolved_ids": ["x"], "submitted_ids": ["x", "y"]}')
    ran = judge.machine.run(*judge.words(instances, "gold", "--compare", str(judge.folder / "report.json")))
    assert ran.returncode == 2
    assert "shares no instance" in ran.stderr
    (judge.folder / "report.json").write_text("[" * 200_000)
    ran = judge.machine.run(*judge.words(instances, "gold", "--compare", str(judge.folder / "report.json")))
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_base_that_moves_is_graded_anew(judge: Judge) -> None:
    row = judge.instance("c-1", base_commit="")
    words = judge.words(judge.lines("instances.jsonl", [row]), "gold", "--repeats", "1")
    assert judge.machine.json(*words)["resolved"] == 1
    write(judge.repository, {"calc/core.py": "def add(a, b):\n    return 5\n"})
    git(judge.repository, "commit", "-qam", "Another base")
    told = judge.machine.json(*words)
    assert told["runs"][0]["errors"] == ["c-1"], "its patch does not apply there"


@pytest.mark.slow
def test_without_patch_of_its_own_instance_is_judged_and_without_tests_it_is_named(judge: Judge) -> None:
    unsolved = {name: value for name, value in judge.instance("c-1").items() if name != "patch"}
    bare = {name: unsolved[name] for name in ("repo", "base_commit", "problem_statement")}
    instances = judge.lines("instances.jsonl", [unsolved, bare | {"instance_id": "c-2"}])
    predictions = judge.predicted("preds.jsonl", c_1=judge.solution())
    told = judge.machine.json(*judge.words(instances, predictions))
    assert (told["resolved"], told["total"]) == (1, 1)
    assert "1 of 2 instances are left out, because their rows have no tests: c-2." in told["stderr"]


def test_instances_without_tests_cannot_be_evaluated(judge: Judge) -> None:
    row = judge.instance("c-1")
    solvable = {name: row[name] for name in ("instance_id", "repo", "base_commit", "problem_statement")}
    ran = judge.machine.run(*judge.words(judge.lines("instances.jsonl", [solvable]), "gold"))
    assert ran.returncode == 2
    assert "have no tests to judge instances by" in ran.stderr


@pytest.mark.slow
def test_without_workspace_nothing_is_judged(judge: Judge) -> None:
    judge.machine.workspace = "docker"
    judge.machine.extra["DOCKER_HOST"] = "unix:///nonexistent.sock"
    instances = judge.lines("instances.jsonl", [judge.instance("c-1")])
    ran = judge.machine.run(*judge.words(instances, "gold"))
    assert ran.returncode == 5, ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_instance_that_cannot_be_had_has_no_verdict_and_others_have(judge: Judge) -> None:
    rows = [judge.instance("c-1"), judge.instance("c-2", base_commit="0" * 40)]
    told = judge.machine.json(*judge.words(judge.lines("instances.jsonl", rows), "gold"))
    assert told["returncode"] == 0
    assert told["runs"][0]["resolved"] == ["c-1"]
    assert told["runs"][0]["errors"] == ["c-2"]


@pytest.mark.slow
@pytest.mark.docker
def test_in_containers_it_is_same(judge: Judge) -> None:
    judge.machine.workspace = "docker"
    instances = judge.lines("instances.jsonl", [judge.instance("c-1"), judge.instance("c-2")])
    predictions = judge.predicted("preds.jsonl", c_1=judge.solution(), c_2=judge.solution("*"))
    told = judge.machine.json(*judge.words(instances, predictions, "--repeats", "1"))
    assert told["runs"][0]["resolved"] == ["c-1"]
    assert told["runs"][0]["unresolved"] == ["c-2"]
