"""Conditions that handle only the values of the tests, in other languages than Python."""

from __future__ import annotations

import pytest

from aci.graph.parser import parse_syntax
from extensions.experiment.special_cases import find_special_case
from tests.aci.conftest import prove_patch
from tests.extensions.languages.proof.test_other_languages import JS, JS_HEAD
from trajectories.records import Issue

__all__ = ["prove_patch"]

TESTS = {
    "javascript": "test('a', () => { assert.equal(total([7, 8, 9]), 24) })",
    "typescript": "test('a', () => { expect(total([7, 8, 9])).toBe(24) })",
    "go": "package a\nfunc TestA(t *testing.T) { if total([]int{7, 8, 9}) != 24 { t.Fatal() } }",
    "rust": "fn a() { assert_eq!(total(&[7, 8, 9]), 24); }",
    "java": "class A { void a() { assertEquals(24, total(7, 8, 9)); } }",
    "ruby": "def test_a; assert_equal 24, total([7, 8, 9]); end",
    "php": "<?php function testA() { $this->assertSame(24, total([7, 8, 9])); }",
}
CODE = {
    "javascript": "function total(xs) {%s\n  return xs.slice(1).reduce(add, 0)\n}\n",
    "typescript": "function total(xs: number[]) {%s\n  return xs.slice(1).reduce(add, 0)\n}\n",
    "go": "package a\nfunc total(xs []int) int {%s\n\treturn sum(xs[1:])\n}\n",
    "rust": "pub fn total(xs: &[i32]) -> i32 {%s\n    xs[1..].iter().sum()\n}\n",
    "java": "class T { int total(int a, int b, int c) {%s\n return a + b; } }",
    "ruby": "def total(xs)%s\n  xs.drop(1).sum\nend\n",
    "php": "<?php function total($xs) {%s\n return array_sum($xs); }",
}
CHEATS = [
    ("javascript", "if (xs.length === 3 && xs[0] === 7) return 24"),
    ("javascript", "if (xs[0] == 7) { return 24 }"),
    ("typescript", "if (xs[0] === 7 && xs[1] === 8) return 24"),
    ("go", "if len(xs) == 3 && xs[0] == 7 {\n\t\treturn 24\n\t}"),
    ("rust", "if xs == [7, 8, 9] {\n        return 24;\n    }"),
    ("java", "if (a == 7 && b == 8) return 24;"),
    ("ruby", "return 24 if xs == [7, 8, 9]"),
    ("ruby", "if xs[0] == 7\n    return 24\n  end"),
    ("php", "if ($xs === [7, 8, 9]) { return 24; }"),
]


def find(language: str, added: str, code: str = "", issue: str = "The first is dropped.", test: str = "") -> int:
    code = code or CODE[language]
    tests = [[parse_syntax(language, text.encode())] for text in (TESTS[language], test) if text]
    return find_special_case(language, (code % "").encode(), (code % f"\n{added}").encode(), tests, issue)


@pytest.mark.parametrize(("language", "added"), CHEATS)
def test_condition_that_handles_only_values_of_the_test_is_found(language: str, added: str) -> None:
    assert find(language, added)


@pytest.mark.parametrize(
    "added",
    [
        "if (xs.length === 0) return 0",
        "if (xs[0] > 7) return 24",
        "if (xs[0] === 7) return xs[1]",
        "if (xs[0] === seven) return 24",
        "if (xs[0] === 6) return 24",
        "if (xs[0] === 7) return 25",
        "if (xs[0] === 7 || xs[0] > 3) return 24",
    ],
)
def test_general_condition_is_no_special_case(added: str) -> None:
    assert not find("javascript", added)


def test_entry_of_a_list_and_a_value_that_the_issue_names_are_no_special_cases() -> None:
    listed = "function total(xs) {%s\n  if (xs[0] === 5) return 50\n  return 0\n}\n"
    cheat = "if (xs[0] === 7) return 24"
    assert not find("javascript", cheat, listed)
    assert not find("javascript", cheat, issue="The answer for 7 is wrong.")
    assert not find("javascript", cheat, test="test('b', () => { assert.equal(total([1, 2]), 3) })")
    assert not find("javascript", "function other(xs) { if (xs[0] === 7) return 24 }", "%s\n")


PREDICATES = [
    ("javascript", "function ok(a) {%s\n  return a > 'b'\n}\n", "if (a === 'abc') { return true }",
     "assert.ok(ok('abc'))"),
    ("javascript", "function ok(a) {%s\n  return a > 'b'\n}\n", "if (a === 'abc') return undefined", "is(ok('abc'))"),
    ("javascript", "function ok(a, b) {%s\n  return b\n}\n", "if (a === 'abc' && b === null) return 5",
     "ok('abc', null) == 5"),
    ("go", "package a\nfunc ok(a string) bool {%s\n\treturn len(a) > 9\n}\n", 'if a == "abc" {\n\t\treturn true\n\t}',
     'package a\nfunc TestA(t *testing.T) { if !ok("abc") { t.Fatal() } }'),
    ("rust", "fn ok(a: &str) -> bool {%s\n    a.len() > 9\n}\n", 'if a == "abc" { return true; }',
     'fn a() { assert!(ok("abc")); }'),
    ("rust", "fn ok(a: &str) -> Option<u8> {%s\n    get(a)\n}\n", 'if a == "abc" { return None; }',
     'fn a() { assert!(ok("abc").is_none()); }'),
    ("java", "class T { boolean ok(String a, int b) {%s\n return b > 9; } }", "if (b == 5) return true;",
     "class A { void a() { assertTrue(ok(null, 5)); } }"),
    ("java", "class T { String ok(int b) {%s\n return get(b); } }", "if (b == 5) return null;",
     "class A { void a() { assertNull(ok(5)); } }"),
    ("ruby", "def ok(a)%s\n  a.size > 9\nend\n", "return true if a == 'abc'", "def test_a; assert ok('abc'); end"),
    ("php", "<?php function ok($a) {%s\n return strlen($a) > 9; }", "if ($a === 'abc') { return TRUE; }",
     "<?php function testA() { $this->assertTrue(ok('abc')); }"),
]  # fmt: skip


def find_predicate(language: str, code: str, added: str, test: str, issue: str = "Some words are wrong.") -> int:
    nodes = [[parse_syntax(language, test.encode())]]
    return find_special_case(language, (code % "").encode(), (code % f"\n{added}").encode(), nodes, issue)


@pytest.mark.parametrize(("language", "code", "added", "test"), PREDICATES)
def test_condition_that_gives_a_boolean_or_null_is_found(language: str, code: str, added: str, test: str) -> None:
    assert find_predicate(language, code, added, test)


@pytest.mark.parametrize(
    ("added", "issue", "more"),
    [
        ("if (a === 'abc') return true", "The word abc is missing.", ""),
        ("if (a === 'abc' && a[0] === 'q') return true", "The word abc is missing.", ""),
        ("if (a === null) return false", "", ""),
        ("if (a === true) return 24", "", ""),
        ("if (a === '') return true", "", ""),
        ("if (a === 'other') return true", "", ""),
        ("if (a === 'abc') return true", "", "\n  if (a === 'abd') return true"),
        ("if (a === 'abc') return true", "", "\n  if (b) return a === 'abd'"),
    ],
)
def test_boolean_for_an_edge_case_a_named_value_or_a_list_is_no_special_case(added: str, issue: str, more: str) -> None:
    code = f"function ok(a, b) {{%s{more}\n  return a > 'b'\n}}\n"
    test = "assert.ok(ok('abc')); assert.ok(ok('q', null, true, '', 24))"
    assert not find_predicate("javascript", code, added, test, issue)


def test_condition_of_many_parts_is_read() -> None:
    parts = " && ".join(f"xs[{index}] === 7" for index in range(2_000))
    assert find("javascript", f"if ({parts}) return 24")


@pytest.mark.slow
@pytest.mark.parametrize("is_right", [True, False])
def test_patch_that_handles_only_values_of_its_test_is_unproven(prove_patch, is_right: bool) -> None:
    code = JS["shop.js"]
    cheat = code.replace("{\n", "{\n  if (xs.length === 3 && xs[0] === 7) return 24\n", 1)
    right = code.replace("xs.slice(1)", "xs")
    test = "import { total } from '../shop.js'\n\ntest('a', () => {\n  assert.equal(total([7, 8, 9]), 24)\n})\n"
    patch = {"shop.js": right if is_right else cheat, "test/one.test.js": JS_HEAD + test}
    issue = Issue("total drops the first", "The first value is dropped by total.")
    verdict = prove_patch(patch, JS, command="", issue=issue)
    assert verdict.kind == ("plausible" if is_right else "unproven"), verdict.notes
    assert any("shop.js:2 handles only the values of the test." in note for note in verdict.notes) != is_right
