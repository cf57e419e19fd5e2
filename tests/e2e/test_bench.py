"""`swe-agent bench` as a process: a scripted model, a file as data set, its hidden tests, and a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extensions.lab.instances.named_datasets import DATASETS
from tests.conftest import git
from tests.e2e.batch_setup import ADD_TEST, FIX
from tests.e2e.conftest import CALCULATOR, Machine, answer, call, write
from tests.extensions.lab.instances.dataset_hub import DatasetHub, serve_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HIDDEN = (
    "import unittest\n\nfrom calc.core import add\n\n\nclass HiddenTest(unittest.TestCase):\n"
    "    def test_add(self):\n        self.assertEqual(add(2, 3), {expected})\n"
)
TEST = "python3 -m unittest discover"


@pytest.fixture
def rows(machine: Machine, tmp_path: Path) -> Path:
    """Three instances of one repository; no patch passes the hidden test of the last one."""
    repository = write(tmp_path / "repos" / "acme" / "calc", CALCULATOR)
    git(repository, "init", "-q")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "A calculator")
    base, rows = git(repository, "rev-parse", "HEAD"), []
    for number, expected in enumerate((5, 5, 6)):
        write(repository, {"tests/test_hidden.py": HIDDEN.format(expected=expected)})
        git(repository, "add", "-A")
        rows.append(
            {
                "instance_id": f"acme__calc-{number}",
                "repo": "acme/calc",
                "base_commit": base,
                "problem_statement": f"add() subtracts\n\nadd(2, 3) gives -1. This is issue {number}.",
                "patch": "",
                "test_patch": git(repository, "diff", "--cached") + "\n",
                "FAIL_TO_PASS": json.dumps(["tests/test_hidden.py::HiddenTest::test_add"]),
                "PASS_TO_PASS": "[]",
            }
        )
        git(repository, "reset", "-q", "--hard")
    path = tmp_path / "sample.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_bench_solves_grades_and_writes_a_page(rows: Path, machine: Machine, tmp_path: Path) -> None:
    model = machine.script(answer("Both.", ADD_TEST, FIX, call("run_tests"), call("submit")))
    submission = tmp_path / "experiments" / "evaluation" / "verified" / "2026_theirs" / "results"
    submission.mkdir(parents=True)
    (submission / "results.json").write_text(json.dumps({"resolved": ["acme__calc-2", "acme__calc-0", "other"]}))
    arguments = [
        *("bench", "--model", model, "--set", str(rows), "--count", "3", "--total", "5", "--test", TEST),
        *("--repos", str(tmp_path / "repos"), "--out", str(tmp_path / "out"), "--workers", "1"),
        *("--published", str(tmp_path / "experiments" / "evaluation" / "verified")),
    ]
    result = machine.json(*arguments, timeout=280)
    assert result["returncode"] == 0, result
    assert (result["set"], result["instances"], result["run"], result["rated"]) == ("sample", 3, 3, 3)
    assert (result["resolved"], result["verified"]) == (2, 0)
    assert result["verdicts"]["plausible"] == {"right": 2, "wrong": 1, "not_graded": 0}
    assert result["published"] == [{"name": "2026_theirs", "resolved": 2}]
    assert result["dollars"] == pytest.approx(0.0006)
    page = (tmp_path / "out" / "bench.md").read_text()
    assert "| resolved | 2 of 3 |" in page
    assert "| plausible | 2 | 1 | 0 |" in page
    assert (tmp_path / "out" / "bench.html").read_text().count("<table>") == 4

    again = machine.run(*arguments)
    assert again.returncode == 0, again.stderr
    assert "2 of 3 graded instances are resolved (21% to 94%)" in again.stdout
    assert len((tmp_path / "out" / "results.jsonl").read_text().splitlines()) == 3, "no instance is solved twice"


def test_bench_grades_what_the_total_covers_and_continues(rows: Path, machine: Machine, tmp_path: Path) -> None:
    model = machine.script(answer("Done.", FIX, call("submit")))
    arguments = ["bench", "--model", model, "--set", str(rows), "--count", "3", "--test", TEST, "--workers", "1"]
    arguments += ["--repos", str(tmp_path / "repos")]
    first = machine.json(*arguments, "--total", "2", timeout=280)
    assert (first["returncode"], first["error"]["code"], first["run"], first["rated"]) == (4, 4, 1, 1), first
    assert Path(first["out"]).parent == machine.home, "the folder is named after the options"
    page = Path(first["out"], "bench.md").read_text()
    assert "2 of them were not run, and are in no figure." in page
    assert "The batch ended early: The total is used up" in page
    second = machine.json(*arguments, "--total", "6", timeout=280)
    assert (second["returncode"], second["run"], second["out"]) == (0, 3, first["out"]), second


def test_named_set_is_fetched_from_the_hub(rows: Path, machine: Machine, tmp_path: Path) -> None:
    content = rows.read_bytes()
    with serve_dataset(DatasetHub(DATASETS["rebench"], content, content)) as hub:
        machine.extra |= {"HF_ENDPOINT": hub.endpoint, "HF_TOKEN": "hf_secret"}
        model = machine.script(answer("Look.", call("shell", command="env")), answer("Done.", FIX, call("submit")))
        arguments = ["batch", "--model", model, "--instances", "rebench", "--test", TEST, "--slice", ":1"]
        arguments += ["--repos", str(tmp_path / "repos"), "--out", str(tmp_path / "out")]
        result = machine.json(*arguments, timeout=280)
    assert (result["returncode"], result["done"]) == (0, 1), result
    assert "Fetching the data set rebench (nebius/SWE-rebench, revision 89cdfbab4ab1)" in result["stderr"]
    assert hub.tokens() == {""}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any(b"PATH=" in path.read_bytes() for path in files), "the command showed its environment"
    assert not any(b"hf_secret" in path.read_bytes() for path in files)
