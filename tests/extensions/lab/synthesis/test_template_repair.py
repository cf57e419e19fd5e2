"""Whether templates solve a task: an edit counts only if all tests pass with it."""

from __future__ import annotations

from threading import Event
from unittest.mock import Mock

import pytest

from extensions.lab.synthesis import template_repair
from extensions.lab.synthesis.template_repair import is_repaired_by_templates
from extensions.repair import repair_search
from extensions.repair.repair_search import RepairTask
from trajectories.errors import UsageError, WorkspaceError


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> RepairTask:
    """A task for which the search finds five edits of a.py."""
    behaviours = [Mock(candidate=Mock(path="a.py")) for _ in range(5)]
    found = Mock(choice=Mock(behaviours=behaviours), new_data=lambda candidate: b"x = 1\n")
    monkeypatch.setattr(repair_search, "search", lambda *args: found)
    return RepairTask(Mock(), Mock(), "tree", ["test_a"], [], "pytest")


@pytest.mark.parametrize(
    ("results", "expected", "runs"), [([False, True], True, 2), ([False] * 5, False, template_repair.PROOFS)]
)
def test_first_edits_are_checked_with_all_tests(
    task: RepairTask, results: list[bool], expected: bool, runs: int
) -> None:
    passes = Mock(side_effect=results)
    assert is_repaired_by_templates(task, passes, Event()) is expected
    assert passes.call_count == runs
    assert task.trees.write.call_args.args == ({"a.py": b"x = 1\n"}, "tree")


@pytest.mark.parametrize("error", [UsageError("No process.", "Use another."), WorkspaceError("The shell ended.")])
def test_search_that_cannot_run_the_tests_counts_as_not_repaired(
    task: RepairTask, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(repair_search, "search", Mock(side_effect=error))
    assert not is_repaired_by_templates(task, Mock(), Event())
