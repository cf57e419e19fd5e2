"""The local executor has no options."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.limits.cancellation import CancellationToken
from extensions.lab.instances.jobs import ExecutorOptions
from extensions.lab.synthesis.validation_executor import open_executor
from trajectories.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "message"), [("local", "The engine local has no options"), ("moon", "There is no engine named 'moon'")]
)
def test_wrong_engine_or_option_is_refused(kind: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_executor(kind, ExecutorOptions(Path("out.jsonl"), 1, CancellationToken(), {"cpus": "1"}))
