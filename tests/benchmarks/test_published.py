"""The command that reads and renders published trajectories."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import published


def test_command_reports_read_and_refused_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Ho."}]
    (tmp_path / "a.traj.json").write_text(json.dumps({"messages": messages}))
    (tmp_path / "b.traj").write_text(json.dumps({"history": messages, "trajectory": [{"action": "ls"}]}))
    (tmp_path / "c.traj").write_text("no JSON")
    monkeypatch.setattr(sys, "argv", ["published", str(tmp_path)])
    published.main()
    output = capsys.readouterr().out
    assert "1 of mini-swe-agent, 1 of swe-agent read and rendered" in output
    assert f"1 refused\n{tmp_path}/c.traj is not JSON." in output
