"""Follow-ups in a pull request: one commit on its branch, or an answer where the question was asked."""

from __future__ import annotations

from typing import Any

import pytest

from extensions.github.action.status_comment import find
from extensions.github.action_inputs import own_repository
from extensions.github.api.github_client import repository
from extensions.github.task.task_request import TaskRequest
from tests.conftest import git
from tests.extensions.github.publish_runner import BOT, NONE, PublishRunner

README = b"""diff --git a/README.md b/README.md
--- a/README.md
+++ b/README.md
@@ -1 +1 @@
-# Calc
+# Calculator
"""


def follow_up(publisher: PublishRunner, **other: Any) -> TaskRequest:
    head = git(publisher.repo.git, "rev-parse", "swe-agent/issue-1")
    return publisher.task(
        kind="follow-up", number=2, base=head, branch="swe-agent/issue-1", request="And README?", **other
    )


def bot_comments(pull: Any) -> list[str]:
    return [comment.body for comment in pull.comments if comment.author.login == BOT]


@pytest.mark.slow
def test_follow_up_adds_one_commit_to_branch(publisher: PublishRunner) -> None:
    publisher.run()
    task = follow_up(publisher)
    assert publisher.run(README, task=task) == 0
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1^") == task.base
    assert git(publisher.repo.git, "show", "swe-agent/issue-1:README.md") == "# Calculator"
    (pull,) = publisher.repo.pulls
    answer, status = bot_comments(pull)
    assert "is on `swe-agent/issue-1`: Add instead of subtracting." in answer
    assert f"Answered here: {pull.comments[0].url}" in status
    assert publisher.outputs == {"outcome": "commit", "pull": "2"}
    publisher.run(README, task=task)
    assert len(bot_comments(pull)) == 2
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1^") == task.base


@pytest.mark.slow
def test_follow_up_may_be_answer_only(publisher: PublishRunner) -> None:
    publisher.run()
    pull = publisher.repo.pulls[0]
    task = follow_up(publisher)
    publisher.run(
        b"", task=task, verdict=NONE, answer="Because:\n\n- it `adds`\n\n```py\nadd(1, 2)  # @bob\n```\nask @bob"
    )
    assert "Because:\n\n- it `adds`\n\n```py\nadd(1, 2)  # @bob\n```\n\nask `@bob`" in bot_comments(pull)[0]
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1") == task.base
    assert publisher.outputs["outcome"] == "answer"


@pytest.mark.slow
def test_answer_is_posted_in_review_thread(publisher: PublishRunner) -> None:
    publisher.run()
    pull = publisher.repo.pulls[0]
    question = pull.review_comment("ada", "/swe-agent why?", "core.py", 2)
    for _ in range(2):
        publisher.run(b"", task=follow_up(publisher, reply_to=question.id), verdict=NONE, answer="It is a sum.")
    (answer,) = [comment for comment in pull.review if comment.author.login == BOT]
    assert "It is a sum." in answer.body
    assert answer.reply_to is question


@pytest.mark.slow
@pytest.mark.parametrize("change", ["pushed", "closed", "gone"])
def test_changed_branch_is_not_pushed_to(publisher: PublishRunner, change: str) -> None:
    publisher.run()
    pull = publisher.repo.pulls[0]
    task = follow_up(publisher)
    if change == "pushed":
        publisher.push(pull.head, {"x.py": "x = 1\n"}, base=pull.head)
    elif change == "closed":
        pull.close(None)
    else:
        git(publisher.repo.git, "branch", "-D", pull.head)
    before = git(publisher.repo.git, "for-each-ref")
    assert publisher.run(README, task=task) == 0
    assert git(publisher.repo.git, "for-each-ref") == before
    messages = {
        "pushed": "has new commits meanwhile.",
        "closed": "#2 was closed meanwhile.",
        "gone": "was deleted.",
    }
    assert messages[change] in bot_comments(pull)[0]
    assert publisher.outputs["outcome"] == "skipped"


@pytest.mark.slow
def test_long_answer_is_shortened_between_lines(publisher: PublishRunner) -> None:
    """Within a line, a name could end up outside its code span."""
    publisher.run()
    task = follow_up(publisher)
    lines = "\n\n".join(["@victim-org/everybody " * 90] * 10)
    assert (
        publisher.run(b"", task=task, answer=lines, attempts=("@victim-org/everybody " * 180,) * 10, verdict=NONE) == 0
    )
    (answer, *_) = bot_comments(publisher.repo.pulls[0])
    assert len(answer) <= 65_000
    assert answer.endswith("\n\n(The rest was too long.)")
    assert all(line.count("`") % 2 == 0 for line in answer.split("\n"))
    assert "`@victim-org/everybody`" in answer


@pytest.mark.slow
def test_commit_after_failed_ci_is_reported_in_status_comment(publisher: PublishRunner) -> None:
    publisher.run()
    (pull,) = publisher.repo.pulls
    [opened] = find(repository(own_repository()), 1, BOT).charges
    assert opened.pushed == pull.head_sha
    task = follow_up(publisher, ci_run=f"{publisher.repo.url}/actions/runs/900")

    assert publisher.run(README, task=task) == 0

    (status,) = bot_comments(pull)
    assert "is on `swe-agent/issue-1`: Add instead of subtracting." in status
    assert f"Started because [CI failed]({task.ci_run})." in status
    [charge] = find(repository(own_repository()), 2, BOT).charges
    assert (charge.pushed, charge.journal) == (git(publisher.repo.git, "rev-parse", "swe-agent/issue-1"), True)


@pytest.mark.slow
def test_answer_on_failed_ci_leaves_record_of_pushed_commit_empty(publisher: PublishRunner) -> None:
    publisher.run()
    task = follow_up(publisher, ci_run=f"{publisher.repo.url}/actions/runs/900")

    publisher.run(b"", task=task, verdict=NONE, answer="The mirror of the packages is down.")

    (status,) = bot_comments(publisher.repo.pulls[0])
    assert "The mirror of the packages is down." in status
    assert find(repository(own_repository()), 2, BOT).charges[0].pushed == ""
