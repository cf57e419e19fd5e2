"""Predictions and costs from files; tests of the whole program cover files that are invalid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from extensions.lab.evaluation import predictions
from extensions.lab.evaluation.predictions import Prediction, dollars, read_predictions
from extensions.lab.instances.dataset_instances import Gold
from trajectories.errors import UsageError

ROW = {"instance_id": "i-1", "model_name_or_path": "m", "model_patch": "p"}
READ = {"i-1": Prediction("i-1", "m", "p")}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("all_preds.jsonl", f"{json.dumps(ROW)}\n"),
        ("preds.jsonl", f"{json.dumps(ROW)}\n\n{json.dumps(ROW)}"),
        ("preds.json", json.dumps([ROW])),
        ("preds.json", json.dumps({"i-1": ROW})),
        ("preds.json", json.dumps({"i-1": {"model_name_or_path": "m", "model_patch": "p"}})),
    ],
)
def test_every_file_format_of_harness_is_read(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_predictions(str(tmp_path / name), {}) == {1: READ}


def test_missing_patch_is_empty_and_missing_model_is_none(tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(
        '{"instance_id": "i-1", "model_patch": null}\n{"instance_id": "i-2", "model_patch": ""}\n'
    )
    (loaded,) = read_predictions(str(tmp_path / "p.jsonl"), {}).values()
    assert loaded == {name: Prediction(name, "None", "") for name in ("i-1", "i-2")}
    assert all(prediction.empty for prediction in loaded.values())
    assert Prediction("i", "m", "\n ").empty


def test_gold_patches_are_read_as_predictions() -> None:
    golds = {"i-1": Gold("i-1", "p", "t", (), (), {})}
    assert read_predictions("gold", golds) == {1: {"i-1": Prediction("i-1", "gold", "p")}}


def test_repeats_are_read_in_order_with_their_numbers(tmp_path: Path) -> None:
    for folder in (".", "repeat-4", "repeat-10", "repeat-3"):
        (tmp_path / folder).mkdir(exist_ok=True)
        row = ROW | {"model_patch": folder}
        (tmp_path / folder / "all_preds.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "repeat-11").mkdir()
    loaded = read_predictions(str(tmp_path), {})
    patches = [(at, each["i-1"].patch) for at, each in loaded.items()]
    assert patches == [(1, "."), (3, "repeat-3"), (4, "repeat-4"), (10, "repeat-10")]


def test_incomplete_line_is_rejected_unless_preds_json_exists(tmp_path: Path) -> None:
    (tmp_path / "all_preds.jsonl").write_text(json.dumps(ROW) + '\n{"instance_id": "i-2", "mod')
    with pytest.raises(UsageError, match="not JSON"):
        read_predictions(str(tmp_path), {})
    (tmp_path / "preds.json").write_text(json.dumps({"i-1": ROW}))
    assert read_predictions(str(tmp_path), {}) == {1: READ}


def test_costs_are_means_over_repeats_if_all_are_known(tmp_path: Path) -> None:
    rows = [("a", 1.0), ("b", 2.0), ("a", 2.0), ("b", None), ("c", 0)]
    lines = "".join(json.dumps({"instance": name, "dollars": cost}) + "\n" for name, cost in rows)
    (tmp_path / "results.jsonl").write_text(lines + '{"instance": "torn')
    (tmp_path / "preds.json").write_text("{}")
    assert dollars(str(tmp_path)) == dollars(str(tmp_path / "preds.json")) == {"a": 1.5, "c": 0.0}


def test_costs_are_empty_without_results(tmp_path: Path) -> None:
    assert dollars(str(tmp_path)) == dollars("gold") == {}
    (tmp_path / "results.jsonl").write_text("[]\n")
    with pytest.raises(UsageError, match="does not hold results of a batch"):
        dollars(str(tmp_path))


def test_untrusted_files_have_size_limits(tmp_path: Path) -> None:
    """Tests two million empty objects in a line, and a file of zeros."""
    (tmp_path / "p.jsonl").write_text('{"instance_id": "i-1", "model_patch": "", "x": [{}' + ",{}" * 2_000_000 + "]}\n")
    with pytest.raises(UsageError, match=r"Line 1 of .* contains more than 2,000,000 values"):
        read_predictions(str(tmp_path / "p.jsonl"), {})
    (tmp_path / "results.jsonl").write_text('{"instance": "i-1", "dollars": [{}' + ",{}" * 2_000_000 + "]}\n")
    with pytest.raises(UsageError, match="contains more than 2,000,000 values"):
        dollars(str(tmp_path / "p.jsonl"))
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(UsageError, match="has more than 1,073,741,824 bytes"):
        read_predictions(str(tmp_path / "long.json"), {})


def test_too_many_predictions_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_PREDICTIONS", 1)
    (tmp_path / "p.jsonl").write_text(f"{json.dumps(ROW)}\n" * 2)
    with pytest.raises(UsageError, match="has more than 1 predictions"):
        read_predictions(str(tmp_path / "p.jsonl"), {})
