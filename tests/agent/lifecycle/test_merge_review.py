"""The review for merging without the extension that makes it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.lifecycle.merge_review import NAME, record_review, recorded_review
from trajectories.records import Once
from trajectories.trajectory import Trajectory


def test_missing_extension_is_recorded_as_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trajectories.plugins.extension_names", lambda: ())
    records: list[Any] = []
    turn = SimpleNamespace(base=SimpleNamespace(tree="a"))
    branch: Any = SimpleNamespace(turn=turn, once=lambda name, make: records.append(Once("main", name, make())))
    outcome: Any = SimpleNamespace(tree="b")
    record_review(branch, outcome)
    assert [one.name for one in records] == [NAME]
    review = recorded_review(Trajectory(records)) or {}
    assert review["findings"] == []
    assert review["notes"] == ["The review for merging is in the extension review, which is not installed."]
