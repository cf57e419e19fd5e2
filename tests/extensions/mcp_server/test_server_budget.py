"""One budget for all runs of a server."""

from __future__ import annotations

import pytest

from agent.limits.run_budget import UNPRICED_TOKENS
from extensions.mcp_server.server_budget import ServerBudget
from trajectories.errors import BudgetStop
from trajectories.records import Hold, Settle, Spent, Usage


def book(budget: ServerBudget, dollars: float | None, tokens: int = 0, settled: bool = True) -> None:
    hold = Hold("main", 1, 1, "m", dollars, tokens)
    settles = {hold.id: Settle(hold.id, Usage(tokens, 0), dollars, "usage")} if settled else {}
    budget.book(Spent(dollars, tokens, 0, 0, 1), [hold], settles)


def test_next_run_gets_what_is_left() -> None:
    budget = ServerBudget(2.0)
    assert budget.left() == {"budget": 2.0, "max_tokens": None}
    book(budget, 0.3)
    book(budget, 0.1, settled=False)
    assert budget.left() == {"budget": 1.6, "max_tokens": None}, "in whole picodollars"
    book(budget, 1.6)
    with pytest.raises(BudgetStop, match=r"The server's budget of \$2.00 is used up"):
        budget.left()


def test_overspent_budget_is_used_up() -> None:
    budget = ServerBudget(1.0)
    book(budget, 1.5)
    with pytest.raises(BudgetStop):
        budget.left()


def test_budget_of_zero_lets_free_models_work() -> None:
    budget = ServerBudget(0.0)
    book(budget, 0.0, 100)
    assert budget.left()["budget"] == 0.0


def test_tokens_are_shared_too() -> None:
    budget = ServerBudget(None, 1_000)
    book(budget, 0.0, 400)
    assert budget.left() == {"budget": None, "max_tokens": 600}
    book(budget, 0.0, 600)
    with pytest.raises(BudgetStop, match="tokens are used up"):
        budget.left()


def test_models_without_a_price_have_tokens_for_all_runs_together() -> None:
    budget = ServerBudget(2.0)
    book(budget, None, 400_000)
    assert budget.left() == {"budget": 2.0, "max_tokens": UNPRICED_TOKENS - 400_000}
    book(budget, None, UNPRICED_TOKENS)
    with pytest.raises(BudgetStop):
        budget.left()


def test_priced_request_counts_beside_one_without_a_price() -> None:
    budget = ServerBudget(2.0)
    holds = [Hold("main", 1, 1, "dear", 0.5, 10), Hold("main", 2, 1, "unknown", None, 10)]
    budget.book(Spent(None, 20, 0, 0, 2), holds, {})
    assert budget.left()["budget"] == 1.5
