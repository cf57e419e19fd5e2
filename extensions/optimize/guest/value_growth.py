"""Growth of values: larger ones of the same shape, made of rounds of the recorded items.

Each round shifts the values by their range, so distinct items stay distinct, repeated ones stay repeated, and sorted
ones stay sorted.
"""

import collections
import datetime
import decimal
import enum
import fractions
import pathlib

from extensions.experiment.guest.value_text import is_sorted

from .call_parts import MAPPINGS, rebuilt, sorted_if_possible
from .call_pickles import dumps, loads

MOMENTS = (datetime.date, datetime.datetime)
NUMBERS = (int, float, decimal.Decimal, fractions.Fraction)
UNITS = [datetime.timedelta(**{name: 1}) for name in ("days", "hours", "minutes", "seconds", "microseconds")]
FIELD_SEPARATORS = (",", ";", "|")
BRACKETS = ("()", "[]", "{}")
DEEPEST = 200
"""Most levels of what is nested, since recursive functions fail on deeper values."""
ATOMS = (*NUMBERS, *MOMENTS, datetime.timedelta, str, bytes, bool, type(None))


def grown(value, size, others=()):
    kind = type(value)
    if kind is int:
        return size
    if kind is datetime.timedelta:
        return size * unit_of(value)
    if kind is range:
        return range(value.start, value.start + size * value.step, value.step)
    if kind is str and is_bracketed(value):
        return nested(value, size)
    separator = separator_of(value) if kind is str else ""
    if separator:
        return separator.join(rounds(value.split(separator), size))  # words, lines or fields, distinct as before
    if kind in (str, bytes):
        return (value * (size // len(value) + 1))[:size]
    if kind in MAPPINGS:
        return mapping(value, size, others)
    made = rounds(list(value), size, others)
    if kind in (list, collections.deque, bytearray):
        made = [one % 256 for one in made] if kind is bytearray else made
        value.clear()
        value.extend(made)
        return value
    return rebuilt(kind, made)


def is_bracketed(text):
    """Whether this is one word with brackets, each of which is closed."""
    counts = [(text.count(one), text.count(other)) for one, other in BRACKETS]
    return len(text.split()) == 1 and any(opened for opened, _ in counts) and all(one == two for one, two in counts)


def nested(text, size):
    """Return copies of a text with brackets, each inside of the one before, but no more than DEEPEST levels."""
    place = max(text.rfind(opening) for opening, _ in BRACKETS) + 1
    copies = max(size // len(text), 1)
    levels = max(DEEPEST // sum(text.count(opening) for opening, _ in BRACKETS), 1)
    depths = [min(levels, copies - start) for start in range(0, copies, levels)]
    return "".join(text[:place] * depth + text[place:] * depth for depth in depths)


def separator_of(text):
    """Return what separates the lines, words or fields of a text, or "" if it has only one."""
    if len(text.split()) > 1:
        return "\n" if "\n" in text else " "
    return next((one for one in FIELD_SEPARATORS if one in text), "")


def unit_of(interval):
    """Return the largest unit of time that is not longer than an interval; a day for none at all."""
    return next((unit for unit in UNITS if unit <= abs(interval)), UNITS[0])


def mapping(value, size, others):
    pairs = list(value.items())
    keys = rounds([key for key, _ in pairs], size, others)
    ones = rounds([one for _, one in pairs], size)
    value.clear()
    for key, one in zip(keys, ones):
        value[key] = one
    return value


def rounds(found, size, others=()):
    """Return `size` items: the given ones, repeated with a shift in each round; see `shifter` for `others`."""
    shift = shifter(found, others)
    made = [shift(found[n % len(found)], n // len(found)) for n in range(size)]
    return in_order_of(found, made)


def in_order_of(found, made):
    """Return the items that were made, sorted if those that were found are."""
    if len(found) < 2 or is_sorted(made):
        return made
    if is_sorted(found):
        return sorted_if_possible(made)
    return sorted_if_possible(made)[::-1] if is_sorted(found[::-1]) else made


def shifter(peers, others=()):
    """Return a function that takes a value of this column and a round, and returns the shifted value.

    `others` are sets of the numbers in columns of other grown parts. A column that shares most of its numbers with one
    of them is shifted by the same span, so that parts which refer to each other still do.
    """
    present = [one for one in peers if one is not None]
    if present and len(present) < len(peers):
        shift = shifter(present, others)
        return lambda value, turn: None if value is None else shift(value, turn)
    kinds = {type(one) for one in peers}
    if kinds == {str}:
        width = max(map(len, peers))
        return lambda value, turn: shifted_text(value, turn, width)
    if len(kinds) == 1 and kinds <= {*MOMENTS, datetime.timedelta}:
        return time_shifter(peers)
    if not kinds <= {int, float} and (len(kinds) > 1 or not kinds <= set(NUMBERS)):
        columns = columns_of(peers)
        return by_columns(column_shifters(columns)) if columns else shifted
    finite = [one for one in peers if one - one == 0]
    span = span_of(finite) if finite else 1
    for other in others:
        if 2 * len(other.intersection(finite)) >= min(len(other), len(set(finite))):
            span = max(span, span_of(other))
    if len(peers) > 1 and finite == sorted(finite, reverse=True) and finite != sorted(finite):
        span = -span
    if len(set(peers)) == 1 and len(peers) > 1:
        span = 0
    return lambda value, turn: value + turn * span


def span_of(numbers):
    return max(numbers) - min(numbers) + 1


def time_shifter(peers):
    """Return a shifter for dates, times or intervals; those beyond the last year begin again."""
    first, last = min(peers), max(peers)
    unit = UNITS[0] if type(first) is datetime.date else min(unit_of(last - first), UNITS[1])
    span = last - first + unit if len(peers) == 1 or first != last else 0 * unit
    left = type(last).max - (last.replace(tzinfo=None) if type(last) is datetime.datetime else last)
    most = max(left // span, 1) if span else 1
    return lambda value, turn: value + (turn % most) * span


def column_shifters(columns):
    """Return a shifter for each column; columns of dates are shifted together, so that intervals stay as long."""
    times = [one for column in columns for one in column if type(one) in MOMENTS]
    numbers = [{one for one in column if type(one) is int} for column in columns]
    numbers = [column for column in numbers if column]
    return [
        shifter([*times, None][: len(times) + (None in column)] if is_time(column) else column, numbers)
        for column in columns
    ]


def is_time(column):
    return {type(one) for one in column if one is not None} in [{kind} for kind in MOMENTS]


def columns_of(peers):
    """Return the columns of rows of the same shape: tuples or lists of one length, or dicts with the same keys."""
    first = peers[0] if peers else None
    kind = type(first)
    if not all(type(one) is kind for one in peers):
        return []
    if kind in (tuple, list) and all(len(one) == len(first) for one in peers):
        return list(zip(*peers))
    if kind is dict and all(list(one) == list(first) for one in peers):
        return list(zip(*(one.values() for one in peers)))
    return []


def by_columns(shifts):
    def shift_row(row, turn):
        if type(row) is dict:
            return {key: shift(one, turn) for shift, (key, one) in zip(shifts, row.items())}
        return type(row)([shift(one, turn) for shift, one in zip(shifts, row)])

    return shift_row


def shifted_text(value, turn, width=0):
    """Return a text that differs from those of other rounds; `width` is the length of the longest in its column."""
    if not turn:
        return value
    if value.isdigit() and value.isascii():
        return str(int(value) + turn * 10 ** max(width, len(value)))
    return value + "%04d" % turn  # always as long, so that it differs from `item1` and `item11` alike


def shifted(value, turn):
    """Return a value that does not belong to a column, changed for the given round."""
    kind = type(value)
    if not turn or kind is bool or value is None or isinstance(value, enum.Enum):
        return value
    if kind in NUMBERS:
        return value + turn
    if kind in (*MOMENTS, datetime.timedelta):
        return time_shifter([value])(value, turn)
    if kind is str:
        return shifted_text(value, turn)
    if kind is bytes:
        return value + b"%04d" % turn
    if kind in (list, tuple, set, frozenset):
        return kind([shifted(one, turn) for one in value])
    if kind in MAPPINGS:
        return {key: shifted(one, turn) for key, one in value.items()}
    if isinstance(value, pathlib.PurePath):
        return value.with_name(shifted_text(value.stem, turn) + value.suffix) if value.name else value
    return shifted_copy(value, turn)


def shifted_copy(value, turn):
    """Return a copy of an object whose simple attributes are changed for the round; the object itself if copying
    fails."""
    try:
        ((made,), _) = loads(dumps((value,), {}))
        for name, one in sorted(vars(made).items()) if made is not value else ():
            if is_simple(one):
                object.__setattr__(made, name, shifted(one, turn))
    except Exception:  # noqa: BLE001 - an object may refuse to be copied
        return value
    return made


def is_simple(value):
    """Whether this is a number, a text or the like, or a list of some, such as the names of what a node refers to."""
    return type(value) in ATOMS or (type(value) in (list, tuple, set) and all(type(one) in ATOMS for one in value))
