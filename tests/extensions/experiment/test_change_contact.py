"""Contact of reproducing tests with a patch: the changes whose lines must run, and those with an effect without."""

from __future__ import annotations

from textwrap import dedent

import pytest

from aci.repository.python_source import parse
from extensions.experiment.change_contact import UNTIED, Contact, changed_code, find_missing_contact
from extensions.experiment.changed_functions import ChangedFile, functions_of

RUNS_NOTHING = Contact({}, frozenset(), False)
RUNS_OTHERS = Contact({}, frozenset({("a.py", "other")}), False)


def changed(before: str, after: str):
    return changed_code([ChangedFile("a.py", dedent(before), dedent(after))], False)


def lines(*numbers: int) -> Contact:
    return Contact({"a.py": frozenset(numbers)}, frozenset({("a.py", "f")}), False)


def test_comment_is_no_change():
    assert changed("def f():\n    return 1\n", "def f():\n    # one\n    return 1\n").is_empty


def test_test_must_run_a_changed_statement():
    code = changed("def f(x):\n    if x:\n        return 1\n", "def f(x):\n    if x:\n        return 2\n")
    assert find_missing_contact(code, lines(3), set()) == ""
    assert find_missing_contact(code, lines(1, 2), set()) == UNTIED
    assert find_missing_contact(code, None, set()) == ""
    assert find_missing_contact(code, Contact({}, frozenset(), True), set()) == ""


def test_removed_statement_needs_any_line_of_its_function():
    code = changed("def f(x):\n    x += 1\n    return x\n", "def f(x):\n    return x\n")
    assert find_missing_contact(code, lines(2), set()) == ""


@pytest.mark.parametrize("statement", ["global x", "x: int"])
def test_statement_without_a_line_needs_any_line_of_its_function(statement):
    code = changed("def f():\n    x = 1\n", f"def f():\n    {statement}\n    x = 1\n")
    assert find_missing_contact(code, lines(3), set()) == ""


def test_definitions_of_one_name_are_compared_in_order():
    text = """
        class A:
            @property
            def x(self):
                return {}
            @x.setter
            def x(self, value):
                pass
    """
    assert changed(text.format(1), text.format(2)).lines == {"a.py": frozenset({5})}
    assert list(functions_of(parse(dedent(text)))) == ["A.x", "A.x'"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("@abstract\ndef f():\n    return 1\n", "def f():\n    return 1\n"),
        ("def f(x):\n    return 1\n", "def f(x=2):\n    return 1\n"),
        ("def f():\n    '''One.'''\n", "def f():\n    '''Two.'''\n"),
        ("def f():\n    return 1\nX = f()\n", "def f():\n    return 2\nX = f()\n"),
        ("def f(g):\n    return g\n@f\ndef h():\n    pass\n", "def f(g):\n    return None\n@f\ndef h():\n    pass\n"),
        ("class A:\n    def __eq__(self, o):\n        return True\n", "class A:\n    pass\n"),
        ("X = 1\n", "X = 2\n"),
    ],
    ids=["decorator", "default", "docstring", "called on import", "used as decorator", "removed method", "constant"],
)
def test_change_that_takes_effect_without_its_lines_needs_any_code_of_the_repository(before, after):
    code = changed(before, after)
    assert find_missing_contact(code, RUNS_OTHERS, set()) == ""
    assert find_missing_contact(code, RUNS_NOTHING, set()) == UNTIED


def test_constant_of_an_imported_module_needs_no_call():
    assert find_missing_contact(changed("X = 1\n", "X = 2\n"), RUNS_NOTHING, {"a", "a.X"}) == ""
