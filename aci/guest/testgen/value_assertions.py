"""What can be asserted of a value: parts of it as source text that reads back as equal.

An assertion is [kind, expression, text]: `equal`, `is`, `close` (floats), `nan`, `isa` (text names a class).
Standard library only, for the target's own Python (3.6 and later).
"""

import collections
import enum
import functools
import math

LONGEST, DEEPEST, PARTS = 300, 6, 60
"""Characters of a literal, levels and parts of what is nested."""
ATTRIBUTES, ITEMS = 6, 30
SIMPLE = 8
"""Characters of a float that is compared exactly: others differ by machine in their last digits."""
SHOWN_OF_LONG = 40


class NoText(Exception):
    """The value has no short text that reads back as equal."""


class Assertions:
    """`names`: what a test can import, by name. `private` is what no test should look at: it begins with `_`."""

    def __init__(self, names):
        self.names = names

    def of(self, value, expression):
        """The assertions of a value, most telling first; none where nothing can be said of it."""
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
        """What an object or a container is after a call."""
        return [one for one in self.of(value, expression) if one[0] != "isa"]

    def name(self, value):
        """The name under which a test can import this very class or function."""
        name = getattr(value, "__name__", None) if callable(value) else None
        return name if isinstance(name, str) and self.names.get(name) is value else ""

    def text(self, value):
        """Source text of an equal value. Raises NoText."""
        self.left = PARTS
        text = self._text(value, 0)
        if len(text) > LONGEST:
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
            if len(value) > LONGEST:
                raise NoText
            return ascii(value) if kind is str and not value.isprintable() else repr(value)
        if kind is float:
            return self._float(value)
        if kind is complex and not (math.isnan(value.real) or math.isnan(value.imag)):
            return "complex(%s, %s)" % (self._float(value.real), self._float(value.imag))
        if kind in (list, tuple, set, frozenset, dict):
            if len(value) > PARTS:
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
        """The length and both ends of what is too long to be written down."""
        found = [["equal", "len(%s)" % expression, str(len(value))]]
        for part, end in ((value[:SHOWN_OF_LONG], "[:%d]"), (value[-SHOWN_OF_LONG:], "[-%d:]")):
            self._add(found, functools.partial(part.__getitem__, slice(None)), expression + end % SHOWN_OF_LONG)
        return found

    def _object(self, value, kind, expression):
        """Its class, what it holds as a container, and its public attributes that have a text."""
        found = []
        if self.names.get(kind.__name__) is kind:
            found.append(["isa", expression, kind.__name__])
        else:
            found.append(["equal", "type(%s).__name__" % expression, repr(kind.__name__)])
        if isinstance(value, dict):  # in its own order, which `==` of dicts does not compare
            self._add(found, lambda: list(value.items()), "list(%s.items())" % expression)
        else:
            self._add_contents(found, value, kind, expression)
        for name in self._attributes(value, kind):
            self._add(found, functools.partial(getattr, value, name), "%s.%s" % (expression, name))
        if len(found) == 1 and getattr(kind.__repr__, "__code__", None) and " at 0x" not in repr(value):
            self._add(found, lambda: repr(value), "repr(%s)" % expression)
        return found

    def _add_contents(self, found, value, kind, expression):
        """What it is as a container or number, or how many items it has, and which."""
        for base in (list, tuple, str, int, float, bytes, set, frozenset, collections.deque):
            if isinstance(value, base):
                made = list if base is collections.deque else base
                self._add(found, functools.partial(made, value), "%s(%s)" % (made.__name__, expression))
                return
        if hasattr(kind, "__len__"):
            self._add(found, lambda: len(value), "len(%s)" % expression)
            if hasattr(kind, "__iter__"):
                self._add(found, lambda: list(value), "list(%s)" % expression)

    def _attributes(self, value, kind):
        own = getattr(value, "__dict__", None)
        names = list(own) if isinstance(own, dict) else []
        for one in kind.__mro__:
            slots = one.__dict__.get("__slots__", ())
            names += [slots] if isinstance(slots, str) else list(slots)
            names += [name for name, held in vars(one).items() if isinstance(held, property)]
        public = [name for name in names if isinstance(name, str) and name.isidentifier() and name[0] != "_"]
        return sorted(set(public))[:ATTRIBUTES]

    def _add(self, found, look, expression):
        try:
            value = look()
            if type(value) is float and len(repr(value)) > SIMPLE and not math.isinf(value):
                found.append(["nan", expression, ""] if value != value else ["close", expression, repr(value)])
            elif value is None or type(value) is bool:
                found.append(["is", expression, repr(value)])
            else:
                found.append(["equal", expression, self.text(value)])
        except Exception:  # noqa: BLE001 - looking at an object may raise anything
            return
