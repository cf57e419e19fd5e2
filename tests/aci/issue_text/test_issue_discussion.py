"""Selection of comments from the discussion of an issue."""

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
def test_text_that_points_at_code_is_recognised(text: str, points: bool) -> None:
    assert points_at_code(text) is points


def comments(*texts: str) -> tuple[Comment, ...]:
    return tuple(Comment("bob", text) for text in texts)


def test_comments_about_code_are_selected_before_first_and_last() -> None:
    discussion = comments("first", "in calc.py", "second", "last")
    for limit, expected in ((3, ()), (4, (3,)), (10, (1,)), (15, (0, 1)), (19, (0, 1, 3)), (25, (0, 1, 2, 3))):
        assert select_comments(discussion, limit) == tuple(discussion[at] for at in expected)


def test_bot_comments_come_last() -> None:
    bot = Comment("codecov[bot]", "```\n99 % of calc.py\n```")
    discussion = (bot, *comments("one", "two"))
    assert select_comments(discussion, 10) == discussion[1:]
    assert append_discussion(Issue("T", "B", comments=(bot,))) == Issue("T", "B", comments=(bot,))


def test_comment_costs_only_its_shown_length() -> None:
    discussion = comments("in calc.py " * 1000, "one")
    assert select_comments(discussion, 20, longest=10) == discussion


def test_paths_and_tracebacks_in_comments_are_found() -> None:
    traceback = 'Traceback (most recent call last):\n  File "pkg/calc.py", line 3, in add\nTypeError: no'
    discussion = comments("Me too!", traceback)
    mentions = find_mentions(Issue("It adds wrongly", "On 2 + 2.", comments=discussion))
    assert [(frame.path, frame.line) for frame in mentions.frames] == [("pkg/calc.py", 3)]
    assert "too" not in mentions.prose
    assert find_mentions(Issue("It adds wrongly", "On 2 + 2.")).frames == ()


def test_very_long_discussion_is_truncated() -> None:
    issue = append_discussion(Issue("T", "B", comments=comments(*["in calc.py " * 500] * 50)))
    assert len(issue.body) < MOST_READ + 100
