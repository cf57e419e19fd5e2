"""Assertions on a value and its parts, each with source text that evaluates to the expected value.

An assertion is [kind, expression, text]: `equal`, `is`, `close` (floats), `nan`, `isa` (text names a class).
Standard library only, for the target's own Python (3.6 and later).
"""

import collections
import enum
import functools
import math
import types

LONGEST_VALUE, DEEPEST, MOST_PARTS = 300, 6, 60
"""Limits: characters of a literal, levels and parts of a nested value."""
ATTRIBUTES, ITEMS = 6, 30
SIMPLE = 8
"""Maximum number of characters of a float that is compared exactly; the last digits of longer ones differ between
machines."""
SHOWN_OF_LONG = 40
FUNCTIONS = types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial
"""Classes of functions that a test should call rather than look at."""


class NoText(Exception):
    """The value has no short source text that evaluates to an equal value."""


class Assertions:
    """Builder of assertions; `names` are the objects that a test can import, by name."""

    def __init__(self, names):
        self.names = names

    def of(self, value, expression):
        """Return the assertions on a value, most specific first; [] if there are none."""
        kind = type(value)
        if value is None or kind is bool or value is NotImplemented:
            return [["is", expression, repr(value)]]
        if kind is float and (math.isnan(value) or len(repr(value)) > SIMPLE):
            if math.isnan(value):
                return [["nan", expression, ""]]
            if not math.isinf(value):
                return [["close", expression, repr(value)]]
        try:
            return [["equal", expression, self.text(value)]]
        except NoText:
            pass
        if kind in (str, bytes, list, tuple):
            return self._long(value, expression)
        named = self.name(value)
        if named:
            return [["is", expression, named]]
        return self._object(value, kind, expression)

    def state(self, value, expression):
        """Return the assertions on the state of an object or container."""
        return [one for one in self.of(value, expression) if one[0] != "isa"]

    def name(self, value):
        """Return the name under which a test can import this class or function, "" if there is none."""
        name = getattr(value, "__name__", None) if callable(value) else None
        is_public = isinstance(name, str) and not name.startswith("_")
        return name if is_public and self.names.get(name) is value else ""

    def text(self, value):
        """Return source text that evaluates to an equal value. Raises NoText."""
        self.left = MOST_PARTS
        text = self._text(value, 0)
        if len(text) > LONGEST_VALUE:
            raise NoText
        return text

    def _text(self, value, depth):
        kind = type(value)
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise NoText
        if value is None or kind in (bool, int):
            if kind is int and abs(value) > 10**60:
                raise NoText
            return repr(value)
        if kind in (str, bytes, bytearray):
            if len(value) > LONGEST_VALUE:
                raise NoText
            return ascii(value) if kind is str and not value.isprintable() else repr(value)
        if kind is float:
            return self._float(value)
        if kind is complex and not (math.isnan(value.real) or math.isnan(value.imag)):
            return "complex(%s, %s)" % (self._float(value.real), self._float(value.imag))
        if kind in (list, tuple, set, frozenset, dict):
            if len(value) > MOST_PARTS:
                raise NoText
            return self._container(value, kind, depth + 1)
        if isinstance(value, enum.Enum) and self.names.get(kind.__name__) is kind and isinstance(value.name, str):
            return "%s.%s" % (kind.__name__, value.name)
        raise NoText

    def _float(self, value):
        if math.isnan(value):
            raise NoText
        return "float('%s')" % value if math.isinf(value) else repr(value)

    def _container(self, value, kind, depth):
        if kind is dict:
            pairs = ["%s: %s" % (self._text(key, depth), self._text(one, depth)) for key, one in value.items()]
            return "{" + ", ".join(pairs) + "}"
        parts = [self._text(one, depth) for one in value]
        if kind is list:
            return "[" + ", ".join(parts) + "]"
        if kind is tuple:
            return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"
        parts.sort()
        if kind is set:
            return "{" + ", ".join(parts) + "}" if parts else "set()"
        return "frozenset({" + ", ".join(parts) + "})" if parts else "frozenset()"

    def _long(self, value, expression):
        """Return assertions on the length and both ends of a value that is too long for a literal."""
        found = [["equal", "len(%s)" % expression, str(len(value))]]
        if type(value) in (list, tuple) and len({type(one) for one in value}) == 1 and _shown(type(value[0])):
            shown = _shown(type(value[0]))
            texts = functools.partial(list, map(functools.partial(_text_of, shown), value))
            self._add(found, texts, "list(map(%s, %s))" % (shown.__name__, expression))
            return found[::-1]
        for part, end in ((value[:SHOWN_OF_LONG], "[:%d]"), (value[-SHOWN_OF_LONG:], "[-%d:]")):
            self._add(found, functools.partial(part.__getitem__, slice(None)), expression + end % SHOWN_OF_LONG)
        return found

    def _object(self, value, kind, expression):
        """Return assertions on what an object shows: its text, its items, its public attributes, and at last its
        class."""
        found = []
        if isinstance(value, dict):  # include the order of items, which `==` of dicts ignores
            self._add(found, lambda: list(value.items()), "list(%s.items())" % expression)
        else:
            self._add_contents(found, value, kind, expression)
        shown = _shown(kind)
        if shown and not found:
            self._add(found, functools.partial(_text_of, shown, value), "%s(%s)" % (shown.__name__, expression))
        for name in self.attributes(value, kind)[:ATTRIBUTES]:
            self._add(found, functools.partial(getattr, value, name), "%s.%s" % (expression, name))
        if self.name(kind) and not isinstance(value, FUNCTIONS):
            found.append(["isa", expression, kind.__name__])
        else:
            found.append(["equal", "type(%s).__name__" % expression, repr(kind.__name__)])
        return found

    def _add_contents(self, found, value, kind, expression):
        """Add assertions on the built-in value of a subclass, or on the length and items of another container."""
        for base in (list, tuple, str, int, float, bytes, set, frozenset, collections.deque):
            if isinstance(value, base):
                made = list if base is collections.deque else base
                self._add(found, functools.partial(made, value), "%s(%s)" % (made.__name__, expression))
                return
        if hasattr(kind, "__len__"):
            self._add(found, lambda: len(value), "len(%s)" % expression)
            if hasattr(kind, "__iter__"):
                self._add(found, lambda: list(value), "list(%s)" % expression)

    def attributes(self, value, kind):
        """Return the names of the public attributes and properties of an object."""
        own = getattr(value, "__dict__", None)
        names = list(own) if isinstance(own, dict) else []
        for one in kind.__mro__:
            slots = one.__dict__.get("__slots__", ())
            names += [slots] if isinstance(slots, str) else list(slots)
            names += [name for name, held in vars(one).items() if isinstance(held, property)]
        public = [name for name in names if isinstance(name, str) and name.isidentifier() and name[0] != "_"]
        return sorted(set(public))

    def _add(self, found, look, expression):
        try:
            value = look()
            if type(value) is float and len(repr(value)) > SIMPLE and not math.isinf(value):
                found.append(["nan", expression, ""] if value != value else ["close", expression, repr(value)])
            elif value is None or type(value) is bool:
                found.append(["is", expression, repr(value)])
            else:
                found.append(["equal", expression, self.text(value)])
        except Exception:  # noqa: BLE001 - accessing an object may raise anything
            return


def _shown(kind):
    """Return `str` or `repr` if the class defines how its objects are shown, else None."""
    return next((one for one in (str, repr) if hasattr(getattr(kind, "__%s__" % one.__name__), "__code__")), None)


def _text_of(shown, value):
    """Return the value's text. Raises NoText if it contains an address."""
    text = shown(value)
    if " at 0x" in text:
        raise NoText
    return text
