"""Generation of arguments of a given kind, as source text: random values, and malicious ones.

Arguments are strings rather than values, so that they can be written into a test.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Sequence
from typing import Any

from extensions.testgen.answer_schema import HUGE

FROM_CODE, SPECIAL = 0.3, 0.08
"""Probabilities of a constant of the code under test, and of a float that is no finite number."""
SPECIAL_FLOATS = ("float('nan')", "float('inf')", "float('-inf')")
PLAIN_KINDS = ("int", "float", "str", "bytes", "bool", "none", "list", "tuple", "dict", "set", "callable", "iterator")
PIECES = (
    *("a", "b", "x", "abc", "key", "word", "Hello", "ABC", "\u00e9", "0", "1", "9", "12", "2.5"),
    *(" ", " ", "_", "-", ".", ",", ":", ";", "/", "%", "=", "+", "*", "#", "(", ")", "\n", "\t"),
)
"""Parts of random texts."""
TEXTS = ("a", "b", "key", "name", "apple", "Hello World", "a,b,c", "x=1", "1", "-2.5", "a b  c", "key.name", "A-b_c")
CALLABLES = (
    *("len", "str", "bool", "repr", "list", "lambda x: x", "lambda *a: a", "lambda *a, **k: None", "lambda: 1"),
    *("lambda x: x > 1", "lambda x: x + 1", "lambda x, y: x + y", "lambda x: not x", "lambda x: -x", "lambda x: x[0]"),
    *("lambda x: len(str(x))", "lambda x: x % 2 == 0", "lambda a, b: a == b", "lambda x: str(x)", "int", "tuple"),
)
MALICIOUS: dict[str, tuple[str, ...]] = {
    "int": ("-1", "2**31", "-(2**63)", "10**30", "-0"),
    "float": ("-0.0", "1e308", "5e-324"),
    "str": (
        "''", "' '", "'\\x00'", "'\\x1b[2J'", "'\\ud800'", "'a' * 5000", "'../../etc/passwd'", "'/'", "'~'",
        "'%s%n%x'", "'{0.__class__}'", "'{'", '"\' OR 1=1 --"', "'<script>alert(1)</script>'", "'$(id)'",
        "'a\\r\\nb: c'", "'\\u202e'", "'\\u0130'", "'\\n' * 50", "'((((((((((' * 5",
        "'9' * 400", "'\\t'", "'\\\\'", "'e\\u0301'", "'0x'",
    ),
    "bytes": ("b''", "b'\\x00'", "b'\\xff\\xfe'", "b'a' * 5000"),
    "list": ("[]", "[[]]", "[None]", "[[[[[[[[[[]]]]]]]]]]", "[float('nan')]", "list(range(300))", "[1, 'a', None]"),
    "tuple": ("()", "((),)", "(None, None)"),
    "dict": ("{}", "{None: None}", "{'': ''}", "{'__class__': 1}", "{'a': {'a': {'a': {}}}}"),
    "set": ("set()", "{None}", "frozenset()"),
    "callable": ("lambda *a: 1 / 0", "lambda *a, **k: None", "print"),
    "iterator": ("iter([])", "iter(())", "(x for x in [])"),
    "none": ("None", "...", "NotImplemented", "object()"),
    "bool": ("True", "False"),
}  # fmt: skip


class ArgumentPool:
    """A source of strings of each kind. `constants` are the source strings of constants in the code under test."""

    def __init__(self, constants: Sequence[str] = ()) -> None:
        self._constants: dict[str, list[str]] = {}
        for text in constants:
            self._constants.setdefault(kind_of(text), []).append(text)
        self.malicious = 0.0
        """Probability of an argument that is likely to break the code."""

    def text(self, kind: str, chance: random.Random) -> str:
        """Return a string of the kind."""
        roll = chance.random()
        if roll < self.malicious and MALICIOUS.get(kind):
            return chance.choice(MALICIOUS[kind])
        own = self._constants.get(kind)
        if own and chance.random() < FROM_CODE:
            return self._near(chance.choice(own), kind, chance)
        if kind == "float" and chance.random() < SPECIAL:
            return chance.choice(SPECIAL_FLOATS)
        if kind == "none":
            return "None"
        if kind == "bool":
            return chance.choice(("True", "False"))
        if kind == "callable":
            return chance.choice(CALLABLES)
        if kind == "iterator":
            return f"iter({self.text('list', chance)})"
        return _source(random_value(kind, chance))

    def constant(self, kind: str, chance: random.Random) -> str:
        """Return a constant of that kind from the code under test, or a value next to it; "" if there is none."""
        own = self._constants.get(kind)
        return self._near(chance.choice(own), kind, chance) if own else ""

    def near(self, text: str, chance: random.Random) -> str:
        """Return an argument near a recorded one; the same if it is no constant."""
        node = ast.parse(text, mode="eval").body
        return self.near_value(node.value, chance) if isinstance(node, ast.Constant) else text

    def near_value(self, value: object, chance: random.Random) -> str:
        """Return the source text of a value close to this one."""
        if isinstance(value, bool):
            return str(not value)
        if isinstance(value, int):
            if abs(value) >= HUGE:
                return "0"
            return repr(chance.choice((value + 1, value - 1, -value, 2 * value, 100 * value, 0, 1)))
        if isinstance(value, float):
            return repr(chance.choice((value + 1, value - 0.5, -value, value / 2, 0.0)))
        if isinstance(value, str):
            texts = [ast.literal_eval(one) for one in self._constants.get("str", ())]
            return repr(_near_text(value, [*texts, *PIECES] if chance.random() < 0.5 else PIECES, chance))
        if isinstance(value, bytes):
            return repr(chance.choice((value + b"a", value[1:], value[::-1])))
        return repr(value)

    def _near(self, text: str, kind: str, chance: random.Random) -> str:
        """Return the constant or an adjacent integer, since the results of conditions often change there."""
        if kind == "int":
            return str(int(text) + chance.choice((-1, 0, 0, 0, 1)))
        return text


def _near_text(value: str, pieces: Sequence[str], chance: random.Random) -> str:
    """Return the text with one word or sign left out, repeated, exchanged or replaced, or in another case."""
    words = re.findall(r"\w+|\s+|[^\w\s]", value)
    if not words:
        return chance.choice(pieces)
    where, other = chance.randrange(len(words)), chance.randrange(len(words))
    roll = chance.randrange(7)
    if roll == 0:
        del words[where]
    elif roll == 1:
        words.insert(where, words[other])
    elif roll == 2:
        words[where], words[other] = words[other], words[where]
    elif roll == 3:
        words.insert(where, chance.choice(pieces))
    elif roll == 4:
        words[where] = chance.choice(pieces)
    elif roll == 5:
        words[where] = chance.choice((words[where].upper(), words[where][1:], words[where][:-1], words[where] * 2))
    else:
        del words[where:]
    return "".join(words)


def kind_of(text: str) -> str:
    """Return the kind of a literal from its source."""
    if text in ("None", "..."):
        return "none"
    if text in ("True", "False"):
        return "bool"
    first = text[:2]
    if first in ("b'", 'b"'):
        return "bytes"
    if first[:1] in "'\"":
        return "str"
    if first[:1] in "([{":
        return {"(": "tuple", "[": "list", "{": "dict" if ":" in text or text == "{}" else "set"}[first[:1]]
    try:
        int(text)
    except ValueError:
        return "float" if text[:1].isdigit() or text[:1] == "-" or text.startswith("float") else "callable"
    return "int"


def random_value(kind: str, chance: random.Random) -> Any:
    """Return a value of a plain kind, mostly a small one."""
    count = chance.randrange(5)
    if kind == "int":
        low, high = chance.choice(((-3, 12), (-3, 12), (-200, 2000), (-(10**9), 10**9)))
        return chance.randint(low, high)
    if kind == "float":
        return chance.choice((chance.randint(-20, 40) / 4, round(chance.uniform(-1000, 1000), 3)))
    if kind == "str":
        return chance.choice((chance.choice(TEXTS), "".join(chance.choices(PIECES, k=count))))
    if kind == "bytes":
        return random_value("str", chance).encode()
    if kind == "list":
        part = chance.choice(("int", "int", "letter", "str", "any", "list", "pair"))
        return [_element(part, chance) for _ in range(count)]
    if kind == "dict":
        part = chance.choice(("int", "int", "any", "list", "dict"))
        keys = chance.choice(("letter", "letter", "int", "str"))
        return {_element(keys, chance): _element(part, chance) for _ in range(count)}
    elements = [_element(chance.choice(("int", "str")), chance) for _ in range(count)]
    return set(elements) if kind == "set" else tuple(elements)


def _element(kind: str, chance: random.Random) -> Any:
    if kind == "letter":
        return chance.choice("abcde")
    if kind == "pair":
        return chance.choice("abcde"), chance.randrange(10)
    if kind == "any":
        kind = chance.choice(("int", "float", "str", "bool", "none"))
    if kind in ("bool", "none"):
        return chance.choice((True, False)) if kind == "bool" else None
    return chance.randint(-5, 20) if kind == "int" else random_value(kind, chance)


def _source(value: object) -> str:
    """Return the value's `repr`, independent of the hash seed."""
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(repr, value))) + "}" if value else "set()"
    return repr(value)
