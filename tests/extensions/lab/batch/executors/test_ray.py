"""The Ray executor while a job waits for a node and starts; the end-to-end tests show the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from extensions.events.event_stream import open_events
from extensions.lab.batch.executors.ray import Ray
from extensions.lab.batch.remote_hub import Hub
from trajectories.journal import Journal
from trajectories.records import Base, Issue, Note, Run, Turn


@pytest.mark.parametrize("has_started", [True, False])
def test_job_that_waits_for_a_node_is_reported(has_started: bool) -> None:
    executor: Any = object.__new__(Ray)
    executor._nodes = Mock()
    executor._ask = lambda hub, name, *given: getattr(hub, name)(*given)
    hub, watch = Mock(spec=Hub), Mock()
    hub.has_started.return_value = has_started
    assert executor._wait(Mock(), watch, hub, Mock(token="t")) is not has_started
    assert executor._nodes.check.called is not has_started
    assert watch.happening.called is not has_started


def test_records_of_a_fast_node_are_events(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "r1")
    journal.append(Run("r1", Issue("t"), "/r", Base("c", "t")), Turn("fix", "react"), Note("main", "life", "begun"))
    executor: Any = object.__new__(Ray)
    executor._nodes, executor._task, executor._ray = Mock(**{"options.return_value": {}}), Mock(), Mock()
    executor._ray.wait = lambda tasks, **_: (tasks[:1], [])
    executor._get_result = lambda found: ("node", "outcome") if found == "task" else []

    def start(*_: object) -> str:
        journal.append(Note("main", "life", "resumed"))
        return "task"

    executor._task.options.return_value.remote = start
    with open_events(str(tmp_path / "events.jsonl")):
        assert executor._follow(Mock(directory=tmp_path / "r1"), Mock(), Mock(), Mock()) == ("node", "outcome")
    journal.close()
    lines = [json.loads(each) for each in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [each["record"]["text"] for each in lines if each["type"] == "note"] == ["resumed"]
