"""Text representations of values, for readers and for comparison.

Standard library only, for the target's own Python (3.6 and later).
"""

import itertools
import re
import types

ITEMS, DEPTH, PARTS, READ = 300, 100, 20000, 160
"""Limits: items taken from an iterator, levels and parts of a nested value, characters of text for readers."""
NEAR = 6
"""Number of nesting levels that `outline_text` includes."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
HIDDEN = set()
"""Names of attributes that are left out."""
NAMED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
"""Values whose attributes are not part of their state."""


def readable_text(value):
    """Return human-readable text without addresses: sets and dicts are sorted by text, floats rounded to ten digits.

    Objects without a `__repr__` of their own are shown by their attributes.
    """
    return Shower(False).text(value)


def full_text(value):
    """Return text like `readable_text`, including attributes and slots of objects with their own `__repr__`."""
    return Shower(True).text(value)


def outline_text(value):
    """Return text like `full_text`, without the parts that are nested deeper than NEAR levels."""
    return Shower(True, NEAR).text(value)


class Shower:
    """Writer of values as text. `parts` counts the parts visited; a repeated object is replaced by a number."""

    def __init__(self, whole, depth=DEPTH):
        self.whole = whole
        self.depth = depth
        self.parts = 0
        self._path = []
        self._met = {}

    def text(self, value):
        return ADDRESS.sub("", self._text(value))

    def _text(self, value):
        self.parts += 1
        kind = type(value)
        if kind is float:
            return format(value, ".10g") if value % 1 else repr(value)
        if kind in (str, int, bool, type(None), bytes):
            return repr(value)
        if id(value) in self._met:
            return "%s#%d" % (kind.__name__, self._met[id(value)])
        if self.parts > PARTS or len(self._path) > self.depth:
            return "..."
        for up, one in enumerate(reversed(self._path)):
            if one is value:  # the value contains itself
                return "^%d" % up
        self._path.append(value)
        try:
            return self._held(value, kind)
        finally:
            self._path.pop()

    def _held(self, value, kind):
        if isinstance(value, dict):
            items = [self._text(key) + ": " + self._text(one) for key, one in value.items()]
            return ("" if kind is dict else kind.__name__) + "{" + ", ".join(sorted(items)) + "}"
        if isinstance(value, (list, tuple, set, frozenset)) and kind.__repr__ in PLAIN:
            items = self._members(value) if isinstance(value, (set, frozenset)) else [self._text(one) for one in value]
            head, tail = BRACKETS.get(kind, (kind.__name__ + "(", ")"))
            return head + ", ".join(items) + ("," if kind is tuple and len(items) == 1 else "") + tail
        plain = kind.__repr__ is object.__repr__
        if isinstance(value, NAMED) or not (plain or self.whole):
            return repr(value)
        state = attributes(value)
        if not state:
            return self._own_text(value, kind)
        self._met[id(value)] = len(self._met) + 1
        parts = ["%s=%s" % (name, self._text(one)) for name, one in sorted(state.items())]
        return (kind.__name__ if plain else self._own_text(value, kind)) + "(" + ", ".join(parts) + ")"

    def _own_text(self, value, kind):
        """Return the `repr` of an object; if that fails, as it may before `__init__`, the name of its type."""
        if not self.whole:
            return repr(value)
        try:
            return repr(value)
        except AttributeError:
            return kind.__name__

    def _members(self, value):
        """Return the texts of a set's members, independent of the order of iteration."""
        before, texts = self._met, []
        for one in value:
            self._met = dict(before)
            texts.append(self._text(one))
        self._met = before
        return sorted(texts)


PLAIN = (list.__repr__, tuple.__repr__, set.__repr__, frozenset.__repr__)
BRACKETS = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}


def attributes(value):
    """Return the attributes of an object from its `__dict__` and the slots of its classes."""
    found = {}
    for kind in type(value).__mro__:
        for name, one in vars(kind).items():
            if isinstance(one, types.MemberDescriptorType) and hasattr(kind, "__slots__"):
                try:
                    found[name] = one.__get__(value, kind)
                except AttributeError:  # the slot is empty
                    continue
    own = getattr(value, "__dict__", None)
    found.update(own if isinstance(own, dict) else {})
    return {name: one for name, one in found.items() if name not in HIDDEN} if HIDDEN else found


def is_sorted(found):
    try:
        return all(one <= other for one, other in zip(found, found[1:]))
    except Exception:  # noqa: BLE001 - a comparison may raise anything
        return False


def shorten(text, most=READ):
    return text if len(text) <= most else text[: most - 3] + "..."


def call_text(function, values):
    """Return a call as text, as a user would write it where its values allow."""
    positional, named = values
    texts = [shorten(readable_text(one), 80) for one in positional]
    texts += ["%s=%s" % (name, shorten(readable_text(one), 80)) for name, one in named.items()]
    name = function.__qualname__
    if "." in name and "<" not in name and texts and positional and _is_of(positional[0], name.split(".")[-2]):
        return shorten("%s.%s(%s)" % (texts[0], function.__name__, ", ".join(texts[1:])))
    return shorten("%s(%s)" % (name.split(".")[-1], ", ".join(texts)))


def _is_of(value, name):
    return any(kind.__name__ == name for kind in type(value).__mro__)


def take_items(result):
    """Return the first items of an iterator as a list, or any other value unchanged."""
    if isinstance(result, types.GeneratorType) or (hasattr(type(result), "__next__") and not hasattr(result, "read")):
        return list(itertools.islice(result, ITEMS))
    return result
