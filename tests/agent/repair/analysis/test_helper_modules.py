"""Test helpers that lie in modules of their own."""

from __future__ import annotations

import pytest

from agent.repair.analysis.helper_modules import find_test_helpers

CART = "def total(prices):\n    return sum(prices)\n"
CHECK = "from cart import total\n\n\ndef same(prices, wanted):\n    assert total(prices) == wanted\n"


def helpers(files: dict[str, str], suspected: tuple[str, ...] = ("cart.py", "pricing.py")) -> frozenset[str]:
    return find_test_helpers(suspected, files, lambda path: files[path].encode() if path in files else None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("pricing.py", CHECK, id="only checks"),
        pytest.param("cart_helpers.py", CART, id="name"),
        pytest.param(
            "pricing.py", "import pytest\n\n\ndef cart():\n    return pytest.importorskip('cart')\n", id="library"
        ),
    ],
)
def test_helper_that_only_tests_import(name: str, text: str) -> None:
    module = name.removesuffix(".py")
    files = {"cart.py": CART, name: text, "test_cart.py": f"from {module} import same\n"}
    suspected = ("cart.py", name)
    assert helpers(files, suspected) == {name}
    assert helpers(files | {"shop.py": f"from . import (\n    cart,\n    {module},\n)\n"}, suspected) == frozenset()
    assert helpers(files | {"shop.py": f"{module} = 1\n"}, suspected) == {name}


def test_program_that_only_tests_import_is_no_helper() -> None:
    files = {"cart.py": CART, "pricing.py": "import cart\n\n\ndef all():\n    return cart.total([1])\n"}
    assert helpers(files | {"test_cart.py": "import cart, pricing\n"}) == frozenset()


def test_program_with_its_own_tests_is_no_helper() -> None:
    tests = "import unittest\n\nimport cart\n\n\nclass TestAll(unittest.TestCase):\n    pass\n"
    assert helpers({"cart.py": CART, "pricing.py": tests}) == frozenset()


def test_only_suspect_is_no_helper() -> None:
    assert helpers({"pricing.py": CHECK}, ("pricing.py",)) == frozenset()
    assert helpers({"pricing.py": "def broken(:\n", "cart.py": CART}) == frozenset()
