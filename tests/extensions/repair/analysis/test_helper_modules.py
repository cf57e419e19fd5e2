"""Test helpers that lie in modules of their own."""

from __future__ import annotations

import pytest

from extensions.repair.analysis.helper_modules import find_test_helpers

CART = "def total(prices):\n    return sum(prices)\n"
CHECK = "from cart import total\n\n\ndef same(prices, wanted):\n    assert total(prices) == wanted\n"


def helpers(files: dict[str, str], suspected: tuple[str, ...] = ("cart.py", "pricing.py")) -> frozenset[str]:
    return find_test_helpers(suspected, files, lambda path: files[path].encode() if path in files else None)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("shop.py", "from . import (\n    cart,\n    pricing,\n)\n", id="import"),
        pytest.param("shop.py", "from . import cart, \\\n    pricing\n", id="continued line"),
        pytest.param("shop.py", "import importlib\n\nimportlib.import_module('pkg.pricing')\n", id="name in a string"),
        pytest.param("pyproject.toml", "[project.entry-points.pytest11]\nshop = 'pricing'\n", id="entry point"),
        pytest.param("checks.py", "from pricing import same\n" + CHECK, id="another helper"),
    ],
)
def test_helper_is_named_by_tests_only(path: str, text: str) -> None:
    files = {"cart.py": CART, "pricing.py": CHECK, "test_cart.py": "from pricing import same\n"}
    assert helpers(files) == {"pricing.py"}
    assert helpers(files | {path: text}, ("cart.py", "pricing.py", "checks.py")) <= {"checks.py"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cart_helpers.py", CART),
        ("testing.py", CART),
        ("pricing.py", "import pytest\n\n\ndef cart():\n    return pytest.importorskip('cart')\n"),
    ],
)
def test_program_is_no_helper_by_its_name_or_imports(name: str, text: str) -> None:
    files = {"cart.py": CART, name: text, "test_cart.py": f"import {name.removesuffix('.py')}\n"}
    assert helpers(files, ("cart.py", name)) == frozenset()


def test_program_that_only_tests_import_is_no_helper() -> None:
    files = {"cart.py": CART, "pricing.py": "import cart\n\n\ndef all():\n    return cart.total([1])\n"}
    assert helpers(files | {"test_cart.py": "import cart, pricing\n"}) == frozenset()


def test_program_with_its_own_tests_is_no_helper() -> None:
    tests = "import unittest\n\nimport cart\n\n\nclass TestAll(unittest.TestCase):\n    pass\n"
    assert helpers({"cart.py": CART, "pricing.py": tests}) == frozenset()


def test_only_suspect_is_no_helper() -> None:
    assert helpers({"pricing.py": CHECK}, ("pricing.py",)) == frozenset()
    assert helpers({"pricing.py": "def broken(:\n", "cart.py": CART}) == frozenset()
