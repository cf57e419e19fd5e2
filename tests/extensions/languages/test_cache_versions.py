"""Caches of what this extension finds are not used without it, or with another version of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aci.graph import graph_store
from aci.history import commit_index
from aci.proof import suite_baselines
from aci.repository.disk_cache import version_of
from trajectories import plugins


@pytest.fixture(autouse=True)
def fresh_versions() -> Iterator[None]:
    version_of.cache_clear()
    yield
    version_of.cache_clear()


@pytest.mark.parametrize("module", [graph_store, commit_index])
def test_graphs_and_functions_of_commits_have_another_version(module, monkeypatch: pytest.MonkeyPatch) -> None:
    complete = version_of(*module.CODE_PATTERNS, kinds=module.CODE_KINDS)
    version_of.cache_clear()
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert version_of(*module.CODE_PATTERNS, kinds=module.CODE_KINDS) != complete


def test_stored_results_of_tests_have_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = suite_baselines._recorders.__wrapped__()
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert suite_baselines._recorders.__wrapped__() != complete
