"""Canonical forms of values: JSON data that is equal in every process for equal values.

None, booleans, strings and small ints are their own form; everything else is a list that starts with its kind. Sets are
sorted by the forms of their members; other values keep their order. A repeated occurrence of a mutable object is
["same", number], which shows aliases and cycles. Floats are represented by `repr`, which reads back as the same float.
"""

import collections
import copyreg
import enum
import functools
import hashlib
import itertools
import json
import os
import re
import types
from collections import abc

from extensions.experiment.guest.call_frames import raising_code

DEEPEST, ITEMS, NODES, MOST_ITEMS = 120, 400, 300000, 1000000
"""Limits: levels of nesting, items of an iterator written in full, nodes of a form, and items of an iterator. Items
after the first ITEMS are replaced by a digest."""
HEAP = 1 << 9
"""The flag `Py_TPFLAGS_HEAPTYPE`, which is set for classes made by a class statement, and for few others."""
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")
ATOMS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, types.ModuleType)
VIEWS = tuple(type(view) for one in ({}, collections.OrderedDict()) for view in (one.keys(), one.values(), one.items()))
PAYLOADS = (dict, list, tuple, set, frozenset, str, int, float, complex, bytes, bytearray)
PLAIN = (*PAYLOADS, object, collections.deque, collections.OrderedDict, collections.defaultdict)


class TooLarge(Exception):
    """Raised if a form would have more than NODES nodes or MOST_ITEMS items, or could not show all differences."""


def address_free_text(value):
    """Return the string of a value, with memory addresses removed."""
    return ADDRESS.sub("0x", str(value))


def qualified_name(value):
    """Return the module and qualified name of a class or function."""
    return "%s.%s" % (getattr(value, "__module__", None), getattr(value, "__qualname__", type(value).__name__))


class FormBuilder:
    """Builder of the canonical forms of values that may share objects. With `consume`, iterators are run to their end;
    otherwise only their kind is recorded.

    With `cut`, parts that are too deep or too many are left out instead of raising TooLarge. `root` is the repository's
    folder; without it, all code counts as the repository's.
    """

    def __init__(self, consume=True, nodes=NODES, cut=False, root=""):
        self.consume, self.left, self.cut, self.root = consume, nodes, cut, root
        self.seen = {}
        self.has_lazy = False

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
            return ["deep", qualified_name(kind)]
        return self.compound(value, kind, depth + 1)

    def compound(self, value, kind, depth):
        if kind is tuple:
            return ["tuple", self.all(value, depth)]
        if kind is frozenset:
            return ["frozenset", self.unordered(value, depth)]
        if isinstance(value, ATOMS):
            return self.atom(value, depth)
        if isinstance(value, enum.Enum):
            return ["enum", qualified_name(kind), value.name]
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
        """Return the forms of a set's members, sorted by each member's form in isolation, so that alias numbers do not
        depend on the set's order."""
        alone = []
        for value in values:
            forms = FormBuilder(self.consume, 10000, True, self.root)
            alone.append((json.dumps(forms.of(value)), forms.has_lazy, value))
            self.has_lazy = self.has_lazy or forms.has_lazy
        alone.sort(key=lambda one: one[0])
        return [json.loads(form) if lazy else self.of(value, depth) for form, lazy, value in alone]

    def atom(self, value, depth):
        if isinstance(value, type):
            return ["class", qualified_name(value)]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        owner = getattr(value, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            return ["function", qualified_name(value)]
        return ["method", qualified_name(value), self.of(owner, depth)]

    def lazy(self, value, kind, depth):
        """Return the kind of an iterator and the items that it yields; generators, map, zip, ... are of one kind."""
        self.has_lazy = True
        name = "iterator" if kind.__module__ in ("builtins", "itertools") else qualified_name(kind)
        if not self.consume:
            return ["lazy", name]
        if kind is itertools.count:
            return [
                "lazy",
                qualified_name(kind),
                [],
                address_free_text(repr(value)),
            ]  # `itertools.count` never ends, and its repr shows its whole state
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
                    self.left = left  # digested items do not count against the limit
                continue
            more = [number, ["digest", rest.hexdigest()]] if number > ITEMS else []
            return ["lazy", name, items, *ending, *more]
        raise TooLarge("an iterator of more than %d items" % MOST_ITEMS)

    def error(self, error, depth=0):
        """Return the type, message, arguments and cause of an exception, and whether the repository's code raises it
        explicitly; for a RecursionError, whose message differs between runs, return only the type."""
        if isinstance(error, RecursionError):
            return ["error", "builtins.RecursionError", "", ["tuple", []], None, False]
        cause = error.__cause__
        return [
            "error",
            qualified_name(type(error)),
            address_free_text(error),
            ["tuple", self.all(error.args, depth + 1)],
            cause and ["cause", qualified_name(type(cause)), self.is_explicit(cause) and address_free_text(cause)],
            self.is_explicit(error),
        ]

    def is_explicit(self, error):
        """Whether a `raise` or `assert` of the repository's code raised the exception, or nothing did yet.

        The messages of other exceptions come from the interpreter or a library, and depend on how the code is written.
        """
        if error.__traceback__ is None or not isinstance(error, Exception):
            return True  # `sys.exit` has a code, which is no message
        code, is_explicit = raising_code(error)
        return is_explicit and (not self.root or code.co_filename.startswith(os.path.join(self.root, "")))

    def array(self, value, depth):
        """Return the form of a numpy array or scalar."""
        shape = list(getattr(value, "shape", ()))
        if value.dtype.hasobject or value.dtype.names or (value.dtype.kind in "fc" and value.size <= ITEMS * 10):
            parts = self.of(value.tolist(), depth)
        else:
            parts = ["bytes", value.tobytes().hex()]
        return ["array", type(value).__name__, value.dtype.str, shape, parts]

    def thing(self, value, kind, depth):
        """Return the form of an object: its attributes and the contents of its built-in base class, or else how it is
        copied."""
        attributes = dict(getattr(value, "__dict__", None) or {})
        for one in kind.__mro__:
            slots = one.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else tuple(slots):
                inner = "_%s%s" % (one.__name__.lstrip("_"), name) if name.startswith("__") else name
                if name not in ("__dict__", "__weakref__") and hasattr(value, inner):
                    attributes[inner] = getattr(value, inner)
        if isinstance(value, BaseException):
            contents = self.error(value, depth)
        elif isinstance(value, abc.Iterator) and not attributes:
            return self.lazy(value, kind, depth)
        else:
            contents = self.contents(value, kind, depth, bool(attributes))
        named_parts = [[name, self.of(attributes[name], depth)] for name in sorted(attributes, key=str)]
        return ["object", qualified_name(kind), contents, named_parts]

    def contents(self, value, kind, depth, has_attributes):
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
        if has_attributes and all(one.__flags__ & HEAP for one in kind.__mro__ if one not in PLAIN):
            return None
        return self.copied(value, kind, depth)

    def copied(self, value, kind, depth):
        """Return a form that describes how pickle would copy the object."""
        if isinstance(value, functools.partial):
            return ["made", "functools.partial", self.all([value.func, value.args, value.keywords], depth)]
        if isinstance(value, memoryview):
            return ["bytes", value.tobytes().hex()]
        try:
            made = copyreg.dispatch_table.get(kind)
            parts = made(value) if made else value.__reduce_ex__(4)
        except Exception:  # noqa: BLE001 - any object may refuse, in any way
            if isinstance(value, (abc.Awaitable, abc.AsyncIterator)) and not self.cut:
                raise TooLarge("the result of %s is unknown, as it is never awaited" % qualified_name(kind)) from None
            return ["opaque", address_free_text(repr(value))[:ITEMS] if not kind.__flags__ & HEAP else ""]
        if isinstance(parts, str):
            return ["made", parts]
        parts = [list(part) if isinstance(part, abc.Iterator) else part for part in parts]
        return ["made", *[self.of(part, depth) for part in parts]]
