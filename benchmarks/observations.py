"""What observations and prefix cost, ours beside other agents': `python -m benchmarks.observations --trajectories DIR`.

    python -m benchmarks.observations --trajectories DIR [--limit N] [--json] [--missed]

DIR holds recorded runs of other agents (see `benchmarks/_recorded.py` for the formats), those of a source in a folder
of its own. Each run is replayed with its behaviour unchanged: the same replies, the same outputs. On one side stands
what its harness sent, on the other the same outputs as our tools show them, behind our prompt and the schemas of our
tools, folded as this program folds. Calls are not merged, and no view is narrower than was asked for.

A token is four characters. Of a request, what it has in common with the one before costs 0.1 a token, the rest 1; an
output token costs 5. Counted are observations and what stands before the first reply; where ours folds, also the
model's own words that must be sent again. `all` counts the model's words and output too. `missed` are actions that use
something (see `benchmarks/_needs.py`) that the run's observations had told and that our request no longer shows: cut
at birth or folded. A model would have to ask for it by its address; what that costs is not in the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import takewhile
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from agent.conversation.compaction import characters
from agent.models.base import Message
from benchmarks._needs import Seen, missed
from benchmarks._ours import CACHED, facts, requests, seen, system, tools
from benchmarks._recorded import Recorded, Turn, as_steps, read_run
from trajectories.records import Observation, Step

FRESH, OUTPUT = 1.0, 5.0
TOKEN = 4
MOST_NAMED = 6

NOTHING = "No recorded run in {}. It must hold trajectories, those of a source in a folder of its own."


@dataclass(slots=True)
class Cost:
    """Characters of observations and prefix over all requests, and prices in fresh characters."""

    input: float = 0.0
    price: float = 0.0
    whole: float = 0.0
    """The price of everything, output included."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(slots=True)
class Compared:
    """Runs of one source, replayed. `missed` are what was missed, `blind` the actions' steps that missed it."""

    runs: int = 0
    calls: int = 0
    theirs: Cost = field(default_factory=Cost)
    ours: Cost = field(default_factory=Cost)
    folds: int = 0
    cut: int = 0
    folded: int = 0
    missed: list[str] = field(default_factory=list)

    def add(self, other: Compared) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def rate(self) -> float:
        return (self.cut + self.folded) / max(self.calls, 1)


def compare(run: Recorded) -> Compared:
    """A run under its own harness and under ours."""
    steps, replies = as_steps(run, facts(run.issue), _shown)
    sent = requests(system(), steps, replies)
    theirs, ours = _Counter(), _Counter(tools())
    result = Compared(runs=1, calls=len(run.turns))
    told = Seen()
    born = Seen([system(), steps[0].observations[0].text])
    for number, (turn, request) in enumerate(zip(run.turns, sent, strict=True), 1):
        ours.ask(request)
        theirs.ask(_original(run, request, number))
        _miss(result, number, turn, told, born, Seen(_texts(request)))
        told.add("\n".join((*turn.sent, *turn.raw)))
        born.add("\n".join((turn.text, *(str(value) for each in turn.actions for value in each.arguments.values()))))
        born.add("\n".join(observation.text for observation in steps[number].observations))
    result.theirs, result.ours, result.folds = theirs.cost, ours.cost, ours.folds
    return result


def _miss(result: Compared, number: int, turn: Turn, told: Seen, born: Seen, visible: Seen) -> None:
    """Note what a turn used of what was `told` and is not `visible`; what was never `born` was cut, the rest folded."""
    lost = missed(turn.actions, told, visible)
    cut = missed(turn.actions, told, born) if lost else []
    result.cut += bool(cut)
    result.folded += bool(lost) and not cut
    result.missed += [f"{number} {'cut' if each in cut else 'folded'}: {each}" for each in lost]


def _texts(request: Sequence[Message]) -> Iterator[str]:
    """What a request says, and what the model asked for in it, unescaped."""
    for message in request:
        yield str(message["content"])
        for call in message.get("tool_calls", ()):
            yield "\n".join(map(str, json.loads(call["function"]["arguments"]).values()))


class _Counter:
    """Counts requests that grow; `before` is what stands before the messages in each."""

    def __init__(self, before: int = 0) -> None:
        self.cost, self.folds = Cost(), 0
        self._before = before
        self._last: list[Message] = []

    def ask(self, request: list[Message]) -> None:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self._last, request, strict=False)))
        folded = same < len(self._last)
        self._count(self._before, known=bool(self._last), own=False, folded=False)
        for at, message in enumerate(request):
            known, own = at < same, message["role"] == "assistant"
            self._count(characters(message), known, own, folded and at < len(self._last))
            if own and at >= len(self._last):
                self.cost.whole += OUTPUT * characters(message)
        self.folds += folded
        self._last = request

    def _count(self, size: int, known: bool, own: bool, folded: bool) -> None:
        price = size * (CACHED if known else FRESH)
        self.cost.whole += price
        if not own:
            self.cost.input += size
            self.cost.price += price
        elif folded and not known:
            self.cost.price += size * (FRESH - CACHED)


def _original(run: Recorded, ours: Sequence[Message], calls: int) -> list[Message]:
    """What the harness had sent for the same call; the model's own words are the same on both sides."""
    said = iter([message for message in ours if message["role"] == "assistant"])
    request: list[Message] = [{"role": "system", "content": run.system}, {"role": "user", "content": run.task}]
    for turn in run.turns[: calls - 1]:
        request.append(next(said))
        request += [{"role": "user", "content": text} for text in turn.sent]
    return request


def _shown(turn: Turn, steps: Sequence[Step]) -> list[Observation]:
    """A turn's outputs as our tools show them; what answered no action, as it is."""
    pairs = zip(turn.actions, turn.raw, strict=False)
    return [*(seen(action, raw, steps) for action, raw in pairs), *map(Observation, turn.raw[len(turn.actions) :])]


# The command


def sources(folder: Path, limit: int | None) -> Iterator[tuple[str, list[Path]]]:
    """The recorded runs below a folder by source, at most `limit` of each."""
    for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        found = place.glob("*") if place == folder else place.rglob("*")
        runs = sorted(path for path in found if path.is_file() and path.name.endswith((".json", ".traj")))
        if runs:
            yield place.name, runs[:limit]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, help="runs of each source at most")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--missed", action="store_true", help="name what was missed, on stderr")
    given = parser.parse_args(arguments)
    rows: dict[str, Compared] = {}
    for name, paths in sources(given.trajectories, given.limit) if given.trajectories.is_dir() else ():
        rows[name] = replayed(paths, given.missed)
    rows = {name: row for name, row in rows.items() if row.runs}
    if not rows:
        print(NOTHING.format(given.trajectories), file=sys.stderr)
        return 1
    total = Compared()
    for row in rows.values():
        total.add(row)
    show({**rows, "all": total}, given.json)
    return 0


def replayed(paths: Sequence[Path], tell: bool = False) -> Compared:
    """Runs of one source together; what is no run is left out, and said on stderr."""
    total = Compared()
    for path in paths:
        try:
            run = read_run(path)
        except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration, AttributeError) as error:
            print(f"{path}: left out ({type(error).__name__}: {error})", file=sys.stderr)
            continue
        found = compare(run)
        if tell and found.missed:
            print(f"{path}: {len(found.missed)} missed\n  " + "\n  ".join(found.missed), file=sys.stderr)
        total.add(found)
    return total


def show(rows: dict[str, Compared], as_json: bool) -> None:
    table = {name: _row(row) for name, row in rows.items()}
    if as_json:
        print(json.dumps({"sources": table}))
        return
    names = [name.replace("_", "\n") for name in next(iter(table.values()))]
    shown = Table(Column("source", no_wrap=True), *(Column(name, justify="right", no_wrap=True) for name in names))
    for name, row in table.items():
        shown.add_row(name, *(f"{value:,}" for value in row.values()))
    Console(width=140).print(shown)


def _row(row: Compared) -> dict[str, float]:
    """Tokens and prices in thousands of tokens a run, ours as per cent of theirs."""
    a_run = TOKEN * row.runs * 1000
    return {
        "runs": row.runs,
        "calls": row.calls,
        "tokens_theirs": round(row.theirs.input / a_run, 1),
        "tokens_ours": round(row.ours.input / a_run, 1),
        "tokens_%": round(100 * row.ours.input / row.theirs.input, 1),
        "cost_theirs": round(row.theirs.price / a_run, 1),
        "cost_ours": round(row.ours.price / a_run, 1),
        "cost_%": round(100 * row.ours.price / row.theirs.price, 1),
        "all_%": round(100 * row.ours.whole / row.theirs.whole, 1),
        "folds": row.folds,
        "missed_cut": row.cut,
        "missed_folded": row.folded,
        "missed_%": round(100 * row.rate, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
