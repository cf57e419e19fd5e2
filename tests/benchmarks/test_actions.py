"""The benchmark of actions on this machine's own shells: every row is done, and what is not there leaves no figure."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import _peers, actions


@pytest.mark.slow
def test_each_row_is_done_by_each_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = _peers.repository(tmp_path / "repo", 120)
    peers = {actions.OURS: _peers.Pipe(tmp_path / "pipe", repo), "bash -c": _peers.Bash(tmp_path / "bash", repo)}
    found = actions.measured(peers, 4)
    for peer in peers.values():
        peer.close()
    assert [len(row.times["bash -c"]) for row in found] == [2, 4, 2, 2, 2, 2, 2]
    assert all(row.p95(who) >= row.p50(who) > 0 for row in found for who in peers)
    actions.show(found)
    told = capsys.readouterr().out
    assert "plain action" in told
    assert "100x in containers" in told


def test_row_that_peer_does_not_have_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    row = actions.Row("r", "start", 1.0, 2.0, {actions.OURS: [1.0, 1.0], actions.EXEC: [3.0, 3.0], "x": [math.nan] * 2})
    actions.show([row])
    told = capsys.readouterr().out
    assert "3.00x" in told
    assert "nan" not in told
    assert "yes" in told
