"""Reproducible variants of known calls: near calls of the same shape, malformed calls, and calls with given keys."""

import ast
import contextlib
import copy
import pickle
import random

from .lookalike_values import KeyStep, look_alikes, with_inner

MOST_LEAVES, MOST_SHOWN, MOST_ALIKE = 400, 60, 280
WRONG = (None, 0, -1, "", "x", [], {}, 1.5, [None], True, b"x", ("x",))


def near_calls(calls, most, seed=0):
    """Return pickles of new calls in which one value, or a fifth of the values, is slightly different."""
    chance = random.Random(seed)
    found, known = [], set(calls)
    for data in calls:
        for share in (0.0, 0.2):
            call = pickle.loads(data)
            places = [place for place in _leaves(call) if len(place) > 1][:MOST_LEAVES]
            if not places:
                continue
            count = max(1, int(len(places) * share))
            for place in chance.sample(places, count):
                call = _changed(call, place, lambda leaf: _nudged(leaf, chance))
            _add(found, known, call)
            if len(found) >= most:
                return found
    return found


def malformed_calls(calls, constants, defaults, most):
    """Return [(pickle, "edge" or "type")]: calls in which one value is an edge case of its type, or has another type or
    shape.

    `defaults` are the function's default values by parameter; their variants come first. They are followed by up to
    MOST_ALIKE calls with look-alikes of values, in addition to the `most` other calls.
    """
    found, known = [], set(calls)
    for data in sorted(calls, key=len)[:1]:
        args, kwargs = pickle.loads(data)
        for name, value in defaults.items():
            others = [(other, "edge") for other in _edges(value, constants)[:24]]
            others += [(other, "type") for other in WRONG if type(other) is not type(value)]
            for other, kind in others if name not in kwargs else ():
                made = []
                _add(made, known, (args, {**kwargs, name: other}))
                found += [(one, kind) for one in made]
    least = len(found)
    for call, place, other in look_alikes(_spread(sorted(calls, key=len), 6), MOST_ALIKE):
        made = []
        with contextlib.suppress(TypeError):  # an unhashable value cannot be a key
            _add(made, known, _changed(call, place, lambda _, other=other: other))
        found += [(one, "type") for one in made]
    most += len(found) - least
    each = max(20, most // max(1, min(4, len(calls))))
    for data in _spread(sorted(calls, key=len), 4):
        call = pickle.loads(data)
        here = []
        for depth in (2, 3, 4, 5):
            for place, value in _places(call, depth):
                here += [(place, other, "edge") for other in _edges(value, constants)]
                here += [(place, other, "type") for other in _misshapen(value)]
                here += [(place, other, "type") for other in WRONG if type(other) is not type(value)]
        for place, other, kind in _spread(here[: 20 * each], each):
            made = []
            _add(made, known, _changed(call, place, lambda _, other=other: copy.deepcopy(other)))
            found += [(one, kind) for one in made]
    return found[:most]


def calls_with_keys(calls, keys, most):
    """Return calls with arguments replaced by `keys` of their type, the values that the changed code distinguishes."""
    found, known = [], set(calls)
    for text in keys:
        try:
            value = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        for data in calls[:1]:
            args, kwargs = call = pickle.loads(data)
            if type(value) is tuple and [type(one) for one in value] == [type(one) for one in args]:
                _add(found, known, (value, kwargs))
            for part, key in [(0, place) for place in range(len(args))] + [(1, name) for name in kwargs]:
                if type(call[part][key]) is type(value):
                    _add(found, known, _changed(call, (part, key), lambda _, value=value: value))
    return _spread(found, most)


def _spread(items, most):
    """Return at most `most` of the items, evenly spaced."""
    if len(items) <= most:
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def _add(found, known, call):
    try:
        data = pickle.dumps(call, 4)
    except Exception:  # noqa: BLE001 - a call that cannot be pickled is left out
        return
    if data not in known:
        known.add(data)
        found.append(data)


def _parts(value):
    """Return [(key, part)] of a compound value, or [] for any other value."""
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))[:MOST_SHOWN]
    if isinstance(value, dict):
        return list(value.items())[:MOST_SHOWN]
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return list(vars(value).items())[:MOST_SHOWN]
    return []


def _leaves(value, place=()):
    if isinstance(value, (bool, int, float, str, bytes)):
        yield place
    elif len(place) < 8:
        for key, part in _parts(value):
            yield from _leaves(part, (*place, key))


def _places(value, depth, place=()):
    if len(place) == depth:
        yield place, value
    else:
        parts = _parts(value)
        shown = parts if len(place) < 2 else [*parts[:2], *parts[-1:]] if len(parts) > 3 else parts
        for key, part in shown:
            yield from _places(part, depth, (*place, key))


def _changed(value, place, change):
    """Return a copy of the value with the part at `place` changed."""
    if not place:
        return change(value)
    key = place[0]
    if isinstance(key, KeyStep):
        return with_inner(value, key, lambda one: _changed(one, place[1:], change))
    if isinstance(value, tuple):
        parts = list(value)
        parts[key] = _changed(parts[key], place[1:], change)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    other = copy.copy(value)
    if isinstance(value, (list, dict)):
        other[key] = _changed(value[key], place[1:], change)
    else:
        object.__setattr__(other, key, _changed(vars(value)[key], place[1:], change))
    return other


def _nudged(value, chance):
    """Return a slightly different value."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((1, 2, 3)) if value >= 0 else value - chance.choice((1, 2, 3))
    if isinstance(value, float):
        return value + chance.choice((0.25, 0.5, 1.0))
    if len(value) < 2:
        return value
    place = chance.randrange(len(value))
    end = value[place + 1 :]
    return value[:place] + chance.choice([value[k : k + 1] for k in range(len(value))]) + end


def _edges(value, constants):
    """Return edge cases of the same type."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        near = [constant + step for constant in constants if type(constant) is int for step in (-1, 0, 1)]
        return [0, -1, 1, -value, -value - 1, *near[:30]]
    if isinstance(value, float):
        return [0.0, -1.0, -value, *(c for c in constants if type(c) is float)]
    if isinstance(value, str):
        own = [value + letter for letter in " -!0\n"] + [letter + value for letter in " -!0"]
        return ["", " ", value[:1], value[1:], value[:-1], value * 2, value + "\0", "%%%", *own, *_texts(constants)]
    if isinstance(value, bytes):
        return [b"", value[:-1], value + b"\xff", value * 2]
    if type(value) is list:
        return [value[:0], value[1:], value[:-1], value[:1], value[::-1], value + value[:1]]
    if isinstance(value, (set, frozenset)):
        return [type(value)()]
    return []


def _misshapen(value):
    """Return values of the same type whose shape the function may not be made for: a pair of three items, a record
    without a key, a float that is no number."""
    if isinstance(value, float):
        return [float("nan"), float("inf")]
    if type(value) is list:
        return [[*value, None]]
    if type(value) is tuple:
        return [value[:0], value[1:], value[:-1], value[:1], value[::-1], value + value[:1], (*value, None)]
    if isinstance(value, dict):
        lesser = [{k: v for k, v in value.items() if k != key} for key in list(value)[:3]]
        return [{}, *lesser, {**value, "no such key": None}, {**value, None: None}]
    return []


def _texts(constants):
    return [constant for constant in constants if isinstance(constant, str)][:30]
