"""Calls with other words, numbers and dates than the recorded ones, each of them replaced consistently.

Standard library only, for the target's own Python (3.6 and later).
"""

import datetime
import enum
import random
import re
import string

from .argument_variants import ATOMS, among, new_calls, part, put, reachable
from .value_text import HIDDEN

DEEPEST = 6
"""Number of nesting levels in which objects are renamed."""
WORD = re.compile(r"[^\W\d_]+|\d+")
WORDS = 12
"""Maximum number of words of a call that are replaced one at a time."""


def rename_calls(calls, most, is_fixed=lambda value: False, where=None):
    """Return at most `most` new calls in which every letter, digit and number is replaced consistently, and numbers
    keep their order; values for which `is_fixed(value)` holds stay, and those at other places than `where`."""
    function = calls[0].function
    chance = random.Random("renamed %s %s" % (function.__module__, function.__qualname__))

    def rename(values, origin):
        renaming = Renaming(chance, is_fixed, origin.values)
        renamed = among(where, values)
        renaming.collect([part(values, place) for place in renamed], 0)
        for place in renamed:
            put(values, place, renaming.made(part(values, place), 0))

    return new_calls(calls, most, chance, rename)


def replace_words(call, is_fixed, where=None):
    """Return (word, new call) for some words of a call: only this word is replaced, everywhere. The arguments at
    other places than `where` stay, and words for which `is_fixed(word)` holds."""
    found = []
    for word in _words([part(call.values, place) for place in among(where, call.values)])[:WORDS]:

        def is_other(value, word=word):
            return not isinstance(value, str) or value.lower() != word

        if not is_fixed(word):
            found += [(word, made) for made in rename_calls([call], 1, is_other, where)]
    return found


def _words(value):
    """Return the words with several letters in the texts of a value, in small letters."""
    waiting, seen, words = [(value, 0)], set(), set()
    while waiting:
        one, depth = waiting.pop()
        if isinstance(one, str):
            words.update(word.lower() for word in WORD.findall(one) if word.isalpha() and len(word) > 1)
        elif type(one) not in ATOMS and id(one) not in seen:
            seen.add(id(one))
            waiting += [(inner, depth + 1) for inner in _parts(one, depth)]
    return sorted(words)


class Renaming:
    """One-to-one replacement of the letters, digits, numbers and dates in values."""

    def __init__(self, chance, is_fixed, shared):
        """Objects in `shared` are not changed."""
        self._chance, self._is_fixed = chance, is_fixed
        self._numbers = {}
        self._seen = set()
        self._made = {id(one) for one in reachable([shared[0], list(shared[1].values())])}
        self._new = None
        self._days = datetime.timedelta(chance.randint(400, 4000))
        made = {}
        for row in (string.ascii_lowercase, "123456789"):
            mixed = chance.sample(row, len(row))
            made.update(zip(mixed, mixed[1:] + mixed[:1]))
        self._letters = dict(made, **{old.upper(): new.upper() for old, new in made.items()})

    def collect(self, value, depth):
        """Note the numbers in a value."""
        if type(value) in (int, float) and not self._is_fixed(value):
            self._numbers[type(value), value] = value
        if type(value) in ATOMS or id(value) in self._seen:
            return
        self._seen.add(id(value))
        for inner in _parts(value, depth):
            self.collect(inner, depth + 1)

    def made(self, value, depth):
        """Return the value with other letters, digits and numbers; objects are changed in place."""
        kind = type(value)
        if kind in (int, float):
            return self._number(value)
        if isinstance(value, datetime.date):
            return value if self._is_fixed(value) else value + self._days
        if kind is str:
            return WORD.sub(lambda word: self._word(word.group()), value)
        if kind in (list, tuple, set, frozenset):
            return kind([self.made(one, depth + 1) for one in value])
        if kind is dict:
            return {self.made(key, depth + 1): self.made(one, depth + 1) for key, one in value.items()}
        if id(value) in self._made or isinstance(value, enum.Enum):
            return value
        self._made.add(id(value))
        if isinstance(value, dict) and kind.__init__ is dict.__init__ and depth < DEEPEST:
            items = [(self.made(key, depth + 1), self.made(one, depth + 1)) for key, one in value.items()]
            value.clear()
            value.update(items)
        elif hasattr(value, "__dict__") and not callable(value) and depth < DEEPEST:
            for name, one in list(vars(value).items()):
                if name not in HIDDEN:
                    vars(value)[name] = self.made(one, depth + 1)
        return value

    def _word(self, word):
        if self._is_fixed(word) or self._is_fixed(word.lower()):
            return word
        return "".join(self._letters.get(letter, letter) for letter in word)

    def _number(self, value):
        if self._new is None:
            self._new, last = {}, 0
            for old in sorted(self._numbers.values(), key=abs):
                last += self._chance.randint(1, max(3, int(abs(old)) // 4))
                self._new[type(old), old] = type(old)(last if old > 0 else -last) if old else old
        return self._new.get((type(value), value), value)


def _parts(value, depth):
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    inside = depth < DEEPEST and hasattr(value, "__dict__") and not callable(value)
    return list(vars(value).values()) if inside else []
