"""Words in a pull request become one commit on its branch, or an answer where it was asked."""

from __future__ import annotations

from typing import Any

import pytest

from agent.github.task.task_request import TaskRequest
from tests.agent.github.publish_runner import BOT, NONE, World
from tests.conftest import git

README = b"""diff --git a/README.md b/README.md
--- a/README.md
+++ b/README.md
@@ -1 +1 @@
-# Calc
+# Calculator
"""


def follow_up(world: World, **other: Any) -> TaskRequest:
    head = git(world.repo.git, "rev-parse", "swe-agent/issue-1")
    return world.errand(
        kind="follow-up", number=2, base=head, branch="swe-agent/issue-1", request="And README?", **other
    )


def of_bot(pull: Any) -> list[str]:
    return [comment.body for comment in pull.comments if comment.author.login == BOT]


@pytest.mark.slow
def test_follow_up_is_one_commit_on_branch(world: World) -> None:
    world.run()
    asked = follow_up(world)
    assert world.run(README, asked=asked) == 0
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1^") == asked.base
    assert git(world.repo.git, "show", "swe-agent/issue-1:README.md") == "# Calculator"
    (pull,) = world.repo.pulls
    answer, status = of_bot(pull)
    assert "is on `swe-agent/issue-1`: Add instead of subtracting." in answer
    assert f"Answered here: {pull.comments[0].url}" in status
    assert world.outputs == {"outcome": "commit", "pull": "2"}
    world.run(README, asked=asked)
    assert len(of_bot(pull)) == 2
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1^") == asked.base


def test_follow_up_may_be_answer_only(world: World) -> None:
    world.run()
    pull = world.repo.pulls[0]
    asked = follow_up(world)
    world.run(
        b"", asked=asked, verdict=NONE, answer="Because:\n\n- it `adds`\n\n```py\nadd(1, 2)  # @bob\n```\nask @bob"
    )
    assert "Because:\n\n- it `adds`\n\n```py\nadd(1, 2)  # @bob\n```\n\nask `@bob`" in of_bot(pull)[0]
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1") == asked.base
    assert world.outputs["outcome"] == "answer"


def test_answer_stands_in_thread_that_asked(world: World) -> None:
    world.run()
    pull = world.repo.pulls[0]
    said = pull.review_comment("ada", "/swe-agent why?", "core.py", 2)
    for _ in range(2):
        world.run(b"", asked=follow_up(world, reply_to=said.id), verdict=NONE, answer="It is a sum.")
    (answer,) = [each for each in pull.review if each.author.login == BOT]
    assert "It is a sum." in answer.body
    assert answer.reply_to is said


@pytest.mark.parametrize("how", ["pushed", "closed", "gone"])
def test_branch_that_went_on_is_left_alone(world: World, how: str) -> None:
    world.run()
    pull = world.repo.pulls[0]
    asked = follow_up(world)
    if how == "pushed":
        world.push(pull.head, {"x.py": "x = 1\n"}, base=pull.head)
    elif how == "closed":
        pull.close(None)
    else:
        git(world.repo.git, "branch", "-D", pull.head)
    before = git(world.repo.git, "for-each-ref")
    assert world.run(README, asked=asked) == 0
    assert git(world.repo.git, "for-each-ref") == before
    why = {
        "pushed": "has new commits meanwhile.",
        "closed": "#2 was closed meanwhile.",
        "gone": "was deleted.",
    }
    assert why[how] in of_bot(pull)[0]
    assert world.outputs["outcome"] == "skipped"


def test_answer_that_is_too_long_is_cut_between_lines(world: World) -> None:
    """In the midst of one, a name would step out of its span of code."""
    world.run()
    asked = follow_up(world)
    lines = "\n\n".join(["@victim-org/everybody " * 90] * 10)
    assert world.run(b"", asked=asked, answer=lines, attempts=("@victim-org/everybody " * 180,) * 10, verdict=NONE) == 0
    (answer, *_) = of_bot(world.repo.pulls[0])
    assert len(answer) <= 65_000
    assert answer.endswith("\n\n(The rest was too long.)")
    assert all(line.count("`") % 2 == 0 for line in answer.split("\n"))
    assert "`@victim-org/everybody`" in answer
