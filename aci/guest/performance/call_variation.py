"""New calls derived from recorded ones: values are changed according to their type, or swapped between calls.

The random changes are seeded, and references to the same object remain references to the same object.

Run with the path of a JSON job file {"calls", "out", "want", "seed"}. Writes a JSON line {"data": base64} for each new
call.
"""

import base64
import collections
import hashlib
import json
import random
import signal
import sys

from ..call_pickles import dumps, loads, read_all, read_setup
from ..value_text import is_sorted

PLACES, TRIES, SECONDS = 400, 12, 120
LARGEST, ALL, PASSED = 1 << 20, 8 << 20, 50
"""Limits: bytes of one call (unless all are larger), bytes of all new calls, and number of new calls rejected as too
large for the remaining space before the program stops."""
NUMBERS = (0, 1, -1, 2, 3, 7, 10, 100, 255, 256, 2**31, -(2**31), 2**63)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, 1e300, float("inf"), float("-inf"), float("nan"))
TEXTS = ("", " ", "a", "A", "0", "\n", "\t", "é", "ß", "\u0130", "\U0001f600", "a b", "a,b", "-1", "None", "\x00", "_")
STRANGE = (None, 0, -1, True, 1.5, "", "x", b"x", [], (), {}, [None], object)
SEQUENCES = (list, collections.deque, bytearray)
MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
CONTAINERS = (*SEQUENCES, *MAPPINGS, tuple, set, frozenset)


def main(file):
    sys.path.insert(0, "")  # needed to unpickle the repository's own objects
    sys.stdin.readline()
    with open(file, encoding="utf-8") as opened:
        job = json.load(opened)
    signal.alarm(SECONDS)  # importing a class of the repository may hang; lines written so far are kept
    calls = read_all(job["calls"])
    known = {hashlib.sha256(data).digest() for data in calls}
    written, space, passed = 0, ALL, 0
    with open(job["out"], "w", encoding="utf-8") as out:
        for data in varied(calls, random.Random("varied %s" % job["seed"]), job["want"]):
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
                out.write(json.dumps({"data": base64.b64encode(data).decode()}) + "\n")
                out.flush()
                if written >= job["want"]:
                    break


def varied(calls, chance, want):
    small = [data for data in calls if len(data) <= LARGEST] or sorted(calls, key=len)[:1]
    largest = max([LARGEST, *[2 * len(data) for data in small if len(data) > LARGEST]])
    for _ in range(want * TRIES if small else 0):
        data = chance.choice(small)
        try:
            args, kwargs = loads(data)
            other = loads(chance.choice(small))
            root = [list(args), dict(kwargs)]
            for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
                change(root, [list(other[0]), dict(other[1])], chance)
            made = dumps(tuple(root[0]), root[1], *read_setup(data))
        except Exception:  # noqa: BLE001 - objects of the repository may refuse anything
            continue
        if len(made) <= largest:
            yield made


# A place is a chain of (holder, key) pairs from the root to a part of the call.


def parts(holder):
    """Return (key, part) pairs for the parts that `replace_part` can replace."""
    kind = type(holder)
    if kind in (list, collections.deque) or isinstance(holder, (tuple, set, frozenset)):
        return list(enumerate(holder))
    if kind in MAPPINGS:
        return list(holder.items())
    return sorted(attributes(holder).items())


def attributes(holder):
    if isinstance(holder, (type, str, bytes, int, float, complex, BaseException)) or callable(holder):
        return {}
    found = dict(getattr(holder, "__dict__", None) or {})
    for kind in type(holder).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("__") and hasattr(holder, name):
                found[name] = getattr(holder, name)
    return found


def part_chains(root):
    """Return the chains to all arguments and their parts, outermost parts first."""
    found, line, seen = [], [((root, 0),), ((root, 1),)], set()
    while line and len(found) < PLACES:
        chain = line.pop(0)
        value = part_at(chain)
        if len(chain) > 1:
            found.append(chain)
        if id(value) not in seen:
            seen.add(id(value))
            line += [(*chain, (value, key)) for key, _ in parts(value)[:60]]
    return found


def part_at(chain):
    holder, key = chain[-1]
    if isinstance(holder, (list, collections.deque)) or type(holder) in MAPPINGS:
        return holder[key]
    if isinstance(holder, (tuple, set, frozenset)):
        return list(holder)[key]
    return attributes(holder)[key]


def replace_part(chain, value):
    """Replace a part in place if possible; otherwise rebuild and replace its holder."""
    holder, key = chain[-1]
    if isinstance(holder, (list, collections.deque)) or type(holder) in MAPPINGS:
        holder[key] = value
    elif isinstance(holder, (tuple, set, frozenset)):
        items = list(holder)
        items[key] = value
        kind = type(holder)
        replace_part(chain[:-1], kind(*items) if hasattr(kind, "_fields") else kind(items))
    else:
        object.__setattr__(holder, key, value)


def change(root, other, chance):
    """Make one random change to a call; half of the time, change a whole argument."""
    found = part_chains(root)
    if not found:
        return
    outer = [chain for chain in found if len(chain) == 2]
    chain = chance.choice(outer if outer and chance.random() < 0.5 else found)
    value, kind = part_at(chain), chance.random()
    if kind < 0.03:
        replace_part(chain, chance.choice(STRANGE))
    elif kind < 0.05 and len(chain) == 2:
        shortened(chain)
    elif kind < 0.20:
        donors = [part_at(one) for one in part_chains(other) if type(part_at(one)) is type(value)]
        replace_part(chain, chance.choice(donors) if donors else mutated(value, chance))
    elif kind < 0.24 and isinstance(value, CONTAINERS):
        twins = [part_at(one) for one in found if type(part_at(one)) is type(value)]
        replace_part(chain, chance.choice(twins))  # use the same object in two places
    else:
        replace_part(chain, mutated(value, chance))


def shortened(chain):
    """Remove one argument: a keyword argument, or the last positional one."""
    holder, key = chain[-1]
    if isinstance(holder, dict):
        del holder[key]
    else:
        holder.pop()


def mutated(value, chance):
    """Return another value of the same type; lists, dicts and sets are changed in place."""
    kind = type(value)
    if value is None:
        return chance.choice((None, 0, "", []))
    if kind is bool:
        return not value
    if kind is int:
        near = (value + 1, value - 1, -value, 2 * value, value // 2, value + chance.randint(2, 9))
        return chance.choice(near) if chance.random() < 0.7 else chance.choice(NUMBERS)
    if kind is float:
        near = (value + 1, -value, value / 2, 2 * value, value + 1e-9, value * (1 + 2**-52))
        return chance.choice(near) if chance.random() < 0.6 else chance.choice(FLOATS)
    if kind is complex:
        return complex(mutated(value.real, chance), value.imag)
    if kind is str:
        return text(value, chance)
    if kind is bytes:
        return bytes(items(list(value), chance, lambda one: chance.randrange(256)))
    if kind in SEQUENCES:
        made = items(
            list(value), chance, lambda one: chance.randrange(256) if kind is bytearray else mutated(one, chance)
        )
        value.clear()
        value.extend(made)
        return value
    return compound(value, kind, chance)


def text(value, chance):
    if chance.random() < 0.25:
        return chance.choice((*TEXTS, value.upper(), value.lower(), value[::-1], value + value, " %s " % value))
    return "".join(items(list(value), chance, lambda one: chance.choice(value + "".join(TEXTS))))


def compound(value, kind, chance):
    if kind in MAPPINGS:
        return mapping(value, chance)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*[mutated(one, chance) if chance.random() < 0.5 else one for one in value])
    if kind is tuple:
        return tuple(items(list(value), chance, lambda one: mutated(one, chance)))
    if kind in (set, frozenset):
        made = items(list(value), chance, lambda one: mutated(one, chance))
        if kind is frozenset:
            return frozenset(made)
        value.clear()
        value.update(made)
        return value
    if kind is range:
        return range(value.start, max(value.start, mutated(value.stop, chance) % 10000), value.step)
    for name, one in chance.sample(sorted(attributes(value).items()), 1) if attributes(value) else ():
        object.__setattr__(value, name, mutated(one, chance))
    return value


def mapping(value, chance):
    pairs = list(value.items())
    if not pairs:
        return value
    place, kind = chance.randrange(len(pairs)), chance.randrange(6)
    key, one = pairs[place]
    if kind == 0:
        del pairs[place]
    elif kind == 1:
        pairs[place] = key, mutated(one, chance)
    elif kind == 2:
        pairs.append((mutated(key, chance), one))
    elif kind == 3:
        chance.shuffle(pairs)
    elif kind == 4:
        pairs = [(key, chance.choice(pairs)[1]) for key, _ in pairs]
    else:
        pairs = chance.choice(([], pairs[:1], pairs[: place + 1], pairs[::-1]))
    value.clear()
    for key, one in pairs:
        value[key] = one
    return value


def items(found, chance, changed):
    """Return a changed list of items; a sorted list usually stays sorted."""
    if not found:
        return found
    ordered = len(found) > 2 and is_sorted(found) and chance.random() < 0.7
    place, other, kind = chance.randrange(len(found)), chance.randrange(len(found)), chance.randrange(12)
    if kind == 0:
        del found[place]
    elif kind == 1:
        found.insert(other, found[place])
    elif kind in (2, 3, 4):
        found[place] = changed(found[place])
    elif kind == 5:
        chance.shuffle(found)
    elif kind == 6:
        found = chance.choice(([], found[:1], found[:2], found[-1:]))
    elif kind == 7:
        found = found[:place]
    elif kind == 8:
        found[place], found[other] = found[other], found[place]
    elif kind == 9:
        found = found + found[: place + 1]
    elif kind == 10:
        found = found[::-1]
    else:
        found = sorted_if_possible(found) if chance.random() < 0.5 else [found[place]] * len(found)
    return sorted_if_possible(found) if ordered else found


def sorted_if_possible(found):
    try:
        return sorted(found)
    except Exception:  # noqa: BLE001 - a comparison may raise anything
        return found
