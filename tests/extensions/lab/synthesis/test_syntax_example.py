"""Examples in failing tests of JavaScript and Go: statements or a case, and the message."""

from __future__ import annotations

from aci.testing.suite_results import TestResult
from extensions.lab.synthesis.failing_example import FailingExample
from extensions.lab.synthesis.issue_text import format_issue
from extensions.lab.synthesis.syntax_example import find_syntax_example

JAVASCRIPT = """\
const assert = require('assert');
const fs = require('fs');
const shop = require('../');

describe('price', () => {
  const RATE = 2;
  it('adds a fee', () => {
    const cart = shop.cart(RATE);
    const other = 1;
    assert.ok(cart);
    assert.equal(cart.total(3), 7);
  });
});
"""
GO = """\
package shop

import "testing"

func TestTotal(t *testing.T) {
\tcases := []struct{ name string; count int }{
\t\t{name: "two of them", count: 2},
\t\t{
\t\t\tname:  "none at all",
\t\t\tcount: 0,
\t\t},
\t}
\tfor _, c := range cases {
\t\tt.Run(c.name, func(t *testing.T) {
\t\t\tif got := Total(c.count); got != 1 {
\t\t\t\tt.Errorf("got %d, want 1", got)
\t\t\t}
\t\t})
\t}
}

func TestFirst(t *testing.T) {
\tcart := NewCart()
\tcart.Add(1)
\tif cart == nil {
\t\tt.Fatal("no cart")
\t}
\tif got := cart.First(); got != 1 {
\t\tt.Errorf("got %d, want 1", got)
\t}
}
"""


def failure(id: str, message: str, line: int, error: str = "") -> TestResult:
    path = "test/shop.js" if ".js" in id else "shop_test.go"
    return TestResult(id, "failed", message, path, error=error, trace=(f"{path}:{line}:",))


def example(result: TestResult, source: str) -> FailingExample:
    found = find_syntax_example(result, source)
    assert found is not None
    return found


def test_javascript_has_needed_statements_and_both_values() -> None:
    message = "AssertionError: Expected values to be strictly equal:\n\n6 !== 7\n"
    result = failure("test/shop.js::price > adds a fee", message, 11, "AssertionError")
    found = example(result, JAVASCRIPT)
    assert found.code == (
        "const assert = require('assert');\nconst shop = require('../');\nconst RATE = 2;\n"
        "const cart = shop.cart(RATE);\nassert.equal(cart.total(3), 7);"
    )
    assert (found.actual, found.expected) == ("6", "7")
    text = format_issue(found, result, "shop")
    assert text.startswith("`price > adds a fee` gives a wrong result\n\nTo reproduce with")
    assert "```javascript\nconst assert" in text


def test_values_of_other_assertions() -> None:
    def values(message: str) -> tuple[str, str]:
        found = example(failure("test/shop.js::price > adds a fee", message, 11), JAVASCRIPT)
        return found.actual, found.expected

    assert values("AssertionError: 6 == 7") == ("6", "7")
    assert values("AssertionError: expected [ 1 ] to deeply equal [ 2 ]") == ("[ 1 ]", "[ 2 ]")
    assert values("Error: expect(received)\n\n    Expected: 7\n    Received: 6") == ("6", "7")
    assert values("TypeError: x is no function\n    at f (lib/core.js:1:2)") == ("TypeError: x is no function", "")


def test_one_line_test_is_shown_whole() -> None:
    source = "test('adds', () => { assert.equal(add(1), 2); });\n"
    assert example(failure("test/shop.js::adds", "AssertionError: 1 == 2", 1), source).code == source.strip()


def test_lines_of_a_string_keep_their_indentation() -> None:
    source = "it('adds', () => {\n  const text = `\n  a: 1\n`;\n  check(text);\n});\n"
    found = example(failure("test/shop.js::adds", "AssertionError: 1 == 2", 5), source)
    assert found.code == "const text = `\n  a: 1\n`;\ncheck(text);"


def test_go_has_statements_without_other_assertions() -> None:
    found = example(failure(".::TestFirst", "shop_test.go:29: got 2, want 1", 29), GO)
    assert found.code == (
        'cart := NewCart()\ncart.Add(1)\nif got := cart.First(); got != 1 {\n    t.Errorf("got %d, want 1", got)\n}'
    )
    assert (found.actual, found.expected, found.language) == ("got 2, want 1", "", "go")


def test_go_has_the_case_of_a_table() -> None:
    found = example(failure(".::TestTotal/none_at_all", "shop_test.go:16: got 2, want 1", 16), GO)
    assert found.code == '{\n    name:  "none at all",\n    count: 0,\n}'
    assert found.is_complete


def test_stack_of_a_panic_is_left_out() -> None:
    message = "panic: index out of range [1]\n\ngoroutine 7 [running]:\nshop.Total(...)\n\t/src/shop/core.go:7"
    assert example(failure(".::TestFirst", message, 27), GO).actual == "panic: index out of range [1]"


def test_no_example_without_a_place_in_a_known_language() -> None:
    assert find_syntax_example(failure(".::TestFirst", "", 0), GO) is None
    assert find_syntax_example(failure(".::TestFirst", "", 99), GO) is None
    assert find_syntax_example(TestResult("test_shop.py::test_a", "failed", path="test_shop.py"), "") is None
