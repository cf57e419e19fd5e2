"""Generator of larger calls of the same shape as recorded calls. Trials find the argument whose size determines the
cost.

Its argument is the path of a job file {"root", "path", "name", "calls", "out", "sizes", "limit", "least"}; the token is
read from stdin. It writes JSON lines: {"data": base64, "size"} for each call, and {"note"} for remarks. If fewer than
`least` of the sizes are possible, sizes between those are tried.

See `value_growth.py` and `graph_growth.py` for how a value grows. A date grows by its distance from an earlier one.
"""

import base64
import collections
import datetime
import functools
import json
import math
import sys
import time

from extensions.experiment.guest.forked_sandbox import TimeUp
from extensions.optimize.guest.child_process import Alarm, run_in_children

from .call_answers import Caller
from .call_parts import (
    CONTAINERS,
    MAPPINGS,
    argument_places,
    attributes,
    part_at,
    part_chains,
    replace_part,
)
from .call_pickles import dumps, loads, open_job, read_all, read_setup
from .graph_growth import graph_nodes, grown_graph
from .value_growth import MOMENTS, UNITS, columns_of, grown, unit_of

SMALL, LARGE, GROWS = 24, 96, 1.6
"""Numbers of items in the two trials, and the minimum factor by which the work must grow between them."""
FEW, MANY, CLOCK = 4000, 32000, 20e-6
"""Numbers of items in the two timed trials, which run if line counts do not grow, and the shortest meaningful time in
seconds."""
MOST_GROWTH, MOST_LINES = 100, 1000000
"""A trial ends when it has executed so many times the lines of the smaller one, or so many lines: a function whose work
grows exponentially would not end."""
FINER = 2
"""Number of times that sizes between the possible ones are added."""
TRY_SECONDS, MAKE_SECONDS, ALL_SECONDS, MOST_WAIT = 4.0, 4.0, 60.0, 240.0
MOST_BASES, MOST_PLACES, MOST_ITEMS = 6, 14, 3000000
MOST_DATA, ALL_DATA = 16 << 20, 24 << 20
"""Maximum number of bytes of one call, and of all calls."""


def main(file):
    job, token = open_job(file)
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
    made, why = make_calls(job, bases, best, token)
    for size in sorted(made):
        write(data=made[size], size=size)
    if why:
        write(note="larger calls " + why)
    return None


def make_calls(job, bases, best, token):
    """Return the calls by size, and why there are no larger ones."""
    made, why, failed, sizes, space = {}, "", None, sorted(job["sizes"]), ALL_DATA
    for _ in range(FINER + 1):
        missing = [size for size in sizes if size not in made and size != failed]
        start = functools.partial(Maker, job, bases, best, missing)
        for size, answer in zip(missing, run_in_children(start, len(missing), MAKE_SECONDS + job["limit"], token)):
            taken = len(answer.get("data", "")) * 3 // 4
            if answer["kind"] != "made":
                why = "took too long or failed: %s" % answer.get("text", answer["kind"])
            elif taken > space:
                why = "were left out: the calls take more than %d bytes" % ALL_DATA
            else:
                made[size] = answer["data"]
                space -= taken
                continue
            failed, sizes = size, sizes[: sizes.index(size) + 1]
            break
        if not why or not made or len(made) >= job.get("least", 0):
            break
        sizes = sorted({*sizes, *((one + other) // 2 for one, other in zip(sizes, sizes[1:]))})
    return made, why


def trials(job, bases, token):
    """Yield the result of a trial for each part of each call, until they have used ALL_SECONDS of processor time, or
    MOST_WAIT of wall time if the function waits."""
    jobs = [(base, axis) for base in range(len(bases)) for axis in range(MOST_PLACES)]
    used, until = 0.0, time.monotonic() + MOST_WAIT
    for number, answer in enumerate(run_in_children(lambda: Trial(job, bases, jobs), len(jobs), TRY_SECONDS, token)):
        yield dict(answer, base=jobs[number][0], axis=jobs[number][1])
        used += answer.get("seconds", TRY_SECONDS)
        if used > ALL_SECONDS or time.monotonic() > until:
            return


class EnoughLines(BaseException):
    """Ends a trial; code under test that handles exceptions does not handle this one."""


class Trial(Caller):
    """A trial of one part of one call: it measures how much the work grows with that part."""

    def __init__(self, job, bases, jobs):
        Caller.__init__(self, job, bases)
        self.jobs = jobs

    def __call__(self, number):
        began = time.process_time()
        answer = self.measure_growth(*self.jobs[number])
        return dict(answer, seconds=time.process_time() - began)

    def measure_growth(self, base, axis):
        args, kwargs = loads(self.calls[base])
        if axis >= len(axes([list(args), dict(kwargs)])):
            return {"kind": "none"}
        try:
            # The first run is not counted: it includes imports and other one-time work.
            _, few = [self.lines(*scaled(self.calls[base], axis, SMALL)[:2]) for _ in range(2)]
            most = min(MOST_GROWTH * few, MOST_LINES)
            growth = self.lines(*scaled(self.calls[base], axis, LARGE)[:2], most=most) / few
            if growth < GROWS:
                few, many = [self.seconds(base, axis, size) for size in (FEW, MANY)]
                growth = many / few * LARGE / SMALL * FEW / MANY
            what = scaled(self.calls[base], axis, SMALL)[2]
        except Exception as error:  # noqa: BLE001 - the function may refuse what it is given
            return {"kind": "refused", "text": repr(error)[:200]}
        return {"kind": "grown", "growth": growth, "what": what}

    def lines(self, args, kwargs, most=MOST_LINES):
        """Return the number of executed lines, or `most` if it is larger. It is reproducible but ignores work in C."""
        lines = [1]

        def trace(frame, event, argument):
            lines[0] += 1
            if lines[0] >= most:
                raise EnoughLines()
            return trace

        sys.settrace(trace)
        try:
            exhaust(self.function(*args, **kwargs))
        except EnoughLines:
            pass
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

    def __init__(self, job, bases, best, sizes):
        Caller.__init__(self, job, bases)
        self.best, self.sizes, self.limit = best, sizes, job["limit"]

    def __call__(self, number):
        data, size = self.calls[self.best["base"]], self.sizes[number]
        try:
            args, kwargs, _ = scaled(data, self.best["axis"], size)
            made = dumps(args, kwargs, *read_setup(data))
            if len(made) > MOST_DATA:
                return {"kind": "refused", "text": "more than %d bytes" % MOST_DATA}
            began = time.process_time()  # the same under load
            with Alarm(5 * self.limit):
                exhaust(self.function(*args, **kwargs))
            if time.process_time() - began > self.limit:
                return {"kind": "refused", "text": "more than %g s" % self.limit}
        except TimeUp:
            raise
        except Exception as error:  # noqa: BLE001 - the function may refuse what it is given
            return {"kind": "refused", "text": repr(error)[:200]}
        return {"kind": "made", "data": base64.b64encode(made).decode()}


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
    found = [tuple(key for _, key in chain) for chain in part_chains(root) if len(chain) <= 4 and can_grow(root, chain)]
    outer = [keys for keys in found if len(keys) == 2]
    alone = [[keys] for keys in found]
    together = []
    for left_out in ((), (int,), (int, str)):
        group = [keys for keys in outer if type(at(root, keys)) not in left_out]
        lengths = collections.OrderedDict()
        for keys in group:
            lengths.setdefault(length(at(root, keys)), []).append(keys)
        together += [same for same in lengths.values() if len(same) > 1] + [group]
    together += [group for keys in found for group in tables(root, keys)]
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
    counts = [(place, name) for place, name in argument_places(root) if is_count(root[place][name], value)]
    return [rows, [*rows, keys], *([[*rows, keys, *counts]] if counts else [])]


def is_count(number, table):
    """Whether a number may be the number of a table's rows or columns."""
    return type(number) is int and number in (len(table), len(table[0]))


def at(root, keys):
    return part_at(chain_of(root, keys))


def chain_of(root, keys):
    """Return the chain of (holder, key) pairs that these keys follow from the root."""
    chain, holder = [], root
    for key in keys:
        chain.append((holder, key))
        holder = part_at(chain)
    return tuple(chain)


def can_grow(root, chain):
    value = part_at(chain)
    kind = type(value)
    if kind in MOMENTS:
        return earlier_date(root, chain) is not None
    if kind is datetime.timedelta:
        return value > kind(0)
    return (kind is int and value > 1) or (kind in (*CONTAINERS, str, bytes, range) and len(value) > 0)


def earlier_date(root, chain):
    """Return the latest of the dates beside this one that are earlier, or equal and before it; None if there is none.

    Only the other arguments, or the other parts of a pair, a record or an object are beside it.
    """
    holder, place = chain[-1]
    if len(chain) == 2:
        beside = [(place, root[place[0]][place[1]]) for place in argument_places(root)]
        place = (chain[0][1], place)
    elif type(holder) is dict:
        beside = list(holder.items())
    elif isinstance(holder, (list, tuple)):
        beside = list(enumerate(holder)) if len(holder) == 2 or isinstance(holder, tuple) else []
    else:
        beside = list(attributes(holder).items())
    dates = [(at, one) for at, one in beside if type(one) is type(part_at(chain))]
    own = [at for at, _ in dates].index(place) if dates else 0
    found = [one for number, (_, one) in enumerate(dates) if is_earlier(one, part_at(chain), number < own)]
    return max(found) if found else None


def is_earlier(one, other, is_before):
    try:
        return one < other or (one == other and is_before)
    except TypeError:  # one has a time zone, the other has not
        return False


def length(value):
    return len(value) if hasattr(value, "__len__") else value


def scaled(data, axis, size):
    """Return (args, kwargs, description of the grown parts) for a copy of the call that is grown to `size`."""
    args, kwargs = loads(data)
    root = [list(args), dict(kwargs)]
    group = axes(root)[axis]
    if len({len(keys) for keys in group}) > 1 and size * size > MOST_ITEMS:
        raise OverflowError("a table of more than %d items" % MOST_ITEMS)
    values = [at(root, keys) for keys in group]
    lengths = [len(value) for value in values if hasattr(value, "__len__")]
    columns = [set(column) for value in values for column in number_columns(value)]
    anchors = [earlier_date(root, chain_of(root, keys)) if type(at(root, keys)) in MOMENTS else None for keys in group]
    texts = {}
    for keys, anchor in zip(group, anchors):
        chain = chain_of(root, keys)
        value = part_at(chain)
        if type(value) is int:
            made = scaled_number(value, lengths, size)
        elif anchor is not None:
            made = anchor + size * (UNITS[0] if type(value) is datetime.date else unit_of(value - anchor))
        else:
            made = (grown_graph if graph_nodes(value) else grown)(value, size, columns)
        while type(made) is str and made and len(keys) > 2 and made in texts and texts[made] != value:
            made = made[:-1]  # other texts than before may not become the same
        if type(made) is str:
            texts[made] = value
        replace_part(chain, made)
    return tuple(root[0]), root[1], ", ".join(map(shown, group[-3:]))


def scaled_number(value, lengths, size):
    """Return the number for this size: one that is a length or an index of a grown part stays one."""
    fitting = [length for length in lengths if value <= length]
    if not fitting:
        return size
    nearest = min(fitting)
    return size - (nearest - value) if value >= nearest - 1 else max(value * size // nearest, 1)


def number_columns(value):
    """Return the columns of numbers in a container: its items, those of its rows, or the nodes of a graph."""
    if type(value) not in (list, tuple) and type(value) not in MAPPINGS:
        return []
    columns = [list(value)] if type(value) in MAPPINGS else [list(value), *columns_of(list(value))]
    columns.append(graph_nodes(value))
    return [column for column in columns if column and all(type(one) is int for one in column)]


def shown(keys):
    name = "argument %s" % (keys[1] if keys[0] else keys[1] + 1)
    return name + "".join("[%r]" % key if isinstance(key, int) else ".%s" % key for key in keys[2:])
