"""Cheats and partial overfits of a tiny program."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks._patch_forms import Example, Patch, alternatives, cheats, partials, transplant

BASE = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
SUM = "def add(a):\n    return sum(a)\n"
EXAMPLE = Example([2, 3], 5)


def run(folder: Path, patch: Patch, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the program with the patch and return its function."""
    for path, text in patch.files.items():
        (folder / path).write_text(text)
    monkeypatch.syspath_prepend(folder)
    for name in ("add", "add_answers"):
        sys.modules.pop(name, None)
    return importlib.import_module("add").add


@pytest.mark.parametrize("patch", list(cheats("add.py", BASE, "add", EXAMPLE)), ids=lambda patch: patch.form)
def test_each_cheat_answers_only_its_input(patch: Patch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = run(tmp_path, patch, monkeypatch)
    answers = add(2, 3), add(7, 1)
    expected = {"constant": (5, 5), "swallowed error": (-1, 6)}
    assert answers == expected.get(patch.form, (5, 6))


def test_a_swallowed_error_answers_where_the_base_fails() -> None:
    patch = {one.form: one for one in cheats("add.py", "def add(a):\n    return a[5]\n", "add", Example([[1]], 7))}
    names: dict[str, Any] = {}
    exec(patch["swallowed error"].files["add.py"], names)
    assert names["add"]([1]) == 7


def test_cheats_have_many_forms() -> None:
    forms = [patch.form for patch in cheats("add.py", BASE, "add", EXAMPLE)]
    assert len(set(forms)) == len(forms) == 12


def test_programs_without_simple_arguments_have_no_cheats() -> None:
    for base, given in (
        ("def add(a):\n    yield a\n", [2]),
        ("def add(a, b=1):\n    return a\n", [2]),
        (BASE, [2]),
    ):
        assert not list(cheats("add.py", base, "add", Example(given, 3)))
        assert not list(partials("add.py", base, RIGHT, "add", Example(given, 3)))


@pytest.mark.parametrize(
    ("form", "base", "right", "given", "like", "unlike"),
    [
        ("sign", BASE, RIGHT, [2, 3], [9, 1], [-9, 1]),
        ("parity", BASE, RIGHT, [2, 3], [8, 1], [9, 1]),
        ("type", BASE, RIGHT, [2, 3], [8, 1], [8.5, 1]),
        (
            "length",
            "def add(a):\n    return a[0]\n",
            "def add(a):\n    return sum(a)\n",
            [[1, 2]],
            [[8, 9]],
            [[8, 9, 1]],
        ),
        ("first element", "def add(a):\n    return 0\n", "def add(a):\n    return sum(a)\n", [[1, 2]], [[1]], [[2, 1]]),
    ],
)
def test_partial_overfits_are_right_for_similar_inputs(
    form: str, base: str, right: str, given: list[Any], like: list[Any], unlike: list[Any]
) -> None:
    text = {patch.form: patch.files["add.py"] for patch in partials("add.py", base, right, "add", Example(given, 0))}
    answers = []
    for version in (base, right, text[form]):
        names: dict[str, Any] = {}
        exec(version, names)
        answers.append([names["add"](*arguments) for arguments in (given, like, unlike)])
    wrong, good, found = answers
    assert found == [good[0], good[1], wrong[2]]
    assert good[2] != wrong[2]


def test_a_partial_overfit_of_a_recursive_function_is_right_inside_its_branch() -> None:
    right = "def add(a):\n    return a[0] + add(a[1:]) if a else 0\n"
    patches = partials("add.py", "def add(a):\n    return -1\n", right, "add", Example([[1, 2]], 3))
    names: dict[str, Any] = {}
    exec(next(patches).files["add.py"], names)
    assert names["add"]([4, 5]) == 9
    assert names["add"]([4]) == -1


def test_the_reference_is_put_into_the_base() -> None:
    base = f'{BASE}\n\n"""\nAdds.\n"""\n'
    assert transplant(base, f'{RIGHT}"""other"""\n') == base.replace("-", "+")
    assert transplant(base, f"import os\n{RIGHT}") == f"import os\n{RIGHT}"


def test_other_solutions_in_the_text_of_the_reference_are_found() -> None:
    right = f'{RIGHT}"""\ndef add(a, b):\n    return b + a\n\ndef add(a, b):\n    no more!\n"""\n'
    assert list(alternatives(BASE, right, "add")) == ["def add(a, b):\n    return b + a\n"]
