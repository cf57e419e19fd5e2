"""Functions and classes that are taken out, and the requests for them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.kinds.feature import generate
from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from extensions.lab.synthesis.test_coverage import TestCoverage
from tests.conftest import MakeRepo, OpenWorkspace

SHOP = '''\
RATE = 2


def price(count, each=1):
    """Return the price.

    It includes the rate.
    """
    if count < 0:
        raise ValueError
    return _total(count, each) * RATE


def _total(count, each):
    """Return the sum."""
    found = count * each
    found += 1
    return found


class Cart:
    """A cart."""

    def __init__(self, items):
        self.items = items

    @property
    def size(self):
        found = len(self.items)
        found += 0
        return found

    def tiny(self):
        return 1

    def unused(self):
        first = 1
        second = 2
        return first + second

    def __len__(self):
        return 0

    def _inner(self):
        return 0
'''
TESTS = """\
import shop
from shop import Cart


def test_price():
    assert shop.price(2, each=3) == 14


def test_size():
    assert Cart([1]).size == 1 and Cart([]).tiny() == 1 and Cart.unused
"""
METHODS = ("__init__", "size", "tiny", "unused", "__len__", "_inner")
BODY_OF_UNUSED = range(37, 40)
Draw = Callable[..., dict[tuple[str, ...], Candidate]]


@pytest.fixture
def source(make_repo: MakeRepo, open_ws: OpenWorkspace) -> Callable[[str], SourceRepository]:
    """`source(tests)` is a repository whose tests run all lines but those of `unused`."""

    def make(tests: str = TESTS) -> SourceRepository:
        repo = make_repo({"shop.py": SHOP, "test_shop.py": tests})
        run = {line: frozenset({"test_shop.py::test_price"}) for line in range(1, 40) if line not in BODY_OF_UNUSED}
        return open_source(open_ws("local", repo, "HEAD").options, TestCoverage({"shop.py": run}))

    return make


@pytest.fixture
def draw(source: Callable[..., SourceRepository]) -> Draw:
    """`draw(tests)` returns the candidates by their symbols."""

    def run(tests: str = TESTS) -> dict[tuple[str, ...], Candidate]:
        return {one.symbols: one for one in generate(source(tests), Random(0))}

    return run


def changed(candidate: Candidate) -> str:
    text = candidate.files["shop.py"]
    assert text is not None
    return text.decode()


def test_tested_public_functions_and_classes_are_taken_out(draw: Draw) -> None:
    found = draw()
    assert {symbols: one.operator for symbols, one in found.items()} == {
        ("shop.py:price",): "function",
        ("shop.py:Cart.size",): "function",
        ("shop.py:Cart", *(f"shop.py:Cart.{name}" for name in METHODS)): "class",
        ("shop.py:_total", "shop.py:price"): "functions",
    }  # fmt: skip
    assert not any("shop.py:price" in symbols for symbols in draw("from shop import Cart\n\nCart.size\n"))


def test_function_is_deleted_if_no_file_needs_it_at_import(draw: Draw) -> None:
    kept = SHOP[: SHOP.index("def price")] + SHOP[SHOP.index("def _total") :]
    assert changed(draw()["shop.py:price",]) == kept


@pytest.mark.parametrize("needs", ["from shop import price", "PRICE = shop.price", "NAMES = ['price']"])
def test_function_that_a_file_needs_at_import_becomes_a_stub(draw: Draw, needs: str) -> None:
    text = changed(draw(f"{TESTS}\n\n{needs}\n")["shop.py:price",])
    body = SHOP[SHOP.index('    """Return the price') : SHOP.index("\n\ndef _total")]
    assert text == SHOP.replace(body, "    raise NotImplementedError\n")


def test_class_becomes_a_stub_with_its_methods(draw: Draw) -> None:
    (found,) = (one for one in draw().values() if one.operator == "class")
    (cart,) = (node for node in ast.parse(changed(found)).body if isinstance(node, ast.ClassDef))
    methods = [ast.unparse(node) for node in cart.body if isinstance(node, ast.FunctionDef)]
    assert all(one.endswith("\n    raise NotImplementedError") for one in methods)
    assert len(methods) == 6


def test_only_bodies_count_as_changed_lines(draw: Draw) -> None:
    assert draw()["shop.py:price",].lines == {"shop.py": frozenset(range(5, 12))}


def test_calls_that_no_test_runs_give_no_order(source: Callable[..., SourceRepository]) -> None:
    made = source()
    assert made.coverage is not None
    run = {line: tests for line, tests in made.coverage.tests["shop.py"].items() if line != 11}
    found = generate(replace(made, coverage=TestCoverage({"shop.py": run})), Random(0))
    assert "functions" not in [one.operator for one in found]
    assert list(generate(replace(made, coverage=None), Random(0))) == []


def test_request_has_signature_docstring_order_and_example(draw: Draw) -> None:
    found = draw()["shop.py:_total", "shop.py:price"]
    assert found.write_text is not None
    failure = TestResult(
        "test_shop.py::test_price", "failed", "NotImplementedError", "test_shop.py", 5, error="NotImplementedError",
        trace=("test_shop.py:6:test_price", "shop.py:4:price"),
    )  # fmt: skip
    assert found.write_text([failure]) == (
        "Add `price`\n\nThe function `price` in `shop.py`:\n\n```python\ndef price(count, each=1):\n"
        '    """Return the price.\n\n    It includes the rate."""\n```\n\n'
        "It needs these, in this order:\n\n"
        "1. The function `_total` in `shop.py`:\n\n```python\ndef _total(count, each):\n"
        '    """Return the sum."""\n```\n\n'
        "Example:\n\n```python\nimport shop\n\nshop.price(2, each=3)\n```\n\nExpected: `14`\n\n"
        "Its tests are in the repository and fail at present.\n"
    )
    assert found.write_text([]) == ""


def test_failing_test_is_the_example_if_none_of_its_statements_is(draw: Draw) -> None:
    found = draw()["shop.py:price",]
    assert found.write_text is not None
    failure = TestResult("test_shop.py::test_price[1]", "failed", "NotImplementedError", "test_shop.py", 5)
    assert "Example:\n\n```python\ndef test_price():\n    assert shop.price(2, each=3) == 14\n```" in (
        found.write_text([failure])
    )
    early = replace(failure, error="NotImplementedError", trace=("test_shop.py:6:test_price", "shop.py:4:price"))
    stubbed = draw(TESTS.replace("assert shop.price(2, each=3)", "found = shop.price(2, each=3); assert found"))
    text = stubbed["shop.py:price",].write_text([early])  # type: ignore[misc]
    assert "def test_price():\n    found = shop.price(2, each=3); assert found == 14\n```" in text
    unknown = replace(failure, id="test_shop.py::Other::test_price")
    assert found.write_text([unknown]) == ""


def test_request_for_a_class_has_the_methods_that_users_call(draw: Draw) -> None:
    (found,) = (one for one in draw().values() if one.operator == "class")
    assert found.write_text is not None
    failure = TestResult(
        "test_shop.py::test_size", "failed", "NotImplementedError", "test_shop.py", 9, error="NotImplementedError",
        trace=("test_shop.py:10:test_size",),
    )  # fmt: skip
    text = found.write_text([failure])
    assert 'class Cart:\n    """A cart."""\n\n    def __init__(self, items):\n        ...\n\n    @property\n' in text
    assert "def __len__" in text
    assert "_inner" not in text
