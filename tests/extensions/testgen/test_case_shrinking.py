"""Cases are reduced to the statements, values and assertions that they need."""

from __future__ import annotations

import pytest

from extensions.testgen.case_shrinking import CaseShrinker, ShrinkingGoal, case_size, smaller_cases
from extensions.testgen.module_exerciser import Case

STACK = """class Stack:
    def __init__(self, name=""):
        self.name = name
        self.items = []

    def push(self, item):
        self.items.append(item)
        return self

    def size(self):
        return len(self.items)
"""


@pytest.mark.slow
def test_case_keeps_only_what_reaches_its_goals(start_exerciser) -> None:
    stack = start_exerciser(STACK)
    lines = ("stack = Stack()", "stack.push(3)", "stack.size()", "other = Stack('x')", "stack.push(4)", "other.size()")
    outcomes = stack.observe([Case(lines, "stack.size()", ("stack",), "Stack.size"), Case((), "Stack('abc')")])
    goals = [ShrinkingGoal(one, one.arcs, found.killed) for one, found in zip(
        outcomes, stack.check([(one, sorted(stack.usable())) for one in outcomes]), strict=True
    )]  # fmt: skip
    counting, making = CaseShrinker(stack, lambda seen: bool(seen.asserts), lambda: False).shrink(goals)
    assert (counting.case.lines, counting.case.call) == ((), "Stack().size()")
    assert counting.asserts == (("equal", "result", "0"),)
    assert len(making.asserts) == len({"name", "items"})


@pytest.mark.slow
def test_unneeded_statements_go_even_without_time(start_exerciser) -> None:
    stack = start_exerciser(STACK)
    lines = ("stack = Stack()", "stack.push(3)", "stack.size()")
    (seen,) = stack.observe([Case(lines, "stack.push(4)", ("stack",), "Stack.push")])
    calls = iter([False, *[True] * 99])
    (found,) = CaseShrinker(stack, bool, lambda: next(calls)).shrink([ShrinkingGoal(seen, seen.arcs, frozenset())])
    assert found.case.lines == ("stack = Stack()",)
    assert len(found.asserts) == 1


def test_halves_are_left_out_before_single_statements() -> None:
    lines = tuple(f"a.f({number})" for number in range(4))
    found = [case.lines for case in smaller_cases(Case(lines, "a.g()"))][:6]
    assert found == [lines[2:], lines[:2], lines[1:], (lines[0], *lines[2:]), (*lines[:2], lines[3]), lines[:3]]


def test_plain_characters_are_smaller_than_signs() -> None:
    assert case_size(Case((), "f('abcd')")) < case_size(Case((), "f('%#')"))


def test_values_stay_as_a_person_would_write_them() -> None:
    calls = [case.call for case in smaller_cases(Case((), "f({1: 5, 0: 6}, -7)"))]
    assert "f({1: 5, 0: 6}, -3)" in calls
    assert not any("{0: 5, 0: 6}" in call or "-0" in call for call in calls)


def test_value_in_place_of_variable_keeps_its_meaning() -> None:
    calls = [case.call for case in smaller_cases(Case(("a = 1 + 2",), "f(a * 3, 'a b')")) if not case.lines]
    assert "f((1 + 2) * 3, 'a b')" in calls
    assert not any("1 + 2 * 3" in call or "'1 + 2 b'" in call for call in calls)
    assert not any("g()" in case.call for case in smaller_cases(Case(("a = g()",), "f(a, a)")))


def test_natural_text_stays_and_replaces_others() -> None:
    calls = [case.call for case in smaller_cases(Case((), "f('one two', 'one two%')"), {"one two"})]
    assert "f('one two', 'one two')" in calls
    assert all(call.startswith("f('one two',") for call in calls)
    assert case_size(Case((), "f('one two')"), {"one two"}) < case_size(Case((), "f('one')"), {"one two"})
