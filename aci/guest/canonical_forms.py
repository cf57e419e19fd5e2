"""Values in a form that JSON can hold and that is the same in every process if the values are.

None, booleans, texts and small ints stand for themselves; all else is a list that begins with what it is. Sets are in
the order of their forms, all else in its own. What was met before and can be changed is ["same", number]: so aliases
and circles show. Floats are repr's shortest text, which reads back as the same float.
"""

import collections
import copyreg
import enum
import functools
import hashlib
import itertools
import json
import re
import types
from collections import abc

DEEPEST, ITEMS, NODES, MOST_ITEMS = 120, 400, 300000, 1000000
"""How deep a value is looked into, how many items of what is lazy are told whole, how many nodes a form may have, and
how many items what is lazy may have: a digest stands for those behind the ITEMS first ones."""
HEAP = 1 << 9
"""The flag of classes that were made by a class statement, and of few others."""
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
ATOMS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, types.ModuleType)
VIEWS = tuple(type(view) for one in ({}, collections.OrderedDict()) for view in (one.keys(), one.values(), one.items()))
PAYLOADS = (dict, list, tuple, set, frozenset, str, int, float, complex, bytes, bytearray)
PLAIN = (*PAYLOADS, object, collections.deque, collections.OrderedDict, collections.defaultdict)


class TooLarge(Exception):
    """The form would have more than NODES nodes or MOST_ITEMS items, or could not tell what differs."""


def text(value):
    """A text without addresses."""
    return ADDRESS.sub("0x", str(value))


def named(value):
    """Module and qualified name of a class or function."""
    return "%s.%s" % (getattr(value, "__module__", None), getattr(value, "__qualname__", type(value).__name__))


class Forms:
    """Gives forms of values that may share parts. `consume`: iterators are run, else only told of.

    With `cut`, what is too deep or too much is left out instead of raising TooLarge.
    """

    def __init__(self, consume=True, nodes=NODES, cut=False):
        self.consume, self.left, self.cut = consume, nodes, cut
        self.seen = {}
        self.met_lazy = False

    def of(self, value, depth=0):
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return value if -(2**53) < value < 2**53 else ["int", hex(value)]
        if kind is float:
            return ["float", repr(value)]
        if kind is complex:
            return ["complex", repr(value.real), repr(value.imag)]
        if kind is bytes:
            return ["bytes", value.hex()]
        self.left -= 1
        if self.left < 0 and not self.cut:
            raise TooLarge("a value of more than %d parts" % NODES)
        if depth > DEEPEST or self.left < 0:
            return ["deep", named(kind)]
        return self.compound(value, kind, depth + 1)

    def compound(self, value, kind, depth):
        if kind is tuple:
            return ["tuple", self.all(value, depth)]
        if kind is frozenset:
            return ["frozenset", self.unordered(value, depth)]
        if isinstance(value, ATOMS):
            return self.atom(value, depth)
        if isinstance(value, enum.Enum):
            return ["enum", named(kind), value.name]
        if kind is range or kind is slice or value is Ellipsis or value is NotImplemented:
            return ["constant", repr(value)]
        if id(value) in self.seen:
            return ["same", self.seen[id(value)][0]]
        self.seen[id(value)] = (len(self.seen), value)
        if kind is list:
            return ["list", self.all(value, depth)]
        if kind is dict:
            return ["dict", self.pairs(value, depth)]
        if kind is set:
            return ["set", self.unordered(value, depth)]
        if kind in VIEWS:
            return ["view", kind.__name__, self.all(list(value), depth)]
        if kind.__module__ == "numpy" and hasattr(value, "dtype"):
            return self.array(value, depth)
        return self.thing(value, kind, depth)

    def all(self, values, depth):
        return [self.of(value, depth) for value in values]

    def pairs(self, value, depth):
        kind = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
        return [[self.of(key, depth), self.of(one, depth)] for key, one in kind.items(value)]

    def unordered(self, values, depth):
        """In the order of forms that each has alone: no number of an alias may depend on a set's own order."""
        alone = []
        for value in values:
            forms = Forms(self.consume, 10000, True)
            alone.append((json.dumps(forms.of(value)), forms.met_lazy, value))
            self.met_lazy = self.met_lazy or forms.met_lazy
        alone.sort(key=lambda one: one[0])
        return [json.loads(form) if lazy else self.of(value, depth) for form, lazy, value in alone]

    def atom(self, value, depth):
        if isinstance(value, type):
            return ["class", named(value)]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return ["function", named(value)]
        return ["method", named(value), self.of(owner, depth)]

    def lazy(self, value, kind, depth):
        """A generator, map, zip, ...: its kind, and what comes out of it."""
        self.met_lazy = True
        if not self.consume:
            return ["lazy", named(kind)]
        if kind is itertools.count:
            return ["lazy", named(kind), [], text(repr(value))]  # it has no end, and this is all of its state
        items, number, rest = [], 0, hashlib.sha256()
        while number <= MOST_ITEMS:
            try:
                one = next(value)
            except StopIteration as stop:
                ending = ["end", self.of(stop.value, depth)]
            except Exception as error:  # noqa: BLE001 - the code under test may raise anything
                ending = ["raises", self.error(error, depth)]
            else:
                number += 1
                if number <= ITEMS:
                    items.append(self.of(one, depth))
                else:
                    left = self.left
                    rest.update(json.dumps(self.of(one, depth)).encode() + b"\n")
                    self.left = left  # the form of a digested item takes no room
                continue
            more = [number, ["digest", rest.hexdigest()]] if number > ITEMS else []
            return ["lazy", named(kind), items, *ending, *more]
        raise TooLarge("a lazy result of more than %d items" % MOST_ITEMS)

    def error(self, error, depth=0):
        """What an exception says; where the stack ended, the text depends on where that happened to be."""
        if isinstance(error, RecursionError):
            return ["error", "builtins.RecursionError", "", ["tuple", []], None]
        cause = error.__cause__
        return [
            "error",
            named(type(error)),
            text(error),
            ["tuple", self.all(error.args, depth + 1)],
            cause and ["cause", named(type(cause)), text(cause)],
        ]

    def array(self, value, depth):
        """An array or a scalar of numpy's."""
        shape = list(getattr(value, "shape", ()))
        if value.dtype.hasobject or value.dtype.names or (value.dtype.kind in "fc" and value.size <= ITEMS * 10):
            parts = self.of(value.tolist(), depth)
        else:
            parts = ["bytes", value.tobytes().hex()]
        return ["array", type(value).__name__, value.dtype.str, shape, parts]

    def thing(self, value, kind, depth):
        """An object: what it holds as a subclass of something built in, its attributes, or how it would be copied."""
        attributes = dict(getattr(value, "__dict__", None) or {})
        for one in kind.__mro__:
            slots = one.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else tuple(slots):
                inner = "_%s%s" % (one.__name__.lstrip("_"), name) if name.startswith("__") else name
                if name not in ("__dict__", "__weakref__") and hasattr(value, inner):
                    attributes[inner] = getattr(value, inner)
        if isinstance(value, BaseException):
            held = self.error(value, depth)
        elif isinstance(value, abc.Iterator) and not attributes:
            return self.lazy(value, kind, depth)
        else:
            held = self.held(value, kind, depth, bool(attributes))
        named_parts = [[name, self.of(attributes[name], depth)] for name in sorted(attributes, key=str)]
        return ["object", named(kind), held, named_parts]

    def held(self, value, kind, depth, told):
        if isinstance(value, collections.deque):
            return ["deque", self.all(collections.deque.__iter__(value), depth), value.maxlen]
        if isinstance(value, dict):
            factory = [self.of(value.default_factory, depth)] if isinstance(value, collections.defaultdict) else []
            return ["dict", self.pairs(value, depth), *factory]
        for one in (list, tuple):
            if isinstance(value, one):
                return [one.__name__, self.all(one.__iter__(value), depth)]
        for one in (set, frozenset):
            if isinstance(value, one):
                return [one.__name__, self.unordered(one.__iter__(value), depth)]
        if isinstance(value, (bytes, bytearray)):
            return ["bytes", bytes(value).hex()]
        for one in (str, int, float, complex):
            if isinstance(value, one):
                return self.of(one.__str__(value) if one is str else one.__pos__(value), depth)
        if told and all(one.__flags__ & HEAP for one in kind.__mro__ if one not in PLAIN):
            return None
        return self.copied(value, kind, depth)

    def copied(self, value, kind, depth):
        """How pickle would make another one."""
        if isinstance(value, functools.partial):
            return ["made", "functools.partial", self.all([value.func, value.args, value.keywords], depth)]
        if isinstance(value, memoryview):
            return ["bytes", value.tobytes().hex()]
        try:
            made = copyreg.dispatch_table.get(kind)
            parts = made(value) if made else value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - any object may refuse, in any way
            if isinstance(value, (abc.Awaitable, abc.AsyncIterator)) and not self.cut:
                raise TooLarge("what %s does cannot be told: nobody awaits it" % named(kind)) from None
            return ["opaque", text(repr(value))[:ITEMS] if not kind.__flags__ & HEAP else ""]
        if isinstance(parts, str):
            return ["made", parts]
        parts = [list(part) if isinstance(part, abc.Iterator) else part for part in parts]
        return ["made", *[self.of(part, depth) for part in parts]]
