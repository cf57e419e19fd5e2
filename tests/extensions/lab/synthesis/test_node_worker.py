"""A worker on another machine: its repository, its settings, and the check of the base's tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from extensions.lab.batch.repository_bundles import bundle, hash_refs
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import BaseResults, Validator
from extensions.lab.synthesis.node_worker import NodeInput, NodeWorker, StartReply
from tests.conftest import MakeRepo, OpenWorkspace, git
from trajectories.errors import Cancelled

TESTS = "import unittest\nfrom shop import price\n\n\nclass Test(unittest.TestCase):\n" + "".join(
    f"    def test_{name}(self):\n        self.assertEqual({code})\n\n"
    for name, code in {"price": "price(2), 4", "none": "price(0), 0", "a": "1, 1", "b": "1, 1"}.items()
)
NAMES = [f"test_shop.Test.test_{name}" for name in ("price", "none", "a", "b")]


@pytest.fixture
def given(make_repo: MakeRepo, open_ws: OpenWorkspace) -> NodeInput:
    root = make_repo({"shop.py": "def price(count):\n    return count * 2\n", "test_shop.py": TESTS})
    open_ws("local", root, "HEAD")  # so that `python` has pytest
    base = BaseResults("python -m unittest", dict.fromkeys(NAMES, 0.1), 1.0)
    commit = git(root, "rev-parse", "HEAD")
    return NodeInput(root, hash_refs(root), commit, base, {"workspace": "local"})


@pytest.fixture
def worker() -> Iterator[NodeWorker]:
    made = NodeWorker()
    yield made
    made.close()


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The tests that do not pass in the next runs of the base; they are not run."""
    runs: list[list[str]] = []
    monkeypatch.setattr(Validator, "find_missing", lambda validator: runs.pop(0) if runs else [])
    return runs


@pytest.mark.slow
def test_candidate_is_validated_at_the_driver_s_commit(given: NodeInput, worker: NodeWorker) -> None:
    git(given.repository, "commit", "-q", "--allow-empty", "-m", "Later")
    assert worker.start(given) == StartReply()
    found = worker.validate(Candidate("plant", "", {"shop.py": b"def price(count):\n    return count\n"}), None)
    assert (found.reason, found.fail_to_pass, len(found.pass_to_pass)) == ("", (NAMES[0],), 3)


@pytest.mark.slow
def test_node_where_tests_of_the_base_fail_is_refused(given: NodeInput, worker: NodeWorker) -> None:
    base = replace(given.base, passing={**given.base.passing, "test_shop.Test.test_gone": 0.1})
    reply = worker.start(replace(given, base=base))
    assert reply.message == "1 tests that pass on the driver do not pass there, such as test_shop.Test.test_gone."


@pytest.mark.slow
def test_test_that_fails_once_does_not_refuse_the_node(
    given: NodeInput, worker: NodeWorker, missing: list[list[str]]
) -> None:
    missing += [["one"], ["other"]]
    assert worker.start(given) == StartReply()
    missing += [["one", "other"], ["other"]]
    assert "such as other." in NodeWorker().start(given).message


@pytest.mark.slow
def test_repository_elsewhere_comes_from_a_bundle(given: NodeInput, worker: NodeWorker, missing: object) -> None:
    elsewhere = replace(given, repository=Path("/nowhere") / given.repository.name)
    assert worker.start(elsewhere) == StartReply(needs_bundle=True)
    assert worker.start(elsewhere, bundle(given.repository, given.commit)) == StartReply()


def test_other_version_is_refused(given: NodeInput, worker: NodeWorker) -> None:
    reply = worker.start(replace(given, version="0.0.1"))
    assert reply.message.startswith("The driver is swe-agent 0.0.1, the node has ")
    assert reply.fix == "Install the same version on all nodes."


def test_policy_of_the_node_holds(
    given: NodeInput, worker: NodeWorker, missing: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('workspace = "docker"\n')
    monkeypatch.setattr("agent.config.settings.POLICY", policy)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert "Docker is not running" in worker.start(given).message


@pytest.mark.slow
def test_stopped_worker_ends_its_start(given: NodeInput, worker: NodeWorker) -> None:
    worker.stop()
    with pytest.raises(Cancelled):
        worker.start(given)
