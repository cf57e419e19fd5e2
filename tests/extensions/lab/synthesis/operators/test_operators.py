"""Operators that plant bugs: each finds the intended changes and no others."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from extensions.experiment.source.source_file import Source
from extensions.lab.synthesis.operators import calls, contracts, state
from extensions.lab.synthesis.operators.function_code import Code, Operator, apply_edits, is_other_program
from extensions.lab.synthesis.operators.simple_changes import several_changes

STACK = b"""\
class Stack:
    def __init__(self):
        self.items, self.size = [], 0

    def push(self, item):
        self.items.append(item)
        self.size += 1

    def pop(self):
        if not self.items:
            raise IndexError("empty")
        self.size -= 1
        return self.items.pop()

    def first(self, default="none"):
        return self.items[0]

    def total(self):
        return sum(self.items)

    def last(self, default="none"):
        return self.items[-1]

    def ends(self):
        return self.first(), self.last(default="")

    def reset(self):
        self.cache = None
        return self


def part(items, start, end=3, strict=False):
    return items[start:end]


def tail(items, count):
    return part(items, len(items) - count, 10)


def middle(items):
    try:
        return part(items[1:], 1, end=7)
    except (KeyError, IndexError):
        raise ValueError("short") from None


def scan(rows, lock):
    for row in rows:
        now = lock.read()
        row.append(now)
    return rows
"""
OWN_CALLS = frozenset((at, "part") for at, line in enumerate(STACK.decode().splitlines(), 1) if "return part(" in line)


def changes(operator: Operator, function: str) -> list[str]:
    """Return the lines that each change of the operator in a function of the sample makes, old and new."""
    source = Source("stack.py", STACK)
    node = next(node for span, node in source.functions if span.qualname == function)
    found = []
    for edits in operator(Code(source, node, OWN_CALLS)):
        new = apply_edits(STACK, edits)
        assert is_other_program(STACK, new), new
        before, after = STACK.decode().splitlines(), new.decode().splitlines()
        gone = [line.strip() for line in before if line not in after]
        come = [line.strip() for line in after if line not in before]
        found.append(" | ".join([*gone, "->", *come]))
    return found


@pytest.mark.parametrize(
    ("operator", "function", "expected"),
    [
        (
            calls.wrong_sibling_call,
            "Stack.ends",
            [
                "return self.first(), self.last(default=\"\") | -> | return self.last(), self.last(default=\"\")",
                "return self.first(), self.last(default=\"\") | -> | return self.total(), self.last(default=\"\")",
                "return self.first(), self.last(default=\"\") | -> | return self.reset(), self.last(default=\"\")",
                "return self.first(), self.last(default=\"\") | -> | return self.first(), self.first(default=\"\")",
            ],
        ),
        (
            calls.swapped_arguments,
            "tail",
            [
                "return part(items, len(items) - count, 10) | -> | return part(len(items) - count, items, 10)",
                "return part(items, len(items) - count, 10) | -> | return part(items, 10, len(items) - count)",
            ],
        ),
        (
            calls.off_by_one_at_caller,
            "middle",
            [
                "return part(items[1:], 1, end=7) | -> | return part(items[2:], 1, end=7)",
                "return part(items[1:], 1, end=7) | -> | return part(items[0:], 1, end=7)",
                "return part(items[1:], 1, end=7) | -> | return part(items[1:], 2, end=7)",
                "return part(items[1:], 1, end=7) | -> | return part(items[1:], 0, end=7)",
                "return part(items[1:], 1, end=7) | -> | return part(items[1:], 1, end=8)",
                "return part(items[1:], 1, end=7) | -> | return part(items[1:], 1, end=6)",
            ],
        ),
        (contracts.dropped_guard, "Stack.pop", ["if not self.items: | raise IndexError(\"empty\") | ->"]),
        (
            contracts.changed_default,
            "part",
            [
                "def part(items, start, end=3, strict=False): | -> | def part(items, start, end=4, strict=False):",
                "def part(items, start, end=3, strict=False): | -> | def part(items, start, end=2, strict=False):",
                "def part(items, start, end=3, strict=False): | -> | def part(items, start, end=3, strict=True):",
            ],
        ),
        (
            contracts.wrong_exception,
            "middle",
            [
                "raise ValueError(\"short\") from None | -> | raise TypeError(\"short\") from None",
                "raise ValueError(\"short\") from None | -> | raise KeyError(\"short\") from None",
                "except (KeyError, IndexError): | -> | except KeyError:",
                "except (KeyError, IndexError): | -> | except IndexError:",
            ],
        ),
        (state.lost_update_at_two_places, "Stack.push", ["self.size += 1 | self.size -= 1 | ->"]),
        (
            state.stale_cache,
            "Stack.total",
            [
                "return sum(self.items) | -> | if not hasattr(self, \"_kept_total\"): | "
                "self._kept_total = sum(self.items) | return self._kept_total"
            ],
        ),
        (state.stale_cache, "Stack.reset", ["self.cache = None | ->"]),
        (state.stale_cache, "scan", ["now = lock.read() | -> | now = lock.read()"]),
        (calls.swapped_arguments, "Stack.push", []),
        (contracts.dropped_guard, "tail", []),
    ],
)  # fmt: skip
def test_operator_finds_its_changes(operator: Operator, function: str, expected: list[str]) -> None:
    assert sorted(changes(operator, function)) == sorted(expected)


@pytest.mark.parametrize("operator", [calls.swapped_arguments, calls.off_by_one_at_caller])
def test_calls_of_other_packages_are_left_alone(operator: Callable) -> None:
    source = Source("stack.py", STACK)
    node = next(node for span, node in source.functions if span.qualname == "tail")
    assert list(operator(Code(source, node))) == []


def test_several_changes_are_two_at_different_places() -> None:
    source = Source("stack.py", STACK)
    node = next(node for span, node in source.functions if span.qualname == "Stack.pop")
    found = [several_changes(Code(source, node), Random(seed)) for seed in range(30)]
    assert any(found)
    for edits in filter(None, found):
        assert len(edits) >= 2
        spans = sorted((start, end) for start, end, _ in edits)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
