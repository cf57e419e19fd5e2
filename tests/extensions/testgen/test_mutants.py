"""Mutants: each parses, differs from the original and has the right location."""

from __future__ import annotations

import ast

import pytest

from extensions.testgen.mutants import find_mutants
from extensions.testgen.usage_mining import code_constants

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


def descriptions(code: str, *names: str) -> list[str]:
    return [mutant.what for mutant in find_mutants("m.py", code.encode(), names)]


def test_each_mutant_parses_and_differs_from_original() -> None:
    mutants = find_mutants("m.py", CODE.encode())
    texts = {mutant.candidate().apply(CODE.encode()) for mutant in mutants}
    assert len(texts) == len(mutants) > 10
    assert all(ast.dump(ast.parse(text)) != ast.dump(ast.parse(CODE)) for text in texts)
    assert {mutant.name for mutant in mutants} == {"f"}
    assert all(mutant.line in mutant.reach for mutant in mutants)


@pytest.mark.parametrize(
    "description",
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
def test_standard_mutation_operators_are_applied(description: str) -> None:
    assert description in descriptions(CODE)


def test_docstrings_signatures_and_other_functions_are_not_mutated() -> None:
    code = 'def f(a=1):\n    """1"""\n    return a\n\n\ndef g(b=2):\n    return b - 1\n'
    assert descriptions(code, "f") == ["returns None for `a`"]


def test_function_on_one_line_has_no_mutants() -> None:
    assert descriptions("def f(a): return a + 1\n") == []


def test_multibyte_characters_do_not_shift_edit() -> None:
    code = "def f(a):\n    return 'ä€' + a\n"
    assert {mutant.candidate().apply(code.encode()).decode() for mutant in find_mutants("m.py", code.encode())} == {
        "def f(a):\n    return 'ä€' - a\n",
        "def f(a):\n    return '' + a\n",
        "def f(a):\n    return None\n",
    }


def test_number_with_thousands_of_digits_is_not_mutated() -> None:
    code = f"P = 0x{'f' * 4000}\n\n\ndef f(a):\n    return a + 0x{'f' * 4000}\n"
    assert all("1)" not in mutant.what for mutant in find_mutants("m.py", code.encode()))
    assert code_constants(code.encode()) == []
