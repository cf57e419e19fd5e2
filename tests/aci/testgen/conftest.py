"""A module with branches, classes and exceptions, and what tests of it can go wrong by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from aci.testgen.case_generation import GenerationRequest
from aci.testgen.existing_coverage import ExistingCoverage
from aci.testgen.module_exerciser import ModuleExerciser
from aci.testgen.mutants import find_mutants
from aci.testgen.usage_mining import find_subjects

SHOP = '''"""Prices and what is left."""

import os
import random

CODES = {"SUMMER": 10, "WINTER": 20}


class Unknown(ValueError):
    """No such code."""


def reduced(price, code=""):
    """The price with a code.

    >>> reduced(200, "WINTER")
    160.0
    """
    if price < 0:
        raise ValueError("no price")
    if not code:
        return price
    if code not in CODES:
        raise Unknown(code)
    return price * (100 - CODES[code]) / 100


class Stock:
    """What is left of each thing."""

    def __init__(self, left=0):
        self.left = left

    def take(self, count):
        """Take some out."""
        if count > self.left:
            raise ValueError("too many")
        self.left -= count


def lucky():
    """Another number each time."""
    return random.SystemRandom().random()


def order(words):
    """As the set has them."""
    return list({str(word) for word in words} | {"a", "b", "c", "d", "e"})


def quiet(text):
    """Gives nothing, and changes nothing."""
    len(str(text))


def endless(number):
    """Ends only where it is small."""
    while number > 3:
        number += 1
    return number


def cleared(path):
    """Removes a file."""
    os.remove(path)
    return True
'''


@pytest.fixture
def room(make_repo: Callable[..., Path], open_ws: Callable[..., Any]) -> Callable[..., Any]:
    return lambda text=SHOP: open_ws("local", make_repo({"shop.py": text}))


@pytest.fixture
def exercise(room: Callable[..., Any]) -> Iterator[Callable[..., ModuleExerciser]]:
    """`exercise(text, hash_seed)`: the module in a process of its own, with all its mutants."""
    with ExitStack() as stack:

        def begun(text: str = SHOP, hash_seed: int = 0, place: Any = None) -> ModuleExerciser:
            made = find_mutants("shop.py", text.encode())
            return stack.enter_context(
                closing(ModuleExerciser(place or room(text), "shop.py", made, Event(), hash_seed))
            )

        yield begun


def asked(*names: str, text: str = SHOP, tests: dict[str, bytes] | None = None) -> GenerationRequest:
    data = text.encode()
    found = find_subjects(data, names)
    made = find_mutants("shop.py", data, [one.name for one in found])
    return GenerationRequest("shop.py", data, found, made, ExistingCoverage(), tests or {})
