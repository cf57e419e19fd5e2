"""Properties that the values recorded at one position of calls may share, such as equal lengths or an order."""

import math

from extensions.experiment.guest.value_text import is_sorted

from .call_parts import CONTAINERS, attributes

MOST_VALUES, MOST_KEYS = 300, 40
"""Limits: values that are looked at, and keys of a record."""
ENOUGH = 3
"""Number of different recorded values that show that a shared property is no coincidence."""


def is_record(mappings):
    """Whether each key of the mappings has a meaning of its own, as in records that are dicts."""
    if (
        not any(mappings)
        or not all(type(key) is str for one in mappings for key in one)
        or len(mappings[0]) > MOST_KEYS
    ):
        return False
    if len({frozenset(one) for one in mappings}) == 1 and len({repr(one) for one in mappings[:200]}) >= ENOUGH:
        return True
    kinds = {}
    for one in mappings[:MOST_VALUES]:
        for key, value in one.items():
            kinds.setdefault(key, set()).add(type(value))
    plain = {tuple(sorted(kind.__name__ for kind in found if kind is not type(None))) for found in kinds.values()}
    return len(kinds) <= MOST_KEYS and len(plain - {()}) > 1


def has_one_length(values):
    return len({len(one) for one in values}) == 1


def is_never_negative(numbers):
    return all(one >= 0 for one in numbers)


def is_always_finite(numbers):
    return all(math.isfinite(one) for one in numbers)


def sorted_rows(rows):
    """Return the number of different lists of at least two items, if all of them are sorted; otherwise 0."""
    long = [list(one) for one in rows if len(one) > 1]
    return len({repr(one) for one in long[:20]}) if all(is_sorted(one) for one in long) else 0


def holds_equal_rows(tables):
    """Whether the values are tables: lists whose items are lists or strings, of equal length within each table.

    A few equal lengths may be a coincidence, and are one for most lists of words.
    """
    rows = [row for table in tables for row in table]
    if not rows or not all(type(row) is type(rows[0]) for row in rows) or type(rows[0]) not in (list, str):
        return False
    long = [table for table in tables if len(table) > 1]
    shown = len(long) if type(rows[0]) is str else sum(len(table) - 1 for table in long)
    return shown >= ENOUGH and all(has_one_length(table) for table in long)


def holds_squares(tables):
    """Whether each of several different tables has as many rows as columns."""
    sizes = {len(table) for table in tables if len(table) > 1}
    return len(sizes) > 1 and all(len(row) == len(table) for table in tables for row in table)


def ordered_fields(values):
    """Return the pairs of neighbouring fields of one type of which the first number was never larger."""
    if len({repr(one) for one in values[:50]}) < ENOUGH or not all(fields(one) for one in values):
        return []
    keys = list(fields(values[0]))
    rows = [fields(one) for one in values[:MOST_VALUES]]
    pairs = [pair for pair in zip(keys, keys[1:]) if all(is_number(row.get(key)) for row in rows for key in pair)]
    pairs = [pair for pair in pairs if len({type(row[key]) for row in rows for key in pair}) == 1]
    return [(first, second) for first, second in pairs if all(row[first] <= row[second] for row in rows)]


def fields(value):
    """Return the parts of a pair, record or object by index, key or name; no parts for other values."""
    if isinstance(value, tuple):
        return dict(enumerate(value)) if len(value) < 10 else {}
    if isinstance(value, dict):
        return value if len(value) < MOST_KEYS and all(type(key) is str for key in value) else {}
    return {} if type(value) in CONTAINERS else attributes(value)


def is_number(value):
    return type(value) in (int, float)
