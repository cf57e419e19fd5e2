"""Excerpts of two differing texts: in a long line, at an end, in blanks."""

import pytest

from extensions.replay.comparison_view import comparison_lines
from extensions.replay.run_comparison import Difference, RunComparison

LONG = "x" * 500


@pytest.mark.parametrize(
    ("left", "right", "excerpts"),
    [
        ("a\nb", "a\nc", ("b", "c")),
        ("a\n", "a", ("''", "(ends here)")),
        ("a\n\nb", "a\nb", ("''", "b")),
        ("a ", "a", ("'a '", "'a'")),
        ("a\x00", "a", ("a^@", "a")),
        (f"{LONG}1", f"{LONG}2", (f"…{'x' * 100}1", f"…{'x' * 100}2")),
        ("", "a", ("(nothing)", "a")),
    ],
    ids=["line", "end", "empty", "blank", "hidden", "long", "nothing"],
)
def test_differing_part_of_two_texts_is_shown(left: str, right: str, excerpts: tuple[str, str]) -> None:
    lines = comparison_lines(RunComparison(1, None, (), (Difference("main", 1, "text", left, right),)), ("A", "B"))
    assert lines[-2:] == [f"  [dim]{side}[/] {excerpt}" for side, excerpt in zip("AB", excerpts, strict=True)]


def test_equal_text_after_different_exit_code_is_not_shown() -> None:
    code = Difference("main", 1, "exit", "ok, exit code 0\nsame", "not ok, exit code 1\nsame")
    lines = comparison_lines(RunComparison(0, code, (code,), ()), ("A", "B"))
    assert lines[-2:] == ["  [dim]A[/] ok, exit code 0", "  [dim]B[/] not ok, exit code 1"]
