"""The command that reads and renders published trajectories."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import published


def test_what_is_read_and_what_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Ho."}]
    (tmp_path / "a.traj.json").write_text(json.dumps({"messages": said}))
    (tmp_path / "b.traj").write_text(json.dumps({"history": said, "trajectory": [{"action": "ls"}]}))
    (tmp_path / "c.traj").write_text("no JSON")
    monkeypatch.setattr(sys, "argv", ["published", str(tmp_path)])
    published.main()
    told = capsys.readouterr().out
    assert "1 of mini-swe-agent, 1 of swe-agent read and rendered" in told
    assert f"1 refused\n{tmp_path}/c.traj is not JSON." in told
