"""What recorded runs would have cost under other rules of context: `python -m benchmarks.context [RUN...] [--json]`.

RUN is a folder with our `journal.jsonl` or a trajectory of another agent (see `benchmarks/_recorded.py`); by default
all runs of the user's state folder. Each run is replayed with its behaviour unchanged: the same replies and
observations, sent under each rule:

  everything kept      nothing is folded
  sliding window       the last 5 observations of more than 500 characters are kept, older ones become stubs at once
  blocks               older ones become stubs 5 at a time
  break-even           as this program does it

Tokens are characters/4; a token that the request before began with costs 0.1, another input token 1, an output token
5. What a model would have done differently with less to read, a replay cannot tell. `benchmarks.observations` sets
beside one another what other agents' harnesses sent, and what ours would have.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from agent.config.settings import load_settings
from agent.conversation.compaction import ObservationEntry, RequestMessage, characters
from agent.conversation.messages import Reader, conversation
from agent.models.base import Message
from benchmarks._ours import CACHED, requests
from benchmarks._recorded import Recorded, as_steps, read_run
from trajectories.errors import SweAgentError
from trajectories.journal import read
from trajectories.records import Observation, Reply, Step

FRESH, OUTPUT = 1.0, 5.0
WINDOW = 5
"""Observations that the sliding window and the blocks keep."""
NOTHING = """There is no recorded run with a model in it. Make one with `swe-agent fix --model …`, or name a folder
with a journal.jsonl, or a trajectory of another agent."""

Request = list[Message]


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation of a run; `tools` are the characters of the schemas sent with each request."""

    system: str
    steps: Sequence[Step]
    replies: Mapping[tuple[str, int], Reply]
    tools: int = 0

    @property
    def asks(self) -> Iterator[int]:
        """How many steps were known at each ask."""
        return (index for index, step in enumerate(self.steps) if step.reply is not None)


@dataclass(slots=True)
class Cost:
    """Tokens of all requests. `folds`: requests that did not begin with the one before."""

    calls: int = 0
    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    folds: int = 0

    @property
    def price(self) -> float:
        """In prices of a fresh input token."""
        return CACHED * self.cached + FRESH * (self.input - self.cached) + OUTPUT * self.output

    def __add__(self, other: Cost) -> Cost:
        mine, others = asdict(self).values(), asdict(other).values()
        return Cost(*(one + another for one, another in zip(mine, others, strict=True)))


# Rules


def kept(talk: Talk) -> Iterator[Request]:
    """Everything is kept."""
    return ([part.message for part in parts] for parts in _grown(talk))


def sliding(talk: Talk) -> Iterator[Request]:
    """The last observations are kept, older ones become stubs at once."""
    for parts in _grown(talk):
        yield _stubbed(parts, len(_foldable(parts)) - WINDOW)


def blocks(talk: Talk) -> Iterator[Request]:
    """Older ones become stubs when there are as many of them as are kept."""
    old = 0
    for parts in _grown(talk):
        if len(_foldable(parts)) - old >= 2 * WINDOW:
            old = len(_foldable(parts)) - WINDOW
        yield _stubbed(parts, old)


def ours(talk: Talk) -> Iterator[Request]:
    """Break-even, as the program does it."""
    return requests(talk.system, talk.steps, talk.replies)


RULES: dict[str, Callable[[Talk], Iterator[Request]]] = {
    "everything kept": kept,
    "sliding window": sliding,
    "blocks": blocks,
    "break-even": ours,
}


def cost(talk: Talk, rule: Callable[[Talk], Iterator[Request]]) -> Cost:
    """What the requests of a conversation come to under a rule."""
    total, before = Cost(), list[Message]()
    for request in rule(talk):
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, request, strict=False)))
        known = sum(map(characters, request[:same])) + (talk.tools if before else 0)
        total.calls += 1
        total.input += (sum(map(characters, request)) + talk.tools) / 4
        total.cached += known / 4
        total.folds += same < len(before)
        before = request
    said = (talk.replies[step.branch, step.reply] for step in talk.steps if step.reply is not None)
    total.output = sum(map(_length, said)) / 4
    return total


def _grown(talk: Talk) -> Iterator[list[RequestMessage]]:
    """The parts of each request, whole."""
    for end in talk.asks:
        yield conversation(talk.system, talk.steps[:end], talk.replies, Reader("", cached=0.0)).parts


def _foldable(parts: Sequence[RequestMessage]) -> list[ObservationEntry]:
    return [part for part in parts if isinstance(part, ObservationEntry) and part.foldable]


def _stubbed(parts: Sequence[RequestMessage], old: int) -> Request:
    """The first `old` of the observations that can be folded as stubs."""
    stubs = {id(part): part.stub for part in _foldable(parts)[: max(old, 0)]}
    return [stubs.get(id(part), part.message) for part in parts]


def _length(reply: Reply) -> int:
    """Characters a model wrote."""
    calls = sum(len(action.tool) + len(json.dumps(action.arguments)) for action in reply.actions)
    return len(reply.text) + len(reply.reasoning) + calls


# Recorded runs


def talks(path: Path) -> list[Talk]:
    """The conversations of a recorded run. Raises SweAgentError, ValueError or OSError for what is none."""
    return [_of_another(read_run(path))] if path.is_file() else _of_ours(path)


def _of_ours(directory: Path) -> list[Talk]:
    """One of each branch in which a model was asked."""
    trajectory = read(directory)
    run = trajectory.run
    system = run.prompts.get("coder", "") if run else ""
    tools = len(json.dumps(run.tools)) if run else 0
    branches = {branch: steps for branch, steps in trajectory.steps.items() if any(s.reply for s in steps)}
    return [Talk(system, steps, trajectory.replies, tools) for steps in branches.values()]


def _of_another(run: Recorded) -> Talk:
    """A run of another agent with what its harness sent."""
    steps, replies = as_steps(run, run.task, lambda turn, _: tuple(map(Observation, turn.sent)))
    return Talk(run.system, steps, replies)


# The command


def compare(path: Path) -> dict[str, Cost]:
    """What each rule comes to for a run, all its conversations together. Raises as `talks`, LookupError for none."""
    found = talks(path)
    if not found:
        raise LookupError("no model was asked in it")
    return {name: sum((cost(talk, rule) for talk in found), Cost()) for name, rule in RULES.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given = parser.parse_args(arguments)
    compared: dict[str, dict[str, Cost]] = {}
    for path in given.runs or _all_runs():
        try:
            compared[str(path) if given.runs else path.name] = compare(path)
        except (SweAgentError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            if given.runs:
                print(f"{path}: left out ({error})", file=sys.stderr)
    if not compared:
        print(NOTHING, file=sys.stderr)
        return 1
    if len(compared) > 1:
        compared["all"] = {name: sum((each[name] for each in compared.values()), Cost()) for name in RULES}
    show(compared, given.json)
    return 0


def _all_runs() -> list[Path]:
    runs = load_settings().runs
    return sorted(path.parent for path in runs.glob("*/journal.jsonl"))


def show(compared: Mapping[str, Mapping[str, Cost]], as_json: bool) -> None:
    rows = {
        run: {rule: _row(cost, rules["everything kept"]) for rule, cost in rules.items()}
        for run, rules in compared.items()
    }
    if as_json:
        print(json.dumps({"runs": rows}))
        return
    for run, rules in rows.items():
        print(f"\n{run}")
        names = [name.replace("_", "\n") for name in rules["everything kept"]]
        table = Table(Column("rule", no_wrap=True), *(Column(name, justify="right", no_wrap=True) for name in names))
        for rule, row in rules.items():
            table.add_row(rule, *(f"{value:,}" for value in row.values()))
        Console().print(table)


def _row(cost: Cost, whole: Cost) -> dict[str, float]:
    """Tokens, and what they and the dollars are as shares of what everything kept comes to."""
    return {
        "calls": cost.calls,
        "folds": cost.folds,
        "input_tokens": round(cost.input),
        "cached_tokens": round(cost.cached),
        "input_ratio": round(cost.input / whole.input, 3),
        "dollar_ratio": round(cost.price / whole.price, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
