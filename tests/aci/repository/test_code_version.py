"""Cache files of different code versions coexist; those unused for a month are removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aci.graph import graph_store
from aci.graph.code_graph import query_graph
from aci.history import commit_index
from aci.repository import disk_cache
from aci.repository.disk_cache import MONTH, cache_file, version_of
from tests.text_blobs import TextBlobs


def test_version_differs_between_sets_of_sources() -> None:
    numbers = {
        version_of(*patterns) for patterns in (graph_store.CODE_PATTERNS, commit_index.CODE_PATTERNS, ("__init__.py",))
    }
    assert len(numbers) == 3
    package = Path(disk_cache.__file__).parents[1]
    assert all(any(package.glob(pattern)) for pattern in (*graph_store.CODE_PATTERNS, *commit_index.CODE_PATTERNS))
    assert all(0 < number < 1 << 31 for number in numbers)


def test_change_of_source_or_parser_gives_new_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(disk_cache, "__file__", str(tmp_path / "repository" / "disk_cache.py"))
    versions = set()
    for text in ("x = 1", "x = 2", "import tree_sitter", "import tree_sitter_nobody"):
        (tmp_path / "code.py").write_text(text)
        version_of.cache_clear()
        versions.add(version_of("*.py"))
    installed = tmp_path / "tree_sitter_nobody-99.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tree-sitter-nobody\nVersion: 99.0\n\nText\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    version_of.cache_clear()
    versions.add(version_of("*.py"))
    version_of.cache_clear()
    assert len(versions) == 5


def test_caches_of_two_versions_share_folder(tmp_path: Path) -> None:
    assert cache_file(tmp_path, "graph", 1) != cache_file(tmp_path, "graph", 2)
    other = cache_file(tmp_path, "graph", 1)
    other.write_bytes(b"of other code")
    query_graph(TextBlobs({"a.py": "x = 1\n"}), tmp_path, lambda graph: graph.paths)
    assert other.read_bytes() == b"of other code"
    assert graph_store.file_in(tmp_path).exists()


def test_caches_unused_for_month_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    current, old, new = (cache_file(folder, "graph", number).name for number in (1, 2, 3))
    removed = {old, f"{old}-wal", old.replace(".sqlite", ".1.sqlite"), "graph.sqlite", "graph.2.sqlite"}
    remaining = {
        current,
        current.replace(".sqlite", ".1.sqlite"),
        "graphs.sqlite",
        "graph-mine.sqlite",
        "history-00000002.sqlite",
    }
    for name in removed | remaining:
        (folder / name).touch()
        os.utime(folder / name, (0, time.time() - MONTH - 60))
    (folder / new).touch()
    for _ in range(2):
        assert cache_file(folder, "graph", 1) == folder / current
        assert {file.name for file in folder.iterdir()} == remaining | {new}
    assert (folder / current).stat().st_mtime > time.time() - MONTH
