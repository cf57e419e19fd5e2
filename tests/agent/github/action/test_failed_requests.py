"""Each request that a job makes of GitHub's API fails once: the gate lets nothing through that it could not look into,
and publishing makes nothing twice and nothing by halves that it does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agent.github.api.request_retries import RetryPolicy
from tests.agent.github.gate_runner import Gated
from tests.agent.github.publish_runner import BOT, CORE, RIGHTS, World
from tests.conftest import MakeRepo, git
from tests.github_server import Hub, Request
from tests.github_server.request import Answer, Refused
from trajectories.errors import SweAgentError

pytestmark = pytest.mark.slow


class Failing(Hub):
    """From the request of that number on, all like it are refused, until it is well again."""

    at = -1
    status = 500
    hit: tuple[str, str] = ("", "")
    well = False

    def answer(self, request: Request) -> Answer:
        asked = request.method, request.path
        if sum(one.path.startswith("/repos") for one in self.requests) == self.at and not self.well:
            self.hit = asked
        if asked == self.hit and not self.well:
            self.requests.append(request)
            return Refused(self.status).answer
        return super().answer(request)


@pytest.fixture
def hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """One after another, until one of which nothing failed."""
    monkeypatch.setattr(RetryPolicy, "get_backoff_time", lambda self: 0)

    def each() -> Iterator[Failing]:
        for at in count():
            folder = tmp_path / str(at)
            folder.mkdir()
            with Failing(folder) as hub:
                hub.at = at
                yield hub
                if not hub.hit[0]:
                    return

    return each()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_gate_lets_nothing_through(hubs: Iterator[Failing], monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    for hub in hubs:
        hub.status = status
        gated = Gated.begun(hub.folder.parent, hub, monkeypatch)
        issue = gated.issue()
        payload = gated.labelled(issue)
        try:
            went = gated.decide("issues", payload)
        except SweAgentError:
            went = False
        assert gated.outputs["go"] == str(went).lower()
        assert went == (not hub.hit[0]), hub.hit


def test_what_is_published_is_published_once(
    hubs: Iterator[Failing], monkeypatch: pytest.MonkeyPatch, make_repo: MakeRepo
) -> None:
    source = make_repo({"core.py": CORE, "README.md": "# Calc\n"})
    for hub in hubs:
        folder = hub.folder.parent
        git(folder, "clone", "-q", "--bare", str(source), str(folder / "calc.git"))
        hub.token("publish", BOT, permissions=RIGHTS, app=True)
        world = World(hub, hub.repo("octo/calc", git=folder / "calc.git"), source, folder, monkeypatch)
        hub.status = (500, 403, 404)[hub.at % 3]
        ended = outcome(world)
        hub.well = True
        assert outcome(world) == "pull", ended
        assert [(pull.head, pull.state) for pull in world.repo.pulls] == [("swe-agent/issue-1", "open")]
        assert world.branches == ["main", "swe-agent/issue-1"]
        assert len(world.said) == 1


def outcome(world: World) -> Any:
    """What the job says that it came to; how it failed where it did."""
    try:
        assert world.run() == 0
    except SweAgentError as error:
        return error
    return world.outputs["outcome"]
