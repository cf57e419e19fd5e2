"""Generator of larger calls of the same shape as recorded calls. Trials find the argument whose size determines the
cost.

Its argument is the path of a job file {"root", "path", "name", "calls", "out", "sizes", "seconds"}; the token is read
from stdin. It writes JSON lines: {"data": base64, "size"} for each call, and {"note"} for remarks.

A container grows by repeating its items in rounds. Each round shifts the values by their range, so distinct items stay
distinct, repeated ones stay repeated, and sorted ones stay sorted.
"""

import base64
import collections
import json
import math
import sys
import time

from ..call_pickles import dumps, loads, read_all, read_setup
from ..child_process import run_in_children
from ..forked_sandbox import TimeUp
from ..value_text import is_sorted
from .call_answers import Caller
from .call_variation import CONTAINERS, MAPPINGS, part_at, part_chains, replace_part, sorted_if_possible

SMALL, LARGE, GROWS = 24, 96, 1.6
"""Numbers of items in the two trials, and the minimum factor by which the work must grow between them."""
FEW, MANY, CLOCK = 4000, 32000, 20e-6
"""Numbers of items in the two timed trials, which run if line counts do not grow, and the shortest meaningful time in
seconds."""
TRY_SECONDS, ALL_SECONDS = 4.0, 60.0
MOST_BASES, MOST_PLACES, MOST_ITEMS = 6, 14, 3000000
MOST_DATA, ALL_DATA = 16 << 20, 24 << 20
"""Maximum number of bytes of one call, and of all calls."""


def main(file):
    sys.path.insert(0, "")  # loading the pickled calls imports the repository's modules
    token = sys.stdin.readline().strip()
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    lines = []
    grow(job, token, lambda **line: lines.append(json.dumps(line) + "\n"))
    with open(job["out"], "w", encoding="utf-8") as out:  # opened only now, when no child can write to it
        out.writelines(lines)


def grow(job, token, write):
    calls = sorted(read_all(job["calls"]), key=len)
    bases = calls[-MOST_BASES // 2 :] + calls[: -MOST_BASES // 2][-MOST_BASES // 2 :]
    good = []
    for one in trials(job, bases, token):
        if one["kind"] == "broken":
            return write(broken=one["text"])
        if one["kind"] == "grown" and one["growth"] >= GROWS:
            good.append(one)
    if not good:
        return write(note="no argument was found that makes the work grow")
    # If the work grows about equally with several parts, take the simplest part of the smallest call.
    best = max(good, key=lambda one: (round(2 * math.log2(one["growth"])), -one["base"], -one["axis"]))
    write(note="growing part: " + best["what"])
    space = ALL_DATA
    for answer in run_in_children(lambda: Maker(job, bases, best), len(job["sizes"]), job["seconds"], token):
        if answer["kind"] != "made":
            return write(note="larger calls took too long or failed: %s" % answer.get("text", answer["kind"]))
        space -= len(answer["data"]) * 3 // 4
        if space < 0:
            return write(note="larger calls were left out: the calls take more than %d bytes" % ALL_DATA)
        write(data=answer["data"], size=answer["size"])
    return None


def trials(job, bases, token):
    """Yield the result of a trial for each part of each call, until the time limit."""
    jobs = [(base, axis) for base in range(len(bases)) for axis in range(MOST_PLACES)]
    until = time.monotonic() + ALL_SECONDS
    for number, answer in enumerate(run_in_children(lambda: Trial(job, bases, jobs), len(jobs), TRY_SECONDS, token)):
        yield dict(answer, base=jobs[number][0], axis=jobs[number][1])
        if time.monotonic() > until:
            return


class Trial(Caller):
    """A trial of one part of one call: it measures how much the work grows with that part."""

    def __init__(self, job, bases, jobs):
        Caller.__init__(self, job, bases)
        self.jobs = jobs

    def __call__(self, number):
        base, axis = self.jobs[number]
        args, kwargs = loads(self.calls[base])
        if axis >= len(axes([list(args), dict(kwargs)])):
            return {"kind": "none"}
        try:
            # The first run is not counted: it includes imports and other one-time work.
            sizes = (SMALL, SMALL, LARGE)
            _, few, many = [self.lines(*scaled(self.calls[base], axis, size)[:2]) for size in sizes]
            growth = many / few
            if growth < GROWS:
                few, many = [self.seconds(base, axis, size) for size in (FEW, MANY)]
                growth = many / few * LARGE / SMALL * FEW / MANY
            what = scaled(self.calls[base], axis, SMALL)[2]
        except Exception as error:  # noqa: BLE001 - the function may refuse what it is given
            return {"kind": "refused", "text": repr(error)[:200]}
        return {"kind": "grown", "growth": growth, "what": what}

    def lines(self, args, kwargs):
        """Return the number of executed lines, which is reproducible but ignores work done in C."""
        lines = [1]

        def trace(frame, event, argument):
            lines[0] += 1
            return trace

        sys.settrace(trace)
        try:
            exhaust(self.function(*args, **kwargs))
        finally:
            sys.settrace(None)
        return lines[0]

    def seconds(self, base, axis, size):
        best = float("inf")
        for _ in range(5):
            args, kwargs, _what = scaled(self.calls[base], axis, size)
            began = time.process_time()
            exhaust(self.function(*args, **kwargs))
            best = min(best, time.process_time() - began)
        return best + CLOCK


class Maker(Caller):
    """Builder of the calls of each size; it also checks that the function completes them in time."""

    def __init__(self, job, bases, best):
        Caller.__init__(self, job, bases)
        self.best, self.sizes = best, job["sizes"]

    def __call__(self, number):
        data, size = self.calls[self.best["base"]], self.sizes[number]
        try:
            args, kwargs, _ = scaled(data, self.best["axis"], size)
            made = dumps(args, kwargs, *read_setup(data))
            if len(made) > MOST_DATA:
                return {"kind": "refused", "text": "more than %d bytes" % MOST_DATA}
            exhaust(self.function(*args, **kwargs))
        except TimeUp:
            raise
        except Exception as error:  # noqa: BLE001 - the function may refuse what it is given
            return {"kind": "refused", "text": repr(error)[:200]}
        return {"kind": "made", "data": base64.b64encode(made).decode(), "size": size}


def exhaust(value):
    """If the value is an iterator, consume up to MOST_ITEMS of its items."""
    if isinstance(value, collections.abc.Iterator):
        for _ in zip(range(MOST_ITEMS), value):
            pass


# Parts that can grow


def axes(root):
    """Return groups of parts that may grow together, each part given by its keys from the root.

    The groups are single parts, the rows of tables, all arguments of equal length, and all arguments.
    """
    found = [
        tuple(key for _, key in chain) for chain in part_chains(root) if len(chain) <= 4 and can_grow(part_at(chain))
    ]
    outer = [keys for keys in found if len(keys) == 2]
    alone = [[keys] for keys in found]
    together = [group for keys in found for group in tables(root, keys)]
    for group in (outer, [keys for keys in outer if type(at(root, keys)) is not int]):
        lengths = collections.OrderedDict()
        for keys in group:
            lengths.setdefault(length(at(root, keys)), []).append(keys)
        together += [same for same in lengths.values() if len(same) > 1] + [group]
    distinct = []
    for group in (*alone[: MOST_PLACES // 2], *together, *alone[MOST_PLACES // 2 :]):
        if group and group not in distinct:
            distinct.append(group)
    return distinct[:MOST_PLACES]


def tables(root, keys):
    """Return the groups of a list of lists or strings: its rows, and its rows with the list itself; [] for other
    values."""
    value = at(root, keys)
    if type(value) not in (list, tuple) or not all(type(one) in (list, tuple, str) and one for one in value[:60]):
        return []
    rows = [(*keys, row) for row in range(min(len(value), 60))]
    return [rows, [*rows, keys]]


def at(root, keys):
    return part_at(chain_of(root, keys))


def chain_of(root, keys):
    """Return the chain of (holder, key) pairs that these keys follow from the root."""
    chain, holder = [], root
    for key in keys:
        chain.append((holder, key))
        holder = part_at(chain)
    return tuple(chain)


def can_grow(value):
    kind = type(value)
    return (kind is int and value > 1) or (kind in (*CONTAINERS, str, bytes, range) and len(value) > 0)


def length(value):
    return value if isinstance(value, int) else len(value)


def scaled(data, axis, size):
    """Return (args, kwargs, description of the grown parts) for a copy of the call that is grown to `size`."""
    args, kwargs = loads(data)
    root = [list(args), dict(kwargs)]
    group = axes(root)[axis]
    if len({len(keys) for keys in group}) > 1 and size * size > MOST_ITEMS:
        raise OverflowError("a table of more than %d items" % MOST_ITEMS)
    for keys in group:
        chain = chain_of(root, keys)
        replace_part(chain, grown(part_at(chain), size))
    return tuple(root[0]), root[1], ", ".join(map(shown, group[-3:]))


def shown(keys):
    name = "argument %s" % (keys[1] if keys[0] else keys[1] + 1)
    return name + "".join("[%r]" % key if isinstance(key, int) else ".%s" % key for key in keys[2:])


# Growth of values


def grown(value, size):
    kind = type(value)
    if kind is int:
        return size
    if kind is range:
        return range(value.start, value.start + size * value.step, value.step)
    if kind in (str, bytes):
        return (value * (size // len(value) + 1))[:size]
    if kind in MAPPINGS:
        return mapping(value, kind, size)
    made = rounds(list(value), size)
    if kind in (list, collections.deque, bytearray):
        made = [one % 256 for one in made] if kind is bytearray else made
        value.clear()
        value.extend(made)
        return value
    return kind(*made) if hasattr(kind, "_fields") else kind(made)


def mapping(value, kind, size):
    pairs = list(value.items())
    keys = rounds([key for key, _ in pairs], size)
    ones = rounds([one for _, one in pairs], size)
    value.clear()
    for key, one in zip(keys, ones):
        value[key] = one
    return value


def rounds(found, size):
    """Return `size` items: the given ones, repeated with a shift in each round."""
    shift = shifter(found)
    made = [shift(found[n % len(found)], n // len(found)) for n in range(size)]
    if len(found) < 2 or is_sorted(made):
        return made
    if is_sorted(found):
        return sorted_if_possible(made)
    return sorted_if_possible(made)[::-1] if is_sorted(found[::-1]) else made


def shifter(peers):
    """Return a function that takes a value of this column and a round, and returns the shifted value."""
    kinds = {type(one) for one in peers}
    if not kinds <= {int, float}:
        if len(kinds) == 1 and kinds <= {tuple, list} and len({len(one) for one in peers}) == 1:
            return by_columns([shifter(column) for column in zip(*peers)])
        return shifted
    finite = [one for one in peers if one - one == 0]
    span = max(finite) - min(finite) + 1 if finite else 1
    if len(peers) > 1 and finite == sorted(finite, reverse=True) and finite != sorted(finite):
        span = -span
    if len(set(peers)) == 1 and len(peers) > 1:
        span = 0
    return lambda value, turn: value + turn * span


def by_columns(shifts):
    return lambda value, turn: type(value)([shift(one, turn) for shift, one in zip(shifts, value)])


def shifted(value, turn):
    """Return a value that does not belong to a column of numbers, changed for the given round."""
    kind = type(value)
    if not turn or kind is bool or value is None:
        return value
    if kind in (int, float):
        return value + turn
    if kind is str:
        return value + str(turn) if not value.isdigit() else str(int(value) + turn * 10 ** len(value))
    if kind is bytes:
        return value + str(turn).encode()
    if kind in (list, tuple, set, frozenset):
        return kind([shifted(one, turn) for one in value])
    if kind in MAPPINGS:
        return {key: shifted(one, turn) for key, one in value.items()}
    return shifted_copy(value, turn)


def shifted_copy(value, turn):
    """Return a copy of an object whose simple attributes are changed for the round; the object itself if copying
    fails."""
    try:
        ((made,), _) = loads(dumps((value,), {}))
        for name, one in sorted(vars(made).items()):
            if type(one) in (int, float, str):
                object.__setattr__(made, name, shifted(one, turn))
    except Exception:  # noqa: BLE001 - an object may refuse to be copied
        return value
    return made
