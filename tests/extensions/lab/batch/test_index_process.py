"""The helper process that builds code graphs and histories ahead of the runs, which can continue without it."""

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
from extensions.lab.batch.index_process import MOST_DEATHS, GraphIndexer
from tests.conftest import MakeRepo
from trajectories.errors import Cancelled
from trajectories.records import Issue

FILES = {"calc/core.py": "def add(a, b):\n    return a - b\n", "calc/text.py": "from calc.core import add\n"}


@pytest.fixture
def indexer() -> Iterator[GraphIndexer]:
    graph_indexer = GraphIndexer()
    yield graph_indexer
    graph_indexer.close()


@pytest.fixture
def repo(make_repo: MakeRepo) -> Path:
    return make_repo(FILES)


@pytest.mark.slow
def test_run_uses_prebuilt_graph_and_history(indexer, repo, monkeypatch):
    indexer.ready(repo, "HEAD", Event())
    builds: list[object] = []
    monkeypatch.setattr(graph_build, "_build", lambda *arguments: builds.append(arguments))
    source = Repository.open(repo)
    with source.blobs("HEAD") as blobs:
        localization = localize_issue(
            blobs, Issue("add() subtracts"), HistoryBase(source.git_dir, source.commit("HEAD"))
        )
    assert [file.path for file in localization.places.files][:1] == ["calc/core.py"]
    assert not builds
    assert list(cache_folder().iterdir()), "the user's cache is empty"


def test_same_commit_is_requested_once(indexer, repo):
    first = indexer.ahead(repo, "HEAD")
    assert indexer.ahead(repo, "HEAD") is first


@pytest.mark.slow
def test_failed_indexing_does_not_end_helper(indexer, repo, tmp_path):
    indexer.ready(tmp_path / "nowhere", "HEAD", Event())
    indexer.ready(repo, "0" * 40, Event())
    indexer.ready(repo, "HEAD", Event())
    assert indexer._deaths == 0


@pytest.mark.slow
def test_helper_that_dies_is_restarted_few_times(indexer, repo):
    for number in range(2 * MOST_DEATHS):  # one call finds the helper alive, the next finds it dead
        indexer.ready(repo, f"HEAD~{number}", Event())
        if indexer._helper is not None:
            os.kill(indexer._helper.pid, signal.SIGKILL)
            indexer._helper.join()
    assert indexer._deaths == MOST_DEATHS
    indexer.ready(repo, "HEAD", Event())
    assert indexer._helper is None, "the helper was started again"


@pytest.mark.slow
def test_cancellation_stops_wait_for_hanging_helper(indexer, repo):
    indexer.ready(repo, "HEAD", Event())
    os.kill(indexer._helper.pid, signal.SIGSTOP)
    cancel = Event()
    Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        indexer.ready(repo, "HEAD~0", cancel)


@pytest.mark.slow
def test_hanging_helper_is_killed_after_timeout(indexer, repo, monkeypatch):
    indexer.ready(repo, "HEAD", Event())
    monkeypatch.setattr("extensions.lab.batch.index_process.LONGEST", 0.5)
    hanging = indexer._helper
    os.kill(hanging.pid, signal.SIGSTOP)
    given_up = Event()
    timer = Timer(60, given_up.set)
    timer.start()
    indexer.ready(repo, "HEAD~0", given_up)
    timer.cancel()
    assert (indexer._deaths, indexer._helper) == (1, None)
    assert not hanging.is_alive()


@pytest.mark.slow
def test_interrupt_at_terminal_does_not_stop_helper(indexer, repo):
    indexer.ready(repo, "HEAD", Event())
    os.kill(indexer._helper.pid, signal.SIGINT)
    indexer.ready(repo, "HEAD~0", Event())
    assert indexer._deaths == 0
