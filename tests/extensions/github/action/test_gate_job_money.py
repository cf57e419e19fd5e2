"""Budgets for an issue and for a day, and the lock against two runs on one issue."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from extensions.github.action import spend_reservations
from extensions.github.action.spend_record import END, MARK, Charge, line, spent
from extensions.github.action.status_comment import find, hold, settle, spent_on, update_comment
from extensions.github.action_inputs import own_repository
from extensions.github.api.github_client import repository
from extensions.github.pull_request.marked_comment import LONGEST
from extensions.github.task.trigger_event import now
from tests.extensions.github.gate_runner import BOT, LATER, REQUESTED, GateRunner, add_charges
from tests.github_server import Request
from trajectories.errors import UsageError


def ago(**duration: float) -> str:
    return (datetime.now(UTC) - timedelta(**duration)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_budget_is_reserved_before_and_settled_after(gate: GateRunner) -> None:
    issue = gate.issue()
    assert gate.decide("issues", gate.label_event(issue), run="41")
    client = repository(own_repository())

    reserved = find(client, issue.number, BOT)
    assert [(charge.run, charge.held, charge.spent) for charge in reserved.charges] == [("41", 2.0, None)]

    settle(client, reserved, "A pull request is open.", "41", 0.25, pull=9, journal=True)
    settled = find(client, issue.number, BOT)
    assert [(charge.run, charge.dollars, charge.pull, charge.journal) for charge in settled.charges] == [
        ("41", 0.25, 9, True)
    ]
    assert settled.text == "A pull request is open."
    assert spent_on(client, BOT, now()[:10]) == 0.25


def test_second_settlement_loses_neither_cost_nor_pull_request(gate: GateRunner) -> None:
    issue = gate.issue()
    assert gate.decide("issues", gate.label_event(issue), run="41")
    client = repository(own_repository())
    settled = settle(client, find(client, 1, BOT), "A pull request is open.", "41", 1.9, pull=9)

    settle(client, settled, "Nothing changed.", "41", 0.1)

    assert [(charge.dollars, charge.pull) for charge in find(client, 1, BOT).charges] == [(1.9, 9)]


def test_run_gets_remaining_budget_of_issue(gate: GateRunner) -> None:
    gate.set_rules(budget_per_issue=3)
    issue = gate.issue()
    add_charges(issue, Charge("1", ago(days=3), 2.0, spent=1.5), Charge("2", ago(days=2), 0.5))

    assert gate.decide("issues", gate.label_event(issue, at=now())), gate.reason
    assert gate.task.budget == 1.0


def test_issue_with_used_up_budget_is_refused(gate: GateRunner) -> None:
    gate.set_rules(budget_per_issue=3)
    issue = gate.issue()
    pull = gate.pull(99)
    pull.close()
    add_charges(issue, Charge("1", ago(days=3), 2.0, spent=1.5, pull=pull.number))
    add_charges(pull, Charge("2", ago(days=2), 2.0, spent=1.49))

    assert not gate.decide("issues", gate.label_event(issue, at=now()))
    assert gate.reason == "The budget of $3.00 for one issue is used up."
    assert gate.reason in gate.status_comment(issue).replace("\\", "")


@pytest.mark.slow
def test_budget_counts_all_pull_requests_of_issue(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.set_rules(budget_per_issue=20)
    issue, pulls = gate.issue(), []
    for number in range(12):
        pulls.append(gate.pull(100 + number))
        pulls[-1].close()
        add_charges(pulls[-1], Charge("2", ago(days=2), 2.0, spent=1.9))
    charges = [Charge(str(at), ago(days=9 - at / 10), 2.0, spent=0, pull=pull.number) for at, pull in enumerate(pulls)]
    add_charges(issue, *charges, *(Charge(str(at), ago(days=3), 2.0, spent=0) for at in range(100, 150)))
    payload = gate.label_event(issue, at=now())

    assert not gate.decide("issues", payload)
    assert gate.reason == "The budget of $20.00 for one issue is used up."

    monkeypatch.setattr(spend_reservations, "MOST", 12)
    assert not gate.decide("issues", payload)
    assert gate.reason == "#1 has too many pull requests; its spending cannot be calculated."


@pytest.mark.slow
def test_day_budget_covers_whole_repository(gate: GateRunner) -> None:
    gate.set_rules(budget_per_day=3)
    for number in range(2):
        add_charges(gate.issue(f"Another {number}"), Charge(str(number), ago(seconds=1), 2.0, spent=1.49))
    issue = gate.issue()
    payload = gate.label_event(issue, at=now())

    if ago(seconds=10)[:10] == now()[:10]:
        assert not gate.decide("issues", payload)
        assert gate.reason == "The budget of $3.00 for one day is used up."
    gate.set_rules(budget_per_day=30)
    assert gate.decide("issues", payload), gate.reason


def test_charges_in_comments_of_others_are_ignored(gate: GateRunner) -> None:
    gate.set_rules(budget_per_issue=3)
    issue = gate.issue()
    add_charges(issue, Charge("1", ago(days=1), 99.0), author="mallory")
    add_charges(issue, Charge("1", ago(days=1), 99.0), author="ada")
    issue.comment(BOT, f"Look:\n{line([Charge('1', ago(days=1), 99.0)])}", at=REQUESTED)
    issue.comment(BOT, f" {MARK}broken{END}", at=REQUESTED)

    assert gate.decide("issues", gate.label_event(issue, at=now())), gate.reason
    assert gate.task.budget == 2.0


def test_unreadable_spending_record_is_reported(gate: GateRunner) -> None:
    issue = gate.issue()
    issue.comment(BOT, f"{MARK}[[]]{END}\nDone.", at=REQUESTED)

    with pytest.raises(UsageError, match=r"The spending record in .* cannot be read"):
        gate.decide("issues", gate.label_event(issue))


def test_second_run_is_refused_while_another_works_on_issue(gate: GateRunner) -> None:
    issue = gate.issue()
    add_charges(issue, Charge("1", ago(minutes=170), 2.0))
    comment = issue.comment("ada", "/swe-agent fix", at=now())
    payload = gate.hub.event("issue_comment", "created", comment)

    assert not gate.decide("issue_comment", payload, run="2")
    assert gate.reason == "Another run is working on #1."

    assert gate.decide("issue_comment", payload, run="1"), "the same run again, started by hand"


@pytest.mark.parametrize("minutes", [91, 60 * 24 * 365, -91, -60 * 24 * 365])
def test_reservation_of_dead_run_counts_but_does_not_block(gate: GateRunner, minutes: int) -> None:
    """The clock of its runner may have been set forward."""
    gate.set_rules(minutes=30, budget_per_issue=3)
    issue = gate.issue()
    add_charges(issue, Charge("1", ago(minutes=minutes), 2.0))
    comment = issue.comment("ada", "/swe-agent fix", at=now())

    assert gate.decide("issue_comment", gate.hub.event("issue_comment", "created", comment), run="2"), gate.reason
    assert gate.task.budget == 1.0


def test_label_is_ignored_after_later_run(gate: GateRunner) -> None:
    issue = gate.issue()
    payload = gate.label_event(issue, at=REQUESTED)
    add_charges(issue, Charge("1", LATER, 2.0, spent=0.1))

    assert not gate.decide("issues", payload, run="2")
    assert gate.reason == "A later run has handled this already."


def test_first_of_two_simultaneous_runs_continues(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both find no reservation, but the other run writes its comment a moment earlier."""
    issue = gate.issue()
    payload = gate.label_event(issue)
    original_answer = gate.hub.answer

    def answer_after_other_run(request: Request) -> object:
        if request.method == "POST" and not any(comment.author.login == BOT for comment in issue.comments):
            add_charges(issue, Charge("6", ago(seconds=5), 2.0), text="At work.")
        return original_answer(request)

    monkeypatch.setattr(gate.hub, "answer", answer_after_other_run)
    assert not gate.decide("issues", payload, run="7")
    assert gate.reason == "Another run has started on #1."

    monkeypatch.setattr(gate.hub, "answer", original_answer)
    client = repository(own_repository())
    assert {charge.run for charge in find(client, 1, BOT).charges} == {"6"}


def test_run_that_writes_later_is_refused(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """This run reads its clock first, but the other run has reserved and checked before this run's comment exists."""
    issue = gate.issue()
    payload = gate.label_event(issue)
    original_answer = gate.hub.answer

    def answer_after_other_run(request: Request) -> object:
        if request.method == "POST" and not issue.comments:
            add_charges(issue, Charge("6", ago(seconds=-5), 2.0), text="At work.")
        return original_answer(request)

    monkeypatch.setattr(gate.hub, "answer", answer_after_other_run)
    assert not gate.decide("issues", payload, run="7")
    assert gate.reason == "Another run has started on #1."


def test_run_with_overwritten_reservation_is_refused(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = gate.issue()
    own_comment = add_charges(issue, Charge("1", ago(days=1), 2.0, spent=0.5))
    original_answer = gate.hub.answer

    def overwrite_reservation(request: Request) -> object:
        answer = original_answer(request)
        if request.method == "PATCH":
            own_comment.body = f"{line([Charge('8', now(), 2.0)])}\n\nAt work."
        return answer

    monkeypatch.setattr(gate.hub, "answer", overwrite_reservation)
    assert not gate.decide("issues", gate.label_event(issue, at=now()), run="7")
    assert gate.reason == "Another run has started on #1."


def test_two_issues_cannot_both_reserve_rest_of_day_budget(gate: GateRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.set_rules(budget_per_day=3)
    issue, other = gate.issue(), gate.issue("Another")
    payload = gate.label_event(issue)
    original_answer = gate.hub.answer

    def answer_after_other_run(request: Request) -> object:
        if request.method == "POST" and not other.comments:
            add_charges(other, Charge("6", now(), 2.0))
        return original_answer(request)

    monkeypatch.setattr(gate.hub, "answer", answer_after_other_run)
    assert not gate.decide("issues", payload, run="7")
    assert gate.reason == "The budget of $3.00 for one day is used up."
    assert find(repository(own_repository()), issue.number, BOT).charges == ()


def test_two_status_comments_are_merged_and_oldest_wins(gate: GateRunner) -> None:
    issue = gate.issue()
    first = Charge("1", ago(days=2), 2.0, spent=0.5)
    add_charges(issue, first, text="First.")
    add_charges(issue, Charge("2", ago(days=1), 2.0, spent=0.7), replace(first, spent=0.0), text="Second.")
    gate.monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    for name, value in gate.hub.env(actor="ada", token="gate").items():
        gate.monkeypatch.setenv(name, value)

    merged = find(repository(own_repository()), 1, BOT)
    assert (merged.id, merged.text, spent(merged.charges)) == (issue.comments[0].id, "First.", 1.2)


def test_deleted_status_comment_is_recreated_and_long_one_shortened(gate: GateRunner) -> None:
    issue = gate.issue()
    for name, value in gate.hub.env(actor="ada", token="gate").items():
        gate.monkeypatch.setenv(name, value)
    client = repository(own_repository())
    status_comment = hold(client, find(client, 1, BOT), "At work.", Charge("1", now(), 2.0))
    issue.comments[0].delete()

    recreated = update_comment(client, status_comment, "x" * 70_000)

    assert recreated.id != status_comment.id
    assert len(gate.status_comment(issue)) <= LONGEST
    assert find(client, 1, BOT).charges == status_comment.charges
