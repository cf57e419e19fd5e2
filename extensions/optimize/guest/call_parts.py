"""Parts of a call: every argument and everything inside it, each given by a chain that leads to it from the root.

The root is [list of positional arguments, dict of keyword arguments]. A chain is a tuple of (holder, key) pairs.
"""

import collections

PLACES = 400
SEQUENCES = (list, collections.deque, bytearray)
MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
CONTAINERS = (*SEQUENCES, *MAPPINGS, tuple, set, frozenset)


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


def has_private_state(holder):
    """Return whether this is an object with a private attribute beside others, which may depend on each other."""
    names = attributes(holder) if type(holder) not in CONTAINERS else ()
    return len(names) > 1 and any(name.startswith("_") for name in names)


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
        replace_part(chain[:-1], rebuilt(type(holder), items))
    else:
        object.__setattr__(holder, key, value)


def rebuilt(kind, items):
    """Return a container of a type, which may be a named tuple, with these items."""
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def argument_places(root):
    """Return the place (0, position) or (1, name) of each argument."""
    return [*((0, number) for number in range(len(root[0]))), *((1, name) for name in root[1])]


def sorted_if_possible(found):
    try:
        return sorted(found)
    except Exception:  # noqa: BLE001 - a comparison may raise anything
        return found
