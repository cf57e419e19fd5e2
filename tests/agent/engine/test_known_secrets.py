"""Secrets that a run knows from the settings."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing
from pathlib import Path

import pytest

from aci.observation.secret_masking import mask_secrets
from agent.cli.commands.config import command
from agent.config.settings import load_settings
from tests.agent.conftest import Bench

ADDRESS = "https://ada-4711:pass%2Fw0rd@127.0.0.1:9/v1?api-version=2026-01-01&api-key=query9876543"
KEYS = ("ada-4711", "pass/w0rd", "pass%2Fw0rd", "query9876543", "server9876543")


def test_keys_in_addresses_are_masked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = "https://127.0.0.1:9/mcp?token=server9876543"
    config = tmp_path / "config.toml"
    config.write_text(f'[models."openai/b"]\napi_base = "{ADDRESS}"\n[mcp.docs]\nurl = "{server}"\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    directory = bench.begin(models=load_settings().models)
    journal = (directory / "journal.jsonl").read_text()
    assert "https://127.0.0.1:9/v1?api-version=2026-01-01&api-key=***" in journal
    assert command(json=True) == 0
    settings = capsys.readouterr().out
    with closing(bench.engine()) as engine:
        basic = b64encode(b"ada-4711:pass/w0rd").decode()
        shown = mask_secrets(f"GET {ADDRESS} {server} Basic {basic}", engine.secrets)
    assert "?api-version=2026-01-01&api-key=" in shown
    assert basic not in shown
    found = [(key, text) for text in (journal, settings, shown) for key in KEYS if key in text]
    assert not found
