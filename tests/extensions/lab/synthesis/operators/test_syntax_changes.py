"""Operators in JavaScript and Go: each finds the intended changes and no others."""

from __future__ import annotations

import pytest

from aci.graph.parser import parse_syntax
from extensions.lab.synthesis.operators.function_code import apply_edits
from extensions.lab.synthesis.operators.syntax_changes import OPERATORS
from extensions.lab.synthesis.operators.syntax_code import SyntaxCode

JAVASCRIPT = b"""\
function part(items, start, end = 3) {
  if (start < 0 || !items) {
    throw new Error('start');
  }
  if (start) log(items); else return [];
  var step = items.step || 2;
  return items.slice(start, end);
}

function rest(items, count, size) {
  this.count = count;
  this.other = function () {};
  while (count && size) count += step(items);
  return part(items, count - 1, items.length);
}
"""
GO = b"""\
package shop

func (s *Shop) Part(start int, end int, name string) []int {
\tif start < 0 || name == "" {
\t\treturn nil
\t}
\ts.count++
\tfor i := 0; i < end; i++ {
\t\ts.total = s.total + i
\t}
\treturn s.items[start:end]
}

func (s *Shop) Rest(start int, end int, name string) []int {
\treturn s.Part(start, end-1, name)
}

func (s *Shop) Name(code int) string {
\treturn s.names[code]
}
"""


def changes(language: str, data: bytes, operator: str) -> list[tuple[str, ...]]:
    """Return the changed lines as they are with each mutation, without indentation; "" for a removed statement."""
    code = SyntaxCode("shop", language, data, frozenset({"part", "Part"}))
    found = []
    for edits in OPERATORS[operator](code):
        new = apply_edits(data, edits)
        assert not parse_syntax(language, new).has_error
        lines = set(data.decode().splitlines())
        found.append(tuple(line.strip() for line in new.decode().splitlines() if line not in lines))
    return found


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("wrong_sibling_call", []),  # the only other function is the caller
        (
            "swapped_arguments",
            [("return part(count - 1, items, items.length);",), ("return part(items, items.length, count - 1);",)],
        ),
        (
            "off_by_one_at_caller",
            [
                ("return items.slice(start + 1, end);",),
                ("return items.slice(start - 1, end);",),
                ("return items.slice(start, end + 1);",),
                ("return items.slice(start, end - 1);",),
                ("return part(items, count, items.length);",),
                ("return part(items, count - 1 - 1, items.length);",),
                ("return part(items, count - 1, items.length + 1);",),
                ("return part(items, count - 1, items.length - 1);",),
            ],
        ),
        ("dropped_guard", [()]),
        ("dropped_condition", [("if (start < 0) {",), ("if (!items) {",)]),
        (
            "changed_default",
            [
                ("function part(items, start, end = 4) {",),
                ("function part(items, start, end = 2) {",),
                ("var step = items.step || 3;",),
                ("var step = items.step || 1;",),
            ],
        ),
        ("changed_comparison", [("if (start <= 0 || !items) {",)]),
        ("negated_condition", [("if (!start) log(items); else return [];",)]),
        ("lost_update", [()]),
    ],
)
def test_changes_of_javascript(operator: str, expected: list[tuple[str, ...]]) -> None:
    assert changes("javascript", JAVASCRIPT, operator) == expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("wrong_sibling_call", []),
        ("swapped_arguments", [("return s.Part(end-1, start, name)",)]),  # a name is no number
        (
            "off_by_one_at_caller",
            [
                ("return s.Part(start, end-1 + 1, name)",),
                ("return s.Part(start, end-1 - 1, name)",),
                ("return s.items[start + 1:end]",),
                ("return s.items[start - 1:end]",),
                ("return s.items[start:end + 1]",),
                ("return s.items[start:end - 1]",),
            ],
        ),
        ("dropped_guard", [()]),
        ("dropped_condition", [("if start < 0 {",), ('if name == "" {',)]),
        ("changed_default", []),
        (
            "changed_comparison",
            [('if start <= 0 || name == "" {',), ("for i := 0; i <= end; i++ {",)],
        ),
        ("negated_condition", []),
        ("lost_update", [(), ()]),
    ],
)
def test_changes_of_go(operator: str, expected: list[tuple[str, ...]]) -> None:
    assert changes("go", GO, operator) == expected


def test_sibling_has_the_same_types() -> None:
    more = b"""
func (s *Shop) Tail(start int, end int, name string) []int {
\treturn s.items[end:]
}
"""
    assert changes("go", GO + more, "wrong_sibling_call") == [("return s.Tail(start, end-1, name)",)]


def test_guards_and_updates_that_share_lines_are_left_alone() -> None:
    data = b"function f(a) {\n  if (a) return 1; a = 2;\n  if (a)\n    a = 3;\n}\n"
    assert changes("javascript", data, "dropped_guard") == []
    assert changes("javascript", data, "lost_update") == []
