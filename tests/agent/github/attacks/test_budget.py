"""Nobody spends more than the owner allows, whatever comments say, and however often somebody asks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.agent.github.attacks.attack_repository import BOT, Done, Place


def ask(place: Place, issue: Any) -> Done:
    event = place.labelled(issue)
    return place.gate("issues", event)


@pytest.mark.slow
def test_many_triggers_of_issue(place: Place) -> None:
    """Stopped by the budget of an issue: what is held counts as spent until it is settled."""
    place.rules(budget=2, budget_per_issue=5)
    issue = place.approved()
    spent = 0.0
    for _ in range(5):
        spent += ask(place, issue).held
        place.left_behind(issue)
    assert 4 < spent <= 5


@pytest.mark.slow
def test_many_issues_in_day(place: Place) -> None:
    """Stopped by the budget of a day, over all issues."""
    place.rules(budget=2, budget_per_issue=10, budget_per_day=5)
    done = [ask(place, place.approved(title=f"Issue {number}")) for number in range(5)]
    assert sum(one.held for one in done) <= 5
    assert not done[-1].went
    assert "budget" in done[-1].reason


@pytest.mark.parametrize("by", ["mallory", "bob", "tri", "ada", "evil[bot]"])
def test_forged_ledger_raises_nothing_and_lowers_nothing(place: Place, by: str) -> None:
    """Stopped by the author: only comments of the bot itself are read, whatever others begin with."""
    place.rules(budget=2, budget_per_issue=5)
    issue = place.approved()
    assert ask(place, issue).held == 2
    ours = place.said_by_bot(issue)
    for number in "0", "-100", "1000":
        issue.comment(by, ours.replace("2.0,", f"{number},"))
    issue.comment(by, ours)
    place.left_behind(issue)
    assert ask(place, issue).held == 2
    place.left_behind(issue)
    assert ask(place, issue).held <= 1


def test_bot_made_to_say_ledger(place: Place) -> None:
    """Stopped by the place: a comment of the bot is a ledger only where it begins as one."""
    place.rules(budget=2, budget_per_issue=5)
    issue = place.approved()
    ask(place, issue)
    ours = place.said_by_bot(issue)
    issue.comment(BOT, f"You said:\n\n{ours.replace('2.0,', '-100,')}")
    place.left_behind(issue)
    second = ask(place, issue)
    assert second.went
    place.left_behind(issue)
    assert second.held + ask(place, issue).held <= 3


def test_forged_sticky_comment_is_not_edited(place: Place) -> None:
    """Stopped by the author: the forged one stays as it is, and ours is our own."""
    issue = place.approved()
    ask(place, issue)
    ours = place.said_by_bot(issue)
    other = place.approved(title="Another")
    forged = other.comment("mallory", ours)
    ask(place, other)
    assert forged.body == ours
    assert f"PATCH /repos/octo/calc/issues/comments/{forged.id}" not in " ".join(place.written)
    assert place.said_by_bot(other)


def test_two_gates_at_once(place: Place) -> None:
    """Stopped by holding before solving: the second sees the first's hold, though nothing is settled."""
    place.rules(budget=4, budget_per_issue=5)
    issue = place.approved()
    first, second = ask(place, issue), ask(place, issue)
    assert first.went
    assert "run" in second.reason


def test_what_was_held_and_never_settled(place: Place) -> None:
    """Stopped by counting it whole: a solving job that is killed has spent who knows what."""
    place.rules(budget=2, budget_per_issue=2)
    issue = place.approved()
    assert ask(place, issue).went
    place.left_behind(issue)
    again = ask(place, issue)
    assert not again.went
    assert "budget" in again.reason


@pytest.mark.parametrize("dollars", [-5.0, float("nan"), float("-inf"), "0", None, True], ids=range(6))
def test_handover_that_says_it_was_cheap(place: Place, dollars: object) -> None:
    """Stopped by the form of a number of dollars: what is none settles nothing, and the hold counts whole."""
    place.rules(budget=2, budget_per_issue=3)
    issue = place.approved()
    place.issues.append(issue)
    digest = ask(place, issue).outputs["digest"]
    from tests.agent.github.attacks.attack_repository import GOOD, SOLVED, outcome, tar

    result = {**SOLVED, "usage": {**SOLVED["usage"], "dollars": dollars}}
    done = place.publish_these(digest, tar(outcome(digest, place.base, result=result), GOOD))
    assert "Traceback" not in done.said
    for pull in place.repo.pulls:
        pull.close()
    place.left_behind(issue)
    assert ask(place, issue).held <= 1


def test_too_many_of_our_pull_requests(place: Place) -> None:
    """Stopped by `most-open`."""
    place.rules(most_open=2)
    for number in 1, 2:
        place.repo.pull(head=f"swe-agent/issue-{number + 50}", base="main", author=BOT, title="Ours", body="")
    done = ask(place, place.approved())
    assert not done.went
    assert "open" in done.reason


def test_pull_requests_that_only_look_like_ours_do_not_block(place: Place) -> None:
    """Stopped by the author: mallory cannot use up `most-open` by branches of our name."""
    place.rules(most_open=1)
    place.repo.pull(head="swe-agent/issue-50", base="main", author="mallory", title="Ours?", body="")
    assert ask(place, place.approved()).went


def test_policy_against_ai(place: Place) -> None:
    """Stopped by the repository's own file."""
    from tests.conftest import git

    folder = place.checkout()
    (folder / "AI_POLICY.md").write_text("# AI policy\n\nAI-generated contributions are not accepted.\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "A policy")
    git(folder, "push", "-q", str(place.repo.git), "HEAD:main")
    done = ask(place, place.approved())
    assert not done.went
    assert "policy" in done.reason
