"""Changes of a signature that may break existing calls."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.signature_changes import breaking_changes


def breaking_change(before: str, after: str) -> str:
    return breaking_changes(f"def f({before}): pass\n", f"def f({after}): pass\n").get("f", "")


@pytest.mark.parametrize(
    ("before", "after", "message"),
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
def test_breaking_change_is_described(before: str, after: str, message: str) -> None:
    assert breaking_change(before, after) == message


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
def test_compatible_change_is_not_breaking(before: str, after: str) -> None:
    assert breaking_change(before, after) == ""


def test_changes_of_methods_and_async_are_reported() -> None:
    before = "class A:\n    def m(self, a): pass\n    def n(self): pass\n"
    after = "class A:\n    def m(self): pass\n    async def n(self): pass\n"
    assert breaking_changes(before, after) == {"A.m": "a was removed", "A.n": "must be awaited"}
    assert breaking_changes(after, before)["A.n"] == "must no longer be awaited"


def test_function_is_removed_only_if_its_name_is_gone() -> None:
    before = "def f(): pass\ndef g(): pass\ndef h(): pass\n"
    assert breaking_changes(before, "from other import f\ng = f\n") == {"h": "was removed"}


def test_invalid_code_and_nested_functions_are_ignored() -> None:
    assert breaking_changes("def f(:\n", "def f(): pass\n") == {}
    assert breaking_changes("def f():\n    def g(a): pass\n", "def f():\n    def g(): pass\n") == {}


NAMES = st.permutations("abcde").map(lambda letters: letters[:3])


@given(NAMES, NAMES, st.integers(0, 3), st.integers(0, 3))
def test_calls_still_fit_unless_change_is_reported(
    old: list[str], new: list[str], required: int, new_required: int
) -> None:
    """Each call by position or by name that fits the old signature fits the new one, unless a change is reported."""
    before = ", ".join([*old[:required], *(f"{name}=0" for name in old[required:])])
    after = ", ".join([*new[:new_required], *(f"{name}=0" for name in new[new_required:])])
    if breaking_change(before, after):
        return
    old_signature, new_signature = (inspect.signature(eval(f"lambda {text}: 0")) for text in (before, after))
    for count in range(required, len(old) + 1):
        bound = new_signature.bind(*old[:count])
        assert bound.arguments == old_signature.bind(*old[:count]).arguments
        new_signature.bind(**{name: name for name in old[:count]})
