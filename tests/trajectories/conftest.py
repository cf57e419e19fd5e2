"""An empty store of trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trajectories.git_store.trees import Trees


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[Trees]:
    with Trees(tmp_path / "trees.git") as trees:
        yield trees
