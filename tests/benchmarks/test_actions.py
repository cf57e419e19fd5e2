"""The benchmark of actions, with shells of this machine: every action is measured, missing peers have no figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import _peers, actions


@pytest.mark.slow
def test_each_action_is_measured_for_each_peer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = _peers.repository(tmp_path / "repo", 120)
    peers = {actions.OURS: _peers.Pipe(tmp_path / "pipe", repo), "bash -c": _peers.Bash(tmp_path / "bash", repo)}
    rows = actions.measured(peers, 4)
    for peer in peers.values():
        peer.close()
    assert [len(row.times["bash -c"]) for row in rows] == [2, 4, 2, 2, 2, 2, 2]
    assert all(row.p95(peer) >= row.p50(peer) > 0 for row in rows for peer in peers)
    actions.show(rows)
    output = capsys.readouterr().out
    assert "plain action" in output
    assert "100x in containers" in output


def test_missing_peer_leaves_empty_column(capsys: pytest.CaptureFixture[str]) -> None:
    row = actions.Row("r", "start", 1.0, 2.0, {actions.OURS: [1.0, 1.0], actions.EXEC: [3.0, 3.0], "x": [math.nan] * 2})
    actions.show([row])
    output = capsys.readouterr().out
    assert "3.00x" in output
    assert "nan" not in output
    assert "yes" in output
