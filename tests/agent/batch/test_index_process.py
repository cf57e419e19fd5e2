"""Graphs and histories are made by a helper, ahead of the threads that read them; without it all goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer

import pytest

from aci.graph import graph_build
from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.disk_cache import cache_folder
from aci.repository.user_repository import Repository
from agent.batch.index_process import MOST_DEATHS, GraphIndexer
from tests.conftest import MakeRepo
from trajectories.errors import Cancelled
from trajectories.records import Issue

FILES = {"calc/core.py": "def add(a, b):\n    return a - b\n", "calc/text.py": "from calc.core import add\n"}


@pytest.fixture
def indexing() -> Iterator[GraphIndexer]:
    opened = GraphIndexer()
    yield opened
    opened.close()


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


def test_run_finds_all_made(indexing, repo, monkeypatch):
    indexing.ready(repo, "HEAD", Event())
    made: list[object] = []
    monkeypatch.setattr(graph_build, "_build", lambda *given: made.append(given))
    source = Repository.open(repo)
    with source.blobs("HEAD") as blobs:
        found = localize_issue(blobs, Issue("add() subtracts"), HistoryBase(source.git_dir, source.commit("HEAD")))
    assert [file.path for file in found.places.files][:1] == ["calc/core.py"]
    assert not made
    assert list(cache_folder().iterdir()), "in the user's cache"


def test_what_is_made_once_is_not_asked_for_again(indexing, repo):
    first = indexing.ahead(repo, "HEAD")
    assert indexing.ahead(repo, "HEAD") is first


def test_what_cannot_be_indexed_costs_nothing(indexing, repo, tmp_path):
    indexing.ready(tmp_path / "nowhere", "HEAD", Event())
    indexing.ready(repo, "0" * 40, Event())
    indexing.ready(repo, "HEAD", Event())
    assert indexing._deaths == 0


@pytest.mark.slow
def test_helper_that_dies_is_started_again_few_times(indexing, repo):
    for number in range(2 * MOST_DEATHS):  # one that finds it alive, one that finds it dead
        indexing.ready(repo, f"HEAD~{number}", Event())
        if indexing._helper is not None:
            os.kill(indexing._helper.pid, signal.SIGKILL)
            indexing._helper.join()
    assert indexing._deaths == MOST_DEATHS
    indexing.ready(repo, "HEAD", Event())
    assert indexing._helper is None, "and then no more"


def test_who_waits_for_helper_that_hangs_is_stopped_by_cancel(indexing, repo):
    indexing.ready(repo, "HEAD", Event())
    os.kill(indexing._helper.pid, signal.SIGSTOP)
    cancel = Event()
    Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        indexing.ready(repo, "HEAD~0", cancel)


@pytest.mark.slow
def test_helper_that_hangs_is_ended_after_while(indexing, repo, monkeypatch):
    indexing.ready(repo, "HEAD", Event())
    monkeypatch.setattr("agent.batch.index_process.LONGEST", 0.5)
    hanging = indexing._helper
    os.kill(hanging.pid, signal.SIGSTOP)
    given_up = Event()
    timer = Timer(60, given_up.set)
    timer.start()
    indexing.ready(repo, "HEAD~0", given_up)
    timer.cancel()
    assert (indexing._deaths, indexing._helper) == (1, None)
    assert not hanging.is_alive()


def test_interrupt_at_terminal_leaves_helper_alone(indexing, repo):
    indexing.ready(repo, "HEAD", Event())
    os.kill(indexing._helper.pid, signal.SIGINT)
    indexing.ready(repo, "HEAD~0", Event())
    assert indexing._deaths == 0
