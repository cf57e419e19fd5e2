"""Random changes of lists of items: one changed, some moved, added or left out, or all drawn from a few."""

import copy

from .call_parts import sorted_if_possible


def rearranged(found, chance, change, fresh=None, length=0, spread_out=None):
    """Return the items with one change; without `fresh()`, which makes a new item, their number stays the same.
    `spread_out()` makes an item that is hardly ever equal to another one.

    Often the result has `length` items drawn from a few: ties, duplicates and boundaries are most likely there.
    """
    if not found:
        return [fresh() for _ in range(min(length, 4))] if fresh else found
    place, other, kind = (
        chance.randrange(len(found)),
        chance.randrange(len(found)),
        chance.randrange(28 if fresh else 8),
    )
    if kind < 3:
        found[place] = change(found[place])
    elif kind == 3:
        found[place], found[other] = found[other], found[place]
    elif kind == 4:
        chance.shuffle(found)
    elif kind == 5:
        found = found[::-1]
    elif kind == 6:
        found = sorted_if_possible(found) if chance.random() < 0.5 else copies(found[place : place + 1] * len(found))
    elif kind == 7:
        found[other] = copy.deepcopy(found[place])
    elif kind == 8:
        del found[place]
    elif kind == 9:
        found.insert(other, copy.deepcopy(found[place]))
    elif kind == 10:
        found.insert(other, fresh())
    elif kind == 11:
        found = chance.choice(([], found[:1], found[:2], found[-1:]))
    elif kind == 12:
        found = found[:place]
    elif kind == 13:
        found = found + copies(found[: place + 1])
    elif kind == 14:
        found = copies([found[at % len(found)] for at in range(length)])
    elif kind < 17:
        found = [(spread_out or fresh)() for _ in range(length)]
    else:
        few = [
            fresh() if chance.random() < 0.5 else chance.choice(found) for _ in range(chance.choice((1, 2, 2, 3, 4)))
        ]
        found = copies([chance.choice(few) for _ in range(length)])
    return found


def copies(found):
    """Return a list of separate copies, so that a change to one item does not change another."""
    return [copy.deepcopy(one) for one in found]


def with_other_columns(rows, chance):
    """Return the rows of a table without the last column, or with the first one repeated."""
    return [row[:-1] for row in rows] if chance.random() < 0.5 and len(rows[0]) > 1 else [row + row[:1] for row in rows]


def fitted(rows, is_square=False):
    """Return the rows of a table cut to the same length, without empty ones; of a square, as many as that length."""
    rows = [row for row in rows if len(row)]
    most = min([*map(len, rows), *([len(rows)] if is_square else [])], default=0)
    return [row[:most] for row in (rows[:most] if is_square else rows)]


def spread(values, most):
    """Return at most `most` of the values, evenly spaced."""
    values = list(values)
    return values if len(values) <= most else [values[at * len(values) // most] for at in range(most)]
