"""Every API request of a job fails once: the gate accepts nothing unchecked, and publishing repeats nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from extensions.github.api.request_retries import RetryPolicy
from tests.conftest import MakeRepo, git
from tests.extensions.github.gate_runner import GateRunner
from tests.extensions.github.publish_runner import BOT, CORE, RIGHTS, PublishRunner
from tests.github_server import Hub, Request
from tests.github_server.request import Answer, Refused
from trajectories.errors import SweAgentError

pytestmark = pytest.mark.slow


class FailingHub(Hub):
    """Refuses the request with number `at` and all later ones like it, until `recovered` is set."""

    at = -1
    status = 500
    failed_request: tuple[str, str] = ("", "")
    recovered = False

    def answer(self, request: Request) -> Answer:
        request_line = request.method, request.path
        if sum(earlier.path.startswith("/repos") for earlier in self.requests) == self.at and not self.recovered:
            self.failed_request = request_line
        if request_line == self.failed_request and not self.recovered:
            self.requests.append(request)
            return Refused(self.status).answer
        return super().answer(request)


@pytest.fixture
def hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FailingHub]:
    """Yield servers, each failing one request later, until nothing fails."""
    monkeypatch.setattr(RetryPolicy, "get_backoff_time", lambda self: 0)

    def failing_hubs() -> Iterator[FailingHub]:
        for at in count():
            folder = tmp_path / str(at)
            folder.mkdir()
            with FailingHub(folder) as hub:
                hub.at = at
                yield hub
                if not hub.failed_request[0]:
                    return

    return failing_hubs()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_gate_accepts_nothing_if_request_fails(
    hubs: Iterator[FailingHub], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    for hub in hubs:
        hub.status = status
        gate = GateRunner.create(hub.folder.parent, hub, monkeypatch)
        issue = gate.issue()
        payload = gate.label_event(issue)
        try:
            accepted = gate.decide("issues", payload)
        except SweAgentError:
            accepted = False
        assert gate.outputs["go"] == str(accepted).lower()
        assert accepted == (not hub.failed_request[0]), hub.failed_request


def test_result_is_published_once_despite_failed_request(
    hubs: Iterator[FailingHub], monkeypatch: pytest.MonkeyPatch, make_repo: MakeRepo
) -> None:
    source = make_repo({"core.py": CORE, "README.md": "# Calc\n"})
    for hub in hubs:
        folder = hub.folder.parent
        git(folder, "clone", "-q", "--bare", str(source), str(folder / "calc.git"))
        hub.token("publish", BOT, permissions=RIGHTS, app=True)
        publisher = PublishRunner(hub, hub.repo("octo/calc", git=folder / "calc.git"), source, folder, monkeypatch)
        hub.status = (500, 403, 404)[hub.at % 3]
        first_outcome = outcome(publisher)
        hub.recovered = True
        assert outcome(publisher) == "pull", first_outcome
        assert [(pull.head, pull.state) for pull in publisher.repo.pulls] == [("swe-agent/issue-1", "open")]
        assert publisher.branches == ["main", "swe-agent/issue-1"]
        assert len(publisher.bot_comments) == 1


def outcome(publisher: PublishRunner) -> Any:
    """Run the job and return the outcome that it reports, or the error."""
    try:
        assert publisher.run() == 0
    except SweAgentError as error:
        return error
    return publisher.outputs["outcome"]
