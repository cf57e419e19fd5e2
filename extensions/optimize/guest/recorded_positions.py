"""What was recorded at each position of a function's calls, and new values that stay inside of it.

A position is an argument or a part of one, such as the items of a list, the value of a record's key, the first item of
a pair or an attribute. Values of one position have types that were recorded there. They also keep the properties that
all recorded values share: the arity of tuples, the keys of records, the order of sorted lists, the equal lengths of a
table's rows, numbers without NaN.
"""

import copy
import datetime
import decimal
import inspect
import math
import typing

from extensions.experiment.guest.value_text import is_sorted

from .call_parts import (
    CONTAINERS,
    MAPPINGS,
    SEQUENCES,
    attributes,
    changing_methods,
    has_own_state,
    part_at,
    part_chains,
    rebuilt,
    sorted_if_possible,
)
from .list_changes import fitted, rearranged, spread, with_other_columns
from .shared_properties import (
    MOST_VALUES,
    fields,
    has_one_length,
    holds_equal_rows,
    holds_squares,
    is_always_finite,
    is_never_negative,
    is_number,
    is_record,
    ordered_fields,
    sorted_rows,
)

MOST_ITEMS = 60
"""Maximum number of items of one container that are looked at."""
ENOUGH_SORTED = 8
"""Number of different sorted lists that show that the order is no coincidence; many people write sorted lists in tests
of functions that take any list."""
MOST_CONSTANT = 1e9
MOST_ALIKE = 10
"""Number of recorded objects whose parts become arguments of methods."""
ARGUMENTS = (int, str, float)
INTS = (0, 1, 2, 3, 7, 10, 100, 255, 256, 2**31, 2**63)
FLOATS = (0.0, 0.5, 1.0, 2.0, 1e-9, 1e9, 1e100)
DAY = datetime.timedelta(days=1)
TIMES = (datetime.date, datetime.datetime, datetime.timedelta)
STEPS = (0, 1, 1, -1, 2, 3, 4, 5, 7, -7, 30, 365)
LENGTHS = (0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 30)
LONGEST = 300
LETTERS = "aAbz019 _-,.\n\t"
FOREIGN = ("é", "ß", "ñ", "中", "\u0130", "\U0001f600")
TEXT = (*LETTERS, *FOREIGN)


class Hints(typing.NamedTuple):
    """What the source code says: its numbers and strings, which often mark a boundary, and whether its signature or
    docstring calls something sorted. If `is_focused`, each new call has some of the constants. `numbers` are pairs of a
    parameter, by position and by name, and the types of numbers that a union in its annotation allows, or "any" if
    there is no annotation."""

    constants: tuple = ()
    says_sorted: bool = False
    is_focused: bool = False
    numbers: tuple = ()


class Position:
    """The values recorded at one position.

    `hints` come from the source code. `is_argument` is true for an argument as a whole: a number there is usually a
    count, an index or a limit, not data. `is_row` is true for the rows of tables, whose length does not change alone.
    """

    def __init__(self, values, hints, is_argument=False, is_row=False):
        self.values = spread(values, MOST_VALUES)
        self.hints = hints
        self.is_argument = is_argument
        self.is_row = is_row
        self._all = values
        self._parts = {}
        self._facts = {}

    def fact(self, find, kind):
        """Return `find(values of this type)`, computed once."""
        if (find, kind) not in self._facts:
            self._facts[find, kind] = find([one for one in self._all if type(one) is kind])
        return self._facts[find, kind]

    # Parts

    def part(self, holder, key):
        """Return the position of a part of a value at this position."""
        kind = type(holder)
        if kind in MAPPINGS:
            return self.field(kind, key) if self.fact(is_record, kind) else self.items(kind)
        if isinstance(holder, tuple):
            is_fixed = hasattr(kind, "_fields") or self.fact(has_one_length, kind)
            return self.field(kind, key) if is_fixed else self.items(kind)
        if kind in SEQUENCES or isinstance(holder, (list, set, frozenset)):
            return self.items(kind)
        return self.field(kind, key)

    def items(self, kind):
        """Return the position of all items of the containers of a type, or of all values of the mappings."""
        is_row = not issubclass(kind, dict) and self.fact(holds_equal_rows, kind)
        return self._part((kind,), lambda one: one.values() if isinstance(one, dict) else one, is_row)

    def keys(self, kind):
        return self._part((kind, "keys"), lambda one: one)

    def field(self, kind, key):
        """Return the position of the parts under one key, index or attribute."""

        def find(one):
            if isinstance(one, tuple):
                return one[key : key + 1]
            held = one if isinstance(one, dict) else attributes(one)
            return [held[key]] if key in held else []

        return self._part((kind, "field", key), find)

    def _part(self, name, find, is_row=False):
        if name not in self._parts:
            values = [one for one in self._all if type(one) is name[0]]
            found = [part for one in spread(values, MOST_VALUES) for part in spread(list(find(one)), MOST_ITEMS)]
            self._parts[name] = Position(found, self.hints, is_row=is_row)
        return self._parts[name]

    # New values

    def drawn(self, chance):
        """Return a copy of a recorded value, often varied or recombined from the parts of several."""
        value, kind = copy.deepcopy(chance.choice(self.values)), chance.random()
        return self.varied(value, chance) if kind < 0.35 else self.recombined(value, chance) if kind < 0.8 else value

    def spread_out(self, chance):
        """Return a value whose numbers are drawn evenly from the range of the recorded ones; texts are new."""
        value = copy.deepcopy(chance.choice(self.values))
        kind = type(value)
        if kind in (int, float):
            seen = [one for one in self.values if type(one) is kind and math.isfinite(one)] or [value]
            return (chance.randint if kind is int else chance.uniform)(min(seen), max(seen))
        if kind is str:
            return self._text(value, chance)
        if isinstance(value, tuple) and (hasattr(kind, "_fields") or self.fact(has_one_length, kind)):
            return self.settled(rebuilt(kind, [self.field(kind, at).spread_out(chance) for at in range(len(value))]))
        if kind in MAPPINGS and self.fact(is_record, kind):
            for key in value:
                value[key] = self.field(kind, key).spread_out(chance)
            return self.settled(value)
        return self.drawn(chance)

    def recombined(self, value, chance):
        """Return a pair, record or object with some parts of other recorded ones, so that some parts are equal."""
        kind = type(value)
        if isinstance(value, tuple) and (hasattr(kind, "_fields") or self.fact(has_one_length, kind)):
            return self.settled(
                rebuilt(kind, [self.field(kind, at).donor(one, chance) for at, one in enumerate(value)])
            )
        if kind in MAPPINGS and self.fact(is_record, kind):
            for key, one in list(value.items()):
                value[key] = self.field(kind, key).donor(one, chance)
        elif kind not in CONTAINERS and not has_own_state(value):
            for name, one in attributes(value).items():
                object.__setattr__(value, name, self.field(kind, name).donor(one, chance))
        return self.settled(value)

    def settled(self, value):
        """Return the pair, record or object with its numbers in the order that all recorded ones had, as in a span of
        time; it is changed in place if possible."""
        kind = type(value)
        for first, second in self.fact(ordered_fields, kind):
            parts = fields(value)
            if is_number(parts.get(first)) and is_number(parts.get(second)) and parts[first] > parts[second]:
                swapped = {**parts, first: parts[second], second: parts[first]}
                if isinstance(value, tuple):
                    value = rebuilt(kind, list(swapped.values()))
                for key in (first, second) if not isinstance(value, tuple) else ():
                    if isinstance(value, dict):
                        value[key] = swapped[key]
                    else:
                        object.__setattr__(value, key, swapped[key])
        return value

    def donor(self, value, chance):
        return copy.deepcopy(chance.choice(self.values)) if self.values and chance.random() < 0.5 else value

    def varied(self, value, chance):
        """Return another value; lists, dicts, sets and objects are changed in place."""
        kind = type(value)
        if not self.values:
            return value
        if not self.is_row and chance.random() < (0.5 if value is None else 0.15):
            return copy.deepcopy(chance.choice(self.values))
        if value is None or kind is bool:
            return chance.choice([one for one in (True, False) if one in self.values]) if kind is bool else value
        if kind is int:
            return self._integer(value, chance)
        if kind is float:
            return self._float(value, chance)
        if kind is complex:
            return complex(self._float(value.real, chance), value.imag)
        if kind is str:
            return self._text(value, chance)
        if kind in TIMES:
            return self._time(value, chance)
        if kind is decimal.Decimal:
            return chance.choice((value + 1, -value, value / 2, 2 * value, 0 * value))
        if kind is bytes:
            return bytes(self._row(list(value), kind, chance))
        if kind in SEQUENCES or kind is set:
            made = self._row(list(value), kind, chance)
            value.clear()
            (value.update if kind is set else value.extend)(made)
            return value
        return self._compound(value, kind, chance)

    def constant(self, value, chance):
        """Return a constant of the value's type, or a number next to one; the value if there is none."""
        kind = type(value)
        types = (int, float) if kind is float else (kind,)
        known = [one for one in self.hints.constants if type(one) in types]
        if kind is float:
            known = [one for one in known if abs(one) < MOST_CONSTANT]
        made = chance.choice(known or [value])
        return made if kind is str else self.bounded(kind(made) + chance.choice((0, 0, -1, 1)))

    def bounded(self, made):
        """Return the number; an argument is not negative if none was, and an integer not much larger than any."""
        kind = type(made)
        if not self.is_argument:
            return made
        if self.fact(is_never_negative, kind):
            made = abs(made)
        if kind is int:
            most = 4 * max([abs(one) for one in self.values if type(one) is int], default=0) + 100
            made = max(-most, min(most, made))
        return made

    def _integer(self, value, chance):
        seen = [one for one in self.values if type(one) is int] or [value]
        known = [one for one in self.hints.constants if type(one) is int]
        near = (value + 1, value - 1, -value, 2 * value, value // 2, value + chance.randint(2, 9))
        made = chance.choice(
            (
                chance.choice(near),
                chance.choice(seen) + chance.choice((-1, 0, 0, 1)),
                chance.choice(known or seen) + chance.choice((-1, 0, 1)),
                chance.choice(INTS) * chance.choice((1, 1, -1)),
            )
        )
        return self.bounded(made)

    def _float(self, value, chance):
        seen = [one for one in self.values if type(one) is float and math.isfinite(one)] or [1.0]
        known = [float(one) for one in self.hints.constants if type(one) in (int, float) and abs(one) < MOST_CONSTANT]
        near = (value + 1, -value, value / 2, 2 * value, value + 1e-9, value * (1 + 2**-52))
        made = chance.choice(
            (
                chance.choice(near),
                chance.choice(seen),
                chance.choice(known or seen) + chance.choice((0, 0, 0.5, -0.5)),
                chance.choice(FLOATS) * chance.choice((1, 1, -1)),
            )
        )
        made = self.bounded(made) or 0.0
        return made if math.isfinite(made) or not self.fact(is_always_finite, float) else chance.choice(seen)

    def _time(self, value, chance):
        """Return another date, time or interval, near this one or a recorded one."""
        kind = type(value)
        seen = [one for one in self.values if type(one) is kind]
        unit = DAY if kind is datetime.date else chance.choice((DAY, DAY / 24, DAY / 1440))
        try:
            made = chance.choice((value, chance.choice(seen or [value]))) + chance.choice(STEPS) * unit
        except OverflowError:
            return value
        return made if kind is not datetime.timedelta or min(seen, default=made) < 0 * DAY else abs(made)

    def _text(self, value, chance):
        seen = [one for one in self.values if type(one) is str] or [value]
        known = [one for one in self.hints.constants if type(one) is str] or seen
        if chance.random() < 0.4 and not self.is_row:
            other = chance.choice(seen)
            whole = ("", value.upper(), value.lower(), value[::-1], value + value, " %s " % value, value[:1])
            return chance.choice((*whole, other, other + value, chance.choice(known), value + chance.choice(known)))

        def change(letter):
            if chance.random() < 0.6 and letter.isdigit():
                return chance.choice("0123456789")
            return chance.choice(chance.choice((value or "a", chance.choice(seen) or "a", LETTERS, FOREIGN)))

        fresh = None if self.is_row else lambda: change("")
        return "".join(rearranged(list(value), chance, change, fresh, self._length(chance)))

    def _length(self, chance):
        """Return a number of items: small, or next to a number in the source code."""
        known = [one for one in self.hints.constants if type(one) is int and 1 < one < LONGEST]
        return (
            chance.choice(known) + chance.choice((-1, 0, 1))
            if known and chance.random() < 0.3
            else chance.choice(LENGTHS)
        )

    def _row(self, row, kind, chance):
        """Return the items of a container with one change."""
        items = self.items(kind)
        if kind in (bytes, bytearray):
            return rearranged(row, chance, lambda _: chance.randrange(256), lambda: chance.randrange(256), 4)
        if not items.values:
            return row
        if self.is_row:
            return rearranged(row, chance, lambda one: items.varied(one, chance))
        is_table = self.fact(holds_equal_rows, kind)
        is_square = is_table and self.fact(holds_squares, kind)
        if is_table and not is_square and row and chance.random() < 0.2:
            return with_other_columns(row, chance)
        made = rearranged(
            row,
            chance,
            lambda one: items.varied(one, chance),
            lambda: items.drawn(chance),
            self._length(chance),
            lambda: items.spread_out(chance),
        )
        made = fitted(made, is_square) if is_table else made
        is_ordered = self.must_be_sorted(kind) or (len(row) > 2 and is_sorted(row) and chance.random() < 0.6)
        return sorted_if_possible(made) if is_ordered else made

    def must_be_sorted(self, kind):
        """Whether all lists recorded here were sorted, and this is no coincidence."""
        return self.fact(sorted_rows, kind) >= (2 if self.hints.says_sorted else ENOUGH_SORTED)

    def _compound(self, value, kind, chance):
        if kind in MAPPINGS:
            return self._mapping(value, kind, chance)
        if isinstance(value, tuple):
            if hasattr(kind, "_fields") or self.fact(has_one_length, kind):
                parts = list(value)
                for at in chance.sample(range(len(parts)), min(len(parts), chance.choice((1, 1, 2)))):
                    parts[at] = self.field(kind, at).varied(parts[at], chance)
                return self.settled(rebuilt(kind, parts))
            return kind(self._row(list(value), kind, chance))
        if kind is frozenset:
            return frozenset(self._row(list(value), kind, chance))
        if kind is range:
            return range(value.start, max(value.start, value.start + self._length(chance) * value.step), value.step)
        held = attributes(value)
        if held and not has_own_state(value):
            name = chance.choice(sorted(held))
            object.__setattr__(value, name, self.field(kind, name).varied(held[name], chance))
            return self.settled(value)
        alike = [one for one in self.values if type(one) is kind] or [value]
        return self._advanced(copy.deepcopy(chance.choice(alike)), alike, chance)

    def _advanced(self, value, alike, chance):
        """Return an object after calls of its public methods that change it, with values from recorded objects: its
        attributes may depend on each other, and only its class knows how."""
        methods = [name for name in changing_methods(type(value)) if not name.startswith("_")]
        atoms = [part_at(chain) for one in alike[:MOST_ALIKE] for chain in part_chains([[one], {}])]
        atoms = [one for one in atoms if type(one) in ARGUMENTS]
        for _ in range(chance.choice((0, 1, 2, 4)) if methods else 0):
            changed, name = copy.deepcopy(value), chance.choice(methods)
            needed = inspect.signature(getattr(changed, name)).parameters.values()
            needed = [one for one in needed if one.default is one.empty and one.kind in (0, 1)]
            if len(needed) <= len(atoms):
                try:
                    getattr(changed, name)(*[chance.choice(atoms) for _ in needed])
                except Exception:  # noqa: BLE001 - its methods may refuse anything
                    continue
                value = changed
        return value

    def _mapping(self, value, kind, chance):
        if self.fact(is_record, kind):
            key = chance.choice(list(value) or [None])
            if key in value:
                value[key] = self.field(kind, key).varied(value[key], chance)
            return self.settled(value)
        keys, items = self.keys(kind), self.items(kind)
        if not keys.values:
            return value

        def change(pair):
            if chance.random() < 0.7:
                return pair[0], items.varied(pair[1], chance)
            return keys.varied(pair[0], chance), pair[1]

        pairs = rearranged(
            list(value.items()), chance, change, lambda: (keys.drawn(chance), items.drawn(chance)), self._length(chance)
        )
        value.clear()
        for key, one in pairs:
            value[key] = one
        return value
