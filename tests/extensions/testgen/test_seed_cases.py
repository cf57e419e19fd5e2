"""Cases parsed from a model's tests."""

from __future__ import annotations

import ast

import pytest

from extensions.testgen.module_exerciser import Case
from extensions.testgen.seed_cases import seed_cases

MODULE = b"""
def price(amount, code=""):
    return amount


class Cart:
    def add(self, item, count=1): ...
    def total(self): ...
"""


def parse(text: str) -> list[Case]:
    return seed_cases([ast.unparse(one) for one in ast.parse(text).body], MODULE, "price")


def test_calls_are_cases_with_statements_before_them() -> None:
    text = "cart = Cart()\ncart.add('a', 2)\nassert cart.total() == 4\n"
    assert parse(text) == [
        Case((), "Cart()", (), "Cart"),
        Case(("cart = Cart()",), "cart.add('a', 2)", ("cart",), "Cart.add"),
        Case(("cart = Cart()", "cart.add('a', 2)"), "cart.total()", ("cart",), "Cart.total"),
    ]


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("assert price(3) == price(4, 'x') and (not price(5))", ["price(3)", "price(4, 'x')", "price(5)"]),
        ("with pytest.raises(ValueError):\n    price(-1)", ["price(-1)"]),
        ("from shop import price\nimport pytest\nassert price(1) == pytest.approx(1.0)", ["price(1)"]),
        ("self.assertEqual(price(7), 7)", ["price(7)"]),
        ("import math\nassert isinstance(price(math.inf), float)", ["price(math.inf)"]),
        ("result = price(1)\nassert result == 1", ["price(1)"]),
        ("for n in range(3):\n    assert price(n) == n", []),
        ("def price2(x):\n    return x\nassert price(price2(1)) == 1", []),
        ("assert price(1) == 1\nif price(2):\n    assert price(3) == 3", []),
        ("with open('x') as file:\n    price(1)", []),
    ],
)
def test_only_simple_statements_are_parsed(text: str, calls: list[str]) -> None:
    assert [case.call for case in parse(text)] == calls
