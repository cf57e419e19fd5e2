"""New arguments derived from recorded ones, which keep the properties that all recorded ones share.

These properties (sign, order, distinctness, letters) are a small part of the invariants that Daikon detects (Ernst et
al., 2001).
Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import datetime
import decimal
import enum
import fractions
import random
import re
import time

from .recorded_calls import Call
from .value_text import full_text, is_sorted, outline_text

TRIES = 6
"""Number of attempts allowed per new call."""
SECONDS = 1.5
"""CPU seconds after which no more calls of a function are made; large values take long to copy."""
POOL = 200
READ = 0.9
"""Share of altered attributes that are chosen from those that the code reads."""
ATOMS = (int, float, complex, bool, str, bytes, type(None))
TOKEN = re.compile(r"\w+|\W+")
LEAST_WORDS = 3
"""Minimum number of words of a text that is often changed by words instead of letters."""
DATES = (datetime.date, datetime.time, datetime.timedelta)
STEPS = (
    datetime.timedelta(days=1),
    datetime.timedelta(days=31),
    datetime.timedelta(days=365),
    datetime.timedelta(hours=1),
    datetime.timedelta(minutes=10),
    datetime.timedelta(seconds=1),
)
PLAIN = (bool, int, float, str, tuple, dict, set, frozenset, decimal.Decimal, fractions.Fraction, *DATES)
STATE = 0.3
"""Share of a method's variants in which the object's state is changed instead of an argument."""
KNOWN = 0.5
"""Share of probed arguments that get a value known from elsewhere."""
BEYOND = 0.15
"""Share of numbers that may exceed the recorded bounds, since a few calls do not show all valid values."""


def vary_calls(calls, most, constants, read=(), is_fixed=lambda value: False, where=None):
    """Return at most `most` new calls of the function that these calls belong to.

    `constants` may be used as new numbers; attributes in `read`, which the code reads, are changed more often.
    Arguments for which `is_fixed(value)` holds are not changed, nor those at other places than `where` (see `places`;
    None for all places). The result is reproducible, as it is seeded by the
    function's name. If new calls differ only in deeply nested values, only one of them is returned.
    """
    function = calls[0].function
    chance = random.Random("%s %s" % (function.__module__, function.__qualname__))
    common = {}
    for place in {place for call in calls for place in places(call.values)}:  # in any order, as they are independent
        seen = [part(call.values, place) for call in calls if place in places(call.values)]
        common[place] = Common(seen, constants, read)

    def vary(values, origin):
        bound = is_method(function, values)
        has_state = bound and (where is None or (0, 0) in where)
        varied = [place for place in among(where, values)[has_state:] if not is_fixed(part(values, place))]
        if has_state and (not varied or (getattr(values[0][0], "__dict__", None) and chance.random() < STATE)):
            alter(part(values, (0, 0)), chance, read)
            varied = ()
        for place in chance.sample(varied, min(len(varied), chance.choice((1, 1, 2)))):
            put(values, place, common[place].made(part(values, place), chance))

    return new_calls(calls, most, chance, vary)


def probe_calls(calls, most, place, others):
    """Return at most `most` new calls in which only the argument at this place is different: it is one of `others`, of
    the same type, or a slightly different value."""
    function = calls[0].function
    chance = random.Random("probes %s %s %s" % (function.__module__, function.__qualname__, place))
    common = Common([part(call.values, place) for call in calls if place in places(call.values)], ())

    def probe(values, origin):
        old = part(values, place)
        known = [one for one in others if type(one) is type(old) and one != old]
        put(values, place, chance.choice(known) if known and chance.random() < KNOWN else common.made(old, chance))

    return new_calls(calls, most, chance, probe)


def new_calls(calls, most, chance, change):
    """Return at most `most` distinct new calls; `change(values, origin)` changes a copy of a recorded call's values."""
    texts = {outline_text(call.values) for call in calls}
    found, started = [], time.process_time()
    for _ in range(TRIES * most):
        if len(found) >= most or time.process_time() - started > SECONDS:
            break
        origin = chance.choice(calls)
        try:
            values = copy.deepcopy(origin.values)
            change(values, origin)
            text = outline_text(values)
        except Exception:  # noqa: BLE001 - objects of the repository may refuse anything
            continue
        if text not in texts:
            texts.add(text)
            found.append(Call(origin.function, values, origin.entry, origin.failing, made=True))
    return found


def places(values):
    """Return (0, number) of each positional argument, then (1, name) of each keyword argument."""
    return [*((0, number) for number in range(len(values[0]))), *((1, name) for name in sorted(values[1]))]


def among(where, values):
    """Return the places of the arguments that are among `where`; all if it is None."""
    return [place for place in places(values) if where is None or place in where]


def is_method(function, values):
    """Return whether the first argument is the method's `self`, which is not varied."""
    kinds = type(values[0][0]).__mro__ if values[0] else ()
    return any(function.__qualname__ == "%s.%s" % (kind.__qualname__, function.__name__) for kind in kinds)


def part(values, place):
    return values[place[0]][place[1]]


def put(values, place, value):
    values[place[0]][place[1]] = value


class Common:
    """The properties that the values recorded at one place have in common."""

    def __init__(self, values, constants, read=()):
        self.read = read
        self.pool = values[:POOL]
        numbers = [one for one in values if type(one) in (int, float)]
        self.constants = [one for one in constants if type(one) in {type(number) for number in numbers}]
        self.least = next((least for least in (1, 0) if numbers and min(numbers) >= least), None)
        self.most = 2 * max(numbers) + 3 if numbers else None
        self.words = sorted({word for one in values if isinstance(one, str) for word in re.findall(r"\w+", one)})
        self.letters = sorted({letter for one in values if isinstance(one, str) for letter in one})
        rows = [one for one in values if isinstance(one, (list, tuple))]
        long = [one for one in rows if len(one) > 2]
        self.in_order = bool(long) and all(is_sorted(one) for one in rows)
        self.distinct = bool(long) and all(distinct(one) for one in rows)
        parts = [one for row in rows for one in row]
        parts += [one for row in values if isinstance(row, (set, frozenset)) for one in sorted(row, key=full_text)]
        parts += [one for row in values if isinstance(row, dict) for one in row.values()]
        self.parts = Common(parts, constants, read) if parts else None

    def made(self, value, chance):
        """Return a slightly different value of the same kind, or another one recorded at this place."""
        kind = type(value)
        if kind is bool:
            return not value
        if kind in (int, float):
            made = self._number(value, chance)
            return made if chance.random() < BEYOND else self._bounded(made)
        if kind is str:
            if len(self.words) >= LEAST_WORDS and len(value.split()) > 1 and chance.random() < 0.5:
                return self._sentence(value, chance)
            letters = self.letters or ["a"]
            changed = items(list(value), chance, lambda one: chance.choice(letters), lambda: chance.choice(letters))
            return "".join(changed)
        if kind in (decimal.Decimal, fractions.Fraction):
            return chance.choice((value + 1, value - 1, value * 2, value + kind(chance.randint(1, 99)) / 10, -value))
        if isinstance(value, DATES):
            return shifted(value, chance)
        if isinstance(value, enum.Enum):
            return chance.choice(list(kind))
        if kind is range:
            return range(value.start, value.stop + chance.randint(-9, 9), value.step)
        if kind in (list, tuple):
            return kind(self._row(list(value), chance))
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            place = chance.randrange(len(value)) if value else 0
            parts = [self._part(one, chance) if number == place else one for number, one in enumerate(value)]
            return kind(*parts)
        if kind in (set, frozenset):
            return kind(self._row(sorted(value, key=full_text), chance))
        if isinstance(value, dict) and value and kind.__init__ is dict.__init__:
            return self._mapping(value, chance)
        return self._other(value, chance)

    def _other(self, value, chance):
        """Return another value recorded at this place, or the same object with one attribute changed."""
        if hasattr(value, "__dict__") and not callable(value) and chance.random() < 0.8:
            alter(value, chance, self.read)
            return value
        return copy.deepcopy(chance.choice(self.pool)) if self.pool else value

    def _sentence(self, value, chance):
        """Return the text with one word replaced, removed, repeated, or exchanged with another."""
        tokens = TOKEN.findall(value)
        places = [number for number, token in enumerate(tokens) if token[0].isalnum()]
        one, other = chance.choice(places), chance.choice(places)
        kind = chance.randrange(4)
        if kind == 0:
            del tokens[one : one + 2]
        elif kind == 1:
            tokens[one:one] = [tokens[one], " "]
        elif kind == 2:
            tokens[one], tokens[other] = tokens[other], tokens[one]
        else:
            tokens[one] = chance.choice(self.words)
        return "".join(tokens)

    def _number(self, value, chance):
        near = [value + 1, value - 1, value + chance.randint(-9, 9), 2 * value, type(value)(value // 2)]
        seen = [one for one in self.pool if type(one) is type(value)]
        opposite = 0 - value  # -0.0 would be no other value
        far = [type(value)(0), type(value)(1), type(value)(-1), opposite, *self.constants]
        return chance.choice(chance.choice((near, near, seen or near, far)))

    def _bounded(self, value):
        if self.least is not None:
            value = max(type(value)(self.least), value)
        return value if self.most is None else min(type(value)(self.most), value)

    def _part(self, one, chance):
        return self.parts.made(one, chance) if self.parts else one

    def _row(self, row, chance):
        row = items(row, chance, lambda one: self._part(one, chance), lambda: copy.deepcopy(self._any(row, chance)))
        if self.distinct:
            known = []
            row = [one for one in row if one not in known and not known.append(one)]
        return sorted(row) if self.in_order else row

    def _any(self, row, chance):
        pool = self.parts.pool if self.parts else row
        return chance.choice(pool)

    def _mapping(self, value, chance):
        changed = dict(value)
        key = chance.choice(sorted(changed, key=full_text))
        if chance.random() < 0.3:
            del changed[key]
        else:
            changed[key] = self._part(changed[key], chance)
        return changed


def shifted(value, chance):
    """Return another date, time or duration."""
    step = chance.choice(STEPS) * chance.choice((-1, 1)) * chance.randint(1, 3)
    if isinstance(value, datetime.time):
        moment = datetime.datetime.combine(datetime.date(2000, 1, 1), value) + step
        return moment.timetz()
    if not isinstance(value, (datetime.datetime, datetime.timedelta)):
        step = datetime.timedelta(step.days or chance.choice((-1, 1)))
    return value + step


def alter(value, chance, read=()):
    """Change, in place, one attribute of an object or of one reachable from it to a value from similar objects.

    Usually the attribute is one of those in `read`.
    """
    holders = [one for one in reachable(value) if vars(one)]
    if not holders:
        return
    holder = chance.choice(holders)
    names = sorted(vars(holder))
    if chance.random() < READ:
        names = [name for name in names if name in read] or names
    name = chance.choice(names)
    there = [vars(one)[name] for one in holders if name in vars(one)]
    old = vars(holder)[name]
    if isinstance(old, list):
        parts = [part for one in there if isinstance(one, list) for part in one] or holders
        new = items(list(old), chance, lambda one: chance.choice(parts), lambda: chance.choice(parts))
    elif isinstance(old, PLAIN):
        new = Common(there, ()).made(old, chance)
    else:
        new = chance.choice(there + [one for one in holders if type(one) is type(old)])
    setattr(holder, name, new)


def reachable(value):
    """Return the objects with attributes that are reachable from an object, starting with the object itself."""
    found, waiting = [], [value]
    while waiting and len(found) < POOL:
        one = waiting.pop(0)
        if isinstance(one, (list, tuple)):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
        elif hasattr(one, "__dict__") and not callable(one) and not any(one is other for other in found):
            found.append(one)
            waiting += vars(one).values()
    return found


def distinct(row):
    return len({full_text(one) for one in row}) == len(row)


def items(row, chance, change, fresh):
    """Return a list with one change: an item removed, added or replaced, two items swapped, or the list cut."""
    kind = chance.randrange(7)
    if not row:
        try:
            return [fresh()] if kind else row
        except IndexError:
            return row
    place = chance.randrange(len(row))
    if kind == 0:
        return row[:place] + row[place + 1 :]
    if kind == 1:
        return [*row[:place], fresh(), *row[place:]]
    if kind == 2:
        return [*row[:place], row[place], *row[place:]]
    if kind in (3, 4):
        return [*row[:place], change(row[place]), *row[place + 1 :]]
    if kind == 5:
        other = chance.randrange(len(row))
        row = list(row)
        row[place], row[other] = row[other], row[place]
        return row
    return chance.choice((row[:place], row[place:], row[::-1], []))
