"""Literals of tests that are changed in copies, and those that are not."""

from __future__ import annotations

import random
import types
from pathlib import Path

import pytest

from extensions.experiment.guest.literal_variants import (
    VariedTest,
    changed_value,
    find_function,
    input_literals,
    with_words,
)

TEST = """
import unittest
import pytest

ROWS = [1]

def helper(*given): ...

class Base:
    def total(self, *given):
        return given

class Case(Base):
    def test_it(self, ROWS=[2]):
        "Docstring"
        {line}
"""
LINES = {
    "assert total(11, b=12) == 13, 'message'": [12, 11],
    "assert 13 == total(11)": [11],
    "assert total(11) == total(13)": [11],
    "assert 'x' in total('a')": ["a"],
    "found = total(['a', {'b': 2.5}], True, None)": ["a", "b", 2.5, True],
    "self.assertEqual(total(11), 13, 'message')": [11],
    "self.assertEqual(13, total(11))": [11],
    "self.assertRaises(ValueError, total, 11)": [11],
    "self.assertRaisesRegex(ValueError, 'text', total, 11)": [11],
    "pytest.raises(ValueError, total, 11, match='text')": [11],
    "total(f'a{11:>12}')": ["a", 11],
    "size: 'int' = total(11)": [11],
}


def varied(folder: Path, line: str, fixed: tuple[object, ...] = ()) -> tuple[VariedTest, types.SimpleNamespace]:
    path = folder / "test_it.py"
    path.write_text(TEST.replace("{line}", line))
    names: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    case = names["Case"]
    test = types.SimpleNamespace(function=lambda: case.test_it, data=dict)  # type: ignore[attr-defined]
    return VariedTest(test, lambda value: value in fixed), types.SimpleNamespace(**names)


@pytest.mark.parametrize("line", LINES)
def test_values_that_are_compared_with_results_stay(tmp_path, line):
    names = varied(tmp_path, line)[1]
    above, node = find_function(names.Case.test_it.__code__)
    assert above == ("Case",)
    assert [getattr(one, "value", None) for one in input_literals(node)] == LINES[line]


VALUES = "return super().total('MAX size_Size', 'size', 7, [7, 8.5], b'size', True)"


@pytest.mark.parametrize("aligned", [False, True])
def test_values_are_changed_everywhere_and_stay_distinct(tmp_path, aligned):
    test, names = varied(tmp_path, VALUES)
    for seed in range(30):
        change = test.aligned_changes if aligned else test.changes
        changes = change(test.places, random.Random(seed))
        assert len(set(changes.values())) == len(changes)
        test.apply(changes)
        large, size = changes.get(("str", "max"), "max"), changes.get(("str", "size"), "size")
        assert changes["bool", True] is False
        assert names.Case().test_it() == (
            f"{large.upper()} {size}_{size[0].upper()}{size[1:]}",
            size,
            changes["int", 7],
            [changes["int", 7], changes["float", 8.5]],
            size.encode(),
            False,
        )


def test_aligned_changes_keep_how_values_relate(tmp_path):
    test, _ = varied(tmp_path, "return 'foobar', 'foo', 12, 4")
    for seed in range(30):
        changes = test.aligned_changes(test.places, random.Random(seed))
        assert changes["str", "foobar"].startswith(changes.get(("str", "foo"), "foo"))
        assert changes["int", 12] == 3 * changes["int", 4]


def test_assertions_check_nothing_but_are_evaluated(tmp_path):
    test, names = varied(tmp_path, "assert ROWS.append(3) == 4; self.assertEqual(ROWS.append(5), 6); return ROWS")
    test.apply({})
    assert names.Case().test_it() == [2, 3, 5]


def test_fixed_values_stay(tmp_path):
    test, names = varied(tmp_path, "return 'dark mode', 'dark', 8, 9", ("dark", 8))
    assert test.places == [("str", "mode"), ("int", 9)]
    test.apply({("str", "dark"): "light", ("int", 8): 1, ("int", 9): 7})
    assert names.Case().test_it() == ("dark mode", "dark", 8, 7)


def test_words_of_constants_are_constants():
    given = [["str", "'class '"], ["str", "'Return a class.'"], ["int", "7"]]
    assert with_words(given) == [*given, ["str", "'class'"]]


def test_parameters_are_changed():
    data = {"rows": [{"size": 7}], "lock": object()}
    test = VariedTest(types.SimpleNamespace(function=lambda: None, data=lambda: data), lambda value: False)
    assert test.places == [("str", "size"), ("int", 7)]
    test.apply({("str", "size"): "sine", ("int", 7): 8})
    assert data["rows"] == [{"sine": 8}]
    assert test.values_with([("int", 7)]) == [7]


@pytest.mark.parametrize("value", [7, -7, 2.5, -0.5, "a", "café", "102"])
def test_changed_value_is_of_the_same_kind(value):
    for seed in range(200):
        made = changed_value(value, random.Random(seed))
        assert type(made) is type(value)
        if isinstance(value, str):
            assert made.isdigit() == value.isdigit()
            assert made.count("0") == value.count("0")
            assert made.count("é") == value.count("é")
        else:
            assert made == 0 or (made > 0) == (value > 0)
