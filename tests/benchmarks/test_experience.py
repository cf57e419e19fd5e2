"""The benchmark of experience on planted bugs; the figures in docs/experience.md come from it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks._planted import BUGS, FILES
from benchmarks.experience import measured


@pytest.mark.slow
def test_bank_finds_mostly_related_bugs(tmp_path: Path) -> None:
    figures = measured(tmp_path)
    assert figures["bank"]["bugs"] == len(BUGS) == 18
    assert figures["bank"]["precision"] >= 0.8
    assert figures["always three"]["full"] >= 0.8
    assert figures["newest three"]["precision"] < 0.2
    assert figures["bank"]["false"] < figures["newest three"]["false"]


def test_each_bug_is_single_edit_of_its_file() -> None:
    files = dict(FILES)
    for bug in BUGS:
        assert files[bug.path].count(bug.old) == 1, bug.title
        files[bug.path] = files[bug.path].replace(bug.old, bug.new)
        compile(files[bug.path], bug.path, "exec")
    families = Counter(bug.family for bug in BUGS if bug.family)
    assert min(families.values()) >= 3
