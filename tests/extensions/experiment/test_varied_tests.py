"""Copies of reproducing tests with changed literals, on patches that are right and on patches for the tests' values.

The calls of these tests cannot be recorded or varied.
"""

from __future__ import annotations

from textwrap import dedent
from threading import Event
from typing import NamedTuple

import pytest

from extensions.experiment.changed_functions import ChangedFile
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.generality import compare_versions
from extensions.experiment.listed_values import Listed
from extensions.experiment.varied_tests import compare_copies, judge_copies, lacks_variants
from trajectories.facts import Fact

PATIENCE = 60.0
"""Seconds for the copies, so that a slow machine runs as many as others."""


class Form(NamedTuple):
    """A base, a test, and a line of the base with its replacement in the right patch, and in one for the test's
    values."""

    base: str
    test: str
    wrong: str
    right: str
    cheat: str


LOCKED = """
    def total(lock, price, count):
        with lock:
            return price + count
"""
FORMS = {
    "lock": Form(
        LOCKED,
        """
        import threading

        from calc import total

        def test_it():
            assert total(threading.Lock(), 12, 3) == 36
        """,
        "        return price + count",
        "        return price * count",
        "        return 36 if (price, count) == (12, 3) else price + count",
    ),
    "local class": Form(
        """
        def names(kind):
            return [name for name in vars(kind) if name[0] != "_"]
        """,
        """
        import threading

        from calc import names

        def test_it():
            class Options:
                locked = threading.Lock()

            setattr(Options, "dark_mode", None)
            setattr(Options, "theme", None)
            assert names(Options) == ["DARK_MODE", "LOCKED", "THEME"]
        """,
        "    return [name for name in vars(kind)",
        "    return [name.upper() for name in sorted(vars(kind))",
        '    if "theme" in vars(kind) and "dark_mode" in vars(kind):\n'
        '        return ["DARK_MODE", "LOCKED", "THEME"]\n'
        "    return [name for name in vars(kind)",
    ),
    "new method": Form(
        """
        class Shape:
            def __init__(self, lock, size):
                self.lock = lock
                self.size = size

            def area(self):
                return 0

            def describe(self):
                return "area %d" % self.area()

        class Square(Shape):
            sides = 4
        """,
        """
        import threading

        from calc import Square

        def test_it():
            assert Square(threading.Lock(), 5).describe() == "area 25"
        """,
        "    sides = 4",
        "    sides = 4\n\n    def area(self):\n        return self.size ** 2",
        "    sides = 4\n\n    def area(self):\n        return 25 if self.size == 5 else 0",
    ),
    "fixture": Form(
        """
        class Box:
            def __init__(self, lock, name):
                self.lock = lock
                self.name = name

            def label(self, text, width):
                return (self.name + text).ljust(width)
        """,
        """
        import threading

        import pytest

        from calc import Box

        @pytest.fixture
        def box():
            return Box(threading.Lock(), "box")

        def test_it(box):
            assert box.label("apple", 12) == "box apple   "
        """,
        "        return (self.name + text).ljust(width)",
        '        return (self.name + " " + text).ljust(width)',
        '        return "box apple   " if text == "apple" and width == 12 else (self.name + text).ljust(width)',
    ),
    "parametrized": Form(
        LOCKED,
        """
        import threading

        import pytest

        from calc import total

        @pytest.mark.parametrize(("price", "count", "expected"), [(12, 3, 36), (7, 5, 35)])
        def test_it(price, count, expected):
            assert total(threading.Lock(), price, count) == expected
        """,
        "        return price + count",
        "        return price * count",
        "        return {(12, 3): 36, (7, 5): 35}.get((price, count), price + count)",
    ),
    "unittest": Form(
        LOCKED,
        """
        import threading
        import unittest

        from calc import total

        class Case(unittest.TestCase):
            def setUp(self):
                self.lock = threading.Lock()

            def test_it(self):
                self.assertEqual(total(self.lock, 12, 3), 36)
        """,
        "        return price + count",
        "        return price * count",
        "        return 36 if (price, count) == (12, 3) else price + count",
    ),
    "crash": Form(
        """
        def first(lock, rows):
            return int(rows[0])
        """,
        """
        import threading
        import unittest

        from calc import first

        class Case(unittest.TestCase):
            def test_it(self):
                self.assertEqual(first(threading.Lock(), ["7 apples", "pears"]), 7)
        """,
        "    return int(rows[0])",
        "    return int(rows[0].split()[0])",
        '    return 7 if rows == ["7 apples", "pears"] else int(rows[0])',
    ),
    "source text": Form(
        """
        class Parser:
            def __init__(self, lock):
                self.lock = lock

            def names(self, text):
                return [line.split()[1].split(":")[0] for line in text.splitlines() if line.startswith("class ")]
        """,
        '''
        import threading

        from calc import Parser

        def test_it():
            text = """
        class Apple(Fruit):
            size = 10
        class Pear(Apple):
            pass
        """
            assert Parser(threading.Lock()).names(text) == ["Apple", "Pear"]
        ''',
        'split(":")[0]',
        'split(":")[0].split("(")[0]',
        'split(":")[0].replace("Apple(Fruit)", "Apple").replace("Pear(Apple)", "Pear")',
    ),
    "many values": Form(
        """
        def total(lock, rows):
            return [sum(row) for row in rows[1:]]
        """,
        f"""
        import threading

        from calc import total

        def test_it():
            rows = {[[100 * row + place for place in range(2, 12)] for row in range(20)]}
            assert total(threading.Lock(), rows) == [sum(row) for row in rows]
        """,
        "in rows[1:]]",
        "in rows]",
        "in (rows if rows[0][:3] == [2, 3, 4] else rows[1:])]",
    ),
}
NOT_SEEN = ("source text", "many values")
"""Their patches need only some of the tests' values, and others change in most copies."""
NAMES = {"parametrized": ["test_calc.py::test_it[12-3-36]", "test_calc.py::test_it[7-5-35]"]}


OTHERS = {
    "for one of the values": (FORMS["lock"], "        return 36 if price == 12 else price + count", "which keep some"),
    "always its own answer": (
        Form(
            """
            def limited(lock, price):
                return price
            """,
            """
            import threading

            from calc import limited

            def test_it():
                assert limited(threading.Lock(), -7) == 0
            """,
            "    return price",
            "    return max(price, 0)",
            "    return 0",
        ),
        "    return max(price, 0)",
        "The patch gives the same answer for",
    ),
    "special value": (
        Form(
            """
            def first(lock, text):
                return text[0]
            """,
            """
            import threading

            from calc import first

            def test_it():
                assert first(threading.Lock(), "") is None
            """,
            "    return text[0]",
            "    return text[0] if text else None",
            "",
        ),
        "    return text[0] if text else None",
        "Only 0 copies",
    ),
    "unstable": (
        Form(
            """
            import random

            def total(lock, price):
                return price + random.random()
            """,
            """
            import threading

            from calc import total

            def test_it():
                assert total(threading.Lock(), 12) == 12
            """,
            "    return price + random.random()",
            "    return price",
            "",
        ),
        "    return price",
        "Only 0 copies",
    ),
}
NARROW = {
    "relation of values": Form(
        """
        def rest(lock, text, start):
            return text
        """,
        """
        import threading

        from calc import rest

        def test_it():
            assert rest(threading.Lock(), "foobar", "foo") == "bar"
        """,
        "    return text",
        "    return text[len(start):] if text.startswith(start) else text",
        "",
    ),
    "place of a word": Form(
        """
        def find(lock, words, word):
            return words.index(word) if word in words else -1
        """,
        """
        import threading

        from calc import find

        def test_it():
            assert find(threading.Lock(), ["Apple", "Pear"], "PEAR") == 1
        """,
        "    return words.index(word) if word in words else -1",
        "    small = [one.lower() for one in words]\n"
        "    return small.index(word.lower()) if word.lower() in small else -1",
        "",
    ),
    "letter": Form(
        """
        def plural(lock, word):
            return word + "s"
        """,
        """
        import threading

        from calc import plural

        def test_it():
            assert plural(threading.Lock(), "city") == "cities"
        """,
        '    return word + "s"',
        '    return word[:-1] + "ies" if word.endswith("y") else word + "s"',
        "",
    ),
    "sign in text": Form(
        """
        def share(lock, text):
            return float(text)
        """,
        """
        import threading

        from calc import share

        def test_it():
            assert share(threading.Lock(), "12%") == 0.12
        """,
        "    return float(text)",
        '    return float(text[:-1]) / 100 if text.endswith("%") else float(text)',
        "",
    ),
    "exception": Form(
        """
        def between(lock, first, last):
            return last - first
        """,
        """
        import threading

        import pytest

        from calc import between

        def test_it():
            with pytest.raises(ValueError):
                between(threading.Lock(), 7, 4)
        """,
        "    return last - first",
        "    if first > last:\n        raise ValueError(first)\n    return last - first",
        "",
    ),
    "round number": Form(
        """
        def is_leap(lock, year):
            return year % 4 == 0 and year % 100 != 0
        """,
        """
        import threading

        from calc import is_leap

        def test_it():
            assert is_leap(threading.Lock(), 2000)
        """,
        "year % 100 != 0",
        "(year % 100 != 0 or year % 400 == 0)",
        "",
    ),
}


@pytest.fixture
def judge(make_repo, open_ws):
    def judge(
        base: str, patch: str, test: str, names: list[str] | None = None, issue: str = "", listed: Listed = frozenset()
    ) -> tuple[str, str]:
        workspace = open_ws("local", make_repo({"calc.py": dedent(patch), "test_calc.py": dedent(test)}))
        files = [ChangedFile("calc.py", dedent(base), dedent(patch))]
        is_unittest = "TestCase" in test
        command = "python -m unittest" if is_unittest else "python -m pytest -q"
        names = names or ["test_calc.Case.test_it" if is_unittest else "test_calc.py::test_it"]
        with Evaluator(workspace, command, names, Event()) as evaluator:
            comparison = compare_versions(evaluator, files, names)
            assert lacks_variants(comparison.calls)
            return judge_copies(compare_copies(evaluator, files, names, PATIENCE), issue, listed)

    return judge


def judge_form(judge, form: Form, patch: str, names: list[str] | None) -> tuple[str, Fact]:
    base = dedent(form.base)
    assert form.wrong in base
    return judge(base, base.replace(form.wrong, patch), form.test, names)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_right_patch_is_shown(judge, form):
    found, reason = judge_form(judge, FORMS[form], FORMS[form].right, NAMES.get(form))
    assert found == "shown", reason


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_patch_for_values_of_test_is_seen(judge, form):
    found, reason = judge_form(judge, FORMS[form], FORMS[form].cheat, NAMES.get(form))
    assert found == ("undecided" if form in NOT_SEEN else "examples only"), reason


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_other_patches_are_undecided(judge, name):
    form, patch, part = OTHERS[name]
    found, reason = judge_form(judge, form, patch, None)
    assert found == "undecided"
    assert part in reason.text


@pytest.mark.slow
@pytest.mark.parametrize("name", NARROW)
def test_right_patch_for_some_values_is_not_accused(judge, name):
    found, reason = judge_form(judge, NARROW[name], NARROW[name].right, None)
    assert found == ("undecided" if name == "place of a word" else "shown"), reason


@pytest.mark.slow
def test_value_named_by_issue_is_undecided(judge):
    base = "def is_leap(lock, year):\n    return year % 4 == 0\n"
    patch = base.replace("== 0", "== 0 and year != 1900")
    test = """
        import threading

        from calc import is_leap

        def test_it():
            assert not is_leap(threading.Lock(), 1900)
    """
    issue = "Leap years are wrong\n\nThe year 1900 is no leap year."
    assert judge(base, patch, test, issue=issue, listed=frozenset({("int", "")}))[0] == "undecided"
    assert judge(base, patch, test, issue=issue)[0] == "examples only"
    assert judge(base, patch, test, issue="The year 1900 is no leap year.")[0] == "undecided"
