"""Excerpts of files in the first request."""

from __future__ import annotations

import pytest

from agent.prompts.source_excerpts import find_siblings, first_test_excerpt, without_docstring

MONEY = '''\
class Amount:
    def __init__(self, cents):
        self.cents = cents

    def __add__(self, other):
        return Amount(self.cents + other.cents)

    def __radd__(self, other):
        """Add from the left.

        Used by sum().
        """
        return self + other

    def __iadd__(self, other):
        return self + other

    def show(self):
        return str(self.cents)


class Price(Amount):
    def __init__(self, cents):
        super().__init__(cents)

    def show(self):
        return "$" + super().show()


class Rgb:
    def __rgb__(self): ...
'''


@pytest.mark.parametrize(
    ("name", "siblings"),
    [
        ("Amount.__add__", ["Amount.__radd__", "Amount.__iadd__"]),
        ("Amount.__iadd__", ["Amount.__add__", "Amount.__radd__"]),
        ("Price.show", ["Amount.show"]),
        ("Price.__init__", []),
        ("Rgb.__rgb__", []),
    ],
)
def test_siblings_are_other_forms_of_operator_and_functions_of_same_name(name: str, siblings: list[str]) -> None:
    assert [one.name for one in find_siblings("money.py", MONEY, name)] == siblings


def test_long_sibling_is_left_out() -> None:
    text = "class A:\n    def f(self):\n" + "        x = 1\n" * 20 + "class B(A):\n    def f(self):\n        pass\n"
    assert not find_siblings("a.py", text, "B.f")


@pytest.mark.parametrize(
    ("excerpt", "shown"),
    [
        (
            '8\tdef f(a):\n9\t    """One.\n10\t\n11\t    More.\n12\t    """\n13\t    return a',
            "8\tdef f(a):\n13\t    return a",
        ),
        ('8\tdef f(a):\n9\t    """One."""\n10\t    return a', "8\tdef f(a):\n10\t    return a"),
        ("8\tdef f(a):\n9\t    return a", "8\tdef f(a):\n9\t    return a"),
        ('8\tdef f(a):\n9\t    """Not closed', '8\tdef f(a):\n9\t    """Not closed'),
    ],
)
def test_docstring_is_left_out(excerpt: str, shown: str) -> None:
    assert without_docstring(excerpt) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            '"""Tests."""\nimport os\nfrom pkg import (\n    one,\n    two,\n)\n\ndef test_one():\n    a = 1\n\nb\n',
            "import os\nfrom pkg import ( one, two, )\n…\ndef test_one():\n    a = 1\n…",
        ),
        (
            "const f = require('../f');\nimport { g } from './g';\n\ndescribe('f', () => {\n  it('runs', () => {\n",
            "const f = require('../f');\nimport { g } from './g';\n…\ndescribe('f', () => {\n  it('runs', () => {\n…",
        ),
        (
            'package f\n\nimport (\n\t"testing"\n)\n\nfunc TestF(t *testing.T) {\n}\n',
            'package f\nimport ( "testing" )\n…\nfunc TestF(t *testing.T) {\n}\n…',
        ),
        ("def helper():\n    pass\n", ""),
    ],
)
def test_head_of_test_file(text: str, shown: str) -> None:
    assert first_test_excerpt(text) == shown
