"""Show what was spent by model and turn; with an amount in dollars or tokens, set the session's budget."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.conversation.model_roles import check_models
from agent.limits.run_budget import UNPRICED_TOKENS
from extensions.interactive.session.session_events import StatusChanged
from trajectories.errors import SweAgentError, UsageError
from trajectories.records import Hold, Settle, Turn

if TYPE_CHECKING:
    from agent.config.settings import Settings
    from extensions.interactive.session.session import Session
    from trajectories.records import Record

NOW = True
USAGE = "[USD | N tokens]"
GROUP = "how"
IN_EDITORS = "alone"
LONGEST = 40


@dataclass(slots=True)
class Sum:
    """Costs and tokens of several requests. `dollars` is None if the price of any request is unknown."""

    calls: int = 0
    dollars: float | None = 0.0
    input: int = 0
    cached: int = 0
    output: int = 0

    def add(self, hold: Hold, settle: Settle | None) -> None:
        amount = settle.dollars if settle else hold.dollars
        self.calls += 1
        self.dollars = None if self.dollars is None or amount is None else self.dollars + amount
        if settle:
            self.input += settle.usage.input_tokens
            self.cached += settle.usage.cached_tokens
            self.output += settle.usage.output_tokens

    def __str__(self) -> str:
        money = "price unknown" if self.dollars is None else f"${self.dollars:.4f}"
        share = f" ({100 * self.cached // self.input} % cached)" if self.input else ""
        calls = f"{self.calls} call{'s' * (self.calls != 1)}"
        return f"{money}, {calls}, {self.input:,} tokens in{share}, {self.output:,} out"


def run(session: Session, words: str) -> None:
    if words:
        _set_budget(session, words)
        return
    session.show(_describe_costs(session), title="Cost")


def _set_budget(session: Session, words: str) -> None:
    if counted := re.fullmatch(r"([\d,_]{1,20}) ?tokens?", words):
        most = int(re.sub("[,_]", "", counted[1]) or 0)
        if not most:
            raise UsageError(f"{words!r} is not a number of tokens.", "Write for example /cost 2,000,000 tokens.")
        session.turns.allow(tokens=most)
        session.show(f"The session may now use {most:,} tokens in total.")
        return
    try:
        amount = float(words.lstrip("$"))
    except ValueError:
        amount = math.nan
    if not math.isfinite(amount) or amount < 0:
        raise UsageError(
            f"{words!r} is not an amount of dollars.", "Write for example /cost 5, or /cost 2,000,000 tokens."
        )
    session.turns.allow(dollars=amount)
    session.hear(StatusChanged())
    session.show(f"The session's budget is now ${amount:g} in total.")


def _describe_costs(session: Session) -> str:
    limit = _describe_limit(session.settings)
    engine = session.engine
    if engine is None or not engine.trajectory.holds:
        return f"Nothing has been spent yet. {limit}"
    models, turns, total = _sums(engine.trajectory.records, engine.trajectory.settles)
    held = engine.ledger.spent.held_dollars
    lines = [f"{total}. {limit}", *([f"${held:.4f} of it is reserved for requests in progress."] if held else [])]
    if len(models) > 1:
        lines += ["", *(f"{model}: {sum}" for model, sum in models.items())]
    return "\n".join([*lines, "", *(f"{number}. {words}: {sum}" for number, words, sum in turns if sum.calls)])


def _describe_limit(settings: Settings) -> str:
    if settings.max_tokens is None and _is_unpriced(settings):
        return f"No price is known for {settings.model}, so the limit is {UNPRICED_TOKENS:,} tokens."
    most = [] if settings.budget is None else [f"${settings.budget:g}"]
    most += [] if settings.max_tokens is None else [f"{settings.max_tokens:,} tokens"]
    return f"The budget is {' and '.join(most)}." if most else "There is no budget."


def _is_unpriced(settings: Settings) -> bool:
    try:
        return bool(settings.model) and check_models(settings).price is None
    except SweAgentError:
        return False


def _sums(
    records: Iterable[Record], settles: dict[str, Settle]
) -> tuple[dict[str, Sum], list[tuple[int, str, Sum]], Sum]:
    """Return the sums by model, by turn, and in total."""
    models: dict[str, Sum] = defaultdict(Sum)
    turns: list[tuple[int, str, Sum]] = []
    total, title = Sum(), ""
    for record in records:
        if record.type == "run":
            title = record.issue.title
        elif isinstance(record, Turn):
            words = " ".join((record.request if turns else title).split())
            turns.append((len(turns) + 1, words if len(words) <= LONGEST else f"{words[:LONGEST]}…", Sum()))
        elif isinstance(record, Hold):
            for sum in (models[record.model], turns[-1][2], total):
                sum.add(record, settles.get(record.id))
    return models, turns, total
