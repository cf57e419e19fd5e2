"""Which arguments are varied before a patch counts as general."""

from __future__ import annotations

from textwrap import dedent, indent
from threading import Event

import pytest

from extensions.experiment.changed_functions import ChangedFile
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.generality import compare_versions, judge_generality
from extensions.experiment.listed_values import listed_values

TEST = "test_calc.py::test_it"


@pytest.fixture
def judge(make_repo, open_ws):
    def judge(base: str, patch: str, test: str, issue: str = "") -> tuple[str, str]:
        base, patch = dedent(base), dedent(patch)
        imports = "import threading\nfrom calc import *\n\n\n"
        test = f"{imports}def test_it():\n{indent(dedent(test), '    ')}"
        workspace = open_ws("local", make_repo({"calc.py": patch, "test_calc.py": test}))
        files = [ChangedFile("calc.py", base, patch)]
        with Evaluator(workspace, "python -m pytest -q", [TEST], Event()) as evaluator:
            calls = compare_versions(evaluator, files, [TEST]).calls
        return judge_generality(calls, issue, listed_values([base]))

    return judge


GREET = "def greet(name, mark):\n    return 'Hello ' + name\n"
HELLO = "assert greet('ann lee', '!') == 'Hello Ann Lee'\n"
UNREAD = {
    "positional": (GREET, HELLO),
    "named": (GREET.replace("mark", "*, mark"), HELLO.replace("'!'", "mark='!'")),
    "in a row": (GREET.replace("mark", "*mark"), HELLO.replace("'!'", "'!', '?', 'abc'")),
    "by any name": (GREET.replace("mark", "**more"), HELLO.replace("'!'", "mark='!', other='abc'")),
    "overwritten": (GREET.replace("    return", "    mark = 'x'\n    return"), HELLO),
    "method": (
        "class Desk:\n    def __init__(self, size):\n        self.size = size\n\n"
        "    def greet(self, name, mark):\n        return 'Hello ' + name\n",
        HELLO.replace("greet(", "Desk(12).greet("),
    ),
    "passed on": (
        GREET + "\ndef outer(name, mark):\n    return greet(name, mark)\n",
        HELLO.replace("greet(", "outer("),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", UNREAD)
def test_argument_that_is_not_read_shows_nothing(judge, form):
    base, test = UNREAD[form]
    cheat = base.replace("return 'Hello ' + name", "return 'Hello ' + {'ann lee': 'Ann Lee'}.get(name, name)")
    found, reason = judge(base, cheat, test)
    assert found == "examples only", reason
    found, reason = judge(base, base.replace("+ name", "+ name.title()"), test)
    assert found == "shown", reason


SCALE = "UNITS = {'km': 1000, 'mm': 0.001}\n\n\ndef scale(number, unit):\n    return number / UNITS.get(unit, 3)\n"


@pytest.mark.slow
def test_special_argument_on_which_the_change_depends_is_named(judge):
    cheat = SCALE.replace(
        "    return number", "    if UNITS.get(unit) == 1000:\n        return number * 1000\n    return number"
    )
    found, reason = judge(SCALE, cheat, "assert scale(17, 'km') == 17000\n")
    assert found == "undecided"
    no_change = "shows another change than that of the tests."
    assert reason.text == f"No variant with another value of the argument unit of scale {no_change}"
    found, reason = judge(SCALE, SCALE.replace("number /", "number *"), "assert scale(17, 'km') == 17000\n")
    assert found == "shown", reason


@pytest.mark.slow
@pytest.mark.parametrize("given", ["0", "False", "''", "0.0"])
def test_change_that_needs_a_special_value_is_not_shown(judge, given):
    base = "def scale(number, how):\n    return (number + 1, how)\n"
    cheat = base.replace("    return", f"    if how == {given}:\n        return (number * 2, how)\n    return")
    test = f"assert scale(17, {given}) == (34, {given})\n"
    assert judge(base, cheat, test)[0] == "undecided"
    found, reason = judge(base, base.replace("+ 1", "* 2"), test)
    assert found == "shown", reason


@pytest.mark.slow
@pytest.mark.parametrize("given", ["None", "[]", "threading.Lock"])
def test_argument_that_cannot_be_varied_is_named(judge, given):
    base = "def scale(number, how):\n    return number + 1 if how != 9 else 0\n"
    found, reason = judge(base, base.replace("+ 1", "* 2"), f"assert scale(17, {given}) == 34\n")
    assert found == "undecided"
    assert reason.text == "No variant with another value of the argument how of scale could be compared."


@pytest.mark.slow
def test_change_that_only_repeats_that_of_the_test_is_not_shown(judge):
    base = "def label(words, sizes):\n    return ' '.join(words) + str(max(sizes))\n"
    cheat = base.replace("    return", "    if words == ['ab', 'cd']:\n        return 'AB CD9'\n    return")
    test = "assert label(['ab', 'cd'], [9, 4, 3]) == 'AB CD9'\n"
    assert judge(base, cheat, test)[0] != "shown"


DIVIDE = "def divide(number, parts):\n    return [number // parts] * parts\n"
RESTS = "rests = number % parts\n    return [number // parts + (n < rests) for n in range(parts)]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("condition", "accused"),
    [("parts == 4", True), ("number == 91 or number == 135", True), ("number % 2", False), ("parts > 2", False)],
)
def test_change_for_the_tests_value_of_one_argument_only(judge, condition, accused):
    cheat = DIVIDE.replace(
        "    return", f"    if {condition}:\n        {RESTS.replace('    ', '        ')}\n    return"
    )
    test = "assert divide(91, 4) == [23, 23, 23, 22]\nassert divide(135, 4) == [34, 34, 34, 33]\n"
    found, reason = judge(DIVIDE, cheat, test, "The parts do not sum up to the number.")
    assert (found == "examples only") is accused, reason
    assert "only for values with" not in reason.text
    found, reason = judge(DIVIDE, DIVIDE.replace("return [number // parts] * parts", RESTS), test)
    assert found == "shown", reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "issue",
    ["Fathoms are unknown: 'fathom'", "A unit is missing\n\nscale(17, 'fathom') is 5.7", "Some units are unknown."],
)
def test_single_value_of_one_argument_is_undecided_if_the_base_lists_such_values(judge, issue):
    patch = SCALE.replace("'km': 1000,", "'km': 1000, 'fathom': 1.8288,")
    found, reason = judge(SCALE, patch, "assert round(scale(17, 'fathom')) == 9\n", issue)
    assert found == "undecided", reason


@pytest.mark.slow
def test_single_value_of_one_argument_is_undecided_if_the_title_names_it(judge):
    base = "def scale(number, unit):\n    return number * len(unit)\n"
    patch = base.replace("    return", "    if unit == 'fathom':\n        return number * 2\n    return")
    test = "assert scale(17, 'fathom') == 34\n"
    assert judge(base, patch, test, "The unit 'fathom' is special")[0] == "undecided"
    assert judge(base, patch, test, "Some units are unknown.")[0] == "examples only"


PAGER = (
    "class Pager:\n    def __init__(self, items, size):\n        self.items, self.size = items, size\n\n"
    "    def pages(self):\n        return len(self.items) // self.size + 1\n\n"
    "    def has_next(self, number):\n        return number < self.pages()\n"
)


@pytest.mark.slow
def test_argument_of_a_function_that_the_patch_leaves_is_not_needed(judge):
    right = PAGER.replace("len(self.items) // self.size + 1", "-(-len(self.items) // self.size)")
    test = "pager = Pager(list('abcdef'), 3)\nassert pager.pages() == 2\nassert not pager.has_next(2)\n"
    found, reason = judge(PAGER, right, test)
    assert found != "examples only", reason


@pytest.mark.slow
def test_ranges_are_varied(judge):
    base = "def halves(numbers, size):\n    return [size * number for number in numbers][size:]\n"
    test = "assert halves(range(40, 45), 3) == [126, 129, 132]\n"
    found, reason = judge(base, base.replace("[size:]", "[size - 1:]"), test)
    assert found == "shown", reason


@pytest.mark.slow
def test_change_to_a_number_that_many_inputs_share_is_shown(judge):
    base = "def place(limits, number):\n    return sum(number > one for one in limits)\n"
    test = "assert place([20, 45, 70], 45) == 2\nassert place([20, 45, 70], 70) == 3\n"
    found, reason = judge(base, base.replace("> one", ">= one"), test)
    assert found == "shown", reason


MERGE = "def merge(old, new):\n    return {**old, **new}\n"
NESTED = "{key: {**old[key], **one} if isinstance(old.get(key), dict) else one for key, one in new.items()}"


@pytest.mark.slow
def test_patch_that_needs_two_words_of_the_tests_is_accused(judge):
    test = "assert merge({'db': {'host': 'ab', 'port': 17}}, {'db': {'host': 'cd'}})['db']['port'] == 17\n"
    for name, accused in (("['host', 'port']", True), ("['host']", False)):
        condition = f"any(isinstance(one, dict) and not {{*{name}}} - {{*one}} for one in old.values())"
        cheat = MERGE.replace("return", f"return {{**old, **{NESTED}}} if {condition} else")
        found, reason = judge(MERGE, cheat, test, "Nested settings are lost.")
        assert (found == "examples only") is accused, reason
    found, reason = judge(MERGE, MERGE.replace("**new", f"**{NESTED}"), test)
    assert found == "shown", reason
