"""The statements on which the last statement of an example depends."""

from __future__ import annotations

import pytest

from extensions.reproduction.step_dependencies import needed_steps


@pytest.mark.parametrize(
    "steps",
    [
        ["from shop import cart", "cart.add(1.0, 10)", "assert cart.total() == 9.0"],
        ["from shop import cart", "item = cart.add(1.0, 10)", "assert cart.total() == 9.0"],
        ["from app import User", "u = User.objects.create(name='a')", "assert User.objects.count() == 1"],
        ["from shop import cart", "def fill():\n    return cart.add(1.0, 10)", "fill()", "assert cart.total() == 9.0"],
    ],
    ids=["method of an import", "assigned", "class", "function"],
)
def test_call_that_may_change_what_is_used_later_is_needed(steps: list[str]) -> None:
    assert needed_steps(steps, set()) == set(range(len(steps)))


def test_statements_about_something_else_are_not_needed() -> None:
    steps = ["from shop import Cart, Book", "book = Book('a')", "cart = Cart()", "len(book)", "cart.total()"]
    assert needed_steps(steps, set()) == {0, 2, 4}
