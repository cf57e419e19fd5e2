"""The example in a failing test, as a user would write it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import FailingExample, find_example

TESTS = '''\
import unittest
from os import path
import pytest
from shop import Cart, price, util

RATE = 2


def test_price():
    """It adds tax."""
    unused = 7
    cart = Cart()
    assert cart.empty
    cart.add("tea", 3)
    assert price(cart) == 6


def test_refusal():
    with pytest.raises(KeyError):
        Cart()["tea"]


@pytest.mark.parametrize("name, number", [("tea", 1), ("salt", 2)])
def test_count(name, number):
    assert number == Cart.of(name).count


class TestCart(unittest.TestCase):
    def setUp(self):
        self.cart = Cart()

    def test_size(self):
        self.cart.add("tea", 1)
        self.assertEqual(1, self.cart.size())

    def test_helper(self):
        self.assertTrue(fresh(RATE).size())

    def fill(self, name, count=2):
        self.cart.add(name, count)
        self.assertEqual(self.cart.size(), count)

    def test_fill(self):
        self.fill("tea")

    def test_found(self):
        found = Cart.of("tea")
        self.assertEqual(found, "tea")

    def test_loop(self):
        self.fill("salt")
        for name in ["tea", "rice"]:
            with self.subTest(name):
                found = self.cart.find(name)
                self.assertIsNotNone(found)
                self.assertEqual(found, {name: 1})
'''


def result(id: str, line: int, message: str, error: str = "AssertionError") -> TestResult:
    function = id.rpartition("::")[2].partition("[")[0]
    trace = (f"test_shop.py:{line}:{function}", "shop/core.py:7:_inner")
    return TestResult(f"test_shop.py::{id}", "failed", message, "test_shop.py", 1, error=error, trace=trace)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (
            result("test_price", 15, "assert 5 == 6\n +  where 5 = price(<Cart>)"),
            FailingExample(
                "from shop import Cart\nfrom shop import price\n\ncart = Cart()\ncart.add('tea', 3)\nprice(cart)",
                "6", "5", "price(cart)", True,
            ),
        ),
        (
            result("test_refusal", 20, "DID NOT RAISE KeyError", "Failed"),
            FailingExample("from shop import Cart\n\nCart()['tea']", "KeyError is raised", "no exception is raised",
                           "Cart()['tea']", True),
        ),
        (
            result("test_refusal", 20, "TypeError: bad key\n\nfor 'tea'", "TypeError"),
            FailingExample("from shop import Cart\n\nCart()['tea']", "KeyError is raised",
                           "TypeError: bad key\nfor 'tea'", "Cart()['tea']", True),
        ),
        (
            result("test_count[salt-2]", 25, "AssertionError: assert 2 == 3\n +  where 3 = ..."),
            FailingExample(
                "from shop import Cart\n\nname = 'salt'\nCart.of(name).count", "2", "3", "Cart.of(name).count", True
            ),
        ),
        (
            result("TestCart::test_size", 34, "AssertionError: 1 != 2"),
            FailingExample(
                "from shop import Cart\n\ncart = Cart()\ncart.add('tea', 1)\ncart.size()", "1", "2", "cart.size()", True
            ),
        ),
        (
            result("TestCart::test_helper", 37, "AssertionError: 0 is not true"),
            FailingExample("RATE = 2\nfresh(RATE).size()", "True", "0", "fresh(RATE).size()", False),
        ),
        (
            replace(result("TestCart::test_fill", 44, "AssertionError: 1 != 2"),
                    trace=("test_shop.py:44:test_fill", "test_shop.py:41:fill")),
            FailingExample(
                "from shop import Cart\n\ncart = Cart()\nname = 'tea'\ncount = 2\ncart.add(name, count)\ncart.size()",
                "2", "1", "cart.size()", True,
            ),
        ),
        (
            result("TestCart::test_found", 48, "AssertionError: 'salt' != 'tea'"),
            FailingExample(
                "from shop import Cart\n\nfound = Cart.of('tea')\nfound", "'tea'", "'salt'", "Cart.of('tea')", True
            ),
        ),
        (
            result("TestCart::test_loop", 56, "AssertionError: {'tea': 2} != {'tea': 1}\n- {'tea': 2}"),
            FailingExample(
                "from shop import Cart\n\ndef fill(name, count=2):\n    cart.add(name, count)\n"
                "    assertEqual(cart.size(), count)\ncart = Cart()\nfill('salt')\nfor name in ['tea', 'rice']:\n"
                "    found = cart.find(name)\n    found",
                "{'tea': 1}", "{'tea': 2}", "", False,
            ),
        ),
    ],
)  # fmt: skip
def test_example_is_what_the_test_asks(failure: TestResult, expected: FailingExample) -> None:
    assert find_example(failure, TESTS) == expected


@pytest.mark.parametrize(
    ("message", "error", "actual"),
    [
        ("AssertionError: assert 'a...c' == 'a...b'", "AssertionError", "'a...c'"),
        ("KeyError: 'tea'", "KeyError", "KeyError: 'tea'"),
    ],
)
@pytest.mark.parametrize(
    "statements", ["assert price(1) == 'a long text b'", "text = 'a long text b'\n    assert price(1) == text"]
)
def test_expected_value_is_complete(statements: str, message: str, error: str, actual: str) -> None:
    source = f"from shop import price\n\n\ndef test_it():\n    {statements}\n"
    line = source.count("\n")
    found = find_example(result("test_it", line, message, error), source)
    assert found
    assert (found.expected, found.actual) == ("'a long text b'", actual)


def test_there_is_no_example_if_the_test_is_not_in_the_file() -> None:
    assert find_example(result("test_other", 15, "assert 5 == 6"), TESTS) is None
    assert find_example(result("test_price", 99, "assert 5 == 6"), "def broken(:") is None


def test_positional_only_parameters_of_a_helper_are_bound() -> None:
    source = "def check(a, /, b=2):\n    assert a == b\n\n\ndef test_it():\n    check(1)\n"
    trace = ("test_shop.py:6:test_it", "test_shop.py:2:check")
    found = find_example(replace(result("test_it", 6, "assert 1 == 2"), trace=trace), source)
    assert found == FailingExample("a = 1\nb = 2\na", "2", "1", "1", True)


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.parametrize(4, [1])\ndef test_it(a):\n    assert total(a) == 2\n",
        f"\ndef test_it():\n    assert total({'1+' * 5000}1) == 2\n",
    ],
)
def test_unusual_test_has_no_example(source: str) -> None:
    assert find_example(result("test_it[1]", 3, "assert 1 == 2"), source) is None
