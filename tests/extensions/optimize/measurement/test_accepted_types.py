"""Types of values that one version of a function accepts and another does not, in real workspaces."""

from __future__ import annotations

import pickle
from textwrap import dedent

import pytest

from aci.runtime.target_function import Target
from extensions.optimize.measurement.accepted_types import type_differences
from extensions.optimize.measurement.input_calls import InputCall
from tests.conftest import MakeRepo, OpenWorkspace

BY_EQUALITY = """
    def f(items):
        seen = []
        for item in items:
            if item not in seen:
                seen.append(item)
        return seen
"""
BY_HASH = """
    def f(items):
        seen, known = [], set()
        for item in items:
            if item not in known:
                seen.append(item)
                known.add(item)
        return seen
"""
BY_ORDER = """
    def f(items):
        found = []
        for item in sorted(items):
            if not found or found[-1] != item:
                found.append(item)
        return sorted(found, key=items.index)
"""
EITHER = """
    def f(items):
        try:
            return list(dict.fromkeys(items))
        except TypeError:
            return [item for number, item in enumerate(items) if item not in items[:number]]
"""
COMMON = """
    def f(left, right):
        return [one["id"] for one in left if any(one["id"] == other["id"] for other in right)]
"""
COMMON_BY_HASH = """
    def f(left, right):
        known = {other["id"] for other in right}
        return [one["id"] for one in left if one["id"] in known]
"""
LISTS = ([3, 1, 3],), ([],), (["b", "a", "b", "c"],), ([1.5, 2.5, 1.5],)
RECORDS = (([{"id": 1}, {"id": 2}], [{"id": 2}, {"id": 3}]),)


def compare(make_repo: MakeRepo, open_ws: OpenWorkspace, before: str, after: str, calls: object) -> dict[str, bool]:
    """Return the kinds of values that only `before` accepts, with whether `after` raises an exception."""
    rooms = [open_ws("local", make_repo({"shop.py": dedent(text)})) for text in (before, after)]
    made = [InputCall(pickle.dumps((tuple(args), {}), 4), "recorded") for args in calls]  # type: ignore[attr-defined]
    return {one.kind: one.raises for one in type_differences(rooms[0], rooms[1], Target("shop.py", "f"), made)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "calls", "expected"),
    [
        (BY_EQUALITY, BY_HASH, LISTS, {"unhashable": True}),
        (BY_EQUALITY, BY_ORDER, LISTS, {"unordered": True, "iterator": True}),
        (BY_EQUALITY, EITHER, LISTS, {}),
        (BY_EQUALITY, BY_EQUALITY, LISTS, {}),
        (BY_HASH, BY_EQUALITY, LISTS, {}),
        (COMMON, COMMON_BY_HASH, RECORDS, {"unhashable": True, "iterator": False}),
        ("def f(n):\n    return n + 1\n", "def f(n):\n    return 1 + n\n", [[1], [2]], {}),
    ],
)
def test_types_that_only_the_original_accepts_are_found(make_repo, open_ws, before, after, calls, expected) -> None:
    assert compare(make_repo, open_ws, before, after, calls) == expected


@pytest.mark.slow
def test_example_is_a_call_that_a_user_can_repeat(make_repo, open_ws) -> None:
    rooms = [open_ws("local", make_repo({"shop.py": dedent(text)})) for text in (BY_EQUALITY, BY_HASH)]
    calls = [InputCall(pickle.dumps((([3, 1],), {}), 4), "recorded")]
    (found,) = type_differences(rooms[0], rooms[1], Target("shop.py", "f"), calls)
    assert found.example == "f([[3], [1]])"


@pytest.mark.slow
def test_example_with_a_long_argument_shows_its_beginning_and_the_others(make_repo, open_ws) -> None:
    texts = [text.replace("f(items)", "f(items, key=None)") for text in (BY_EQUALITY, BY_HASH)]
    rooms = [open_ws("local", make_repo({"shop.py": dedent(text)})) for text in texts]
    calls = [InputCall(pickle.dumps((([3, 1] * 100,), {"key": 2}), 4), "recorded")]
    (found,) = type_differences(rooms[0], rooms[1], Target("shop.py", "f"), calls)
    assert found.example.startswith("f([[3], [1], [3]")
    assert found.example.endswith("…, key=2)")
