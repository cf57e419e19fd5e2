"""Final outputs of a batch: an error in them never fails the batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.batch.final_outputs import _golds, write_final_outputs
from extensions.lab.batch.reports import failure_report
from extensions.lab.batch.reports.batch_results import ResultStore
from extensions.lab.instances.jobs import JobResult
from tests.extensions.lab.batch.test_batch_driver import RecordingDisplay


@pytest.fixture
def options(tmp_path: Path) -> BatchOptions:
    """A batch of two instances, one of them finished."""
    rows = [{"instance_id": name, "patch": f"gold of {name}", "text": "x" * 1000} for name in "ab"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "urls.txt").write_text("https://github.com/a/b/issues/1\n")
    with ResultStore(tmp_path / "out") as store:
        store.add(JobResult("a", 1, "a", 1, "unproven", "unproven", "patch", 0.25), "m")
    return BatchOptions((tmp_path / "rows.jsonl", tmp_path / "urls.txt"), tmp_path / "out", {}, 1)


def test_only_gold_patches_of_finished_instances_are_loaded(options: BatchOptions):
    assert _golds(options, {"a"}) == {"a": "gold of a"}
    assert _golds(options, {"c"}) is None
    options.files[0].write_text("no JSON\n")
    assert _golds(options, {"a"}) is None


def test_deeply_nested_report_is_ignored(options: BatchOptions):
    (options.out / "evaluation").mkdir()
    (options.out / "evaluation" / "deep.json").write_text("[" * 100_000)
    front = RecordingDisplay()
    write_final_outputs(options, {"a"}, True, front)
    assert front.messages == []
    assert (options.out / "failures.html").exists()


def test_internal_error_in_failure_page_is_reported(options: BatchOptions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failure_report, "write_failures", lambda *_: 1 / 0)
    front = RecordingDisplay()
    write_final_outputs(options, {"a"}, True, front)
    assert front.messages == ["Internal error: ZeroDivisionError: division by zero"]
