"""A module with branches, classes and exceptions, and the exerciser that runs its functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from extensions.testgen.case_generation import GenerationRequest
from extensions.testgen.existing_coverage import ExistingCoverage
from extensions.testgen.module_exerciser import ModuleExerciser
from extensions.testgen.mutants import find_mutants
from extensions.testgen.usage_mining import find_subjects

SHOP = '''"""Prices and stock."""

import os
import random

CODES = {"SUMMER": 10, "WINTER": 20}


class Unknown(ValueError):
    """The code does not exist."""


def reduced(price, code=""):
    """Return the price with a code applied.

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
    """The number of items left."""

    def __init__(self, left=0):
        self.left = left

    def take(self, count):
        """Remove this many items."""
        if count > self.left:
            raise ValueError("too many")
        self.left -= count


def lucky():
    """Return another number on each call."""
    return random.SystemRandom().random()


def order(words):
    """Return the words in the order of a set."""
    return list({str(word) for word in words} | {"a", "b", "c", "d", "e"})


def quiet(text):
    """Return nothing and change nothing."""
    len(str(text))


def endless(number):
    """Run forever unless the number is small."""
    while number > 3:
        number += 1
    return number


def cleared(path):
    """Remove a file."""
    os.remove(path)
    return True
'''


@pytest.fixture
def open_project(make_repo: Callable[..., Path], open_ws: Callable[..., Any]) -> Callable[..., Any]:
    return lambda text=SHOP: open_ws("local", make_repo({"shop.py": text}))


@pytest.fixture
def start_exerciser(open_project: Callable[..., Any]) -> Iterator[Callable[..., ModuleExerciser]]:
    """`start_exerciser(text, hash_seed)`: the module in a separate process, with all its mutants."""
    with ExitStack() as stack:

        def start(text: str = SHOP, hash_seed: int = 0, workspace: Any = None) -> ModuleExerciser:
            mutants = find_mutants("shop.py", text.encode())
            return stack.enter_context(
                closing(ModuleExerciser(workspace or open_project(text), "shop.py", mutants, Event(), hash_seed))
            )

        yield start


def make_request(*names: str, text: str = SHOP, tests: dict[str, bytes] | None = None) -> GenerationRequest:
    data = text.encode()
    subjects = find_subjects(data, names)
    mutants = find_mutants("shop.py", data, [subject.name for subject in subjects])
    return GenerationRequest("shop.py", data, subjects, mutants, ExistingCoverage(), tests or {})
