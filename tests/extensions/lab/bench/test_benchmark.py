"""What a benchmark counts, what its page says, and which published figures it compares with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from extensions.lab.batch.batch_budget import BudgetExhausted
from extensions.lab.batch.batch_driver import BatchSummary
from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.bench import benchmark
from extensions.lab.bench.bench_page import headline, write_page
from extensions.lab.bench.benchmark import BenchOptions, run_benchmark
from extensions.lab.bench.published_results import published_results
from extensions.lab.evaluation.evaluation import EvaluateOptions
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import Cancelled, SweAgentError, UsageError

MODEL = "<b>m|x</b>"
VERDICTS = {"a-1": "verified", "b-2": "verified", "c-3": "plausible", "d-4": "unproven", "e-5": "verified"}
RUN = {
    "run_id": "evaluate",
    "resolved": ["a-1", "c-3"],
    "unresolved": ["b-2"],
    "empty": ["d-4"],
    "errors": ["e-5"],
    "no_verdict": ["e-5"],
}


def result(name: str, verdict: str) -> JobResult:
    return JobResult(name, 1, name, 0, "solved", verdict, "PATCH", 0.25, seconds=60.0)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Six instances."""
    path = tmp_path / "rows.jsonl"
    write_rows(path, *((name, {"FAIL_TO_PASS": '["test_it"]'}) for name in (*VERDICTS, "f-6")))
    return path


def write_rows(path: Path, *given: tuple[str, Mapping[str, str]]) -> None:
    rows = [{"instance_id": name, "repo": "people/calc", "problem_statement": "x", **more} for name, more in given]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(sample: Path, monkeypatch: pytest.MonkeyPatch, error: SweAgentError | None = None, **more: Any) -> Any:
    """Run a benchmark whose batch solved all instances but the last one, and ended with `error`."""
    out = sample.parent / "out"
    out.mkdir(exist_ok=True)
    given: list[EvaluateOptions] = []

    def grade(asked: EvaluateOptions, _: object) -> Mapping[str, Any]:
        given.append(asked)
        return {"model": MODEL, "runs": [RUN], "workspace": "docker", "environment_failures": 0}

    monkeypatch.setattr(benchmark, "start_batch", lambda *_: BatchSummary(out, 6, 5, error=error))
    results = [result(name, verdict) for name, verdict in VERDICTS.items()]
    monkeypatch.setattr(benchmark, "read_results", lambda _: results)
    monkeypatch.setattr(benchmark, "evaluate", grade)
    asked = BenchOptions("set", BatchOptions((sample,), out, {}, 1, seed=3, slice=":6"), **more)
    found = run_benchmark(asked, lambda _: None)
    assert given[0].filter == r"^(?:a\-1|b\-2|c\-3|d\-4|e\-5)$"
    return found


def test_verified_patches_are_counted_by_the_hidden_tests(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(sample, monkeypatch)
    assert (found["instances"], found["run"], found["rated"], found["resolved"]) == (6, 5, 4, 2)
    assert (found["verified"], found["verified_right"], found["verified_wrong"]) == (2, 1, 1)
    assert found["verdicts"]["verified"] == {"right": 1, "wrong": 1, "not_graded": 1}
    assert found["interval"] == pytest.approx([0.150, 0.850], abs=0.001)
    assert (found["dollars"], found["seconds"], found["median_seconds"]) == (1.25, 300.0, 60.0)
    assert "error" not in found
    assert headline(found) == (
        "2 of 4 graded instances are resolved (15% to 85%); 1 verified and right, 1 verified and wrong; $1.25, 5:00."
    )


def test_page_says_what_was_left_out_and_escapes(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run(sample, monkeypatch, BudgetExhausted("The total is used up.", "Give more."))
    assert found["error"]["code"] == 4
    markdown, html = write_page(found, sample.parent)
    text = markdown.read_text()
    assert text.startswith("# Benchmark: \\<b\\>m\\|x\\</b\\> on set\n")
    for part in (
        "1 of them were not run",
        "1 have no grade",
        "The total is used up.",
        "| f-6 | not run | not graded |",
    ):
        assert part in text
    assert "| verified and wrong | 1 of 2 | 9% to 91% |" in text
    assert "&lt;b&gt;m|x&lt;/b&gt;" in html.read_text()
    assert MODEL not in html.read_text()


def test_interrupted_batch_is_not_graded(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Cancelled):
        run(sample, monkeypatch, Cancelled("Interrupted.", ""))


def submit(folder: Path, name: str, content: str) -> None:
    (folder / name / "results").mkdir(parents=True)
    (folder / name / "results" / "results.json").write_text(content)


def test_published_figures_are_those_of_the_same_instances(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "experiments" / "evaluation" / "verified"
    submit(folder, "best", json.dumps({"resolved": ["a-1", "b-2", "z-9", "f-6"], "no_logs": []}))
    submit(folder, "second", json.dumps({"resolved": ["a-1"]}))
    for number, content in enumerate(("[]", "{", '{"resolved": 5}', '{"resolved": [[1]]}', "[" * 100_000)):
        submit(folder, f"strange{number}", content)
    found = published_results(tmp_path / "experiments", "verified", ["a-1", "b-2", "c-3"])
    assert found == {"best": {"a-1", "b-2"}, "second": {"a-1"}, "strange3": frozenset()}
    assert published_results(folder, "", ["a-1"])["best"] == {"a-1"}
    page = write_page(run(sample, monkeypatch, published=folder), tmp_path)[0].read_text()
    assert "| submission | resolved of 4 |" in page
    assert "| best | 2 |" in page, "the instance that was not run is not counted"
    assert "Submissions: 3; with at least 2 resolved instances: 1." in page


def test_folder_without_figures_is_refused_before_anything_is_solved(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "start_batch", pytest.fail)
    for folder in (tmp_path, tmp_path / "missing"):
        asked = BenchOptions("set", BatchOptions((sample,), tmp_path, {}, 1), published=folder, leaderboard="verified")
        with pytest.raises(UsageError, match="holds no submission"):
            run_benchmark(asked, lambda _: None)


def test_sample_without_tests_is_refused_before_anything_is_solved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "start_batch", pytest.fail)
    write_rows(tmp_path / "rows.jsonl", ("a-1", {"test": "pytest"}), ("b-2", {}))
    asked = BenchOptions("set", BatchOptions((tmp_path / "rows.jsonl",), tmp_path, {}, 1))
    with pytest.raises(UsageError, match="1 of 2 sampled instances have no tests for grading, the first is b-2"):
        run_benchmark(asked, lambda _: None)
