"""What is made of a batch when it ends never fails the batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.batch.batch_options import BatchOptions
from agent.batch.final_outputs import _golds, write_final_outputs
from agent.batch.reports import failure_report
from agent.batch.reports.batch_results import ResultStore
from agent.instances.jobs import JobResult
from tests.agent.batch.test_batch_driver import Told


@pytest.fixture
def asked(tmp_path: Path) -> BatchOptions:
    """A batch with one of two instances done."""
    rows = [{"instance_id": name, "patch": f"gold of {name}", "text": "x" * 1000} for name in "ab"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "urls.txt").write_text("https://github.com/a/b/issues/1\n")
    with ResultStore(tmp_path / "out") as store:
        store.add(JobResult("a", 1, "a", 1, "unproven", "unproven", "patch", 0.25), "m")
    return BatchOptions((tmp_path / "rows.jsonl", tmp_path / "urls.txt"), tmp_path / "out", {}, 1)


def test_of_data_only_patches_of_what_is_done_are_kept(asked: BatchOptions):
    assert _golds(asked, {"a"}) == {"a": "gold of a"}
    assert _golds(asked, {"c"}) is None
    asked.files[0].write_text("no JSON\n")
    assert _golds(asked, {"a"}) is None


def test_report_nested_too_deep_is_none(asked: BatchOptions):
    (asked.out / "evaluation").mkdir()
    (asked.out / "evaluation" / "deep.json").write_text("[" * 100_000)
    front = Told()
    write_final_outputs(asked, {"a"}, True, front)
    assert front.said == []
    assert (asked.out / "failures.html").exists()


def test_fault_of_ours_in_page_is_said(asked: BatchOptions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failure_report, "write_failures", lambda *_: 1 / 0)
    front = Told()
    write_final_outputs(asked, {"a"}, True, front)
    assert front.said == ["Internal error: ZeroDivisionError: division by zero"]
