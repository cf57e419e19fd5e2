"""The regression guard reports files with broken syntax."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.conftest import Bench, act, line
from tests.agent.engine.test_regression_guard import FILES, SUBMIT, guard_messages, plain_strategy, start_run
from tests.conftest import MakeRepo


@pytest.mark.slow
def test_broken_syntax_is_reported(tmp_path: Path, make_repo: MakeRepo) -> None:
    bench = Bench(tmp_path, make_repo({**FILES, "app.js": "function f() {\n  return 1;\n}\n"}))
    change = act("shell", command="echo '}' >> app.js")
    message = "app.js can no longer be loaded (its syntax is broken)"
    start_run(bench, line("Change.", change, n=1), line("So be it.", SUBMIT, n=2, contains=message))
    steps, _ = bench.drive(plain_strategy)
    assert len(guard_messages(steps)) == 1
