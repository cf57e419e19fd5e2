"""Generation of arguments of a given kind, as source text drawn by Hypothesis or taken from a pool of malicious values.

Arguments are strings rather than values, so that they can be written into a test.
"""

from __future__ import annotations

import ast
import atexit
import random
import re
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from extensions.testgen.answer_schema import HUGE
from trajectories.temporary_folders import process_folder

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

FROM_CODE = 0.3
"""Probability of a constant of the code under test."""
AT_ONCE, TIMES = 80, 10
"""Number of strings of a kind to draw at a time, and average number of uses of each before more are drawn."""
PLAIN = ("int", "float", "str", "bytes", "bool", "none", "list", "tuple", "dict", "set", "callable", "iterator")
PIECES = (
    *("a", "b", "x", "abc", "key", "word", "Hello", "ABC", "\u00e9", "0", "1", "9", "12", "2.5"),
    *(" ", " ", "_", "-", ".", ",", ":", ";", "/", "%", "=", "+", "*", "#", "(", ")", "\n", "\t"),
)
"""Parts of drawn texts."""
CALLABLES = (
    *("len", "str", "bool", "repr", "list", "lambda x: x", "lambda *a: a", "lambda *a, **k: None", "lambda: 1"),
    *("lambda x: x > 1", "lambda x: x + 1", "lambda x, y: x + y", "lambda x: not x", "lambda x: -x", "lambda x: x[0]"),
    *("lambda x: len(str(x))", "lambda x: x % 2 == 0", "lambda a, b: a == b", "lambda x: str(x)", "int", "tuple"),
)
MALICIOUS: dict[str, tuple[str, ...]] = {
    "int": ("-1", "2**31", "-(2**63)", "10**30", "-0"),
    "float": ("float('nan')", "float('inf')", "float('-inf')", "-0.0", "1e308", "5e-324"),
    "str": (
        *("''", "' '", "'\\x00'", "'\\x1b[2J'", "'\\ud800'", "'a' * 5000", "'../../etc/passwd'", "'/'", "'~'"),
        *(
            "'%s%n%x'",
            "'{0.__class__}'",
            "'{'",
            '"\' OR 1=1 --"',
            "'<script>alert(1)</script>'",
            "'$(id)'",
            "'a\\r\\nb: c'",
        ),
        *(
            "'\\u202e'",
            "'\\u0130'",
            "'\\n' * 50",
            "'((((((((((' * 5",
            "'9' * 400",
            "'\\t'",
            "'\\\\'",
            "'e\\u0301'",
            "'0x'",
        ),
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
}


class ArgumentPool:
    """A pool of strings of each kind, reproducible by seed. `constants` are the source strings of constants in the code
    under test."""

    def __init__(self, seed: int, constants: Sequence[str] = ()) -> None:
        self._seed = seed
        self._constants: dict[str, list[str]] = {}
        for text in constants:
            self._constants.setdefault(kind_of(text), []).append(text)
        self._drawn: dict[str, list[str]] = {}
        self._given: dict[str, int] = {}
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
        if kind == "none":
            return "None"
        if kind == "bool":
            return chance.choice(("True", "False"))
        if kind == "callable":
            return chance.choice(CALLABLES)
        if kind == "iterator":
            return f"iter({self.text('list', chance)})"
        return self._next(kind, chance)

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

    def _next(self, kind: str, chance: random.Random) -> str:
        """Return one of the strings drawn so far; more are drawn only after many uses, since drawing is slow."""
        drawn_so_far = self._drawn.setdefault(kind, [])
        self._given[kind] = self._given.get(kind, -1) + 1
        if self._given[kind] % (AT_ONCE * TIMES) == 0:
            drawn_so_far += draw_texts(strategy(kind), AT_ONCE, self._seed * 1000 + self._given[kind])
        return chance.choice(drawn_so_far)


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


def draw_texts(texts: SearchStrategy[str], count: int, seed: int) -> list[str]:
    """Return at most `count` different examples, reproducible by seed."""
    _set_storage_folder()
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded

    found: dict[str, None] = {}

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts)
    def take(text: str) -> None:
        found[text] = None

    take()
    return list(found)


@cache
def _set_storage_folder() -> None:
    """Give Hypothesis a private folder, which is removed when the process ends.

    The default is the current folder, which belongs to the user. A folder with a predictable name could be created by
    another user, and Hypothesis reads the files that it finds there.
    """
    from hypothesis.configuration import set_hypothesis_home_dir

    folder = tempfile.mkdtemp(dir=process_folder())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    set_hypothesis_home_dir(folder)


@cache
def strategy(kind: str) -> Any:
    """Return the Hypothesis strategy that draws source strings of a plain kind."""
    from hypothesis import strategies as st

    ints = st.one_of(st.integers(-3, 12), st.integers(-200, 2000), st.integers())
    floats = st.one_of(
        st.integers(-20, 40).map(lambda n: n / 4), st.floats(allow_nan=False, allow_infinity=False, width=32)
    )
    words = st.one_of(
        st.sampled_from(
            ("a", "b", "key", "abc", "Hello World", "a,b,c", "x=1", "1", "-2.5", "a b  c", "key.name", "A-b_c")
        ),
        st.lists(st.sampled_from(PIECES), max_size=5).map("".join),
    )
    scalars = st.one_of(ints, words, floats, st.booleans(), st.none())
    flat = st.one_of(
        st.lists(st.integers(-5, 20), max_size=6), st.lists(st.sampled_from("abcab"), max_size=5),
        st.lists(scalars, max_size=4), st.lists(words, max_size=4),
    )  # fmt: skip
    pairs = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 9)), max_size=4)
    lists = st.one_of(flat, flat, st.lists(flat, max_size=3), pairs)
    keys = st.one_of(st.sampled_from("abcde"), st.integers(0, 9), words)
    dicts = st.one_of(
        st.dictionaries(st.sampled_from("abcde"), st.integers(0, 9), max_size=4),
        st.dictionaries(keys, st.one_of(scalars, flat), max_size=4),
        st.dictionaries(
            st.sampled_from("abc"), st.dictionaries(st.sampled_from("abc"), scalars, max_size=2), max_size=3
        ),
    )
    found: dict[str, SearchStrategy[Any]] = {
        "int": ints,
        "float": floats,
        "str": words,
        "bytes": words.map(lambda text: text.encode("utf-8", "replace")),
        "list": lists,
        "tuple": lists.map(tuple),
        "dict": dicts,
        "set": st.one_of(st.sets(st.integers(-5, 20), max_size=5), st.sets(words, max_size=4)),
    }
    return found[kind].map(_text)


def _text(value: object) -> str:
    """Return the value's `repr`, independent of the hash seed."""
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(repr, value))) + "}" if value else "set()"
    return repr(value)
