"""What recorded runs would have cost under other rules of context: `python -m benchmarks.context [RUN...] [--json]`.

RUN is a folder with our `journal.jsonl` or a `*.traj.json` of mini-swe-agent 2; by default all runs of the user's state
folder. Each run is replayed with its behaviour unchanged: the same replies and observations, sent under each rule:

  everything kept      nothing is folded
  sliding window       the last 5 observations of more than 500 characters are kept, older ones become stubs at once
  blocks               older ones become stubs 5 at a time
  break-even           as this program does it
  break-even, capped   so too, with observations cut at birth as this program's tools do (for other agents' runs)

Tokens are characters/4; a token that the request before began with costs 0.1, another input token 1, an output token 5.
What a model would have done differently with less to read, a replay cannot tell.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from aci.view import CAPS, Kind, shorten
from agent.context import Reader, conversation, messages
from agent.folding import Observed, Part, characters
from agent.models.base import Message
from agent.settings import load_settings
from trajectories.errors import SweAgentError
from trajectories.journal import read
from trajectories.records import Action, Observation, Reply, Step

CACHED, FRESH, OUTPUT = 0.1, 1.0, 5.0
WINDOW = 5
"""Observations that the sliding window and the blocks keep."""
_LISTING = re.compile(r"\b(?:ls|find|tree|git ls-files)\b")
_SEARCH = re.compile(r"\b(?:grep|rg|ag|ack)\b")
_VIEW = re.compile(r"\b(?:cat|sed -n|nl|head|tail|less)\b")

NOTHING = """There is no recorded run with a model in it. Make one with `swe-agent fix --model …`, or name a folder
with a journal.jsonl, or a *.traj.json of mini-swe-agent."""

Request = list[Message]


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation of a run; `tools` are the characters of the schemas sent with each request."""

    system: str
    steps: Sequence[Step]
    replies: Mapping[tuple[str, int], Reply]
    tools: int = 0
    capped: bool = True
    """Its observations were short at birth."""

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
    for end in talk.asks:
        yield messages(talk.system, talk.steps[:end], talk.replies, Reader("", cached=CACHED)).messages


def short_at_birth(talk: Talk) -> Iterator[Request]:
    """Break-even, after every observation was cut to what the program's tools show at most."""
    return ours(talk if talk.capped else replace(talk, steps=[_capped(step) for step in talk.steps]))


RULES: dict[str, Callable[[Talk], Iterator[Request]]] = {
    "everything kept": kept,
    "sliding window": sliding,
    "blocks": blocks,
    "break-even": ours,
    "break-even, capped": short_at_birth,
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


def _grown(talk: Talk) -> Iterator[list[Part]]:
    """The parts of each request, whole."""
    for end in talk.asks:
        yield conversation(talk.system, talk.steps[:end], talk.replies, Reader("", cached=0.0)).parts


def _foldable(parts: Sequence[Part]) -> list[Observed]:
    return [part for part in parts if isinstance(part, Observed) and part.foldable]


def _stubbed(parts: Sequence[Part], old: int) -> Request:
    """The first `old` of the observations that can be folded as stubs."""
    stubs = {id(part): part.stub for part in _foldable(parts)[: max(old, 0)]}
    return [stubs.get(id(part), part.message) for part in parts]


def _length(reply: Reply) -> int:
    """Characters a model wrote."""
    calls = sum(len(action.tool) + len(json.dumps(action.arguments)) for action in reply.actions)
    return len(reply.text) + len(reply.reasoning) + calls


def _capped(step: Step) -> Step:
    """A step of a bash-only agent with observations as short as our tools make them."""
    if step.reply is None:
        return step
    pairs = zip(step.actions, step.observations, strict=False)
    cut = [replace(seen, text=shorten(seen.text, CAPS[_kind(action)], "out:1")) for action, seen in pairs]
    return replace(step, observations=(*cut, *step.observations[len(cut) :]))


def _kind(action: Action) -> Kind:
    command = str(action.arguments.get("command", ""))
    kinds: dict[Kind, re.Pattern[str]] = {"search": _SEARCH, "listing": _LISTING, "view": _VIEW}
    return next((kind for kind, words in kinds.items() if words.search(command)), "other")


# Recorded runs


def talks(path: Path) -> list[Talk]:
    """The conversations of a recorded run. Raises SweAgentError, ValueError or OSError for what is none."""
    return [_of_mini(json.loads(path.read_text("utf-8")))] if path.is_file() else _of_ours(path)


def _of_ours(directory: Path) -> list[Talk]:
    """One of each branch in which a model was asked."""
    trajectory = read(directory)
    run = trajectory.run
    system = run.prompts.get("coder", "") if run else ""
    tools = len(json.dumps(run.tools)) if run else 0
    branches = {branch: steps for branch, steps in trajectory.steps.items() if any(s.reply for s in steps)}
    return [Talk(system, steps, trajectory.replies, tools) for steps in branches.values()]


def _of_mini(recorded: Any) -> Talk:
    """A trajectory of mini-swe-agent, with tool calls or with commands fenced in text."""
    if not isinstance(recorded, dict) or "messages" not in recorded:
        raise ValueError("no trajectory of mini-swe-agent 2")
    said = list(takewhile(lambda message: message.get("role") != "exit", recorded["messages"]))
    system = "\n".join(_text(message) for message in said if message["role"] == "system")
    said = [message for message in said if message["role"] != "system"]
    steps: list[Step] = []
    replies: dict[tuple[str, int], Reply] = {}
    while said:
        message = said.pop(0)
        if message["role"] != "assistant":
            steps.append(_step(len(steps) + 1, None, (), [message]))
            continue
        answers = list(takewhile(lambda message: message["role"] != "assistant", said))
        del said[: len(answers)]
        number = len(replies) + 1
        text, actions = _called(message)
        replies["main", number] = Reply(text, actions, branch="main", ask=number)
        steps.append(_step(len(steps) + 1, number, actions, answers))
    return Talk(system, steps, replies, capped=False)


def _step(n: int, reply: int | None, actions: tuple[Action, ...], said: Sequence[Mapping[str, Any]]) -> Step:
    seen = tuple(Observation(_text(message)) for message in said)
    return Step("main", n, "", "mini", "", reply, actions, seen)


def _called(message: Mapping[str, Any]) -> tuple[str, tuple[Action, ...]]:
    """The text and the actions of a reply; commands that stand in the text are taken out of it."""
    text = _text(message)
    if calls := message.get("tool_calls"):
        named = [(call["function"]["name"], json.loads(call["function"]["arguments"]), call["id"]) for call in calls]
        return text, tuple(Action(name, arguments, id) for name, arguments, id in named)
    commands = [action["command"] for action in message.get("extra", {}).get("actions", ())]
    for command in commands:
        text = text.replace(command, "", 1)
    return text, tuple(Action("bash", {"command": command}) for command in commands)


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)


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
