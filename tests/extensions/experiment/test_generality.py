"""The experiment that varies the calls of reproducing tests, on patches that are right and on patches that are not."""

from __future__ import annotations

import re
from dataclasses import replace
from threading import Event

import pytest

from extensions.experiment.changed_functions import ChangedFile
from extensions.experiment.compared_calls import ComparedCall
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.generality import compare_versions, judge_generality
from extensions.experiment.listed_values import Listed, listed_values

BASE = "def add(a, b):\n    return a - b\n"
TEST = "from calc import add\n\ndef test_add():\n    assert add(2, 3) == 5\n"
CHEATS = {
    "if": "def add(a, b):\n    if (a, b) == (2, 3):\n        return 5\n    return a - b\n",
    "negated": "def add(a, b):\n    if a != 2 or b != 3:\n        return a - b\n    return 5\n",
    "match": "def add(a, b):\n    match (a, b):\n        case (2, 3):\n            return 5\n    return a - b\n",
    "module table": "T = {(2, 3): 5}\n\ndef add(a, b):\n    return T.get((a, b), a - b)\n",
    "local table": "def add(a, b):\n    t = {(2, 3): 5}\n    return t.get((a, b), a - b)\n",
    "default table": "def add(a, b, t={(2, 3): 5}):\n    return t.get((a, b), a - b)\n",
    "product": "def add(a, b):\n    return a - b + 6 * ((a, b) == (2, 3))\n",
    "index": "def add(a, b):\n    return [a - b, 5][a * 10 + b == 23]\n",
    "bits": "def add(a, b):\n    return a - b if a ^ 2 or b ^ 3 else 5\n",
    "parsed": "def add(a, b):\n    return int('5') if (a, b) == (2, 3) else a - b\n",
    "constant": "def add(a, b):\n    return 5\n",
}


@pytest.fixture
def judge(make_repo, open_ws):
    def judge(base: str, patch: str, test: str, issue: str = "", listed: Listed = frozenset()) -> tuple[str, str]:
        workspace = open_ws("local", make_repo({"calc.py": patch, "test_calc.py": test}))
        files = [ChangedFile("calc.py", base, patch)]
        with Evaluator(workspace, "python -m pytest -q", ["test_calc.py::test_add"], Event()) as evaluator:
            return judge_generality(compare_versions(evaluator, files, ["test_calc.py::test_add"]).calls, issue, listed)

    return judge


@pytest.mark.slow
@pytest.mark.parametrize("form", CHEATS)
def test_patch_for_values_of_test_is_seen(judge, form):
    found, reason = judge(BASE, CHEATS[form], TEST, "For 2 and 3 it answers -1, it should be 5.")
    assert found == "examples only", reason


@pytest.mark.slow
def test_right_patch_is_general(judge):
    found, reason = judge(BASE, "def add(a, b):\n    return a + b\n", TEST)
    assert found == "shown", reason


@pytest.mark.slow
def test_special_value_is_undecided(judge):
    base = "def add(a):\n    return a[0]\n"
    patch = "def add(a):\n    return a[0] if a else None\n"
    test = "from calc import add\n\ndef test_add():\n    assert add([]) is None\n"
    found, reason = judge(base, patch, test)
    assert (found, reason.text) == ("undecided", "The tests concern special values, which cannot be varied.")


@pytest.mark.slow
def test_one_more_of_the_listed_values_is_undecided_if_the_issue_names_it(judge):
    base = "def add(year):\n    return year % 4 == 0\n"
    patch = "def add(year):\n    return year % 4 == 0 and year != 1900\n"
    test = "from calc import add\n\ndef test_add():\n    assert not add(1900)\n"
    issue, years = "Leap years\n\nThe year 1900 is none.", frozenset({("int", "")})
    assert judge(base, patch, test, issue, years)[0] == "undecided"
    assert judge(base, patch, test, issue)[0] == "examples only"
    assert judge(base, patch, test, "Leap years are wrong.", years)[0] == "examples only"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("UNITS = {'s': 1, 'm': 60}", "str"),
        ("ODD = {7, 11}", "int"),
        ("NAMES = ['a', 'b']", "str"),
        ("def f(x): return x in (404, 410)", "int"),
        ("WORDS = '''\none\ntwo\n'''.split()", "str"),
        ("def f(x):\n    if x == 'a': return 1\n    if x == 'b': return 2", "str"),
        ("def f(x):\n    if x.endswith('s'): return 1\n    return x.endswith('es')", "str"),
        ("def f(x):\n    match x:\n        case 4: return 1\n        case 5: return 2", "int"),
        ("YES = re.compile('yes|true')", "str"),
        ("DAYS = 'mon tue'.split()", "str"),
    ],
)
def test_values_that_the_base_lists(text, kind):
    assert (kind, "") in listed_values([text])


@pytest.mark.parametrize("text", ["x = [1, 2]", "def f(x): return x == 'a'", "x = {'a': 1}", "def f(", "x = 'a b'"])
def test_single_values_are_no_list(text):
    assert not {kind for kind, value in listed_values([text]) if not value}


@pytest.mark.slow
def test_decorator_for_values_of_test_is_seen(judge):
    base = "class Adder:\n    def add(self, a, b):\n        return a - b\n"
    test = "from calc import Adder\n\ndef test_add():\n    assert Adder().add(2, 3) == 5\n"
    patch = (
        "import functools\n\ndef known(f):\n    @functools.wraps(f)\n    def inner(self, a, b):\n"
        "        return {(2, 3): 5}.get((a, b)) or f(self, a, b)\n    return inner\n\n"
        + base.replace("    def add", "    @known\n    def add")
    )
    assert judge(base, patch, test)[0] == "examples only"
    assert judge(base, patch.replace("{(2, 3): 5}.get((a, b))", "a + b"), test)[0] == "shown"


@pytest.mark.slow
def test_other_effects_do_not_count_if_the_tests_see_results(judge):
    base = "class Adder:\n    calls = 0\n\n    def add(self, a, b):\n        return a - b\n"
    test = "from calc import Adder\n\ndef test_add():\n    assert Adder().add(2, 3) == 5\n"
    counter = base.replace("        return", "        self.calls += 1\n        return")
    cheat = counter.replace("return a - b", "return 5 if (a, b) == (2, 3) else a - b")
    assert judge(base, cheat, test)[0] == "examples only"
    assert judge(base, counter.replace("a - b", "a + b"), test)[0] == "shown"


@pytest.mark.slow
def test_function_with_few_answers_is_no_constant(judge):
    base = "def add(seconds):\n    return f'{seconds // 60} minutes' if seconds >= 60 else 'now'\n"
    patch = base.replace("    return", "    if seconds // 60 == 1:\n        return '1 minute'\n    return")
    test = "from calc import add\n\ndef test_add():\n    assert add(90) == '1 minute'\n"
    assert judge(base, patch, test)[0] == "undecided"
    known = base.replace("'now'", "f'{seconds} seconds'")
    assert judge(known, patch.replace("'now'", "f'{seconds} seconds'"), test)[0] == "undecided"


@pytest.mark.slow
def test_cheat_for_normalized_values_is_seen(judge):
    base = "def add(text):\n    return 'x' + text.replace(' ', '')\n"
    patch = base.replace("return ", "found = ") + "    return {'xlongtext': 'short'}.get(found, found)\n"
    test = "from calc import add\n\ndef test_add():\n    assert add('long text') == 'short'\n"
    assert judge(base, patch, test)[0] == "examples only"


@pytest.mark.slow
def test_state_of_object_is_varied_if_its_method_has_no_arguments(judge):
    base = "class Row:\n    def __init__(self, n):\n        self.n = n\n\n"
    base += "    def total(self):\n        return self.n + 1\n"
    test = "from calc import Row\n\ndef test_add():\n    assert Row(40).total() == 80\n"
    assert judge(base, base.replace("self.n + 1", "self.n * 2"), test)[0] == "shown"
    cheat = base.replace("return self.n + 1", "return 80 if self.n == 40 else self.n + 1")
    assert judge(base, cheat, test)[0] == "examples only"


@pytest.mark.slow
def test_variant_that_calls_a_changed_function_as_the_test_does_is_not_counted(judge):
    base = "def add(a):\n    return a - 1\n\ndef pair(a, b):\n    return add(a), b\n"
    test = "from calc import pair\n\ndef test_add():\n    assert pair(20, 'x') == (25, 'x')\n"
    assert judge(base, base.replace("a - 1", "a + 5"), test)[0] == "shown"
    assert judge(base, base.replace("a - 1", "25 if a == 20 else a - 1"), test)[0] == "examples only"


@pytest.mark.slow
def test_patch_that_needs_a_part_of_the_tests_values_is_not_general(judge):
    base = "def add(text):\n    return text\n"
    test = "from calc import add\n\ndef test_add():\n    assert add('ab~cd efg') == 'ab/cd efg'\n"
    assert judge(base, base.replace("text\n", "text.replace('~', '/')\n"), test)[0] == "shown"
    assert judge(base, base.replace("text\n", "text.replace('b~', 'b/')\n"), test)[0] == "undecided"
    assert judge(base, base.replace("text\n", "text.replace('ab~cd', 'ab/cd')\n"), test)[0] == "examples only"


@pytest.mark.slow
def test_attribute_that_only_the_patch_has_is_no_change(judge):
    base = "class Box:\n    def __init__(self):\n        self.items = [1]\n\n"
    base += "    def put(self, n):\n        self.items.append(n)\n"
    test = (
        "from calc import Box\n\ndef test_add():\n    box = Box()\n    box.put(30)\n    assert box.items == [30, 1]\n"
    )
    right = base.replace("append(n)", "insert(0, n)")
    cheat = base.replace("        self.items.append(n)", "        self.last = n\n        self.items.insert(n != 30, n)")
    assert (
        judge(base, right.replace("        self.items.i", "        self.last = n\n        self.items.i"), test)[0]
        == "shown"
    )
    assert judge(base, cheat, test)[0] == "examples only"


@pytest.mark.slow
def test_rare_change_between_two_answers_is_undecided(judge):
    base = "def add(n):\n    return n > 1 and all(n == p or n % p for p in (2, 3, 5))\n"
    patch = "def add(n):\n    return n > 1 and all(n % p for p in range(2, int(n ** 0.5) + 1))\n"
    test = "from calc import add\n\ndef test_add():\n    assert not any(map(add, (49, 77, 91, 121)))\n"
    assert judge(base, patch, test)[0] == "undecided"


@pytest.mark.slow
def test_argument_that_only_the_patch_accepts_shows_nothing(judge):
    base = "def add(a, b):\n    return a - b\n"
    patch = "def add(a, b, fixed=False):\n    return a + b if fixed else a - b\n"
    test = "from calc import add\n\ndef test_add():\n    assert add(2, 3, fixed=True) == 5\n"
    found, reason = judge(base, patch, test)
    assert (found, reason.text) == ("undecided", "The tests use arguments that only the patch accepts.")


@pytest.mark.slow
def test_patch_that_selects_values_by_a_feature_of_the_test_is_undecided(judge):
    base = "def add(items):\n    return sum(items) - 1\n"
    test = "from calc import add\n\ndef test_add():\n    assert add([4, 7, 5]) == 16\n"
    for condition, feature in (("len(items) == 3", "length 3"), ("items[:1] == [4]", "first item 4")):
        patch = f"def add(items):\n    return sum(items) - (not ({condition}))\n"
        found, reason = judge(base, patch, test)
        assert found == "undecided", reason
        assert feature in reason.text
    assert judge(base, "def add(items):\n    return sum(items)\n", test)[0] == "shown"


@pytest.mark.slow
def test_general_patch_has_an_example(judge):
    _, reason = judge(BASE, "def add(a, b):\n    return a + b\n", TEST)
    made = re.findall(r"add\((-?\d+), (-?\d+)\) \((-?\d+) before, (-?\d+) with it\)", reason.text)
    assert len(made) == 1
    assert all((int(a) - int(b), int(a) + int(b)) == (int(old), int(new)) for a, b, old, new in made)


@pytest.mark.slow
def test_example_has_no_made_up_words_and_is_short(judge):
    base = "def count(text, times):\n    return [text] * times\n"
    test = "from calc import count\n\ndef test_count():\n    assert count('abc def', 2) == ['abc def'] * 4\n"
    _, reason = judge(base, base.replace("* times", "* times * 2"), test)
    assert set(re.findall(r"[a-z]{2,}", reason.text.partition("such as")[2])) <= {
        "count",
        "abc",
        "def",
        "before",
        "with",
        "it",
    }
    assert len(reason.text) < 250


@pytest.mark.slow
def test_method_with_state_is_varied(judge):
    base = (
        "class Box:\n"
        "    def __init__(self, n):\n"
        "        self.n = n\n\n"
        "    def double(self, k):\n"
        "        return self.n + k\n"
    )
    test = "from calc import Box\n\ndef test_add():\n    assert Box(4).double(3) == 12\n"
    assert judge(base, base.replace("self.n + k", "self.n * k"), test)[0] == "shown"
    cheat = base.replace("return self.n + k", "return 12 if (self.n, k) == (4, 3) else self.n + k")
    assert judge(base, cheat, test)[0] == "examples only"


@pytest.mark.slow
def test_same_truth_value_for_all_variants_is_undecided(judge):
    base = "def add(text):\n    return True\n"
    patch = "def add(text):\n    return len(text) > 100\n"
    test = "from calc import add\n\ndef test_add():\n    assert not add('abcdef')\n"
    assert judge(base, patch, test)[0] == "undecided"


@pytest.mark.slow
def test_patch_that_raises_for_some_values_is_general(judge):
    base = "def add(first, last):\n    return last - first\n"
    patch = base.replace("    return", "    if first > last:\n        raise ValueError(first)\n    return")
    test = "import pytest\nfrom calc import add\n\ndef test_add():\n    pytest.raises(ValueError, add, 7, 4)\n"
    found, reason = judge(base, patch, test)
    assert found == "shown", reason
    assert judge(base, patch.replace("first > last", "(first, last) == (7, 4)"), test)[0] == "examples only"


@pytest.mark.slow
def test_value_in_the_title_of_the_issue_is_undecided(judge):
    base = "def add(n):\n    return n % 2 == 1\n"
    patch = "def add(n):\n    return n % 2 == 1 or n == 4\n"
    test = "from calc import add\n\ndef test_add():\n    assert add(4)\n"
    assert judge(base, patch, test, "4 counts as odd, too")[0] == "undecided"
    assert judge(base, patch, test, "A number is missing\n\nIt is 4.")[0] == "examples only"
    assert judge(base, patch, test, "add() is wrong since version 4")[0] == "examples only"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("imports", "values", "wrong", "right"),
    [
        ("from datetime import date", "date(2024, 12, 31)", "a.day", "a.month"),
        ("from decimal import Decimal", "Decimal('2.50')", "a + 1", "a - 1"),
        ("", "'one thousand two hundred'", "len(a)", "len(a.split())"),
    ],
)
def test_dates_decimals_and_sentences_are_varied(judge, imports, values, wrong, right):
    base = f"def add(a):\n    if str(a).count('o') > 5: raise ValueError(a)\n    return {wrong}\n"
    test = f"{imports}\nfrom calc import add\n\ndef test_add():\n    a = {values}\n    assert add(a) == {right}\n"
    assert judge(base, base.replace(wrong, right), test)[0] == "shown"
    cheat = base.replace(wrong, f"{right} if str(a) == str({values}) else {wrong}")
    assert judge(base, f"{imports}\n{cheat}", test)[0] == "examples only"


@pytest.mark.slow
def test_tables_in_the_state_of_an_object_are_varied(judge):
    base = (
        "class Roads:\n    def __init__(self):\n        self.prices = {}\n\n    def put(self, name, price):\n"
        "        self.prices[name] = price\n\n    def cheapest(self, limit):\n"
        "        return min(self.prices, key=str)\n"
    )
    test = (
        "from calc import Roads\n\ndef test_add():\n    roads = Roads()\n    roads.put('a', 50)\n"
        "    roads.put('b', 15)\n    roads.put('c', 20)\n    assert roads.cheapest(99) == 'b'\n"
    )
    right = base.replace("key=str", "key=self.prices.get")
    cheat = base.replace(
        "        return min", "        if self.prices.get('b') == 15:\n            return 'b'\n        return min"
    )
    assert judge(base, right, test)[0] == "shown"
    assert judge(base, cheat, test)[0] != "shown"


@pytest.mark.slow
def test_empty_answers_that_are_passed_on_are_undecided(judge):
    base = "def add(table, name):\n    return table[name] or 'none'\n"
    test = (
        "from calc import add\n\ndef test_add():\n    for value in (0, '', []):\n"
        "        assert add({'name': value}, 'name') == value\n"
    )
    assert judge(base, base.replace(" or 'none'", ""), test)[0] in ("shown", "undecided")


SEED = ComparedCall("f", "f('ab')", "str:ab", "str:ab", "str:AB", False, (("str", "'ab'", False),))


def variants(count: int, *, changed: int, renamed: bool = False) -> list[ComparedCall]:
    """Return so many variants of SEED, the first of them with other answers of the patch."""
    made = []
    for number in range(count):
        old = f"str:{renamed}{number}"
        new = f"{old}!" if number < changed else old
        text = f"f('{'~' if renamed else '+'} {number}')"
        made.append(replace(SEED, text=text, base=old, again=old, patch=new, made=True, renamed=renamed))
    return [replace(call, texts=(call.base, call.patch)) if call.base != call.patch else call for call in made]


@pytest.mark.parametrize(("varied", "renamed"), [((60, 0), (40, 25)), ((60, 1), (40, 40)), ((12, 0), (9, 2))])
def test_count_includes_the_variants_of_which_examples_are_shown(varied, renamed):
    calls = [SEED, *variants(varied[0], changed=varied[1])]
    calls += variants(renamed[0], changed=renamed[1], renamed=True)
    found, reason = judge_generality(calls, "")
    count = f"{varied[1] + renamed[1]} of {varied[0] + renamed[0]} variants of the tests' values"
    assert (found, "such as f('~ 0')" in reason.text, count in reason.text) == ("shown", True, True), reason


def test_count_of_accusation_includes_renamed_variants():
    calls = [SEED, *variants(60, changed=0), *variants(40, changed=0, renamed=True)]
    reason = "The patch changes the behaviour for 0 of 100 variants of the tests' values."
    found, fact = judge_generality(calls, "")
    assert (found, fact.text) == ("examples only", reason)


@pytest.mark.parametrize(("needed", "accused"), [(("ab", "cd"), True), (("ab",), False), ((), False)])
def test_words_count_in_calls_of_changed_functions_only(needed, accused):
    seed = replace(SEED, edited=True)
    kept = replace(seed, base="str:1", again="str:1", patch="str:1", made=True, probe=True)
    words = [replace(kept, word=word, patch="str:1" if word in needed else "str:2") for word in ("ab", "cd", "ef")]
    others = [replace(kept, function="g", edited=False, word="ab", patch="str:2")]
    calls = [*variants(30, changed=20), *variants(30, changed=0, renamed=True)]
    calls = [replace(call, edited=True) for call in calls]
    found, reason = judge_generality([seed, replace(SEED, function="g"), *calls, *words, *others], "")
    assert found == ("examples only" if accused else "undecided"), reason
    assert ("only for values with the words ab and cd" in reason.text) is accused


@pytest.mark.parametrize(("others", "found"), [(1, "undecided"), (20, "shown")])
def test_variants_that_repeat_the_change_of_a_test_show_nothing(others, found):
    repeated = [replace(SEED, text=f"f('ab', {number})", made=True) for number in range(30)]
    calls = [SEED, *repeated, *variants(30, changed=others), *variants(10, changed=1, renamed=True)]
    assert judge_generality(calls, "")[0] == found


@pytest.mark.parametrize(("repeats", "found"), [(True, "undecided"), (False, "shown")])
def test_argument_whose_variants_repeat_the_change_of_a_test_is_named(repeats, found):
    arguments = (("str", "'ab'", False), ("int", "17", False))
    seed = replace(SEED, arguments=arguments, given=("text", "size"))
    made = [replace(call, varied=frozenset({"text"})) for call in variants(30, changed=20)]
    made += [replace(call, varied=frozenset({"text"})) for call in variants(10, changed=5, renamed=True)]
    for size in range(10):
        call = replace(seed, text=f"f('ab', {size})", made=True, varied=frozenset({"size"}))
        made.append(call if repeats else replace(call, base=f"str:{size}", again=f"str:{size}"))
    judged, reason = judge_generality([seed, *made], "")
    assert judged == found, reason
    assert ("argument size of f shows another change" in reason.text) is repeats


@pytest.mark.parametrize(
    ("error", "patched", "found"),
    [
        ("KeyError", "!KeyError:2", "undecided"),
        ("KeyError", "str:right", "shown"),
        ("KeyError", "!TypeError:2", "shown"),
        ("ValueError", "!ValueError:2", "shown"),
    ],
)
def test_reported_exception_that_stays_for_other_values(error, patched, found):
    seed = replace(SEED, base=f"!{error}:1", again=f"!{error}:1")
    other = replace(seed, text="f('zz')", base=f"!{error}:2", again=f"!{error}:2", patch=patched, made=True)
    calls = [seed, other, *variants(30, changed=20), *variants(30, changed=20, renamed=True)]
    judged, reason = judge_generality(calls, "")
    assert judged == found, reason
    measured = f"With and without the patch, a {error} ends f('zz'): the type that is reported, perhaps another cause."
    assert (reason.text == measured) is (found == "undecided")
