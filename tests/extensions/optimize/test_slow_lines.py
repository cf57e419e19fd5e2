"""Causes of slow lines, from profiles of real calls."""

from __future__ import annotations

import pickle
from textwrap import dedent

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.measurement.input_calls import InputCall
from extensions.optimize.measurement.profiling import LineTime, profile_lines
from extensions.optimize.slow_lines import SlowLine, diagnose, line_texts
from tests.conftest import MakeRepo, OpenWorkspace

FUNCTIONS = {
    "search": """
        def f(items):
            seen = []
            for item in items:
                if item not in seen:  # slow
                    seen.append(item)
            return seen
    """,
    "front": """
        def f(items):
            queue, total = list(items), 0
            while queue:
                total += queue.pop(0)  # slow
            return total
    """,
    "slice": """
        def f(items):
            steps = 0
            while items:
                items = items[1:]  # slow
                steps += 1
            return steps
    """,
    "growing": """
        def f(items):
            found = []
            for item in items:
                found = found + [item]  # slow
            return found
    """,
    "whole": """
        def f(items):
            found = []
            for item in items:
                found.append(sum(items) - item)  # slow
            return found
    """,
    "pairs": """
        def f(items):
            count = 0
            for one in items:
                for other in items:
                    count += one * other % 7 == 3 and one * other % 5 == 2 and one * other % 11 == 1  # slow
            return count
    """,
    "recursion": """
        def f(items):
            if len(items) < 2:
                return 1
            return f(items[1:]) + f(items[2:])  # slow
    """,
    "call": """
        def scan(items, item):
            for number, one in enumerate(items):
                if one == item:
                    return number

        def f(items):
            found = []
            for item in items:
                found.append(scan(items, item))  # slow
            return found
    """,
    "loop": """
        def f(items):
            total = 0
            for item in items:
                total += item * item % 7  # slow
            return total
    """,
}

SIZES = {"recursion": (10, 14, 18), "slice": (2000, 4000, 8000), "front": (5000, 10000, 40000)}


@pytest.mark.slow
@pytest.mark.parametrize("cause", list(FUNCTIONS))
def test_slowest_line_is_named_with_its_cause(cause: str, make_repo: MakeRepo, open_ws: OpenWorkspace) -> None:
    source = dedent(FUNCTIONS[cause])
    workspace = open_ws("local", make_repo({"a.py": source}))
    target, sizes = Target("a.py", "f"), SIZES.get(cause, (300, 600, 1200))
    profiles = [profile_lines(workspace, target, [call(list(range(size)))]) for size in sizes]
    found = diagnose(source.encode(), "f", sizes, profiles)
    slow = 1 + next(number for number, line in enumerate(source.split("\n")) if line.endswith("# slow"))
    assert (slow, cause) in [(one.line, one.cause) for one in found], line_texts(found)


def call(items: list[int]) -> InputCall:
    return InputCall(pickle.dumps(((items,), {})), "")


@pytest.mark.parametrize(
    ("line", "types"),
    [
        ("if item in known:", {"known": "set"}),
        ("if item in self.known:", {}),
        ("x = known.pop(0)", {"known": "dict"}),
        ("x = known.count(item)", {"known": "Counter"}),
        ("x = max(0, item - 1)", {}),
    ],
)
def test_operation_that_may_be_cheap_is_no_cause(line: str, types: dict[str, str]) -> None:
    source = f"def f(items, known):\n    for item in items:\n        {line}\n            return item\n"
    source = source if line.endswith(":") else source.replace("            return item\n", "")
    times = (LineTime(3, 900, 1.0, 900, 0.1, types),)
    assert [one.cause for one in diagnose(source.encode(), "f", (), [times])] == ["loop"]


def test_line_grows_no_faster_than_its_function() -> None:
    """The short call's time is too small, so that the slice seems to matter."""
    source = b"def f(x):\n    for i, one in enumerate(x):\n        for other in x[i + 1:]:\n            one + other\n"
    small, large = LineTime(3, 100, 1.0, 10, 0.0001), LineTime(3, 10_000, 1.0, 100, 0.1)
    assert [one.cause for one in diagnose(source, "f", (10, 100), [[small], [large]])] == ["slice"]
    assert [one.cause for one in diagnose(source, "f", (10, 100), [[small], [large]], 2.1)] == ["pairs"]


def test_lines_outside_the_function_are_left_out() -> None:
    times = (LineTime(201, 9, 0.9, 9, 0.1), LineTime(2, 9, 0.1, 9, 0.1))
    assert [one.line for one in diagnose(b"def f(x):\r    return [x]\r", "f", (), [times])] == [2]


def test_same_operation_is_described_once() -> None:
    first = SlowLine(3, "for b in y:", 0.6, 2.0, 2.0, "pairs", "it runs once for each combination")
    second = SlowLine(4, "if a < b:", 0.4, 2.0, 2.0, "pairs", "it runs once for each combination")
    assert line_texts([first, second])[1] == "line 4 (40% of the time, time grows as n^2.0): `if a < b:`: as line 3."
