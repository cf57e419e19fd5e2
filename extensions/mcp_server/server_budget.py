"""The budget of an MCP server, which all its runs share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any

from agent.limits.run_budget import PICO, UNPRICED_TOKENS, dollars
from trajectories.errors import BudgetStop
from trajectories.records import Hold, Settle, Spent

RESTART = "Restart the server to continue; --budget sets its total."


class ServerBudget:
    """What the runs of a server may spend together. Runs take turns, so each may spend all that is left.

    `total` is in dollars, None for no limit. `max_tokens` limits input and output; without it, requests whose price is
    unknown have UNPRICED_TOKENS, as in a run.
    """

    def __init__(self, total: float | None, max_tokens: int | None = None) -> None:
        self._total = None if total is None else round(total * PICO)
        self._max_tokens = max_tokens
        self._pico = 0
        self._tokens = 0
        self._unpriced_tokens = 0
        self._lock = Lock()

    def left(self) -> dict[str, Any]:
        """Return the settings `budget` and `max_tokens` of the next run. Raises BudgetStop if nothing is left."""
        with self._lock:
            money = None if self._total is None else self._total - self._pico
            tokens = None if self._max_tokens is None else self._max_tokens - self._tokens
            if tokens is None and self._unpriced_tokens:
                tokens = UNPRICED_TOKENS - self._unpriced_tokens
            if money is not None and money <= 0 and self._pico:
                raise BudgetStop(f"The server's budget of ${dollars(self._total or 0):.2f} is used up.", RESTART)
            if tokens is not None and tokens <= 0:
                raise BudgetStop("The server's tokens are used up.", RESTART.replace("--budget", "--max-tokens"))
            return {"budget": None if money is None else dollars(max(money, 0)), "max_tokens": tokens}

    def book(self, spent: Spent, holds: Iterable[Hold], settles: Mapping[str, Settle]) -> None:
        """Book what a run has spent: its requests at their cost, or at their reservation if they were not answered.

        The priced requests count in dollars even if the price of another request is unknown.
        """
        settled = [(hold, settles.get(hold.id)) for hold in holds]
        priced = sum(round(((settle or hold).dollars or 0.0) * PICO) for hold, settle in settled)
        tokens = spent.input_tokens + spent.output_tokens + spent.held_tokens
        with self._lock:
            self._pico += priced
            self._tokens += tokens
            if spent.dollars is None:
                self._unpriced_tokens += tokens
