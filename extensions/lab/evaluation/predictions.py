"""Predictions in the format of SWE-bench's harness, and their costs. Their content is untrusted."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.dataset_rows import ID, rows
from trajectories.errors import UsageError
from trajectories.file_limits import check_values, limited_lines

NAMES = "all_preds.jsonl", "preds.json"
REPEAT = re.compile(r"repeat-(\d+)")
MOST_PREDICTIONS = 200_000
"""Maximum number of predictions in a file, well above the number of instances in common data sets."""
HOW = 'A row is {"instance_id": …, "model_name_or_path": …, "model_patch": …}.'


@dataclass(frozen=True, slots=True)
class Prediction:
    instance: str
    model: str
    patch: str

    @property
    def empty(self) -> bool:
        return not self.patch.strip()


Predictions = dict[str, Prediction]
"""Instance -> its prediction."""


def read_predictions(given: str, golds: Mapping[str, Gold]) -> dict[int, Predictions]:
    """Return the predictions by repeat number, from 1. `given` is a file, a batch's folder, or `gold` for the gold
    patches.

    Raises UsageError for anything else.
    """
    if given == "gold":
        return {1: {name: Prediction(name, "gold", gold.patch) for name, gold in golds.items()}}
    path = Path(given).expanduser()
    if path.is_file():
        return {1: _read(path)}
    if not path.is_dir():
        raise UsageError(f"There are no predictions in {path}.", "Give a file, a batch's folder, or `gold`.")
    repeats = {int(match[1]): each for each in path.iterdir() if (match := REPEAT.fullmatch(each.name))}
    folders = {1: path, **{at: folder for at, folder in sorted(repeats.items()) if at > 1}}
    return {at: _read(file) for at, folder in folders.items() if (file := _file_of(folder, path))}


def _file_of(folder: Path, asked: Path) -> Path | None:
    """Return the file with a folder's predictions; None for a repeat without finished instances."""
    lines, whole = (folder / name for name in NAMES)
    if lines.is_file() and (_is_whole(lines) or not whole.is_file()):
        return lines  # a killed process may leave an incomplete last line, but the other file is always complete
    if whole.is_file():
        return whole
    if folder == asked:
        raise UsageError(f"There is neither {' nor '.join(NAMES)} in {folder}.", "Give the folder of a batch.")
    return None


def _is_whole(lines: Path) -> bool:
    """Whether the last line of a file is complete."""
    with lines.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        return file.read() == b"\n"


def _read(path: Path) -> Predictions:
    found: Predictions = {}
    for number, (place, row) in enumerate(rows(path), 1):
        if number > MOST_PREDICTIONS:
            raise UsageError(f"{path} has more than {MOST_PREDICTIONS:,} predictions.", "Split the file.")
        prediction = _prediction(row, place)
        if found.setdefault(prediction.instance, prediction) != prediction:
            raise UsageError(f"{path} has two predictions for {prediction.instance}.", "Keep one for each instance.")
    if not found:
        raise UsageError(f"{path} contains no predictions.", HOW)
    return found


def _prediction(row: dict[str, Any], place: str) -> Prediction:
    name = row.get(ID[0])
    if not isinstance(name, str) or not name:
        raise UsageError(f"{place} has no {ID[0]}.", HOW)
    if "model_patch" not in row:
        raise UsageError(f"{place} has no model_patch (it may be null).", HOW)
    patch, model = row["model_patch"], row.get("model_name_or_path") or "None"
    if not isinstance(patch, str | None) or not isinstance(model, str):
        raise UsageError(f"{place}: model_patch and model_name_or_path must be text.", HOW)
    return Prediction(name, model, patch or "")


def dollars(given: str) -> dict[str, float]:
    """Return each instance's mean cost over its repeats, from the batch's results next to the predictions.

    Instances with an attempt of unknown price are left out; if there are no results, the mapping is empty.
    """
    path = Path(given).expanduser()
    file = (path if path.is_dir() else path.parent) / "results.jsonl"
    if given == "gold" or not file.is_file():
        return {}
    spent: dict[str, list[float | None]] = {}
    try:
        with file.open("rb") as lines:
            for line in limited_lines(lines, file):
                if line.endswith(b"\n"):
                    check_values(line, str(file))
                    row = json.loads(line)
                    spent.setdefault(row["instance"], []).append(row["dollars"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"{file} does not hold results of a batch.", "Remove or restore it.") from None
    known = {name: [each for each in costs if isinstance(each, int | float)] for name, costs in spent.items()}
    return {name: sum(costs) / len(costs) for name, costs in known.items() if len(costs) == len(spent[name])}
