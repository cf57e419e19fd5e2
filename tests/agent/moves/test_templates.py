"""The templates: what they yield, in which order, and bugs that they mend in real repositories."""

from __future__ import annotations

import ast
from itertools import islice
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.spectrum import Spectrum
from agent.moves.template_order import TEMPLATES, ordered
from agent.moves.template_source import Source
from agent.moves.templates import agreements, search, smallest_edit

SAMPLE = '''\
import math


class Stack:
    """A stack."""

    LIMIT = 10

    def push(self, item: int, *more: int, **named) -> bool:
        """Push."""
        seen = set()
        for one in (item, *more):
            if one in seen or len(self.items) > self.LIMIT:
                continue
            self.items.append(one); seen.add(one)
        total = sum(x * 2 for x in self.items if x > 0) // 2
        while total > 1 and not self.full:
            total -= 1
        try:
            label = f"{total!r} of {named['a']}"
        except KeyError as error:
            raise ValueError(label) from error
        return self.items[-1:] == [item] if more else math.floor(total) <= 3
'''


def candidates(data: bytes, most: int = 100_000) -> list[bytes]:
    source = Source("a.py", data)
    suspicion = {("a.py", line): 1.0 / line for line in range(1, data.count(b"\n") + 2)}
    found = ordered([source], Spectrum((), (), suspicion))
    return [candidate.apply(data) for candidate in islice(found, most)]


def test_every_candidate_is_new_and_parses() -> None:
    found = candidates(SAMPLE.encode(), 6000)
    assert len(found) > 3000
    assert SAMPLE.encode() not in found
    assert all(parses(one) for one in found)


def parses(data: bytes) -> bool:
    try:
        ast.parse(data)
    except SyntaxError:
        return False
    return True


def test_candidates_come_in_the_same_order_each_time() -> None:
    assert candidates(SAMPLE.encode(), 500) == candidates(SAMPLE.encode(), 500)


def test_likely_candidates_come_first_and_lazily() -> None:
    source = Source("a.py", SAMPLE.encode())
    found = ordered([source], Spectrum((), (), {("a.py", 16): 1.0, ("a.py", 11): 0.1}))
    first = list(islice(found, 30))
    assert {one.line for one in first} == {16}
    assert all(one.function is not None and one.function.qualname == "Stack.push" for one in first)
    assert [one.score for one in first] == sorted((one.score for one in first), reverse=True)


def test_a_large_function_starts_at_once() -> None:
    lines = "\n".join(f"    value_{n} = call_{n}(value_{n - 1}, {n})[{n}] + value_{n - 1}" for n in range(1, 800))
    assert len(candidates(f"def f(value_0):\n{lines}\n".encode(), 50)) == 50


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("if a < b:", "if a <= b:"),
        ("return a + b", "return a - b"),
        ("return f(a, b)", "return f(b, a)"),
        ("return a[b]", "return a[b - 1]"),
        ("return f(a)", "return a"),
        ("a ^= b", "a &= b"),
        ("return any(a)", "return all(a)"),
        ("for x in a:", "for x in a[b:]:"),
        ("if a and b:", "if a or b:"),
        ("if a:", "if not a:"),
        ("while True:", "while a:"),
        ("if a.next is None:", "if a is None or a.next is None:"),
        ("return False", "return True"),
        ("return []", "return [a]"),
        ("a = b", "a = max(a, b)"),
        ("return a.first", "return a.second"),
        ("return a", "return a ** 2"),
        ("break", "continue"),
        ("raise a", "return b"),
    ],
)
def test_each_kind_of_change_is_among_the_candidates(before: str, after: str) -> None:
    body = f"{before}\n            b = a" if before.endswith(":") else before
    code = f"def f(a, b):\n    a.second()\n    for z in b:\n        {body}\n"
    assert code.replace(before, after).encode() in candidates(code.encode())


@pytest.mark.parametrize(
    "lines",
    [["if a is None:", "    return None"], ["seen.add(a)"], ["a = b"], ["b.append(b)"]],
)
def test_statements_are_put_in(lines: list[str]) -> None:
    code = "def f(a, b):\n    seen = set()\n    b.append(a)\n    return g(a)\n"
    new = "".join(f"    {line}\n" for line in lines)
    assert code.replace("    return g", f"{new}    return g").encode() in candidates(code.encode())


def test_every_template_can_fire() -> None:
    names = [template.__name__ for _, template in TEMPLATES]
    assert len(set(names)) == len(names)
    assert all(0 < weight <= 1 for weight, _ in TEMPLATES)


# Behaviour


def test_the_answer_that_most_weight_gives_agrees_best() -> None:
    scores = agreements([("a", "b"), ("a", "c"), ("!IndexError", "b")], [1.0, 1.0, 1.0])
    assert scores[0] > scores[1] > scores[2]
    assert (
        agreements([("a",), ("b",), ("b",)], [9.0, 1.0, 1.0])[0]
        > agreements([("a",), ("b",), ("b",)], [9.0, 1.0, 1.0])[1]
    )
    assert agreements([], []) == []


# The edit as a tool takes it

TEXT = st.lists(st.sampled_from(["a\n", "b\n", "\n", "  c\n"]), max_size=8).map("".join)


@given(TEXT, TEXT)
def test_the_smallest_edit_does_what_it_says(before: str, after: str) -> None:
    old, new = smallest_edit(before, after)
    if before != after and before:
        assert before.count(old) == 1
        assert before.replace(old, new) == after


# Whole searches

BUGGY = {
    "shop/__init__.py": "",
    "shop/cart.py": """\
class Cart:
    def __init__(self):
        self.lines = []

    def add(self, price, count=1):
        self.lines.append((price, count))

    def total(self, discount=0):
        amount = sum(price * count for price, count in self.lines)
        return amount + amount * discount

    def largest(self):
        best = 0
        for price, count in self.lines:
            if price > best:
                best = count
        return best
""",
    "tests/__init__.py": "",
    "tests/test_cart.py": """\
import unittest

from shop.cart import Cart


class CartTest(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()
        self.cart.add(10, 2)
        self.cart.add(40)

    def test_plain(self):
        self.assertEqual(self.cart.total(), 60)

    def test_discount(self):
        self.assertEqual(self.cart.total(0.5), 30)
        self.assertEqual(self.cart.total(0.25), 45)

    def test_empty(self):
        self.assertEqual(Cart().largest(), 0)
""",
}


@pytest.mark.parametrize("command", ["python -m pytest -q", "python -m unittest discover -s tests -t ."])
def test_a_planted_bug_is_mended(make_repo, open_ws, command: str) -> None:
    workspace = open_ws("local", make_repo(BUGGY))
    prefix = "tests/test_cart.py::CartTest::" if "pytest" in command else "tests.test_cart.CartTest."
    failing, passing = [f"{prefix}test_discount"], [f"{prefix}test_plain", f"{prefix}test_empty"]
    options = workspace.options
    found = search(workspace, options.trees, options.base.tree, failing, passing, command, 20, Event())
    best = found.plausible[0]
    assert (best.path, best.function) == ("shop/cart.py", "Cart.total")
    assert "return amount - amount * discount" in best.new_text
    assert found.tried >= len(found.plausible)


def test_a_cancelled_search_ends(make_repo, open_ws) -> None:
    workspace = open_ws("local", make_repo(BUGGY))
    cancel = Event()
    cancel.set()
    options = workspace.options
    failing = ["tests/test_cart.py::CartTest::test_discount"]
    found = search(workspace, options.trees, options.base.tree, failing, [], "python -m pytest -q", 20, cancel)
    assert found.tried == 0
    assert found.suspects[0][0] == "shop/cart.py"
