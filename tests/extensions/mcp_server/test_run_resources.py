"""The runs that a client can read: those of the server's repositories, by their whole names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import load_settings
from agent.lifecycle.run_lifecycle import begin
from extensions.mcp_server.run_resources import RUNS, list_server_runs, read_report, read_resource
from extensions.mcp_server.server_options import ServerOptions
from tests.conftest import MakeRepo
from trajectories.errors import UsageError
from trajectories.records import Issue


def start_run(repository: Path, title: str) -> str:
    settings = load_settings(strategy="templates", workspace="local")
    return begin(Issue(title, "Body."), Repository.open(repository), settings).name


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_runs_of_the_servers_repositories_are_listed(
    server: ServerOptions, repository: Path, make_repo: MakeRepo
) -> None:
    own = start_run(repository, "Ours")
    start_run(make_repo({"a.py": ""}), "Of another repository")
    assert [line.run for line in list_server_runs(server)] == [own]
    text, kind = read_resource(server, "swe-agent://runs")
    assert [(each["run"], each["issue"]) for each in json.loads(text)] == [(own, "Ours")]
    assert kind == "application/json"


def test_report_is_markdown_without_secrets(
    server: ServerOptions, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = start_run(repository, "<script> correct-horse-battery")
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery")
    text, kind = read_resource(server, f"swe-agent://runs/{name}")
    assert kind == "text/markdown"
    assert text.startswith("# ")
    assert "correct-horse" not in text
    assert "<script>" not in text
    assert "correct-horse" not in read_resource(server, "swe-agent://runs")[0]


def test_other_names_are_refused(server: ServerOptions, repository: Path, make_repo: MakeRepo, state: Path) -> None:
    own, other = start_run(repository, "Ours"), start_run(make_repo({"a.py": ""}), "Of another repository")
    path = str(state / "runs" / own)
    tricks = ("", "..", f"../runs/{own}", "a/b", f"{own}/", f"{own}/journal.jsonl", "x.traj", "\0", "x" * 9_999)
    for name in (other, own[:-2], own.upper() + " ", path, *tricks):
        with pytest.raises(UsageError, match="There is no such run"):
            read_report(server, name)
        with pytest.raises(UsageError, match="There is no such run"):
            read_resource(server, f"{RUNS}/{name}")


def test_other_addresses_are_refused(server: ServerOptions) -> None:
    for uri in ("file:///etc/passwd", "swe-agent://", "swe-agent://runs?x", ""):
        with pytest.raises(UsageError):
            read_resource(server, uri)
