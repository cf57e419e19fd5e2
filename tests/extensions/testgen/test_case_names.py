"""Names of generated tests say what the tests pin."""

from __future__ import annotations

import pytest

from extensions.testgen.case_names import LONGEST_CASE_NAME, case_name
from extensions.testgen.case_rendering import name_tests, render_tests
from extensions.testgen.module_exerciser import Case, CaseOutcome


def returned(call: str, *asserts: tuple[str, str, str], about: str = "f") -> CaseOutcome:
    return CaseOutcome(Case((), call, (), about), "returned", asserts=asserts)


def raised(call: str, error: str) -> CaseOutcome:
    return CaseOutcome(Case((), call, (), "f"), "raised", error=error, name=error)


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (returned("f(3, -2)", ("equal", "result", "'aa...'")), "test_f_returns_aa_for_3_and_minus_2"),
        (returned("f('', [])", ("is", "result", "None")), "test_f_returns_none_for_empty_text_and_empty_list"),
        (returned("Cart(1).pay('x')", ("equal", "result", "2"), about="Cart.__getitem__"),
         "test_cart_pay_returns_2_for_x"),
        (returned("Cart(1)", ("equal", "str(result)", "'a'"), about="Cart.pay"), "test_cart_returns_a_for_1"),
        (returned("cart[1]", ("equal", "result", "2"), about="Cart.__getitem__"), "test_cart_getitem_returns_2"),
        (returned("list(f('a'))", ("equal", "result", "['a']")), "test_f_returns_list_of_1_for_a"),
        (returned("f(1)", ("equal", "str(result)", "'one'")), "test_f_returns_one_for_1"),
        (returned("a.f(1) == 2", ("is", "result", "True")), "test_f"),
        (returned("f()", ("isa", "result", "RateTable")), "test_f_returns_rate_table"),
        (returned("f(x=1.5)", ("nan", "result", "")), "test_f_returns_nan_for_1_5"),
        (returned("f('\\n')", ("equal", "result", "[1, 2]")), "test_f_returns_list_of_2_for_text"),
        (returned("f(Decimal('7'))", ("equal", "result", "()")), "test_f_returns_empty_tuple_for_decimal_7"),
        (returned("f('a' * 3)", ("equal", "result", "x * 3")), "test_f_returns_value"),
        (returned("f(1)", ("equal", "result.total", "4")), "test_f_gives_total_4_for_1"),
        (returned("stack.push(1)", ("equal", "stack.items", "[1]")), "test_f_gives_stack_items_list_of_1_for_1"),
        (returned("f(2)", ("equal", "result", "2"), about="HTTPStock.__init__"),
         "test_http_stock_init_returns_2_for_2"),
        (returned(f"f(0x1{'0' * 5000})", ("equal", "result", f"-0x1{'0' * 5000}")),
         "test_f_returns_minus_large_number_for_large_number"),
        (returned(f"f((0x1{'0' * 5000}).real, g(0x1{'0' * 5000}))", ("is", "result", "True")), "test_f_returns_true"),
        (returned("f(0x10)", ("is", "result", "True")), "test_f_returns_true_for_16"),
        (raised("f('a-b')", "UnknownKey"), "test_f_raises_unknown_key_for_a_b"),
        (CaseOutcome(Case(("assert f(1) == 1",), "", (), "f"), "returned"), "test_f"),
    ],
)  # fmt: skip
def test_name_says_call_outcome_and_arguments(seen: CaseOutcome, name: str) -> None:
    assert case_name(seen) == name


def test_name_of_hostile_values_is_a_short_identifier() -> None:
    long = "'" + "word " * 100 + "'"
    deep = "-" * 3_000 + "1"
    for call in (f"f({long}, {long}, {long}, {long})", f"f({deep})", "f('\u202e\x1b[2J')", "f('é漢字')", "f("):
        name = case_name(returned(call, ("equal", "result", long)))
        assert name.isidentifier()
        assert name.isascii()
        assert len(name) <= LONGEST_CASE_NAME


def test_same_names_get_numbers() -> None:
    cases = [returned(f"f('a' * {count})", ("is", "result", "True")) for count in (2, 3)]
    assert [test.name for test in name_tests(cases)] == ["test_f_returns_true_1", "test_f_returns_true_2"]


@pytest.mark.parametrize("style", ["pytest", "unittest"])
def test_file_says_that_it_pins_todays_behaviour(style: str) -> None:
    tests = name_tests([returned("f(2)", ("equal", "result", "2"))])
    text = render_tests(tests, "m", "m.py", style)
    assert text.startswith('"""Tests that pin today\'s behaviour of m.py, written by `swe-agent test`.\n')
    assert "No one has confirmed that it is right" in text
    assert "def test_f_returns_2_for_2(" in text
