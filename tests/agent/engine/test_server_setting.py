"""The setting `serve` reaches the workspaces of a run."""

from __future__ import annotations

from pathlib import Path

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.base_workspace import open_base
from tests.agent.conftest import Bench, line


def test_named_server_reaches_workspaces(bench: Bench, tmp_path: Path) -> None:
    bench.begin(line("done"), serve="./serve")
    with bench.engine() as engine:
        assert engine.workspaces.root().serve == "./serve"
    settings = Settings(workspace="local", serve="./serve", state=tmp_path / "state")
    with open_base(Repository.open(bench.repository), "HEAD", settings, lambda _: None) as (options, _):
        assert options.serve == "./serve"
