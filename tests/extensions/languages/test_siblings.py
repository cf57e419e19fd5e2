"""Siblings of a likely function in other languages than Python."""

from __future__ import annotations

from agent.prompts.opening_prompt import find_siblings


def test_siblings_in_another_language() -> None:
    text = "class A {\n  show() { return 1; }\n}\nclass B extends A {\n  show() { return 2; }\n}\n"
    assert [one.name for one in find_siblings("a.js", text, "B.show")] == ["A.show"]
