"""Events of the workflows that prove pull requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extensions.github.task.pull_request_event import ProofRun, ProposedPull, read_pull, read_run
from extensions.github.task.trigger_event import TriggerSkipped
from trajectories.errors import UsageError

HEAD, BASE = "a" * 40, "b" * 40
PULL = {"number": 7, "title": "Fix", "body": None, "base": {"sha": BASE}, "head": {"sha": HEAD}}
RUN = {
    "event": "pull_request",
    "head_sha": HEAD,
    "head_branch": "fix",
    "head_repository": {"owner": {"login": "eve"}},
    "html_url": "https://github.com/octo/calc/actions/runs/1",
}


@pytest.fixture
def event(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def set_event(name: str, **payload: Any) -> None:
        (tmp_path / "event.json").write_text(json.dumps(payload))
        monkeypatch.setenv("GITHUB_EVENT_NAME", name)
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(tmp_path / "event.json"))

    return set_event


def test_pull_request_is_read(event) -> None:
    event("pull_request", pull_request=PULL)
    assert read_pull() == ProposedPull(7, BASE, HEAD, "Fix", "")


def test_run_is_read(event) -> None:
    event("workflow_run", workflow_run=RUN)
    assert read_run() == ProofRun(RUN["html_url"], HEAD, "eve", "fix")
    event("workflow_run", workflow_run=RUN | {"event": "push"})
    with pytest.raises(TriggerSkipped, match="event push"):
        read_run()


@pytest.mark.parametrize(
    "change", [{"head": {"sha": "--upload-pack=x"}}, {"base": None}, {"number": "x"}, {"head": {"sha": "main"}}]
)
def test_unknown_structure_is_one_sentence(event, change) -> None:
    event("pull_request", pull_request=PULL | change)
    with pytest.raises(UsageError, match="unknown structure"):
        read_pull()


@pytest.mark.parametrize("name", ["pull_request_target", "issues", ""])
def test_job_is_for_one_event(event, name) -> None:
    event(name, pull_request=PULL)
    with pytest.raises(UsageError, match="for the event pull_request"):
        read_pull()
