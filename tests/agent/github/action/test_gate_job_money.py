"""What may be spent on an issue and in a day, and that two runs do not work on the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.github.action import spend_reservations
from agent.github.action.spend_record import END, MARK, Charge, line, spent
from agent.github.action.status_comment import LONGEST, find, hold, settle, spent_on, update_comment
from agent.github.api.github_client import repository
from agent.github.api.github_urls import own_repository
from agent.github.task.trigger_event import now
from tests.agent.github.gate_runner import ASKED, BOT, LATER, Gated, charged
from tests.github_server import Request
from trajectories.errors import UsageError


def ago(**much: float) -> str:
    return (datetime.now(UTC) - timedelta(**much)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_budget_is_held_before_and_settled_after(gated: Gated) -> None:
    issue = gated.issue()
    assert gated.decide("issues", gated.labelled(issue), run="41")
    place = repository(own_repository())

    held = find(place, issue.number, BOT)
    assert [(one.run, one.held, one.spent) for one in held.charges] == [("41", 2.0, None)]

    settle(place, held, "A pull request is open.", "41", 0.25, pull=9, journal=True)
    done = find(place, issue.number, BOT)
    assert [(one.run, one.dollars, one.pull, one.journal) for one in done.charges] == [("41", 0.25, 9, True)]
    assert done.text == "A pull request is open."
    assert spent_on(place, BOT, now()[:10]) == 0.25


def test_settled_again_it_loses_neither_money_nor_pull_request(gated: Gated) -> None:
    issue = gated.issue()
    assert gated.decide("issues", gated.labelled(issue), run="41")
    place = repository(own_repository())
    once = settle(place, find(place, 1, BOT), "A pull request is open.", "41", 1.9, pull=9)

    settle(place, once, "It was so already.", "41", 0.1)

    assert [(one.dollars, one.pull) for one in find(place, 1, BOT).charges] == [(1.9, 9)]


def test_what_is_left_of_issues_budget_is_what_run_gets(gated: Gated) -> None:
    gated.rules(budget_per_issue=3)
    issue = gated.issue()
    charged(issue, Charge("1", ago(days=3), 2.0, spent=1.5), Charge("2", ago(days=2), 0.5))

    assert gated.decide("issues", gated.labelled(issue, at=now())), gated.reason
    assert gated.errand.budget == 1.0


def test_issue_on_which_enough_was_spent_is_left_alone(gated: Gated) -> None:
    gated.rules(budget_per_issue=3)
    issue = gated.issue()
    pull = gated.pull(99)
    pull.close()
    charged(issue, Charge("1", ago(days=3), 2.0, spent=1.5, pull=pull.number))
    charged(pull, Charge("2", ago(days=2), 2.0, spent=1.49))

    assert not gated.decide("issues", gated.labelled(issue, at=now()))
    assert gated.reason == "The budget of $3.00 for one issue is used up."
    assert gated.reason in gated.sticky(issue).replace("\\", "")


@pytest.mark.slow
def test_all_pull_requests_of_issue_are_counted(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    gated.rules(budget_per_issue=20)
    issue, pulls = gated.issue(), []
    for number in range(12):
        pulls.append(gated.pull(100 + number))
        pulls[-1].close()
        charged(pulls[-1], Charge("2", ago(days=2), 2.0, spent=1.9))
    began = [Charge(str(at), ago(days=9 - at / 10), 2.0, spent=0, pull=pull.number) for at, pull in enumerate(pulls)]
    charged(issue, *began, *(Charge(str(at), ago(days=3), 2.0, spent=0) for at in range(100, 150)))
    payload = gated.labelled(issue, at=now())

    assert not gated.decide("issues", payload)
    assert gated.reason == "The budget of $20.00 for one issue is used up."

    monkeypatch.setattr(spend_reservations, "MOST", 12)
    assert not gated.decide("issues", payload)
    assert gated.reason == "#1 led to so many pull requests that its spending is not known."


@pytest.mark.slow
def test_days_budget_is_for_whole_repository(gated: Gated) -> None:
    gated.rules(budget_per_day=3)
    for number in range(2):
        charged(gated.issue(f"Another {number}"), Charge(str(number), ago(seconds=1), 2.0, spent=1.49))
    issue = gated.issue()
    payload = gated.labelled(issue, at=now())

    if ago(seconds=10)[:10] == now()[:10]:
        assert not gated.decide("issues", payload)
        assert gated.reason == "The budget of $3.00 for one day is used up."
    gated.rules(budget_per_day=30)
    assert gated.decide("issues", payload), gated.reason


def test_what_anybody_else_wrote_is_no_ledger(gated: Gated) -> None:
    gated.rules(budget_per_issue=3)
    issue = gated.issue()
    charged(issue, Charge("1", ago(days=1), 99.0), author="mallory")
    charged(issue, Charge("1", ago(days=1), 99.0), author="ada")
    issue.comment(BOT, f"Look:\n{line([Charge('1', ago(days=1), 99.0)])}", at=ASKED)
    issue.comment(BOT, f" {MARK}broken{END}", at=ASKED)

    assert gated.decide("issues", gated.labelled(issue, at=now())), gated.reason
    assert gated.errand.budget == 2.0


def test_ledger_that_cannot_be_read_ends_it(gated: Gated) -> None:
    issue = gated.issue()
    issue.comment(BOT, f"{MARK}[[]]{END}\nDone.", at=ASKED)

    with pytest.raises(UsageError, match=r"The spending record in .* cannot be read"):
        gated.decide("issues", gated.labelled(issue))


def test_while_run_is_at_work_no_other_begins(gated: Gated) -> None:
    issue = gated.issue()
    charged(issue, Charge("1", ago(minutes=170), 2.0))
    asked = issue.comment("ada", "/swe-agent fix", at=now())
    payload = gated.hub.event("issue_comment", "created", asked)

    assert not gated.decide("issue_comment", payload, run="2")
    assert gated.reason == "Another run is working on #1."

    assert gated.decide("issue_comment", payload, run="1"), "run again, by hand"


def test_what_dead_run_held_keeps_no_other_off_but_is_counted(gated: Gated) -> None:
    gated.rules(minutes=30, budget_per_issue=3)
    issue = gated.issue()
    charged(issue, Charge("1", ago(minutes=91), 2.0))
    asked = issue.comment("ada", "/swe-agent fix", at=now())

    assert gated.decide("issue_comment", gated.hub.event("issue_comment", "created", asked), run="2"), gated.reason
    assert gated.errand.budget == 1.0


def test_label_that_later_run_has_seen_is_dealt_with(gated: Gated) -> None:
    issue = gated.issue()
    payload = gated.labelled(issue, at=ASKED)
    charged(issue, Charge("1", LATER, 2.0, spent=0.1))

    assert not gated.decide("issues", payload, run="2")
    assert gated.reason == "A later run has handled this already."


def test_of_two_that_begin_at_once_first_goes_on(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found nothing that is held; the other one wrote its comment a moment before."""
    issue = gated.issue()
    payload = gated.labelled(issue)
    answer = gated.hub.answer

    def overtaken(request: Request) -> object:
        if request.method == "POST" and not any(one.author.login == BOT for one in issue.comments):
            charged(issue, Charge("6", ago(seconds=5), 2.0), text="At work.")
        return answer(request)

    monkeypatch.setattr(gated.hub, "answer", overtaken)
    assert not gated.decide("issues", payload, run="7")
    assert gated.reason == "Another run has started on #1."

    monkeypatch.setattr(gated.hub, "answer", answer)
    place = repository(own_repository())
    assert {one.run for one in find(place, 1, BOT).charges} == {"6"}


def test_who_was_slow_to_write_goes_back(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock was read first, but the other one had held and looked before its comment was there."""
    issue = gated.issue()
    payload = gated.labelled(issue)
    answer = gated.hub.answer

    def overtaken(request: Request) -> object:
        if request.method == "POST" and not issue.comments:
            charged(issue, Charge("6", ago(seconds=-5), 2.0), text="At work.")
        return answer(request)

    monkeypatch.setattr(gated.hub, "answer", overtaken)
    assert not gated.decide("issues", payload, run="7")
    assert gated.reason == "Another run has started on #1."


def test_who_was_written_over_goes_back(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = gated.issue()
    mine = charged(issue, Charge("1", ago(days=1), 2.0, spent=0.5))
    answer = gated.hub.answer

    def written_over(request: Request) -> object:
        found = answer(request)
        if request.method == "PATCH":
            mine.body = f"{line([Charge('8', now(), 2.0)])}\n\nAt work."
        return found

    monkeypatch.setattr(gated.hub, "answer", written_over)
    assert not gated.decide("issues", gated.labelled(issue, at=now()), run="7")
    assert gated.reason == "Another run has started on #1."


def test_two_issues_do_not_spend_rest_of_day_at_once(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    gated.rules(budget_per_day=3)
    issue, other = gated.issue(), gated.issue("Another")
    payload = gated.labelled(issue)
    answer = gated.hub.answer

    def overtaken(request: Request) -> object:
        if request.method == "POST" and not other.comments:
            charged(other, Charge("6", now(), 2.0))
        return answer(request)

    monkeypatch.setattr(gated.hub, "answer", overtaken)
    assert not gated.decide("issues", payload, run="7")
    assert gated.reason == "The budget of $3.00 for one day is used up."
    assert find(repository(own_repository()), issue.number, BOT).charges == ()


def test_two_comments_of_ours_are_one_ledger_in_which_oldest_is_right(gated: Gated) -> None:
    issue = gated.issue()
    first = Charge("1", ago(days=2), 2.0, spent=0.5)
    charged(issue, first, text="First.")
    charged(issue, Charge("2", ago(days=1), 2.0, spent=0.7), replace(first, spent=0.0), text="Second.")
    gated.patch.setenv("GITHUB_REPOSITORY", "octo/calc")
    for name, value in gated.hub.env(actor="ada", token="gate").items():
        gated.patch.setenv(name, value)

    found = find(repository(own_repository()), 1, BOT)
    assert (found.id, found.text, spent(found.charges)) == (issue.comments[0].id, "First.", 1.2)


def test_comment_that_was_deleted_is_made_anew_and_long_one_cut(gated: Gated) -> None:
    issue = gated.issue()
    for name, value in gated.hub.env(actor="ada", token="gate").items():
        gated.patch.setenv(name, value)
    place = repository(own_repository())
    sticky = hold(place, find(place, 1, BOT), "At work.", Charge("1", now(), 2.0))
    issue.comments[0].delete()

    again = update_comment(place, sticky, "x" * 70_000)

    assert again.id != sticky.id
    assert len(gated.sticky(issue)) <= LONGEST
    assert find(place, 1, BOT).charges == sticky.charges
