"""The planted bugs are found again by what they have in common; the figures of docs/experience.md come from here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks._planted import BUGS, FILES
from benchmarks.experience import measured


@pytest.mark.slow
def test_related_bugs_are_found_and_little_else(tmp_path: Path) -> None:
    figures = measured(tmp_path)
    assert figures["bank"]["bugs"] == len(BUGS) == 18
    assert figures["bank"]["precision"] >= 0.8
    assert figures["always three"]["full"] >= 0.8
    assert figures["newest three"]["precision"] < 0.2
    assert figures["bank"]["false"] < figures["newest three"]["false"]


def test_each_bug_is_one_edit_of_file() -> None:
    files = dict(FILES)
    for bug in BUGS:
        assert files[bug.path].count(bug.old) == 1, bug.title
        files[bug.path] = files[bug.path].replace(bug.old, bug.new)
        compile(files[bug.path], bug.path, "exec")
    families = Counter(bug.family for bug in BUGS if bug.family)
    assert min(families.values()) >= 3
