"""Which changes of a signature may break a call that was right."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.signature_changes import breaking_changes


def told(before: str, after: str) -> str:
    return breaking_changes(f"def f({before}): pass\n", f"def f({after}): pass\n").get("f", "")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("a, b", "a", "b was removed"),
        ("a, *args", "a", "*args was removed"),
        ("a, **kw", "a", "**kw was removed"),
        ("a, b", "a, c", "b is now c"),
        ("a, b", "b, a", "b, a are in a different order"),
        ("a, b=1", "a, b", "b is required"),
        ("a", "a, *, k", "k is required"),
        ("a, b", "a, *, b", "b is keyword-only"),
        ("a, b", "a, b, /", "a is positional-only; b is positional-only"),
        ("a, b=1", "a, new=0, b=1", "new was inserted before existing parameters"),
        ("self, a", "self, b, a", "b was inserted before existing parameters; b is required"),
    ],
)
def test_what_may_break(before: str, after: str, words: str) -> None:
    assert told(before, after) == words


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a, b", "a, b"),
        ("a, b", "a, b=1"),
        ("a, b", "a, b, c=1"),
        ("a, b", "a, b, *args, k=1, **kw"),
        ("a, *args", "a, *more"),
        ("a, *, k=1", "a, **kw"),
        ("a, /", "b, /"),
        ("a: int", "a: str"),
    ],
)
def test_what_breaks_nobody(before: str, after: str) -> None:
    assert told(before, after) == ""


def test_methods_and_async() -> None:
    before = "class A:\n    def m(self, a): pass\n    def n(self): pass\n"
    after = "class A:\n    def m(self): pass\n    async def n(self): pass\n"
    assert breaking_changes(before, after) == {"A.m": "a was removed", "A.n": "must be awaited"}
    assert breaking_changes(after, before)["A.n"] == "must no longer be awaited"


def test_what_is_gone_unless_its_name_is_still_there() -> None:
    before = "def f(): pass\ndef g(): pass\ndef h(): pass\n"
    assert breaking_changes(before, "from other import f\ng = f\n") == {"h": "was removed"}


def test_what_cannot_be_parsed_or_is_inside_function() -> None:
    assert breaking_changes("def f(:\n", "def f(): pass\n") == {}
    assert breaking_changes("def f():\n    def g(a): pass\n", "def f():\n    def g(): pass\n") == {}


NAMES = st.permutations("abcde").map(lambda letters: letters[:3])


@given(NAMES, NAMES, st.integers(0, 3), st.integers(0, 3))
def test_what_is_told_to_break_nobody_does_not(old: list[str], new: list[str], some: int, others: int) -> None:
    """Each call by place or by name that fitted the old signature fits the new one, or something is told."""
    before = ", ".join([*old[:some], *(f"{name}=0" for name in old[some:])])
    after = ", ".join([*new[:others], *(f"{name}=0" for name in new[others:])])
    if told(before, after):
        return
    was, now = (inspect.signature(eval(f"lambda {text}: 0")) for text in (before, after))
    for count in range(some, len(old) + 1):
        bound = now.bind(*old[:count])
        assert bound.arguments == was.bind(*old[:count]).arguments
        now.bind(**{name: name for name in old[:count]})
