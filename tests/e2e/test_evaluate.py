"""`swe-agent evaluate` as a process, on a repository with a bug and hidden tests."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
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
FLAKY = (
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
class Evaluation:
    """A user with instances of one repository, and predictions for them."""

    machine: Machine
    repository: Path
    folder: Path

    def patch(self, **files: str) -> str:
        """The diff that changes these files to this content."""
        write(self.repository, files)
        git(self.repository, "add", "-A")
        patch = git(self.repository, "diff", "--cached") + "\n"
        git(self.repository, "reset", "-q", "--hard")
        return patch

    def solution(self, operator: str = "+") -> str:
        core = CALCULATOR["calc/core.py"].replace("a - b", f"a {operator} b")
        return self.patch(**{"calc/core.py": core})

    def instance(self, name: str, tests_added: str = "", **values: object) -> dict[str, object]:
        passing = [
            f"tests/test_core.py::CoreTest::{test}"
            for test in ("test_none", "test_fickle")
            if test in TESTS + tests_added
        ]
        row = {
            "instance_id": name,
            "repo": "acme/calc",
            "base_commit": git(self.repository, "rev-parse", "HEAD"),
            "problem_statement": "add() subtracts",
            "patch": self.solution(),
            "test_patch": self.patch(**{"tests/test_core.py": TESTS + tests_added}),
            "FAIL_TO_PASS": json.dumps(["tests/test_core.py::CoreTest::test_add"]),
            "PASS_TO_PASS": json.dumps(passing),
        }
        return row | values

    def write_rows(self, name: str, rows: list[dict[str, object]]) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def write_predictions(self, name: str, **patches: str | None) -> Path:
        rows = [
            {"instance_id": each.replace("_", "-"), "model_name_or_path": "us/one", "model_patch": patch}
            for each, patch in patches.items()
        ]
        return self.write_rows(name, rows)

    def arguments(self, instances: Path, predictions: object, *more: str) -> list[str]:
        inputs = [
            "--instances",
            str(instances),
            "--predictions",
            str(predictions),
            "--repos",
            str(self.folder / "repos"),
        ]
        return ["evaluate", *inputs, "--out", str(self.out), "--workers", "1", *more]

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def folder_of(self, name: str, run: str = "evaluate", model: str = "us__one") -> Path:
        return self.out / "logs" / "run_evaluation" / run / model / name


@pytest.fixture
def evaluation(machine: Machine, tmp_path: Path) -> Evaluation:
    repository = write(tmp_path / "repos" / "acme" / "calc", CALCULATOR)
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A calculator")
    return Evaluation(machine, repository, tmp_path)


@pytest.mark.slow
def test_each_outcome_of_prediction_is_reported(evaluation: Evaluation) -> None:
    names = ["c-right", "c-wrong", "c-empty", "c-missing", "c-refused"]
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance(name) for name in names])
    solution = evaluation.solution()
    wrong = evaluation.solution("*")
    predictions = evaluation.write_predictions(
        "all_preds.jsonl", c_right=solution, c_wrong=wrong, c_empty=None, c_refused=OUTSIDE, c_strange=solution
    )
    arguments = evaluation.arguments(instances, predictions, "--repeats", "1")
    result = evaluation.machine.json(*arguments)
    assert result["returncode"] == 0, result
    (run,) = result["runs"]
    assert run["resolved"] == ["c-right"]
    assert run["unresolved"] == ["c-wrong"]
    assert run["empty"] == ["c-empty"]
    assert run["missing"] == ["c-missing"]
    assert run["errors"] == ["c-refused"]
    assert (result["resolved"], result["total"], result["rate"]) == (1, 5, 0.2)
    assert result["interval"][0] < 0.2 < result["interval"][1]
    assert result["repositories"]["acme/calc"]["total"] == 5
    assert "1 predictions of" in result["stderr"], "the prediction without an instance"
    assert not list(evaluation.folder.rglob("evil"))
    _check_official_report(evaluation)

    before = {path: path.stat().st_mtime_ns for path in evaluation.out.rglob("graded.json")}
    second = evaluation.machine.run(*arguments)
    assert second.returncode == 0
    assert "3 of 3 predictions are already graded." in second.stderr
    assert {path: path.stat().st_mtime_ns for path in evaluation.out.rglob("graded.json")} == before
    for message in ("20.0%", "acme/calc", "c-missing", "c-refused"):
        assert message in second.stdout


def _check_official_report(evaluation: Evaluation) -> None:
    report = json.loads((evaluation.out / "us__one.evaluate.json").read_text())
    assert list(report) == [*OFFICIAL, "workspace"], "these grades do not come from an image"
    assert report["schema_version"] == 2
    assert report["error_ids"] == ["c-refused"]
    assert report["incomplete_ids"] == ["c-missing"]
    assert report["completed_ids"] == ["c-right", "c-wrong"]
    files = {path.name for path in evaluation.folder_of("c-right").iterdir()}
    assert files >= {"report.json", "test_output.txt", "patch.diff", "eval.sh", "run_instance.log"}
    report = json.loads((evaluation.folder_of("c-wrong") / "report.json").read_text())["c-wrong"]
    assert report["resolved"] is False
    assert report["patch_successfully_applied"] is True
    assert report["tests_status"]["FAIL_TO_PASS"]["failure"] == ["tests/test_core.py::CoreTest::test_add"]
    assert report["tests_status"]["PASS_TO_PASS"]["success"] == ["tests/test_core.py::CoreTest::test_none"]
    output = (evaluation.folder_of("c-wrong") / "test_output.txt").read_text()
    between = output.split(">>>>> Start Test Output")[1].split(">>>>> End Test Output")[0]
    assert "FAILED tests/test_core.py::CoreTest::test_add" in between
    assert "PASSED tests/test_core.py::CoreTest::test_none" in between
    assert not (evaluation.folder_of("c-refused") / "report.json").exists(), "it is an error"


@pytest.mark.slow
def test_useless_instances_are_quarantined(evaluation: Evaluation) -> None:
    solved = evaluation.instance("c-solved", FAIL_TO_PASS=["tests/test_core.py::CoreTest::test_none"], PASS_TO_PASS=[])
    rows = [evaluation.instance("c-right"), evaluation.instance("c-broken", patch=evaluation.solution("*")), solved]
    instances = evaluation.write_rows("instances.jsonl", rows)
    right = evaluation.solution()
    predictions = evaluation.write_predictions("all_preds.jsonl", c_right=right, c_broken=right)
    arguments = evaluation.arguments(instances, predictions, "--gold", "--repeats", "1")
    result = evaluation.machine.json(*arguments)
    assert result["quarantined"] == {
        "c-broken": "its own patch fails tests/test_core.py::CoreTest::test_add",
        "c-solved": "its tests pass without any patch",
    }
    assert (result["resolved"], result["total"]) == (1, 1)
    report = json.loads((evaluation.out / "us__one.evaluate.json").read_text())
    assert list(report) == [*OFFICIAL, "quarantined_ids", "workspace"]
    assert report["submitted_ids"] == ["c-right"]

    before = {path: path.stat().st_mtime_ns for path in evaluation.out.rglob("graded.json")}
    assert len(before) == 6, "five of gold and base, and one prediction"
    output = evaluation.machine.run(*arguments).stdout
    assert {path: path.stat().st_mtime_ns for path in evaluation.out.rglob("graded.json")} == before
    assert "Quarantined, not counted: 2" in output
    assert "c-broken: its own patch fails tests/test_core.py::CoreTest::test_add" in output


@pytest.mark.slow
def test_changed_prediction_is_graded_again(evaluation: Evaluation) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1")])
    first = evaluation.arguments(
        instances, evaluation.write_predictions("preds.jsonl", c_1=evaluation.solution("*")), "--repeats", "1"
    )
    assert evaluation.machine.json(*first)["resolved"] == 0
    evaluation.write_predictions("preds.jsonl", c_1=evaluation.solution())
    assert evaluation.machine.json(*first)["resolved"] == 1


@pytest.mark.slow
def test_flaky_test_is_reported_and_not_counted(evaluation: Evaluation) -> None:
    fickle = FLAKY.format(file=str(evaluation.folder / "times"))
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1", fickle)])
    result = evaluation.machine.json(*evaluation.arguments(instances, "gold"))
    test = "tests/test_core.py::CoreTest::test_fickle"
    assert result["runs"][0]["flaky"] == {"c-1": [test]}
    assert result["resolved"] == 1
    report = json.loads((evaluation.folder_of("c-1", model="gold") / "report.json").read_text())["c-1"]
    assert report["tests_status"]["PASS_TO_PASS"]["failure"] == []
    assert report["resolved"] is True
    assert test in (evaluation.folder_of("c-1", model="gold") / "run_instance.log").read_text()


@pytest.mark.slow
def test_batch_with_repeats_is_compared_with_other_batch(evaluation: Evaluation) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance(name) for name in ("c-1", "c-2")])
    right, wrong = evaluation.solution(), evaluation.solution("*")
    evaluation.write_predictions("batch/all_preds.jsonl", c_1=right, c_2=wrong)
    evaluation.write_predictions("batch/repeat-2/all_preds.jsonl", c_1=right, c_2=right)
    evaluation.write_rows("batch/results.jsonl", [{"instance": name, "dollars": 0.5} for name in ("c-1", "c-2")] * 2)
    evaluation.write_predictions("other/all_preds.jsonl", c_1=wrong, c_2=wrong)
    evaluation.write_rows("other/results.jsonl", [{"instance": name, "dollars": 0.25} for name in ("c-1", "c-2")])
    other = evaluation.folder / "other"
    arguments = evaluation.arguments(instances, evaluation.folder / "batch", "--repeats", "1", "--compare", str(other))
    result = evaluation.machine.json(*arguments)
    assert result["rate"] == 0.75
    assert result["repeats"] == {"rates": [0.5, 1.0], "mean": 0.75, "variance": 0.125, "pass_at": {"1": 0.75, "2": 1.0}}
    assert [run["run_id"] for run in result["runs"]] == ["evaluate", "evaluate.2"]
    comparison = result["comparison"]
    assert (comparison["instances"], comparison["b"], comparison["c"], comparison["p"]) == (2, 0, 1, 1.0)
    assert comparison["only_second"] == ["c-1"]
    assert comparison["means"] == 0.75
    assert comparison["costs"]["difference"] == 0.25
    assert (evaluation.out / "us__one.evaluate.2.json").exists()
    output = evaluation.machine.run(*arguments[:-1], str(evaluation.out / "us__one.evaluate.other.json")).stdout
    assert "only these 1, only those 0" in output
    assert "pass@2 100.0%" in output


@pytest.fixture
def halted(evaluation: Evaluation) -> Iterator[tuple[Evaluation, list[str], subprocess.Popen[str]]]:
    """An evaluation whose first instance is graded while the tests of the second one wait."""
    fifo = evaluation.folder / "fifo"
    os.mkfifo(fifo)
    rows = [evaluation.instance("c-1"), evaluation.instance("c-2", WAITING.format(fifo=str(fifo)))]
    arguments = evaluation.arguments(evaluation.write_rows("instances.jsonl", rows), "gold", "--repeats", "1")
    with (
        subprocess.Popen(
            evaluation.machine.command(*arguments),
            env=evaluation.machine.environment,
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
        yield evaluation, arguments, process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_evaluation_can_be_continued(
    halted: tuple[Evaluation, list[str], subprocess.Popen[str]], number: signal.Signals
) -> None:
    evaluation, arguments, process = halted
    process.send_signal(number)
    _, message = process.communicate(timeout=200)
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 130
        assert "Start it again with the same --out to continue." in message
        assert "Traceback" not in message
    assert (evaluation.folder_of("c-1", model="gold") / "graded.json").exists()
    assert not (evaluation.folder_of("c-2", model="gold") / "graded.json").exists()
    second = evaluation.machine.json(*arguments)
    assert second["resolved"] == 2
    assert "1 of 2 predictions are already graded." in second["stderr"]


@pytest.mark.slow
def test_concurrent_evaluation_in_same_folder_is_refused(
    halted: tuple[Evaluation, list[str], subprocess.Popen[str]],
) -> None:
    evaluation, arguments, _ = halted
    second = evaluation.machine.run(*arguments)
    assert second.returncode == 75
    assert "Another process is evaluating in" in second.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
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
        ("preds.jsonl", "", "contains no predictions"),
        ("preds.jsonl", '{"instance_id": "c-1", "patch": "x"}\n', "has no model_patch"),
        ("folder/other", "", "There is neither"),
        ("", "", "There are no predictions in"),
    ],
)
def test_bad_predictions_are_reported(evaluation: Evaluation, name: str, content: str, message: str) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1")])
    path = evaluation.folder / name if name else evaluation.folder / "nowhere"
    if name:
        write(evaluation.folder, {name: content})
    completed = evaluation.machine.run(*evaluation.arguments(instances, path.parent if "folder" in name else path))
    assert completed.returncode == 2, completed.stderr
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr
    assert completed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run-id", "../x"], "cannot name a folder"),
        (["--run-id", "gold"], "Choose another name"),
        (["--filter", "nothing"], "No instance of"),
        (["--repeats", "0"], "greater than or equal to 1"),
        (["--out", "/dev/null"], "is not a folder"),
    ],
)
def test_bad_flags_are_reported(evaluation: Evaluation, flags: list[str], message: str) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1")])
    completed = evaluation.machine.run(*evaluation.arguments(instances, "gold", *flags))
    assert completed.returncode == 2
    assert message in completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.slow
def test_comparison_without_common_instance_is_refused(evaluation: Evaluation) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1")])
    (evaluation.folder / "report.json").write_text('{"resolved_ids": ["x"], "submitted_ids": ["x", "y"]}')
    completed = evaluation.machine.run(
        *evaluation.arguments(instances, "gold", "--compare", str(evaluation.folder / "report.json"))
    )
    assert completed.returncode == 2
    assert "shares no instance" in completed.stderr
    (evaluation.folder / "report.json").write_text("[" * 200_000)
    completed = evaluation.machine.run(
        *evaluation.arguments(instances, "gold", "--compare", str(evaluation.folder / "report.json"))
    )
    assert completed.returncode == 2
    assert "Traceback" not in completed.stderr


@pytest.mark.slow
def test_instance_with_moved_base_is_graded_again(evaluation: Evaluation) -> None:
    row = evaluation.instance("c-1", base_commit="")
    arguments = evaluation.arguments(evaluation.write_rows("instances.jsonl", [row]), "gold", "--repeats", "1")
    assert evaluation.machine.json(*arguments)["resolved"] == 1
    write(evaluation.repository, {"calc/core.py": "def add(a, b):\n    return 5\n"})
    git(evaluation.repository, "commit", "-qam", "Another base")
    result = evaluation.machine.json(*arguments)
    assert result["runs"][0]["errors"] == ["c-1"], "its patch does not apply there"


@pytest.mark.slow
def test_instance_needs_tests_but_no_gold_patch(evaluation: Evaluation) -> None:
    unsolved = {name: value for name, value in evaluation.instance("c-1").items() if name != "patch"}
    bare = {name: unsolved[name] for name in ("repo", "base_commit", "problem_statement")}
    instances = evaluation.write_rows("instances.jsonl", [unsolved, bare | {"instance_id": "c-2"}])
    predictions = evaluation.write_predictions("preds.jsonl", c_1=evaluation.solution())
    result = evaluation.machine.json(*evaluation.arguments(instances, predictions))
    assert (result["resolved"], result["total"]) == (1, 1)
    assert "1 of 2 instances are left out, because their rows have no tests: c-2." in result["stderr"]


def test_instances_without_tests_cannot_be_evaluated(evaluation: Evaluation) -> None:
    row = evaluation.instance("c-1")
    solvable = {name: row[name] for name in ("instance_id", "repo", "base_commit", "problem_statement")}
    completed = evaluation.machine.run(
        *evaluation.arguments(evaluation.write_rows("instances.jsonl", [solvable]), "gold")
    )
    assert completed.returncode == 2
    assert "contain no tests for grading" in completed.stderr


@pytest.mark.slow
def test_evaluation_without_workspace_fails(evaluation: Evaluation) -> None:
    evaluation.machine.workspace = "docker"
    evaluation.machine.extra["DOCKER_HOST"] = "unix:///nonexistent.sock"
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1")])
    completed = evaluation.machine.run(*evaluation.arguments(instances, "gold"))
    assert completed.returncode == 5, completed.stderr
    assert "Traceback" not in completed.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["no-such-program", f"{shlex.quote(sys.executable)} -m no_such_module"])
def test_failed_environment_is_no_verdict(evaluation: Evaluation, command: str) -> None:
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance(name) for name in ("c-1", "c-2")])
    predictions = evaluation.write_predictions("p.jsonl", c_1=evaluation.solution(), c_2=evaluation.solution("*"))
    result = evaluation.machine.json(*evaluation.arguments(instances, predictions, "--test", command))
    assert result["returncode"] == 5
    assert (result["resolved"], result["total"], result["rate"], result["interval"]) == (0, 2, None, None)
    assert (result["no_verdict"], result["environment_failures"], result["workspace"]) == (2, 2, "local")
    assert result["runs"][0]["no_verdict"] == ["c-1", "c-2"]
    assert "No verdict for 2 predictions, because their environment failed." in result["stderr"]
    result = evaluation.machine.json(*evaluation.arguments(instances, predictions))
    assert (result["returncode"], result["rate"]) == (0, 0.5), "the evaluation cannot be continued"


@pytest.mark.slow
def test_instance_with_missing_commit_does_not_stop_others(evaluation: Evaluation) -> None:
    rows = [evaluation.instance("c-1"), evaluation.instance("c-2", base_commit="0" * 40)]
    result = evaluation.machine.json(*evaluation.arguments(evaluation.write_rows("instances.jsonl", rows), "gold"))
    assert result["returncode"] == 0
    assert result["runs"][0]["resolved"] == ["c-1"]
    assert result["runs"][0]["errors"] == ["c-2"]


@pytest.mark.slow
@pytest.mark.docker
def test_evaluation_in_containers_gives_same_result(evaluation: Evaluation) -> None:
    evaluation.machine.workspace = "docker"
    instances = evaluation.write_rows("instances.jsonl", [evaluation.instance("c-1"), evaluation.instance("c-2")])
    predictions = evaluation.write_predictions("preds.jsonl", c_1=evaluation.solution(), c_2=evaluation.solution("*"))
    result = evaluation.machine.json(*evaluation.arguments(instances, predictions, "--repeats", "1"))
    assert result["runs"][0]["resolved"] == ["c-1"]
    assert result["runs"][0]["unresolved"] == ["c-2"]
