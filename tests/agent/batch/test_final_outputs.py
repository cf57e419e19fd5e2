"""What is made of a batch when it ends never fails the batch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.batch import failures
from agent.batch.asked import Asked
from agent.batch.finishing import _golds, finish
from agent.batch.place import Done
from agent.batch.store import Store
from tests.agent.batch.test_driver import Told


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """A batch with one of two instances done."""
    rows = [{"instance_id": name, "patch": f"gold of {name}", "text": "x" * 1000} for name in "ab"]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "urls.txt").write_text("https://github.com/a/b/issues/1\n")
    with Store(tmp_path / "out") as store:
        store.add(Done("a", 1, "a", 1, "unproven", "unproven", "patch", 0.25), "m")
    return Asked((tmp_path / "rows.jsonl", tmp_path / "urls.txt"), tmp_path / "out", {}, 1)


def test_of_the_data_only_patches_of_what_is_done_are_kept(asked: Asked):
    assert _golds(asked, {"a"}) == {"a": "gold of a"}
    assert _golds(asked, {"c"}) is None
    asked.files[0].write_text("no JSON\n")
    assert _golds(asked, {"a"}) is None


def test_a_report_nested_too_deep_is_none(asked: Asked):
    (asked.out / "evaluation").mkdir()
    (asked.out / "evaluation" / "deep.json").write_text("[" * 100_000)
    front = Told()
    finish(asked, {"a"}, True, front)
    assert front.said == []
    assert (asked.out / "failures.html").exists()


def test_a_fault_of_ours_in_the_page_is_said(asked: Asked, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(failures, "write_failures", lambda *_: 1 / 0)
    front = Told()
    finish(asked, {"a"}, True, front)
    assert front.said == ["A fault of swe-agent's own: ZeroDivisionError: division by zero"]
