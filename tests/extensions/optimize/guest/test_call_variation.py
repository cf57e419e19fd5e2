"""New calls derived from recorded ones: ordinary ones stay inside what was recorded, strange ones are marked."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extensions.optimize.guest.call_pickles import dumps
from extensions.optimize.guest.call_variation import NO_HINTS, varied
from extensions.optimize.guest.recorded_positions import Hints

Args = tuple[Any, ...]


def vary(*recorded: Args, want: int = 60, seed: int = 1, hints: Hints = NO_HINTS) -> list[tuple[Args, bool]]:
    """Return (arguments, whether the call is strange) for `want` new calls."""
    calls = [dumps(args, {}) for args in recorded]
    found = varied(calls, random.Random(seed), want, hints)
    return [(pickle.loads(data)[0], strange) for _, (data, strange) in zip(range(want), found, strict=False)]


def ordinary(*recorded: Args, **options: Any) -> list[Args]:
    return [args for args, strange in vary(*recorded, **options) if not strange]


def makes(value: object, path: str = "") -> Iterator[str]:
    """Yield the path and type of each part of a value; the items of a list have one path, those of a pair two."""
    yield f"{path}:{type(value).__name__}"
    if isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from makes(one, f"{path}/{number} of {len(value)}")
    elif isinstance(value, list | set):
        for one in value:
            yield from makes(one, f"{path}/item")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from makes(key, f"{path}/key")
            yield from makes(one, f"{path}/value")
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path}: not finite"


NUMBERS = st.integers(-9, 99)
ATOMS = st.sampled_from(
    [NUMBERS, st.text("ab", max_size=4), st.floats(0, 9), st.none(), st.booleans(), st.none() | NUMBERS]
)


def containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Strategies of strategies: a strategy for lists of a make, for pairs of two makes, ..."""
    lists = inner.map(lambda one: st.lists(one, max_size=4))
    pairs = st.tuples(inner, inner).map(lambda two: st.tuples(*two))
    mappings = inner.map(lambda one: st.dictionaries(st.integers(0, 9), one, max_size=3))
    return lists | pairs | mappings


MAKES = st.recursive(ATOMS, containers, max_leaves=4)
RECORDED = MAKES.flatmap(lambda make: st.lists(st.tuples(make), min_size=1, max_size=4))


@pytest.mark.slow
@settings(max_examples=60)
@given(RECORDED, st.integers(0, 99))
def test_ordinary_calls_have_only_types_recorded_at_the_same_position(recorded: list[Args], seed: int) -> None:
    known = {make for args in recorded for make in makes(args)}
    for args in ordinary(*recorded, want=20, seed=seed):
        assert set(makes(args)) <= known, args


@pytest.mark.slow
def test_strange_calls_are_marked_and_few() -> None:
    recorded: Args = ([1, 2, 3], "ab", 2.5)
    found = vary(recorded, want=400)
    known = set(makes(recorded))
    outside = [strange for args, strange in found if len(args) == 3 and not set(makes(args)) <= known]
    assert all(outside)
    assert len(outside) > 20
    assert 0.05 < sum(strange for _, strange in found) / len(found) < 0.3


def test_none_stays_none_unless_another_type_was_recorded_there() -> None:
    assert {args[1] for args in ordinary(([1], None), ([2, 3], None)) if len(args) > 1} == {None}
    kinds = {type(args[1]) for args in ordinary(([1], None), ([2, 3], 7)) if len(args) > 1}
    assert kinds == {type(None), int}


def test_records_keep_their_keys_and_mappings_do_not() -> None:
    records = [{"name": "a", "price": 3}, {"name": "b", "price": 5}, {"name": "c", "price": 8}]
    for (found,) in (args for args in ordinary((records,), (records[:1],)) if args):
        assert all(list(one) == ["name", "price"] for one in found)
    counts = [args[0] for args in ordinary(({"a": 1, "b": 2},), ({"c": 4},), ({},)) if args]
    assert len({frozenset(one) for one in counts}) > 5


def test_rows_of_tables_keep_equal_lengths_unless_ragged_ones_were_recorded() -> None:
    square, wide = [[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    tables = [args[0] for args in ordinary((square,), (wide,)) if args]
    assert all(len({len(row) for row in table}) <= 1 for table in tables)
    assert len({len(table[0]) for table in tables if table}) > 2
    ragged = [args[0] for args in ordinary((square,), ([[1], [2, 3]],)) if args]
    assert any(len({len(row) for row in rows}) > 1 for rows in ragged)


def test_lists_that_were_always_sorted_stay_sorted() -> None:
    in_order = [([n, n + 5, n + 7 + n % 3],) for n in range(9)]
    documented = Hints(says_sorted=True)
    for recorded, hints in ((in_order, NO_HINTS), (in_order[:3], documented)):
        assert all(args[0] == sorted(args[0]) for args in ordinary(*recorded, hints=hints) if args)
    for recorded, hints in ((in_order[:3], NO_HINTS), ([*in_order, ([2, 1],)], documented)):
        assert not all(args[0] == sorted(args[0]) for args in ordinary(*recorded, hints=hints) if args)


def test_arguments_of_equal_lengths_keep_them() -> None:
    for args in ordinary(([1, 2], ["a", "b"], 2), ([1, 2, 3], ["c", "d", "e"], 3), ([], [], 0)):
        if len(args) == 3:
            assert len(args[0]) == len(args[1]) == args[2]
    assert any(len(a) != len(b) for a, b in (args for args in ordinary(([1], ["a"]), ([2], ["b"])) if len(args) == 2))


@pytest.mark.slow
def test_edge_values_are_tried() -> None:
    lists = [args[0] for args in ordinary(([4, 1, 7, 3],), want=300) if args]
    assert [] in lists
    assert any(len(one) == 1 for one in lists)
    assert any(len(one) > 20 for one in lists)
    assert any(len(one) > 2 and len(set(one)) == 1 for one in lists)
    assert any(len(one) > 3 and len(set(one)) == len(one) - 1 for one in lists)
    assert any(min(one, default=0) < 0 for one in lists)
    assert any(max(one, default=0) > 2**60 for one in lists)
    counts = [args[1] for args in ordinary(("text", 5), ("more", 2), want=200) if len(args) > 1]
    assert 0 in counts
    assert min(counts) == 0  # a negative count was never recorded
    assert any(not args[0].isascii() for args in ordinary(("text",), want=200) if args)


def test_constants_of_the_code_become_values_and_lengths() -> None:
    found = ordinary(([1, 2], "red", 3), want=200, hints=Hints((40, "green")))
    assert {39, 40, 41} <= {args[2] for args in found if len(args) > 2}
    assert {39, 40, 41} & {len(args[0]) for args in found if args}
    assert any("green" in args[1] for args in found if len(args) > 1)


def test_items_of_new_lists_are_separate_objects() -> None:
    for args in ordinary(([[1], [2], [3]],), want=100):
        rows = args[0] if args else []
        assert len({id(row) for row in rows}) == len(rows)


@pytest.mark.parametrize("seed", range(3))
def test_same_seed_gives_the_same_calls(seed: int) -> None:
    assert repr(vary(([1, 2], {"a": 1}), seed=seed)) == repr(vary(([1, 2], {"a": 1}), seed=seed))


def test_names_of_fields_stay_names_of_fields() -> None:
    rows = [{"id": 1, "user": "ann"}, {"id": 2, "user": "bob"}, {"id": 3, "user": "eve"}]
    recorded = [(rows, [{"user": "bob", "mail": "b@x"}], "user"), (rows[:1], [], "id"), ([], [], "user")]
    found = [args for args in ordinary(*recorded, want=200) if len(args) == 3]  # an argument may be left out
    assert len({name for *_, name in found}) > 2  # one that is in none of the recorded calls
    rows = [(left, right, name, {field for row in left + right for field in row}) for left, right, name in found]
    unknown = [(left, right) for left, right, name, fields in rows if fields and name not in fields]
    assert 0 < len(unknown) < 0.2 * len(rows)
    assert all(left and right for left, right in unknown)  # an empty list may hide that no row has the name


def test_texts_that_once_named_no_field_stay_free() -> None:
    rows = [{"id": 1, "user": "ann"}, {"id": 2, "user": "bob"}]
    found = ordinary((rows, "user"), (rows[:1], "mail"), want=200)
    assert any(name not in ("id", "user", "mail") for _, *names in found for name in names)


class Buffer:
    """An object whose attributes depend on each other."""

    def __init__(self, items: list[int]) -> None:
        self._items, self._length = items, len(items)


class Board:
    """An object whose public attributes depend on each other: no player has two scores."""

    def __init__(self) -> None:
        self.players: list[str] = []
        self.scores: list[int] = []

    def add(self, player: str, score: int) -> None:
        if player not in self.players:
            self.players.append(player)
            self.scores.append(score)


class Basket:
    def __init__(self, items: list[int], owner: str) -> None:
        self.items, self.owner = items, owner


@pytest.mark.slow
def test_objects_with_private_state_are_not_changed_inside() -> None:
    found = ordinary((Buffer([1, 2]), 3), (Buffer([4]), 1), (Buffer([]), 5), want=100)
    assert {len(args[0]._items) for args in found if args} == {0, 1, 2}
    assert all(args[0]._length == len(args[0]._items) for args in found if args)
    assert len({repr(args[1:]) for args in found}) > 5
    strange = [args[0] for args, strange in vary((Buffer([1, 2]), 3), (Buffer([4]), 1), want=300) if strange and args]
    assert all(one._length == len(one._items) for one in strange if isinstance(one, Buffer))
    found = ordinary((Basket([1, 2], "ann"), 3), (Basket([4], "bob"), 1), want=100)
    assert len({repr(args[0].items) for args in found if args}) > 5


def test_states_of_objects_are_those_that_their_methods_reach() -> None:
    boards = [Board(), Board(), Board()]
    for board, names in zip(boards, ("ab", "bcd", "e"), strict=True):
        for name in names:
            board.add(name, ord(name))
    found = [args[0] for args in ordinary(*[(board,) for board in boards], want=100) if args]
    assert all(len(set(board.players)) == len(board.players) == len(board.scores) for board in found)
    assert len({repr(board.players) for board in found}) > 5


def test_texts_are_also_written_differently() -> None:
    rows = [("2024-05-01", "10 kg", "a/b", "ann@x.org"), ("2024-11-12", "7 kg", "c", "bob@x.org")]
    varied = [args[0] for args in ordinary((rows,), (rows[:1],), want=400) if args]
    found = {text for table in varied for row in table for text in row}
    assert {"2024-5-1", "10kg", "a/./b", "ANN@X.ORG"} <= found


def test_squares_stay_squares() -> None:
    squares = [[[row * size + column for column in range(size)] for row in range(size)] for size in (2, 3, 4)]
    found = [square for args in ordinary(*[(square,) for square in squares], want=100) for square in args]
    assert {len(square) for square in found} - {2, 3, 4}
    assert all(len(row) == len(square) for square in found for row in square)


def test_focused_variation_inserts_constants_and_keeps_counts_positive() -> None:
    hints = Hints((0, 1, 5000), is_focused=True)
    found = [args for args in ordinary(([3, 1], 2), ([7, 8, 9], 1), want=200, hints=hints) if args]
    assert sum(5000 in items for items, *_ in found) > 10
    assert {0, 1} < {count for _, *rest in found for count in rest}
    assert all(0 <= count < 200 for _, *rest in found for count in rest)


def test_lists_of_mixed_items_get_other_lengths() -> None:
    found = ordinary(([1, [2], True],), (list("abca"),), ([],), want=200)
    lengths = {len(items) for args in found for items in args}
    assert {1, 2, 5, 6, 8, 12} < lengths


ROWS = [{"city": "Oslo", "paid": True, "n": 3}, {"city": "Bonn", "paid": True, "n": 1}, {"city": "Rome", "paid": False}]


def twins(values: list[Any]) -> bool:
    """Return whether some values are equal and have different types."""
    found = [one for one in values if isinstance(one, int | float)]
    return len({(type(one), one) for one in found}) > len(set(found))


@pytest.mark.slow
def test_equal_numbers_have_different_types_where_several_were_recorded() -> None:
    for recorded in ([1, 2.5, 3], [True, 5, 7]):
        found = [args[0] for args in ordinary((recorded,), (recorded[:2],), want=200) if args]
        assert 2 < sum(map(twins, found)) < 60
    found = ordinary((ROWS, "city"), (ROWS, "n"), ([], "n"), want=300)
    columns = [[row.get(args[1]) for row in args[0]] for args in found if len(args) > 1]
    assert 2 < sum(map(twins, columns)) < 60


def test_equal_numbers_have_different_types_where_the_annotation_allows_it() -> None:
    counts = ([3, 1, 3], 2)
    hints = Hints(numbers=(("0", ["bool", "float", "int"]),))
    found = [args for args in ordinary(counts, ([4],), want=200, hints=hints) if len(args) > 1]
    assert any(twins(args[0]) for args in found)
    assert {type(args[1]) for args in found} == {int}


@pytest.mark.slow
def test_any_number_may_be_where_numbers_and_texts_were_recorded_without_annotation() -> None:
    contacts = [{"phone": "555", "floor": 1}, {"phone": 555, "floor": 2}, {"phone": "556", "floor": 3}]
    for numbers, is_free in (((("0", ["any"]),), True), ((), False)):
        found = [args[0] for args in ordinary((contacts,), want=300, hints=Hints(numbers=numbers)) if args]
        assert any(twins([one["phone"] for one in rows]) for rows in found) == is_free
        assert not any(twins([one["floor"] for one in rows]) for rows in found)


@pytest.mark.slow
def test_numbers_of_one_type_keep_it() -> None:
    found = ordinary(([1, 2, 3], ["a"]), ([4], []), want=200, hints=Hints(numbers=(("0", ["any"]), ("1", ["any"]))))
    assert not any(twins(part) for args in found for part in args)


def test_dates_vary_and_become_equal_to_others() -> None:
    day = date(2024, 5, 1)
    found = [args for args in ordinary((day, date(2024, 5, 6), [day]), (day, day, []), want=200) if len(args) == 3]
    assert len({args[0] for args in found}) > 10
    free = {one for args in found for one in args[2]}
    assert {one.weekday() for one in free} == set(range(7))
    assert any(one == args[1] for args in found for one in args[2])
    waits = [args[0] for args in ordinary((timedelta(hours=2),), (timedelta(days=1),)) if args]
    assert len(set(waits)) > 5
    assert min(waits) >= timedelta(0)
    assert len({args[0] for args in ordinary((Decimal("1.5"),), (Decimal("2"),)) if args}) > 4
