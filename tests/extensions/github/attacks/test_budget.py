"""Spending beyond the owner's budgets by forged comments or repeated requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.extensions.github.attacks.attack_repository import BOT, AttackTarget, JobResult


def request_fix(target: AttackTarget, issue: Any) -> JobResult:
    event = target.label_event(issue)
    return target.gate("issues", event)


@pytest.mark.slow
def test_repeated_requests_stay_within_budget_of_issue(target: AttackTarget) -> None:
    """A reservation counts as spent until it is settled."""
    target.set_rules(budget=2, budget_per_issue=5)
    issue = target.issue()
    spent = 0.0
    for _ in range(5):
        spent += request_fix(target, issue).reserved
        target.expire_reservations(issue)
    assert 4 < spent <= 5


@pytest.mark.slow
def test_many_issues_stay_within_budget_of_day(target: AttackTarget) -> None:
    target.set_rules(budget=2, budget_per_issue=10, budget_per_day=5)
    results = [request_fix(target, target.issue(title=f"Issue {number}")) for number in range(5)]
    assert sum(result.reserved for result in results) <= 5
    assert not results[-1].accepted
    assert "budget" in results[-1].reason


@pytest.mark.slow
@pytest.mark.parametrize("by", ["mallory", "bob", "tri", "ada", "evil[bot]"])
def test_forged_spending_record_has_no_effect(target: AttackTarget, by: str) -> None:
    """Only comments of the bot are read."""
    target.set_rules(budget=2, budget_per_issue=5)
    issue = target.issue()
    assert request_fix(target, issue).reserved == 2
    comment_text = target.bot_comments(issue)
    for number in "0", "-100", "1000":
        issue.comment(by, comment_text.replace("2.0,", f"{number},"))
    issue.comment(by, comment_text)
    target.expire_reservations(issue)
    assert request_fix(target, issue).reserved == 2
    target.expire_reservations(issue)
    assert request_fix(target, issue).reserved <= 1


@pytest.mark.slow
def test_spending_record_quoted_by_bot_has_no_effect(target: AttackTarget) -> None:
    """A comment of the bot counts only if it begins with the record."""
    target.set_rules(budget=2, budget_per_issue=5)
    issue = target.issue()
    request_fix(target, issue)
    comment_text = target.bot_comments(issue)
    issue.comment(BOT, f"You said:\n\n{comment_text.replace('2.0,', '-100,')}")
    target.expire_reservations(issue)
    second = request_fix(target, issue)
    assert second.accepted
    target.expire_reservations(issue)
    assert second.reserved + request_fix(target, issue).reserved <= 3


@pytest.mark.slow
def test_forged_status_comment_is_not_edited(target: AttackTarget) -> None:
    """The author decides: the forged comment stays unchanged, and the bot writes its own."""
    issue = target.issue()
    request_fix(target, issue)
    comment_text = target.bot_comments(issue)
    other = target.issue(title="Another")
    forged = other.comment("mallory", comment_text)
    request_fix(target, other)
    assert forged.body == comment_text
    assert f"PATCH /repos/octo/calc/issues/comments/{forged.id}" not in " ".join(target.write_requests)
    assert target.bot_comments(other)


def test_second_simultaneous_gate_is_refused(target: AttackTarget) -> None:
    """The budget is reserved before solving, so the second gate finds the first one's reservation."""
    target.set_rules(budget=4, budget_per_issue=5)
    issue = target.issue()
    first, second = request_fix(target, issue), request_fix(target, issue)
    assert first.accepted
    assert "run" in second.reason


@pytest.mark.slow
def test_unsettled_reservation_counts_in_full(target: AttackTarget) -> None:
    """A solve job that was killed may have spent all of it."""
    target.set_rules(budget=2, budget_per_issue=2)
    issue = target.issue()
    assert request_fix(target, issue).accepted
    target.expire_reservations(issue)
    again = request_fix(target, issue)
    assert not again.accepted
    assert "budget" in again.reason


@pytest.mark.slow
@pytest.mark.parametrize("dollars", [-5.0, float("nan"), float("-inf"), "0", None, True], ids=range(6))
def test_invalid_cost_in_result_file_settles_nothing(target: AttackTarget, dollars: object) -> None:
    """The cost must be a number of dollars; otherwise the reservation counts in full."""
    target.set_rules(budget=2, budget_per_issue=3)
    issue = target.issue()
    target.issues.append(issue)
    digest = request_fix(target, issue).outputs["digest"]
    from tests.extensions.github.attacks.attack_repository import GOOD_DIFF, SOLVED, outcome, tar

    run_result = {**SOLVED, "usage": {**SOLVED["usage"], "dollars": dollars}}
    result = target.publish_handover(digest, tar(outcome(digest, target.base, result=run_result), GOOD_DIFF))
    assert "Traceback" not in result.log
    for pull in target.repo.pulls:
        pull.close()
    target.expire_reservations(issue)
    assert request_fix(target, issue).reserved <= 1


def test_limit_on_open_pull_requests_is_enforced(target: AttackTarget) -> None:
    """`most-open` limits them."""
    target.set_rules(most_open=2)
    for number in 1, 2:
        target.repo.pull(head=f"swe-agent/issue-{number + 50}", base="main", author=BOT, title="Ours", body="")
    result = request_fix(target, target.issue())
    assert not result.accepted
    assert "open" in result.reason


def test_pull_requests_of_others_do_not_count_for_limit(target: AttackTarget) -> None:
    """The author decides: mallory cannot use up `most-open` with branches named like the Action's."""
    target.set_rules(most_open=1)
    target.repo.pull(head="swe-agent/issue-50", base="main", author="mallory", title="Ours?", body="")
    assert request_fix(target, target.issue()).accepted


def test_ai_policy_of_repository_is_followed(target: AttackTarget) -> None:
    from tests.conftest import git

    folder = target.checkout()
    (folder / "AI_POLICY.md").write_text("# AI policy\n\nAI-generated contributions are not accepted.\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A policy")
    git(folder, "push", "-q", str(target.repo.git), "HEAD:main")
    result = request_fix(target, target.issue())
    assert not result.accepted
    assert "policy" in result.reason
