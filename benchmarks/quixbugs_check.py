"""Comparison of a repaired QuixBugs program with the reference, on inputs made from its test cases.

    python -m benchmarks.quixbugs_check QUIXBUGS PROGRAM REPAIRED_FILE      JSON: {"inputs", "agree", "differ"}

Inputs are mutations of the JSON test cases that preserve the properties common to all of them (ranges, order,
symmetry). Programs on graphs and lists get random inputs. Inputs that the reference cannot answer are skipped.
"""

from __future__ import annotations

import importlib.util
import json
import random
import signal
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from types import GeneratorType, ModuleType
from typing import Any

MAX_INPUTS, TRIES = 200, 3000
REFERENCE_SECONDS, CANDIDATE_SECONDS = 0.5, 5.0
Arguments = list[Any]


def check(quixbugs: Path, program: str, repaired: Path) -> dict[str, Any]:
    """Count the inputs on which both answers agree; `differ` shows the first on which they do not."""
    node = _load(quixbugs / "python_programs" / "node.py", "node")
    reference = getattr(_load(quixbugs / "correct_python_programs" / f"{program}.py", "reference"), program)
    candidate = getattr(_load(repaired, "repaired"), program)
    agree, differ, total = 0, "", 0
    for arguments in _inputs(quixbugs, program, node):
        expected = _answer(reference, arguments, REFERENCE_SECONDS)
        if expected is None:
            continue
        total += 1
        found = _answer(candidate, arguments, CANDIDATE_SECONDS)
        if found is not None and _equal(expected, found, _tolerance(arguments)):
            agree += 1
        elif not differ:
            differ = f"{program}({', '.join(repr(one)[:60] for one in arguments)})"
        if total >= MAX_INPUTS:
            break
    return {"inputs": total, "agree": agree, "differ": differ}


def _load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _answer(function: Callable[..., Any], arguments: Arguments, seconds: float) -> list[Any] | None:
    """The answer in a list, or None if the function raised or took too long."""

    def on_timeout(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, on_timeout)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        answer = function(*deepcopy(arguments))
        return [_plain(list(answer) if isinstance(answer, GeneratorType) else answer)]
    except Exception:  # noqa: BLE001 - a wrong program may raise anything
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _plain(value: Any) -> Any:
    """Replace nodes of linked lists and graphs by their values, so that answers from two copies can be compared."""
    if type(value).__name__ == "Node":
        values, visited = [], set()
        while value is not None and type(value).__name__ == "Node" and id(value) not in visited:
            visited.add(id(value))
            values.append(value.value)
            value = value.successor
        return values
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _tolerance(arguments: Arguments) -> float:
    return min((one for one in arguments if isinstance(one, float)), default=1e-9)


def _equal(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) or isinstance(other, float):
        try:
            return one == other or bool(abs(one - other) <= tolerance)
        except TypeError:
            return False
    return type(one) is type(other) and bool(one == other)


# Inputs


def _inputs(quixbugs: Path, program: str, node: ModuleType) -> Iterator[Arguments]:
    cases = quixbugs / "json_testcases" / f"{program}.json"
    if not cases.exists():
        chance = random.Random(program)
        for _ in range(TRIES):
            yield GRAPHS[program](chance, node.Node)
        return
    known = [_arguments(json.loads(line)[0]) for line in cases.read_text().splitlines() if line.strip()]
    yield from known
    yield from _mutations(known, random.Random(program))


def _arguments(value: Any) -> Arguments:
    return value if isinstance(value, list) else [value]


def _mutations(known: list[Arguments], chance: random.Random) -> Iterator[Arguments]:
    alone = len(known[0]) == 1
    rules = [_common_properties([case[place] for case in known], alone) for place in range(len(known[0]))]
    known_texts = {repr(case) for case in known}
    for _ in range(TRIES):
        case = deepcopy(chance.choice(known))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(case))
            case[place] = rules[place](_mutate(case[place], chance, _leaves([one[place] for one in known])))
        if repr(case) not in known_texts:
            known_texts.add(repr(case))
            yield case


def _common_properties(values: list[Any], alone: bool) -> Callable[[Any], Any]:
    """A function that restores, in a mutated value, the properties common to all known values of this argument.

    If the argument is the only one (`alone`), its range is extended, so that there are enough inputs.
    """
    lists = [value for value in values if isinstance(value, list)]
    if lists and all(isinstance(leaf, int | float) for value in lists for leaf in value):
        if all(value == value[::-1] for value in lists) and any(len(value) > 2 for value in lists):
            return lambda value: value[: len(value) // 2] + value[(len(value) - 1) // 2 :: -1]
        if all(value == sorted(value) for value in lists) and any(len(value) > 2 for value in lists):
            return lambda value: sorted(value)
    if all(isinstance(value, int) for value in values):
        low, high = min(values), max(values)
        high = max(2 * high, 2 * MAX_INPUTS if alone else 0) if high > 3 else high
        return lambda value: min(max(value, low), high)
    return lambda value: value


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    return list(value) if isinstance(value, str) else [value]


def _mutate(value: Any, chance: random.Random, leaves: list[Any]) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        near, far = chance.randint(-9, 9), chance.randint(-400, 400)
        return chance.choice([value + 1, value - 1, value + near, value + far, chance.choice(leaves)])
    if isinstance(value, float):
        return chance.choice([value, value / 2, 2 * value])
    items = list(value)
    kind = chance.randrange(4)
    if not items or kind == 0:
        fresh = chance.choice(items) if items else (chance.choice(leaves) if leaves else 1)
        items.insert(chance.randint(0, len(items)), deepcopy(fresh))
    elif kind == 1:
        del items[chance.randrange(len(items))]
    elif kind == 2:
        place = chance.randrange(len(items))
        one = items[place]
        items[place] = chance.choice(leaves) if isinstance(one, str) else _mutate(one, chance, _leaves(one) or leaves)
    else:
        first, second = chance.randrange(len(items)), chance.randrange(len(items))
        items[first], items[second] = items[second], items[first]
    return "".join(items) if isinstance(value, str) else items


# Graphs and lists


def _graph(chance: random.Random, node: Any) -> list[Any]:
    nodes = [node(f"n{number}", None, []) for number in range(chance.randint(1, 7))]
    for one in nodes:
        one.successors = [other for other in nodes if chance.random() < 0.3]
    return nodes


def _search(chance: random.Random, node: Any) -> Arguments:
    nodes = _graph(chance, node)
    return [chance.choice(nodes), chance.choice(nodes)]


def _chain(chance: random.Random, node: Any) -> Arguments:
    first = None
    for number in range(chance.randint(0, 8)):
        first = node(number, first)
    return [first]


def _cycle(chance: random.Random, node: Any) -> Arguments:
    nodes = [node(number) for number in range(chance.randint(1, 8))]
    for one, other in pairwise(nodes):
        one.successor = other
    nodes[-1].successor = chance.choice([None, *nodes])
    return [nodes[0]]


def _tree(chance: random.Random, _: Any) -> Arguments:
    edges = [(u, v) for u in range(6) for v in range(u + 1, 6) if chance.random() < 0.6]
    weights = chance.sample(range(1, 99), len(edges))
    return [dict(zip(edges, weights, strict=True))]


def _weights(chance: random.Random) -> dict[tuple[int, int], int]:
    """Random edges without a negative cycle: only edges to a higher node may be negative."""
    pairs = [(u, v) for u in range(6) for v in range(6) if u != v and chance.random() < 0.4]
    return {(u, v): chance.randint(-5 if u < v else 26, 30) for u, v in pairs}


def _between(chance: random.Random, node: Any) -> Arguments:
    nodes = _graph(chance, node)
    weights = {(one, other): chance.randint(1, 20) for one in nodes for other in one.successors}
    return [weights, chance.choice(nodes), chance.choice(nodes)]


def _order(chance: random.Random, node: Any) -> Arguments:
    nodes = [node(number, None, [], [], [], []) for number in range(chance.randint(1, 7))]
    for first, one in enumerate(nodes):
        for other in nodes[first + 1 :]:
            if chance.random() < 0.35:
                one.outgoing_nodes.append(other)
                other.incoming_nodes.append(one)
    chance.shuffle(nodes)
    return [nodes]


GRAPHS: dict[str, Callable[[random.Random, Any], Arguments]] = {
    "breadth_first_search": _search,
    "depth_first_search": _search,
    "detect_cycle": _cycle,
    "minimum_spanning_tree": _tree,
    "reverse_linked_list": _chain,
    "shortest_path_length": _between,
    "shortest_path_lengths": lambda chance, _: [6, _weights(chance)],
    "shortest_paths": lambda chance, _: [0, _weights(chance)],
    "topological_ordering": _order,
}


if __name__ == "__main__":
    sys.setrecursionlimit(1500)
    print(json.dumps(check(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))))
