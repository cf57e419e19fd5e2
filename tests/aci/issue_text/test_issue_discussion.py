"""Which of a discussion matters."""

from __future__ import annotations

import pytest

from aci.issue_text.issue_discussion import MOST_READ, append_discussion, points_at_code, select_comments
from aci.issue_text.issue_mentions import find_mentions
from trajectories.records import Comment, Issue


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("Me too!", False),
        ("See https://example.org/a and v1.2.3, e.g. this", False),
        ("It is in src/calc.py, I think", True),
        ("```\nadd(2, 2)\n```", True),
        (">>> add(2, 2)\n5", True),
        ("calc.py:3: in add", True),
        ("https://github.com/a/b/blob/main/calc.go#L3", True),
    ],
    ids=range(7),
)
def test_what_points_at_code(text: str, points: bool) -> None:
    assert points_at_code(text) is points


def said(*texts: str) -> tuple[Comment, ...]:
    return tuple(Comment("bob", text) for text in texts)


def test_first_what_points_at_code_then_ends() -> None:
    talk = said("first", "in calc.py", "second", "last")
    for room, kept in ((3, ()), (4, (3,)), (10, (1,)), (15, (0, 1)), (19, (0, 1, 3)), (25, (0, 1, 2, 3))):
        assert select_comments(talk, room) == tuple(talk[at] for at in kept)


def test_what_programs_say_comes_last() -> None:
    bot = Comment("codecov[bot]", "```\n99 % of calc.py\n```")
    talk = (bot, *said("one", "two"))
    assert select_comments(talk, 10) == talk[1:]
    assert append_discussion(Issue("T", "B", comments=(bot,))) == Issue("T", "B", comments=(bot,))


def test_comment_counts_no_more_than_is_shown_of_it() -> None:
    talk = said("in calc.py " * 1000, "one")
    assert select_comments(talk, 20, longest=10) == talk


def test_paths_and_tracebacks_of_comments_are_found() -> None:
    talk = said("Me too!", 'Traceback (most recent call last):\n  File "pkg/calc.py", line 3, in add\nTypeError: no')
    found = find_mentions(Issue("It adds wrongly", "On 2 + 2.", comments=talk))
    assert [(frame.path, frame.line) for frame in found.frames] == [("pkg/calc.py", 3)]
    assert "too" not in found.prose
    assert find_mentions(Issue("It adds wrongly", "On 2 + 2.")).frames == ()


def test_flood_is_not_read() -> None:
    issue = append_discussion(Issue("T", "B", comments=said(*["in calc.py " * 500] * 50)))
    assert len(issue.body) < MOST_READ + 100
