"""Lines of GitHub's runner: their times and marks are removed."""

from __future__ import annotations

from aci.issue_text.runner_lines import plain_line


def test_marks_of_runner_are_removed() -> None:
    assert plain_line("2026-01-02T03:04:05.1234567Z ##[group]Run") == "Run"
    assert plain_line("12 passed") == "12 passed"
