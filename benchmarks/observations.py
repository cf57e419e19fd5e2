"""Cost of observations and the prompt prefix, compared with other agents.

    python -m benchmarks.observations --trajectories DIR [--limit N] [--json] [--missed]

DIR holds recorded runs of other agents (see `benchmarks/_recorded.py` for the formats), with one folder per source.
Each run is replayed with unchanged behaviour: the same replies and the same outputs. The observations that the run's
own harness sent are compared with the same outputs as our tools show them, with our prompt and tool schemas, and folded
as this program folds. Calls are not merged, and no view is narrower than the one that was requested.

A token is four characters. An input token costs 0.1 if it repeats the start of the previous request, otherwise 1; an
output token costs 5. The figures cover observations and everything before the first reply; if ours folds, also the
model's own words that must be sent again. `all` also covers the model's words and output. `missed` are actions that use
something (see `benchmarks/_needs.py`) that was in the run's own observations but is no longer in our request, because
it was cut when the observation was created, or folded. A model would have to retrieve it by its address; the figures
do not include the cost of that.
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
from benchmarks._needs import TextIndex, missed
from benchmarks._ours import CACHED, build_observation, facts, requests, system, tools
from benchmarks._recorded import Recorded, Turn, as_steps, read_run
from trajectories.records import Observation, Step

FRESH, OUTPUT = 1.0, 5.0
TOKEN = 4
MOST_NAMED = 6

NOTHING = "No recorded run in {}. It must contain trajectories, with one folder per source."


@dataclass(slots=True)
class Cost:
    """Characters of observations and prefix over all requests, and prices in units of an uncached character."""

    input: float = 0.0
    price: float = 0.0
    whole: float = 0.0
    """The price of everything, including output."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))


@dataclass(slots=True)
class Compared:
    """The replayed runs of one source. `missed` describes the missed texts; `cut` and `folded` count the steps."""

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
    """Replay a run under its own harness and under ours."""
    steps, replies = as_steps(run, facts(run.issue), _build_observations)
    sent = requests(system(), steps, replies)
    theirs, ours = _Counter(), _Counter(tools())
    result = Compared(runs=1, calls=len(run.turns))
    original = TextIndex()
    created = TextIndex([system(), steps[0].observations[0].text])
    for number, (turn, request) in enumerate(zip(run.turns, sent, strict=True), 1):
        ours.count(request)
        theirs.count(_original_request(run, request, number))
        _record_missed(result, number, turn, original, created, TextIndex(_texts(request)))
        original.add("\n".join((*turn.sent, *turn.raw)))
        created.add("\n".join((turn.text, *(str(value) for each in turn.actions for value in each.arguments.values()))))
        created.add("\n".join(observation.text for observation in steps[number].observations))
    result.theirs, result.ours, result.folds = theirs.cost, ours.cost, ours.folds
    return result


def _record_missed(
    result: Compared, number: int, turn: Turn, original: TextIndex, created: TextIndex, visible: TextIndex
) -> None:
    """Record what a turn used of the `original` texts that is not `visible`.

    It was cut if it is not in the texts that our observations had when they were `created`, otherwise folded.
    """
    lost = missed(turn.actions, original, visible)
    cut = missed(turn.actions, original, created) if lost else []
    result.cut += bool(cut)
    result.folded += bool(lost) and not cut
    result.missed += [f"{number} {'cut' if each in cut else 'folded'}: {each}" for each in lost]


def _texts(request: Sequence[Message]) -> Iterator[str]:
    """The texts of a request, and the unescaped arguments of its tool calls."""
    for message in request:
        yield str(message["content"])
        for call in message.get("tool_calls", ()):
            yield "\n".join(map(str, json.loads(call["function"]["arguments"]).values()))


class _Counter:
    """Counts growing requests; `before` is the number of characters before the messages of each."""

    def __init__(self, before: int = 0) -> None:
        self.cost, self.folds = Cost(), 0
        self._before = before
        self._last: list[Message] = []

    def count(self, request: list[Message]) -> None:
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


def _original_request(run: Recorded, ours: Sequence[Message], calls: int) -> list[Message]:
    """The request of the original harness for the same call; the model's own words are the same on both sides."""
    replies = iter([message for message in ours if message["role"] == "assistant"])
    request: list[Message] = [{"role": "system", "content": run.system}, {"role": "user", "content": run.task}]
    for turn in run.turns[: calls - 1]:
        request.append(next(replies))
        request += [{"role": "user", "content": text} for text in turn.sent]
    return request


def _build_observations(turn: Turn, steps: Sequence[Step]) -> list[Observation]:
    """A turn's outputs as our tools show them; outputs without an action are unchanged."""
    pairs = zip(turn.actions, turn.raw, strict=False)
    return [
        *(build_observation(action, raw, steps) for action, raw in pairs),
        *map(Observation, turn.raw[len(turn.actions) :]),
    ]


# The command


def sources(folder: Path, limit: int | None) -> Iterator[tuple[str, list[Path]]]:
    """Find the recorded runs below a folder: (source, at most `limit` runs)."""
    for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        found = place.glob("*") if place == folder else place.rglob("*")
        runs = sorted(path for path in found if path.is_file() and path.name.endswith((".json", ".traj")))
        if runs:
            yield place.name, runs[:limit]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trajectories", type=Path, required=True, metavar="DIR")
    parser.add_argument("--limit", type=int, help="maximum number of runs of each source")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--missed", action="store_true", help="print the missed texts to stderr")
    options = parser.parse_args(arguments)
    rows: dict[str, Compared] = {}
    for name, paths in sources(options.trajectories, options.limit) if options.trajectories.is_dir() else ():
        rows[name] = replay(paths, options.missed)
    rows = {name: row for name, row in rows.items() if row.runs}
    if not rows:
        print(NOTHING.format(options.trajectories), file=sys.stderr)
        return 1
    total = Compared()
    for row in rows.values():
        total.add(row)
    show({**rows, "all": total}, options.json)
    return 0


def replay(paths: Sequence[Path], verbose: bool = False) -> Compared:
    """Replay the runs of one source. Files that are not runs are skipped and reported on stderr."""
    total = Compared()
    for path in paths:
        try:
            run = read_run(path)
        except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration, AttributeError) as error:
            print(f"{path}: left out ({type(error).__name__}: {error})", file=sys.stderr)
            continue
        found = compare(run)
        if verbose and found.missed:
            print(f"{path}: {len(found.missed)} missed\n  " + "\n  ".join(found.missed), file=sys.stderr)
        total.add(found)
    return total


def show(rows: dict[str, Compared], as_json: bool) -> None:
    table = {name: _row(row) for name, row in rows.items()}
    if as_json:
        print(json.dumps({"sources": table}))
        return
    names = [name.replace("_", "\n") for name in next(iter(table.values()))]
    output = Table(Column("source", no_wrap=True), *(Column(name, justify="right", no_wrap=True) for name in names))
    for name, row in table.items():
        output.add_row(name, *(f"{value:,}" for value in row.values()))
    Console(width=140).print(output)


def _row(row: Compared) -> dict[str, float]:
    """Tokens and prices in thousands of tokens per run, and ours in percent of theirs."""
    per_run = TOKEN * row.runs * 1000
    return {
        "runs": row.runs,
        "calls": row.calls,
        "tokens_theirs": round(row.theirs.input / per_run, 1),
        "tokens_ours": round(row.ours.input / per_run, 1),
        "tokens_%": round(100 * row.ours.input / row.theirs.input, 1),
        "cost_theirs": round(row.theirs.price / per_run, 1),
        "cost_ours": round(row.ours.price / per_run, 1),
        "cost_%": round(100 * row.ours.price / row.theirs.price, 1),
        "all_%": round(100 * row.ours.whole / row.theirs.whole, 1),
        "folds": row.folds,
        "missed_cut": row.cut,
        "missed_folded": row.folded,
        "missed_%": round(100 * row.rate, 2),
    }


if __name__ == "__main__":
    sys.exit(main())
