"""Caches of different code lie side by side; those that nobody uses any more go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aci import history_index, version
from aci.graph import store
from aci.graph.blobs import TextBlobs
from aci.graph.graph import asked
from aci.version import MONTH, file_of, version_of


def test_a_version_is_that_of_the_sources() -> None:
    numbers = {version_of(*patterns) for patterns in (store.MADE_BY, history_index.MADE_BY, ("words.py",))}
    assert len(numbers) == 3
    assert all(0 < number < 1 << 31 for number in numbers)


def test_another_source_or_another_parser_is_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(version, "__file__", str(tmp_path / "version.py"))
    found = set()
    for text in ("x = 1", "x = 2", "import tree_sitter", "import tree_sitter_nobody"):
        (tmp_path / "code.py").write_text(text)
        version_of.cache_clear()
        found.add(version_of("*.py"))
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99.0")
    version_of.cache_clear()
    found.add(version_of("*.py"))
    version_of.cache_clear()
    assert len(found) == 5


def test_two_versions_share_a_folder(tmp_path: Path) -> None:
    assert file_of(tmp_path, "graph", 1) != file_of(tmp_path, "graph", 2)
    other = file_of(tmp_path, "graph", 1)
    other.write_bytes(b"of other code")
    asked(TextBlobs({"a.py": "x = 1\n"}), tmp_path, lambda graph: graph.paths)
    assert other.read_bytes() == b"of other code"
    assert store.file_in(tmp_path).exists()


def test_what_nobody_used_for_long_goes(tmp_path: Path) -> None:
    own, old, new = (file_of(tmp_path, "graph", number).name for number in (1, 2, 3))
    gone = {old, f"{old}-wal", old.replace(".sqlite", ".1.sqlite"), "graph.sqlite", "graph.2.sqlite"}
    stay = {own, own.replace(".sqlite", ".1.sqlite"), "graphs.sqlite", "graph-mine.sqlite", "history-00000002.sqlite"}
    for name in gone | stay:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, time.time() - MONTH - 60))
    (tmp_path / new).touch()
    for _ in range(2):
        assert file_of(tmp_path, "graph", 1) == tmp_path / own
        assert {file.name for file in tmp_path.iterdir()} == stay | {new}
    assert (tmp_path / own).stat().st_mtime > time.time() - MONTH
