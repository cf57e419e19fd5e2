"""The Ray executor while a job waits for a node; the end-to-end tests show the rest."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from agent.batch.executors.ray import Ray
from agent.batch.remote_hub import Hub


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
