"""The benchmark of the first model call: it starts both sides, receives their requests, and ends the processes."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from benchmarks.first_call import MINI, OURS, Side, listening, main, repository, seconds

PEER = {
    "__init__.py": "",
    "agents/__init__.py": "",
    "agents/default.py": """
from urllib.request import Request, urlopen

class DefaultAgent:
    def __init__(self, model, environment, **config):
        self.model, self.config = model, config

    def run(self, task):
        assert self.config == {"step_limit": 1} and task
        urlopen(Request(self.model["api_base"] + "/chat/completions", b"{}"))
""",
    "config.py": """
def get_config_from_spec(name):
    return {"agent": {"step_limit": 1}, "model": {}, "environment": {}}
""",
    "environments/__init__.py": "",
    "environments/local.py": "class LocalEnvironment:\n    pass\n",
    "models/__init__.py": "",
    "models/litellm_model.py": "def LitellmModel(model_kwargs, **rest):\n    return model_kwargs\n",
}
"""The parts of mini-swe-agent that the driver uses."""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, text in PEER.items():
        path = tmp_path / "peer" / "minisweagent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "peer"), os.environ.get("PYTHONPATH", "")]))
    return sys.executable


@pytest.mark.slow
def test_both_sides_are_measured(peer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "1", "--workspace", "local", "--mini-python", peer, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["runs"] == 1
    assert set(result["seconds"]["local"]) == {OURS, f"{OURS} fastest", MINI, f"{MINI} fastest", "ratio"}


@pytest.mark.slow
def test_missing_mini_swe_agent_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), "/usr/bin", "/bin"]))
    assert main(["--runs", "1", "--workspace", "local"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[0] == "local"
    assert "mini is missing" in out


def test_side_that_sends_no_request_is_reported(tmp_path: Path) -> None:
    side = Side(OURS, "local", [sys.executable, "-c", "raise SystemExit('no model')"], dict(os.environ))
    with listening() as (_, arrivals), pytest.raises(RuntimeError, match=r"swe-agent \(local\) sent no request: no mo"):
        seconds(side, tmp_path, arrivals)


def test_repository_contains_committed_files(tmp_path: Path) -> None:
    folder = repository(tmp_path)
    assert (folder / ".git").is_dir()
    assert (folder / "accounts" / "wallet.py").exists()


def test_zero_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--runs", "0"])
    assert "--runs" in capsys.readouterr().err
