"""Growth of values by rounds: distinct ones stay distinct, sorted ones sorted, and dates grow as intervals."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any

import pytest

from extensions.optimize.guest.call_pickles import dumps
from extensions.optimize.guest.call_scaling import axes, scaled
from extensions.optimize.guest.value_growth import grown

DAY = date(2024, 5, 1)
NOON = datetime(2024, 5, 1, 12)


def scale(args: tuple[Any, ...], group: list[tuple[Any, ...]], size: int) -> tuple[Any, ...]:
    """Return the arguments with the parts of this group grown."""
    return scaled(dumps(args, {}), axes([list(args), {}]).index(group), size)[0]


@pytest.mark.parametrize(
    ("start", "end", "unit"),
    [
        (DAY, date(2024, 5, 6), timedelta(days=1)),
        (DAY, DAY, timedelta(days=1)),
        (NOON, datetime(2024, 5, 1, 15), timedelta(hours=1)),
        (NOON, datetime(2024, 5, 3), timedelta(days=1)),
    ],
)
def test_interval_becomes_longer(start: date, end: date, unit: timedelta) -> None:
    assert scale((start, end), [(0, 1)], 500) == (start, start + 500 * unit)
    assert scale(((start, end),), [(0, 0, 1)], 500)[0] == (start, start + 500 * unit)


def test_only_the_later_date_of_an_interval_grows() -> None:
    groups = axes([[DAY, date(2024, 5, 6), [DAY]], {}])
    assert not any((0, 0) in group for group in groups)
    start, end, free = scale((DAY, date(2024, 5, 6), [DAY]), [(0, 1), (0, 2)], 90)
    assert (start, end) == (DAY, DAY + timedelta(days=90))
    assert free == [DAY + timedelta(days=number) for number in range(90)]
    aware = datetime(2024, 5, 1, tzinfo=UTC)
    assert axes([[NOON, aware], {}]) == []  # they cannot be compared


@pytest.mark.parametrize(
    "items",
    [
        [DAY, date(2024, 5, 3), date(2024, 6, 1)],
        [date(2024, 6, 1), DAY],
        [NOON, datetime(2024, 5, 1, 13)],
        [datetime(2024, 5, 1, tzinfo=UTC)],
        [timedelta(minutes=5), timedelta(minutes=9)],
        [Decimal("1.50"), Decimal("2.25")],
        [Fraction(1, 3), Fraction(1, 2)],
        [None, 3, 1],
        [PurePosixPath("a/b.py"), PurePosixPath("a/c.py")],
    ],
)
def test_items_stay_distinct_sorted_and_of_their_type(items: list[Any]) -> None:
    large = grown(list(items), 200)
    assert len(large) == 200
    assert set(items) <= set(large)
    assert {type(one) for one in large} == {type(one) for one in items}
    if None not in items and len(items) > 1:
        assert len(set(large)) == 200
        for order in (False, True):
            assert (large == sorted(large, reverse=order)) == (items == sorted(items, reverse=order))


def test_long_spans_of_dates_do_not_exceed_the_calendar() -> None:
    assert len(grown([date(1900, 1, 1), date(2024, 1, 1)], 2048)) == 2048


def test_intervals_of_rows_stay_as_long() -> None:
    rows = [("a", DAY, DAY + timedelta(days=2)), ("b", DAY + timedelta(days=1), DAY + timedelta(days=9))]
    large = grown(list(rows), 100)
    assert {end - start for _, start, end in large} == {timedelta(days=2), timedelta(days=8)}
    records = [{"from": DAY, "to": None}, {"from": DAY + timedelta(days=3), "to": DAY + timedelta(days=4)}]
    assert {type(one["to"]) for one in grown(list(records), 10)} == {date, type(None)}


def test_numbers_that_refer_to_another_column_still_do() -> None:
    rows = [{"id": 1, "parent": None}, {"id": 2, "parent": 1}, {"id": 3, "parent": 2}]
    large = grown(list(rows), 60)
    known = {row["id"] for row in large}
    assert len(known) == 60
    assert {row["parent"] for row in large} - {None} <= known
    assert len({row["parent"] for row in large}) == 41


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Node:
    name: str
    needs: list[str]
    due: date = DAY


def test_objects_change_with_what_they_refer_to_and_enums_never() -> None:
    nodes = grown([Node("a", []), Node("b", ["a"])], 40)
    names = {node.name for node in nodes}
    assert len(names) == 40
    assert all(set(node.needs) <= names for node in nodes)
    assert len({tuple(node.needs) for node in nodes}) == 21
    assert len({node.due for node in nodes}) == 20
    colors = grown([Color.RED, Color.BLUE], 10)
    assert set(colors) == set(Color)
    assert [color.name for color in Color] == ["RED", "BLUE"]


def test_texts_of_words_lines_and_fields_stay_distinct() -> None:
    for text, separator in (("red blue", " "), ("a 1\nb 2", "\n"), ("a,b", ","), ("x;y;z", ";")):
        large = grown(text, 60).split(separator)
        assert len(large) == len(set(large)) == 60
    assert grown("abc", 8) == "abcabcab"


@pytest.mark.parametrize("text", ["(a(b)c)(d)", "[x]", "f(a,b)", "{[()]}"])
def test_brackets_stay_closed_and_become_deeper(text: str) -> None:
    depths = {}
    for size in (24, 96, 5000):
        large, depth = grown(text, size), 0
        assert 0.5 * size < len(large) <= size
        for letter in large:
            depth += (letter in "([{") - (letter in ")]}")
            assert depth >= 0
            depths[size] = max(depths.get(size, 0), depth)
        assert depth == 0
    assert depths[24] < depths[96] < depths[5000] <= 200
    assert grown("a (b) c", 5) == "a (b) c a0001 (b)0001"  # words stay distinct
