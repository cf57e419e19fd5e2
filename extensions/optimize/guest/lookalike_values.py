"""Look-alikes of the values in a call: a bool for an int, a float for an int, a subclass, a tuple for a list, ...

The code's checks may treat them differently, but tests rarely cover them. Standard library only, Python 3.7 and later.
"""

import datetime
import decimal
import pickle

MOST_PARTS, DEEPEST, MOST_SHAPES, SMALL = 40, 9, 40, 12


class KeyStep:
    """A step in a path that leads to a dict's key or a set's member, rather than to a dict's value."""

    def __init__(self, value):
        self.value = value


class Subclass:
    """A value that is unpickled as an instance of a subclass of its type; the pickle does not need this module."""

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return _Class(type(self.value)), (self.value,)


class _Class:
    def __init__(self, base):
        self.base = base

    def __call__(self, value):
        return value

    def __reduce__(self):
        return type, ("Own" + self.base.__name__.capitalize(), (self.base,), {})


def alike(value):
    """Return values that a careless check mistakes for this value or a strict check rejects, most likely first."""
    kind = type(value)
    if kind is bool:
        return [None, int(value), float(value), str(value), ""]
    if kind is int:
        less = [-1, 0, -value or -2]
        return [True, False, float(value), None, *less, Subclass(value), decimal.Decimal(value), str(value)]
    if kind is float:
        whole = int(value) if value == value and abs(value) < 1e300 else 1
        less = [-value or -1.0, 0.0]
        return [True, False, whole, None, _NAN, *less, Subclass(value), decimal.Decimal(repr(value)), repr(value)]
    if kind is str:
        return [None, Subclass(value), "", value.encode("utf-8", "replace"), True, 1, list(value[:9]), " "]
    if kind is bytes:
        return [None, bytearray(value), Subclass(value), value.decode("latin-1"), b"", True]
    if kind in (list, tuple):
        other = tuple(value) if kind is list else list(value)
        return [other, None, kind(), Subclass(value), True, "", dict(enumerate(value))]
    if kind in (set, frozenset):
        return [(frozenset if kind is set else set)(value), None, kind(), list(value), True]
    if kind is dict:
        return [None, {}, Subclass(value), list(value.items()), list(value), True]
    return _alike_seldom(value, kind)


_NAN = float("nan")


def _alike_seldom(value, kind):
    if kind is datetime.datetime:
        return [None, value.date(), value.isoformat(), value.replace(tzinfo=datetime.timezone.utc), 0]
    if kind is datetime.date:
        return [None, datetime.datetime(value.year, value.month, value.day), value.isoformat(), 0]
    if kind is decimal.Decimal:
        return [True, None, float(value), decimal.Decimal("NaN"), -value, Subclass(value), str(value)]
    if value is None:
        return [False, 0, ""]
    return [None, True, ""]


def look_alikes(calls, most):
    """Return [(call, place, other)], where `other` is a look-alike of the value at `place` in the call.

    If several places have the same shape (such as the members of a list), only the first and the last are used. At most
    `most` are returned, and the most likely look-alikes of every place come first.
    """
    shapes = {}
    for data in calls:
        call = pickle.loads(data)
        for place, value, shape in _places(call):
            if shape in shapes or len(shapes) < MOST_SHAPES:
                shapes.setdefault(shape, []).append((call, place, value))
    found = []
    for met in shapes.values():
        for turn, (call, place, value) in enumerate(met[:1] + met[1:][-1:]):
            found += [(rank + 20 * turn, call, place, other) for rank, other in enumerate(alike(value))]
    found.sort(key=lambda each: each[0])
    return [each[1:] for each in found[:most]]


def _places(value, place=(), shape=()):
    """Yield (place, value, shape of the place) for each part of a call."""
    if len(place) >= 2:
        yield place, value, (*shape, type(value).__name__)
    if len(place) < DEEPEST:
        for step, part, like in _steps(value, len(place) < 2):
            yield from _places(part, (*place, step), (*shape, like))


def _steps(value, is_top):
    """Return (step, part, shape of the step) for each part; each position in a tuple or record has its own shape."""
    if isinstance(value, tuple):
        own = is_top or len(value) < SMALL
        return [(at, part, at if own else "*") for at, part in enumerate(value[:MOST_PARTS])]
    if type(value) is list:
        return [(at, value[at], "*") for at in sorted({*range(min(len(value), MOST_PARTS)), len(value) - 1} - {-1})]
    if type(value) is dict:
        own = len(value) < SMALL
        pairs = list(value.items())[:MOST_PARTS]
        parts = [(key, part, repr(key) if own else "*") for key, part in pairs]
        return parts if is_top else parts + [(KeyStep(key), key, "key") for key, _ in pairs]
    if type(value) in (set, frozenset):
        return [(KeyStep(one), one, "member") for one in list(value)[:MOST_PARTS]]
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return [(name, part, name) for name, part in list(vars(value).items())[:MOST_PARTS]]
    return []


def with_inner(value, step, change):
    """Return a copy of a dict or set with one key or member changed, in the same order."""
    if isinstance(value, dict):
        return {change(key) if key is step.value else key: part for key, part in value.items()}
    return type(value)([change(one) if one is step.value else one for one in value])
