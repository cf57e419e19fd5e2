"""Proof of rewrites in a workspace: the same results on generated calls, and fewer instructions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.runtime.target_function import Target
from benchmarks.rewrites import SLOW, Trial, _tried, functions, room
from extensions.optimize.rewrites.rewrite_catalog import Rewrite, rewrites

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("valgrind") is None and os.environ.get("CI") != "true", reason="valgrind is not installed"
    ),
]


def test_every_slow_function_has_inputs() -> None:
    assert len(functions(SLOW)) == 10


@pytest.mark.timeout(600)
def test_cheapest_rewrite_is_proven_and_wrong_one_refused() -> None:
    data = (SLOW / "statements.py").read_bytes()
    target = Target("statements.py", "statements")
    wrong = Rewrite("forget one", data.replace(b"len(own)", b"len(own[1:])"))
    offered = [wrong, *rewrites(data, target)]
    with room(Path(SLOW)) as workspace:
        row = _tried(Trial(workspace, target, "statements_inputs", SLOW, "valgrind", 1), data, offered)
    assert any(reason.startswith("forget one") for reason in row.refused)
    assert row.wrong == ()
    assert row.ratio > 10
    assert row.what.startswith("index `bookings`")
