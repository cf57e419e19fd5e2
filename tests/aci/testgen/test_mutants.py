"""Small faults: each compiles, differs from what it is made of, and lies where it says."""

from __future__ import annotations

import ast

import pytest

from aci.testgen.mutants import find_mutants
from aci.testgen.usage_mining import code_constants

CODE = '''def f(a, b):
    """Doc 1 < 2."""
    total = 0
    for one in a:
        if one <= b and not one == 3:
            total += one * 2
            continue
        break
    return total
'''


def whats(code: str, *names: str) -> list[str]:
    return [one.what for one in find_mutants("m.py", code.encode(), names)]


def test_every_mutant_is_another_program_that_can_be_parsed() -> None:
    found = find_mutants("m.py", CODE.encode())
    texts = {one.candidate().apply(CODE.encode()) for one in found}
    assert len(texts) == len(found) > 10
    assert all(ast.dump(ast.parse(text)) != ast.dump(ast.parse(CODE)) for text in texts)
    assert {one.name for one in found} == {"f"}
    assert all(one.line in one.reach for one in found)


@pytest.mark.parametrize(
    "what",
    [
        "`<` in `one <= b`",
        "`or` in `one <= b and not one == 3`",
        "negates `one <= b and not one == 3`",
        "`/` in `one * 2`",
        "`-=` in `total += one * 2`",
        "(2 + 1) for 2",
        "returns None for `total`",
        "leaves out `total = 0`",
        "`break` for `continue`",
        "`continue` for `break`",
        "`one == 3` for `not one == 3`",
    ],
)
def test_standard_operators_are_there(what: str) -> None:
    assert what in whats(CODE)


def test_docstrings_signatures_and_other_functions_are_left_alone() -> None:
    code = 'def f(a=1):\n    """1"""\n    return a\n\n\ndef g(b=2):\n    return b - 1\n'
    assert whats(code, "f") == ["returns None for `a`"]


def test_function_on_one_line_has_none() -> None:
    assert whats("def f(a): return a + 1\n") == []


def test_letters_of_several_bytes_do_not_move_edit() -> None:
    code = "def f(a):\n    return 'ä€' + a\n"
    assert {one.candidate().apply(code.encode()).decode() for one in find_mutants("m.py", code.encode())} == {
        "def f(a):\n    return 'ä€' - a\n",
        "def f(a):\n    return '' + a\n",
        "def f(a):\n    return None\n",
    }


def test_number_of_thousands_of_digits_is_left_alone() -> None:
    code = f"P = 0x{'f' * 4000}\n\n\ndef f(a):\n    return a + 0x{'f' * 4000}\n"
    assert all("1)" not in one.what for one in find_mutants("m.py", code.encode()))
    assert code_constants(code.encode()) == []
