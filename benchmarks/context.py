"""Cost of recorded runs under several context rules.

    python -m benchmarks.context [RUN...] [--json]

RUN is a folder with our `journal.jsonl` or a trajectory of another agent (see `benchmarks/_recorded.py`); the default
is all runs in the user's state folder. Each run is replayed with unchanged behaviour: the same replies and
observations are sent under each rule.

  everything kept      nothing is folded
  sliding window       the last 5 observations of more than 500 characters stay; older ones become stubs at once
  blocks               older ones become stubs 5 at a time
  break-even           the rule of this program

A token is four characters. An input token costs 0.1 if it repeats the start of the previous request, otherwise 1; an
output token costs 5. A replay cannot show what a model would have done differently with less context.
`benchmarks.observations` compares the requests of other agents' harnesses with ours.
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
from agent.conversation.messages import BranchConversation, ConversationSettings, Reader
from agent.models.base import Message
from benchmarks._ours import CACHED, requests
from benchmarks._recorded import Recorded, as_steps, read_run
from trajectories.errors import SweAgentError
from trajectories.journal import read
from trajectories.records import Observation, Reply, Step

FRESH, OUTPUT = 1.0, 5.0
WINDOW = 5
"""Number of observations kept by the sliding window and by blocks."""
NOTHING = """There is no recorded run with model requests. Make one with `swe-agent fix --model …`, or name a folder
with a journal.jsonl, or a trajectory of another agent."""

Request = list[Message]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation of a run; `tools` is the size in characters of the tool schemas sent with each request."""

    system: str
    steps: Sequence[Step]
    replies: Mapping[tuple[str, int], Reply]
    tools: int = 0

    @property
    def steps_before_requests(self) -> Iterator[int]:
        """For each request, the number of steps before it."""
        return (index for index, step in enumerate(self.steps) if step.reply is not None)


@dataclass(slots=True)
class Cost:
    """Tokens of all requests. `folds`: requests that do not start with the previous request."""

    calls: int = 0
    input: float = 0.0
    cached: float = 0.0
    output: float = 0.0
    folds: int = 0

    @property
    def price(self) -> float:
        """The price in units of an uncached input token."""
        return CACHED * self.cached + FRESH * (self.input - self.cached) + OUTPUT * self.output

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


# Rules


def keep_everything(dialog: Conversation) -> Iterator[Request]:
    """Keep everything."""
    return ([part.message for part in parts] for parts in _full_requests(dialog))


def sliding_window(dialog: Conversation) -> Iterator[Request]:
    """Keep the last observations; older ones become stubs at once."""
    for parts in _full_requests(dialog):
        yield _with_stubs(parts, len(_foldable(parts)) - WINDOW)


def blocks(dialog: Conversation) -> Iterator[Request]:
    """Replace older observations with stubs once there are as many of them as are kept."""
    old = 0
    for parts in _full_requests(dialog):
        if len(_foldable(parts)) - old >= 2 * WINDOW:
            old = len(_foldable(parts)) - WINDOW
        yield _with_stubs(parts, old)


def break_even(dialog: Conversation) -> Iterator[Request]:
    """Fold at break-even, as this program does."""
    return requests(dialog.system, dialog.steps, dialog.replies)


RULES: dict[str, Callable[[Conversation], Iterator[Request]]] = {
    "everything kept": keep_everything,
    "sliding window": sliding_window,
    "blocks": blocks,
    "break-even": break_even,
}


def cost(dialog: Conversation, rule: Callable[[Conversation], Iterator[Request]]) -> Cost:
    """The cost of a conversation's requests under a rule."""
    total, before = Cost(), list[Message]()
    for request in rule(dialog):
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, request, strict=False)))
        known = sum(map(characters, request[:same])) + (dialog.tools if before else 0)
        total.calls += 1
        total.input += (sum(map(characters, request)) + dialog.tools) / 4
        total.cached += known / 4
        total.folds += same < len(before)
        before = request
    replies = (dialog.replies[step.branch, step.reply] for step in dialog.steps if step.reply is not None)
    total.output = sum(map(_length, replies)) / 4
    return total


def _full_requests(dialog: Conversation) -> Iterator[list[RequestMessage]]:
    """The parts of each request, unfolded."""
    for end in dialog.steps_before_requests:
        steps = dialog.steps[:end]
        settings = ConversationSettings(dialog.system, Reader("", cached=0.0))
        yield BranchConversation().add_steps(0, settings, steps, dialog.replies).parts


def _foldable(parts: Sequence[RequestMessage]) -> list[ObservationEntry]:
    return [part for part in parts if isinstance(part, ObservationEntry) and part.foldable]


def _with_stubs(parts: Sequence[RequestMessage], old: int) -> Request:
    """The request with its first `old` foldable observations replaced by stubs."""
    stubs = {id(part): part.stub for part in _foldable(parts)[: max(old, 0)]}
    return [stubs.get(id(part), part.message) for part in parts]


def _length(reply: Reply) -> int:
    """Number of characters that the model wrote."""
    calls = sum(len(action.tool) + len(json.dumps(action.arguments)) for action in reply.actions)
    return len(reply.text) + len(reply.reasoning) + calls


# Recorded runs


def read_conversations(path: Path) -> list[Conversation]:
    """Read the conversations of a recorded run. Raises SweAgentError, ValueError or OSError if it is not one."""
    return [_convert_other(read_run(path))] if path.is_file() else _read_ours(path)


def _read_ours(directory: Path) -> list[Conversation]:
    """One conversation for each branch with a model request."""
    trajectory = read(directory)
    run = trajectory.run
    system = run.prompts.get("coder", "") if run else ""
    tools = len(json.dumps(run.tools)) if run else 0
    branches = {branch: steps for branch, steps in trajectory.steps.items() if any(s.reply for s in steps)}
    return [Conversation(system, steps, trajectory.replies, tools) for steps in branches.values()]


def _convert_other(run: Recorded) -> Conversation:
    """The conversation of another agent's run, with the observations its harness sent."""
    steps, replies = as_steps(run, run.task, lambda turn, _: tuple(map(Observation, turn.sent)))
    return Conversation(run.system, steps, replies)


# The command


def compare(path: Path) -> dict[str, Cost]:
    """The cost of a run's conversations under each rule. Raises as `read_conversations`, and LookupError."""
    found = read_conversations(path)
    if not found:
        raise LookupError("it has no model requests")
    return {name: sum((cost(dialog, rule) for dialog in found), Cost()) for name, rule in RULES.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="*", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    compared: dict[str, dict[str, Cost]] = {}
    for path in options.runs or _all_runs():
        try:
            compared[str(path) if options.runs else path.name] = compare(path)
        except (SweAgentError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            if options.runs:
                print(f"{path}: left out ({error})", file=sys.stderr)
    if not compared:
        print(NOTHING, file=sys.stderr)
        return 1
    if len(compared) > 1:
        compared["all"] = {name: sum((each[name] for each in compared.values()), Cost()) for name in RULES}
    show(compared, options.json)
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
    """Tokens, and input and price relative to the rule that keeps everything."""
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
