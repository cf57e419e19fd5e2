"""New calls derived from recorded ones: most stay inside of what was recorded, some are strange on purpose.

See `recorded_positions.py` for what stays. In a strange call, one value has a type or a shape that was never recorded;
the code may fail on it in any way, but its explicit checks must still work.

The random changes are seeded, and references to the same object remain references to the same object.

Run with the path of a JSON job file {"calls", "out", "want", "seed", "constants", "says_sorted", "is_focused",
"numbers"}. Writes a JSON line {"data": base64, "strange": bool} for each new call.
"""

import base64
import copy
import datetime
import hashlib
import json
import random
import re

from .call_parts import (
    MAPPINGS,
    argument_places,
    attributes,
    has_own_state,
    part_at,
    part_chains,
    replace_part,
    sorted_if_possible,
)
from .call_pickles import dumps, loads, open_job, read_all, read_setup
from .equal_numbers import NUMBERS, equal_pair
from .recorded_positions import TEXT, Hints, Position

TRIES, SECONDS, MOST_RECORDS = 12, 120, 60
UNKNOWN = 0.2
"""Share of the calls in which the name of a field may be one that no record has."""
LARGEST, ALL, PASSED = 1 << 20, 8 << 20, 50
"""Limits: bytes of one call (unless all are larger), bytes of all new calls, and number of new calls rejected as too
large for the remaining space before the program stops."""
STRANGE_SHARE = 0.15
TWINS_EVERY = 5
"""One in so many calls gets equal numbers of different types, where several types of numbers are usual."""
STRANGE = (None, 0, -1, True, 1.5, "", "x", b"x", [], (), {}, [None], object)
NO_HINTS = Hints()
ATOMS = (int, str)
LINKED = (*ATOMS, datetime.date, datetime.datetime)
"""Types of values that may refer to an equal value elsewhere in the call, as the name of a node does."""


def main(file):
    job, _ = open_job(file, SECONDS)  # when it ends, lines written so far are kept
    calls = read_all(job["calls"])
    known = {hashlib.sha256(data).digest() for data in calls}
    written, space, passed = 0, ALL, 0
    with open(job["out"], "w", encoding="utf-8") as out:
        chance = random.Random("varied %s" % job["seed"])
        hints = Hints(tuple(job["constants"]), job["says_sorted"], job["is_focused"], tuple(job["numbers"].items()))
        for data, strange in varied(calls, chance, job["want"], hints):
            key = hashlib.sha256(data).digest()
            if key not in known:
                known.add(key)
                if len(data) > space:
                    passed += 1
                    if passed >= PASSED:
                        break
                    continue
                written += 1
                space -= len(data)
                out.write(json.dumps({"data": base64.b64encode(data).decode(), "strange": strange}) + "\n")
                out.flush()
                if written >= job["want"]:
                    break


def varied(calls, chance, want, hints=NO_HINTS):
    """Yield (pickle, whether the call is strange) for new calls."""
    small = [data for data in calls if len(data) <= LARGEST] or sorted(calls, key=len)[:1]
    largest = max([LARGEST, *[2 * len(data) for data in small if len(data) > LARGEST]])
    recorded = Recorded(loaded(small), hints)
    for number in range(want * TRIES if recorded.roots else 0):
        data = chance.choice(small)
        strange = chance.random() < STRANGE_SHARE
        try:
            args, kwargs = loads(data)
            root = [list(args), dict(kwargs)]
            for _ in range(chance.choice((1, 1, 2, 2, 3, 4))):
                recorded.change(root, chance)
            for _ in range(chance.choice((0, 0, 1, 2, 4))):
                recorded.link(root, chance)
            for _ in range(chance.choice((1, 1, 2, 3)) if hints.is_focused else 0):
                recorded.insert_constant(root, chance)
            if strange:
                make_strange(root, chance)
            else:
                recorded.align(root, chance)
                if number % TWINS_EVERY == 0:
                    recorded.make_twins(root, chance)
            made = dumps(tuple(root[0]), root[1], *read_setup(data))
        except Exception:  # noqa: BLE001 - objects of the repository may refuse anything
            continue
        if len(made) <= largest:
            yield made, strange


def loaded(calls):
    roots = []
    for data in calls:
        try:
            args, kwargs = loads(data)
        except Exception:  # noqa: BLE001 - loading runs the repository's code
            continue
        roots.append([list(args), dict(kwargs)])
    return roots


class Recorded:
    """What was recorded at each position of the calls, and which arguments belong together: those of equal lengths, and
    texts that name a field of another argument's records."""

    def __init__(self, roots, hints):
        self.roots, self.hints = roots, hints
        places = sorted({place for root in roots for place in argument_places(root)}, key=repr)
        self.positions = {}
        for part, key in places:
            values = [root[part][key] for root in roots if (part, key) in argument_places(root)]
            self.positions[part, key] = Position(values, hints, is_argument=True)
        self.aligned = equal_lengths(roots, places)
        self.names = names_of_fields(roots, places)

    def position(self, chain):
        """Return the position of the part at the end of a chain."""
        (_, part), (_, key), *more = chain
        found = self.positions[part, key]
        for holder, key in more:
            found = found.part(holder, key)
        return found

    def change(self, root, chance):
        """Make one random change to a call; half of the time, change a whole argument."""
        chains = changeable_parts(root)
        if not chains:
            return
        outer = [chain for chain in chains if len(chain) == 2]
        chain = chance.choice(outer if outer and chance.random() < 0.5 else chains)
        value, position, kind = part_at(chain), self.position(chain), chance.random()
        if kind < 0.02 and len(chain) == 2:
            shortened(chain)
        elif kind < 0.2:
            twins = [one for one in chains if self.position(one) is position]
            replace_part(chain, copy.deepcopy(part_at(chance.choice(twins))))
        else:
            replace_part(chain, position.varied(value, chance))
        self.settle(chain)

    def link(self, root, chance):
        """Replace a number, text or date by one that occurs elsewhere in the call, or by its neighbour.

        Names of nodes, keys of records and ends of spans mean something only if they occur twice.
        """
        chains = [chain for chain in changeable_parts(root) if type(part_at(chain)) in LINKED]
        if chains:
            kind = type(part_at(chance.choice(chains)))
            chain = chance.choice([one for one in chains if type(part_at(one)) is kind])
            others = [one for one in map(part_at, chains) if type(one) is kind]
            if not self.position(chain).is_row:
                replace_part(chain, near(chance.choice(others), self.position(chain), chance))
                self.settle(chain)

    def insert_constant(self, root, chance):
        """Replace a number or text by a constant of the source code, or by its neighbour."""
        chains = [chain for chain in changeable_parts(root) if type(part_at(chain)) in (*ATOMS, float)]
        if chains:
            chain = chance.choice(chains)
            if not self.position(chain).is_row:
                replace_part(chain, self.position(chain).constant(part_at(chain), chance))
                self.settle(chain)

    def make_twins(self, root, chance):
        """Make pairs of numbers equal that have different types, such as 1 and True, where several types are usual.

        Half of the time, all else in two records or rows becomes equal too.
        """
        chains = [chain for chain in changeable_parts(root) if type(part_at(chain)) in (*NUMBERS, str)]
        mixed = [(chain, self.number_kinds(chain)) for chain in chains]
        mixed = [(chain, kinds) for chain, kinds in mixed if len(kinds) > 1]
        for _ in range(chance.choice((1, 2, 4)) if mixed else 0):
            first, kinds = chance.choice(mixed)
            peers = [(chain, more & kinds) for chain, more in mixed if len(more & kinds) > 1]
            same = [pair for pair in peers if self.position(pair[0]) is self.position(first)]
            other, common = chance.choice(same if len(same) > 1 else peers)
            one, two = equal_pair(part_at(first), common, chance)
            replace_part(first, one)
            if len(first) > 3 and len(same) > 1 and chance.random() < 0.5:
                holder = copy.deepcopy(part_at(first[:-1]))
                replace_part(other[:-1], holder)
                other = (*other[:-1], (holder, first[-1][1]))
            replace_part(other, two)
            self.settle(first)
            self.settle(other)

    def number_kinds(self, chain):
        """Return the types of numbers that are usual at a position: those recorded there or beside it in the same
        record, and those that the annotation of the argument allows.

        Without an annotation, any numbers may be where numbers and other values were recorded.
        """
        holder, place = chain[-1][0], (chain[0][1], chain[1][1])
        found = {type(one) for one in self.position(chain).values if one is not None}
        allowed = dict(self.hints.numbers).get(str(place[1]), ())
        if not found.intersection(NUMBERS):
            return set()
        if "any" in allowed and len(chain) > 2 and not found <= set(NUMBERS):
            return set(NUMBERS)
        if len(chain) > 2 and type(holder) in MAPPINGS:
            record = self.position(chain[:-1])
            found |= {type(one) for key in holder for one in record.part(holder, key).values}
        return {kind for kind in NUMBERS if kind in found or kind.__name__ in allowed}

    def settle(self, chain):
        """Restore the order of the lists and pairs that lead to a changed part, if they always had one."""
        for length in range(len(chain) - 1, 1, -1):
            holder, position = part_at(chain[:length]), self.position(chain[:length])
            if type(holder) is list and position.must_be_sorted(list):
                holder[:] = sorted_if_possible(holder)
            settled = position.settled(holder)
            if settled is not holder:
                replace_part(chain[:length], settled)

    def align(self, root, chance):
        """Cut arguments whose lengths were always equal to the shortest of them, which a number follows, and let texts
        that named fields name fields again."""
        for places in self.aligned:
            here = [place for place in places if place in argument_places(root)]
            if len(here) > 1:
                least = max(0, min(size(root[part][key]) for part, key in here))
                for part, key in here:
                    value = root[part][key]
                    root[part][key] = least if type(value) is int else value[:least]
        for place in [place for place in self.names if place in argument_places(root)]:
            known = sorted(field_names(root, place))
            is_free = chance.random() < UNKNOWN and not has_empty_list(root)
            if known and root[place[0]][place[1]] not in known and not is_free:
                root[place[0]][place[1]] = chance.choice(known)


def changeable_parts(root):
    """Return the chains to all parts that are not inside of objects with a state of their own."""
    return [chain for chain in part_chains(root) if not any(has_own_state(holder) for holder, _ in chain)]


def near(value, position, chance):
    """Return a number, text or date that is equal to another one in the call, or next to it."""
    if type(value) is int:
        return position.bounded(value + chance.choice((-1, 0, 0, 0, 1)))
    if type(value) in LINKED and type(value) is not str:
        return value + datetime.timedelta(days=chance.choice((-1, 0, 0, 0, 1)))
    ends = [one for one in position.hints.constants if type(one) is str and one] or [""]
    others = (value + chance.choice(TEXT), value + chance.choice(ends), value[:-1], written_differently(value, chance))
    return chance.choice((value, value, *others))


def written_differently(text, chance):
    """Return a text that means the same as a date, number, path, address or amount, or the text itself."""
    ways = [
        re.sub(r"(?<![\d.])0+(?=\d)", "", text),  # 2024-05-01 and 2024-5-1
        re.sub(r"(?<![\d.])(\d)(?![\d.])", r"0\1", text),  # 5 and 05
        re.sub(r"(\d) +(?=[^\W\d])", r"\1", text),  # 10 kg and 10kg
        re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text) if re.search(r"\d\.\d+0(?!\d)", text) else text,  # 1.50 and 1.5
        re.sub(r"(?<=\w)/(?=\w)", "/./", text, count=1),  # a/b and a/./b
        text.swapcase() if re.search(r"\w@\w", text) else text,
    ]
    return chance.choice([way for way in ways if way != text] or [text])


def size(value):
    return value if type(value) is int else len(value) if type(value) in (list, tuple, str) else None


def equal_lengths(roots, places):
    """Return the groups of arguments whose lengths (or values, for numbers) are equal in each of the calls."""
    groups = {}
    for place in places:
        if all(place in argument_places(root) for root in roots):
            sizes = tuple(size(root[place[0]][place[1]]) for root in roots)
            if None not in sizes and len(set(sizes)) > 1:
                groups.setdefault(sizes, []).append(place)
    found = [group for group in groups.values() if len(group) > 1]
    return [group for group in found if any(type(roots[0][part][key]) is not int for part, key in group)]


def names_of_fields(roots, places):
    """Return the places of the texts that name a field of another argument's records in each call with records."""
    found = []
    for place in places:
        given = [root for root in roots if place in argument_places(root)]
        named = [(root[place[0]][place[1]], field_names(root, place)) for root in given]
        if any(known for _, known in named) and all(
            type(value) is str and (value in known or not known) for value, known in named
        ):
            found.append(place)
    return found


def has_empty_list(root):
    """Return whether an argument is empty. A function that loops over it may accept any name of a field, and another
    version of it may not."""
    return any(type(root[part][key]) in (list, tuple) and not root[part][key] for part, key in argument_places(root))


def field_names(root, place):
    """Return the names of the fields of the records that all other arguments list."""
    others = [root[part][key] for part, key in argument_places(root) if (part, key) != place]
    rows = [row for value in others if type(value) in (list, tuple) for row in value]
    records = [row if type(row) in MAPPINGS else attributes(row) for row in rows[:MOST_RECORDS]]
    return {name for record in records for name in record if type(name) is str}


def shortened(chain):
    """Remove one argument: a keyword argument, or the last positional one."""
    holder, key = chain[-1]
    if isinstance(holder, dict):
        del holder[key]
    else:
        holder.pop()


def make_strange(root, chance):
    """Give one value of a call a type, a sign or a shape that was never recorded."""
    chains = changeable_parts(root)
    outer = [chain for chain in chains if len(chain) == 2]
    chain = chance.choice(outer if outer and chance.random() < 0.5 else chains)
    value = part_at(chain)
    if type(value) in (int, float) and chance.random() < 0.5:
        replace_part(chain, -abs(value) - 1)
    elif type(value) in MAPPINGS and value and chance.random() < 0.5:
        del value[chance.choice(list(value))]
    elif isinstance(value, (list, tuple)) and value and type(value) in (list, tuple) and chance.random() < 0.5:
        replace_part(chain, value[:-1] if chance.random() < 0.5 else value[::-1])
    else:
        replace_part(chain, chance.choice(STRANGE))
