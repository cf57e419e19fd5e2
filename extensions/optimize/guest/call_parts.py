"""Parts of a call: every argument and everything inside it, each given by a chain that leads to it from the root.

The root is [list of positional arguments, dict of keyword arguments]. A chain is a tuple of (holder, key) pairs.
"""

import ast
import collections
import functools
import inspect
import textwrap

PLACES = 400
SEQUENCES = (list, collections.deque, bytearray)
MAPPINGS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
CONTAINERS = (*SEQUENCES, *MAPPINGS, tuple, set, frozenset)

MAKERS = ("__init__", "__new__", "__post_init__", "__setstate__")
CHANGES = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "reverse",
        "setdefault",
        "sort",
        "update",
    ]
)
"""Names of methods that change a container."""


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


def has_own_state(holder):
    """Return whether this is an object whose attributes may depend on each other: one of several is private, or a
    method changes some, so that not every combination of values is a state that the class reaches."""
    names = attributes(holder) if type(holder) not in CONTAINERS else ()
    return len(names) > 1 and (any(name.startswith("_") for name in names) or bool(changing_methods(type(holder))))


@functools.lru_cache(maxsize=None)
def changing_methods(kind):
    """Return the names of the methods of a class, apart from those that make an object, that set attributes or call a
    method that changes what one holds."""
    found = []
    for each in kind.__mro__:
        try:
            source = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        except (OSError, TypeError, SyntaxError, ValueError):
            continue
        for method in [node for node in source.body if isinstance(node, ast.FunctionDef) and node.name not in MAKERS]:
            names = [each.arg for each in method.args.args[:1]]
            if any(is_change(node, names) for node in ast.walk(method)):
                found.append(method.name)
    return found


def is_change(node, names):
    """Return whether a node of a method sets an attribute of the object, or changes what one holds."""
    if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return owner(node) in names
    called = node.func if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else None
    return (
        bool(called) and called.attr in CHANGES and owner(called) in names and isinstance(called.value, ast.Attribute)
    )


def owner(node):
    """Return the name at the beginning of `name.attribute[item]`, or None."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return getattr(node, "id", None)


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
