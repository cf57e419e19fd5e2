"""The budget and the clock of a run.

The budget reserves the maximum cost of each request before it is sent and settles the real cost after. All arithmetic
uses whole picodollars (1e-12 $), so that sums are exact and a run cannot exceed its budget by rounding.

The clock measures the active time, without pauses and the time between turns, and has the deadline of a turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from threading import Lock
from typing import Literal

from agent.limits.cancellation import CancellationToken
from trajectories.errors import BudgetStop
from trajectories.records import Hold, Settle, Spent, Usage

PICO = 10**12
UNKNOWN = 0.1
"""The assumed price of a cached token relative to an uncached one, if unknown."""
UNPRICED_TOKENS = 1_000_000
"""The limit on tokens of requests without a known price, unless the user sets one."""
SMALLEST_OUTPUT = 16
"""A budget that does not cover this many output tokens counts as used up."""


@dataclass(frozen=True, slots=True)
class Price:
    """A price in dollars per million tokens; `cached` is the price of input read from the provider's cache, `written`
    that of input written to it."""

    input: float
    output: float
    cached: float | None = None
    written: float | None = None
    own: bool = False
    """Whether the price comes from the user's own table, which takes precedence over the provider's figure."""

    def dearest_input(self) -> int:
        return max(_pico(rate or 0.0) for rate in (self.input, self.cached, self.written))

    @property
    def cached_share(self) -> float:
        """The price of a cached token relative to an uncached one."""
        if not self.input:
            return UNKNOWN
        return 1.0 if self.cached is None else min(1.0, self.cached / self.input)

    def cost(self, usage: Usage) -> int:
        """Return the cost of the usage in picodollars."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.written_tokens, usage.input_tokens - cached)
        rates = [(self.cached, cached), (self.written, written), (self.input, usage.input_tokens - cached - written)]
        paid = sum(count * _pico(self.input if rate is None else rate) for rate, count in rates)
        return paid + usage.output_tokens * _pico(self.output)


def _pico(dollars_per_million: float) -> int:
    """Convert dollars per million tokens to picodollars per token, rounded up."""
    return ceil(round(dollars_per_million * PICO / 10**6, 6))


def dollars(pico: int) -> float:
    return pico / PICO


class Ledger:
    """The budget shared by all branches of a run. `budget` is in dollars; `max_tokens` counts input and output.

    Without `max_tokens`, requests whose price is unknown have UNPRICED_TOKENS, since no limit in dollars holds for
    them.
    """

    def __init__(self, budget: float | None, max_tokens: int | None = None) -> None:
        self._budget = None if budget is None else round(budget * PICO)
        self._max_tokens = max_tokens
        self._open: dict[str, Hold] = {}
        self._lost: frozenset[str] = frozenset()
        self._pico = 0
        self._tokens = 0
        self._unpriced = False
        self._unpriced_tokens = 0
        self._usage = Usage()
        self._calls = 0
        self._lock = Lock()
        self.overrun = ""
        """Describes the request for which a provider billed more than its reservation; it ends the run."""

    def allow(self, budget: float) -> None:
        """Set the total budget, starting with the next request."""
        with self._lock:
            self._budget = round(budget * PICO)

    def allow_tokens(self, most: int) -> None:
        """Set the total number of tokens, starting with the next request."""
        with self._lock:
            self._max_tokens = most

    def replay(self, holds: Iterable[Hold], settles: dict[str, Settle]) -> None:
        """Restore the ledger from the journal: settled requests at their cost, others at their whole reservation."""
        for hold in holds:
            self._add_hold(hold)
            if settle := settles.get(hold.id):
                self.settle(settle)
        self._lost = frozenset(self._open)

    def hold(
        self, branch: str, ask: int, attempt: int, model: str, price: Price | None, input_tokens: int, max_output: int
    ) -> tuple[Hold, int]:
        """Reserve the maximum cost of a request with at most `input_tokens` of input and `max_output` tokens of output.

        Returns the reservation and the allowed output, which is cut to what the budget covers. Raises BudgetStop if the
        allowed output would be too small to be useful.
        """
        with self._lock:
            self.check()
            output = min(max_output, self._affordable(price, input_tokens))
            if output < min(SMALLEST_OUTPUT, max_output):
                raise self._used_up(price)
            cost = None if price is None else input_tokens * price.dearest_input() + output * _pico(price.output)
            hold = Hold(branch, ask, attempt, model, None if cost is None else dollars(cost), input_tokens + output)
            self._add_hold(hold)
            return hold, output

    def check(self) -> None:
        """Raise BudgetStop if a provider has billed more than was reserved."""
        if self.overrun:
            raise BudgetStop(self.overrun, "Check the model's price and max_output in your config.")

    def _affordable(self, price: Price | None, input_tokens: int) -> int:
        """Return the number of output tokens that the budget covers after the input is paid for."""
        limits = [10**9]
        if self._budget is not None and price is not None:
            left = self._budget - self._pico - input_tokens * price.dearest_input()
            rate = _pico(price.output)
            limits.append(left // rate if rate else (10**9 if left >= 0 else -1))
        if self._max_tokens is not None:
            limits.append(self._max_tokens - self._tokens - input_tokens)
        elif price is None:
            limits.append(UNPRICED_TOKENS - self._unpriced_tokens - input_tokens)
        return min(limits)

    def _used_up(self, price: Price | None) -> BudgetStop:
        if price is None and self._max_tokens is None:
            left = max(0, UNPRICED_TOKENS - self._unpriced_tokens)
            return BudgetStop(
                f"{left:,} of {UNPRICED_TOKENS:,} tokens for models without a known price are left, not enough for one "
                "more request.",
                "Give more with --max-tokens, or set the model's price in your config.",
            )
        return BudgetStop(
            f"The budget is used up: {self._left()} left, not enough for one more request.",
            "Give more with --budget or --max-tokens.",
        )

    def _add_hold(self, hold: Hold) -> None:
        self._open[hold.id] = hold
        self._pico += _exact(hold.dollars)
        self._tokens += hold.tokens
        if hold.dollars is None:
            self._unpriced = True
            self._unpriced_tokens += hold.tokens
        self._calls += 1

    def price_of(self, hold: Hold, usage: Usage | None, price: Price | None, billed: bool = True) -> Settle:
        """Return the settlement of a finished request, priced by the user's table, else the provider's own figure, else
        the price map.

        Without usage the whole reservation is charged, or nothing if the provider did not accept the request
        (`billed`).
        """
        if usage is None:
            if billed:
                return Settle(hold.id, Usage(), hold.dollars, "none")
            return Settle(hold.id, Usage(), None if hold.dollars is None else 0.0, "usage")
        source: Literal["usage", "estimate"] = "usage" if usage.stated_output is None else "estimate"
        if price is None:
            return Settle(hold.id, usage, None, source)
        if usage.dollars is not None and not price.own:
            return Settle(hold.id, usage, dollars(ceil(round(usage.dollars * PICO, 3))), source)
        return Settle(hold.id, usage, dollars(price.cost(usage)), source)

    def settle(self, settle: Settle) -> None:
        """Release the reservation and charge the cost. Raises KeyError if it was already settled or does not exist."""
        with self._lock:
            hold = self._open.pop(settle.hold)
            charged = _exact(settle.dollars)
            tokens = settle.usage.input_tokens + settle.usage.output_tokens
            if settle.source == "none":
                tokens = hold.tokens
            self._pico += charged - _exact(hold.dollars)
            self._tokens += tokens - hold.tokens
            if hold.dollars is None:
                self._unpriced_tokens += tokens - hold.tokens
            self._usage = Usage(
                self._usage.input_tokens + settle.usage.input_tokens,
                self._usage.output_tokens + settle.usage.output_tokens,
                self._usage.cached_tokens + settle.usage.cached_tokens,
            )
            if charged > _exact(hold.dollars) or tokens > hold.tokens:
                self.overrun = (
                    f"{hold.model} billed {tokens} tokens for request {hold.id}, for which {hold.tokens} were reserved."
                )

    def _left(self) -> str:
        parts = []
        if self._budget is not None:
            parts.append(f"${max(0.0, dollars(self._budget - self._pico)):.4f}")
        if self._max_tokens is not None:
            parts.append(f"{max(0, self._max_tokens - self._tokens)} tokens")
        return " and ".join(parts)

    @property
    def spent(self) -> Spent:
        """The usage so far: the cost of settled requests, the reservations of pending ones, and the tokens of settled
        ones."""
        with self._lock:
            money = None if self._unpriced else dollars(self._pico)
            return Spent(
                money,
                self._usage.input_tokens,
                self._usage.cached_tokens,
                self._usage.output_tokens,
                self._calls,
                sum(hold.tokens for hold in self._open.values()),
                dollars(sum(_exact(hold.dollars) for name, hold in self._open.items() if name not in self._lost)),
            )

    @property
    def tokens(self) -> int:
        """The tokens charged against `max_tokens`; pending requests count with their reservation."""
        return self._tokens


def _exact(amount: float | None) -> int:
    return 0 if amount is None else round(amount * PICO)


SHORTEST_PAUSE = 1.0
"""In seconds; shorter pauses are not reported."""


class RunClock:
    """The clock of a run that was active for `seconds` in earlier processes. It sets the deadline of `cancel`.

    `record_pause` is called with the seconds of a pause, so that a resumed run counts the same time.
    """

    def __init__(
        self, cancel: CancellationToken, seconds: float, left: float | None, record_pause: Callable[[float], object]
    ) -> None:
        """Start the clock of a turn with `left` seconds; None for no limit."""
        self._cancel, self._record_pause = cancel, record_pause
        self._lock = Lock()
        self._pauses = 0
        self._stopped_at: float | None = seconds
        self.start(left)

    @property
    def seconds(self) -> float:
        """The active time in seconds, including earlier processes and time that no record covers."""
        if (seconds := self._stopped_at) is not None:
            return seconds
        with self._lock:
            return (self._paused_since if self._pauses else time.monotonic()) - self.started

    def start(self, left: float | None) -> None:
        """Continue a stopped clock for a turn with `left` seconds. A running clock is not changed."""
        if self._stopped_at is None:
            return
        now = time.monotonic()
        self.started = now - self._stopped_at
        self._cancel.deadline = None if left is None else now + left
        self._stopped_at = None  # last, since other threads read `seconds`

    def stop(self) -> None:
        """Stop the clock until the next turn starts or resumes."""
        self._stopped_at, self._cancel.deadline = self.seconds, None

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Pause the clock in this context, in which a branch waits for the user or for permission to send a request."""
        with self._lock:
            if not self._pauses:
                self._paused_since, self._paused_deadline = time.monotonic(), self._cancel.deadline
                self._cancel.deadline = None
            self._pauses += 1
        paused = 0.0
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if not self._pauses:
                    paused = time.monotonic() - self._paused_since
                    self.started += paused
                    if self._stopped_at is None and self._paused_deadline is not None:
                        self._cancel.deadline = self._paused_deadline + paused
        if paused >= SHORTEST_PAUSE:
            self._record_pause(paused)
