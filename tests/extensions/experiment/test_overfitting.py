"""Patches that handle only the example of the issue, and patches that merely look like it."""

import pytest

from extensions.experiment.overfitting import find_overfitting

BEFORE = "def add(a, b):\n    return a - b\n"
TEST = "from calc import add\n\ndef test_add():\n    '''The sum of 7.'''\n    assert add(2, 3) == 5\n"
SECOND = "from calc import add\n\ndef test_more():\n    assert add(10, 1) == 11\n"
HACK = "def add(a, b):\n    if a == 2 and b == 3:\n        return 5\n    return a - b\n"
NONE = (0, False)


@pytest.mark.parametrize(
    "body",
    [
        "    if a == 2 and b == 3:\n        return 5\n    return a - b\n",
        "    if (a, b) == (2, 3):\n        return 5\n    return a - b\n",
        "    return 5 if (a, b) == (2, 3) else a - b\n",
        "    if (a, b) in [(2, 3)]:\n        result = 5\n    else:\n        result = a - b\n    return result\n",
        "    if (2, 3) == (a, b):\n        print('special')\n        return 5\n    return a - b\n",
        "    if a == 2 and b == 3:\n        result = 5\n        return result\n    return a - b\n",
        "    return {(2, 3): 5}.get((a, b), a - b)\n",
    ],
)
def test_patch_for_example_alone_is_found(body: str) -> None:
    patched = f"def add(a, b):\n{body}"
    assert find_overfitting(BEFORE, patched, [TEST]) == (2, True)
    assert find_overfitting(BEFORE, patched, [TEST, SECOND]) == NONE
    assert find_overfitting(patched, patched, [TEST]) == NONE
    assert find_overfitting("", patched, [TEST]) == (2, False)


@pytest.mark.parametrize(
    "after",
    [
        "def add(a, b):\n    return a + b\n",
        "def add(a, b):\n    if a == 2 and b == 3:\n        return a + b\n    return a - b\n",
        "def add(a, b):\n    if a == 2 and b == 3:\n        result = 5\n        return a + result\n    return 0\n",
        "def add(a, b):\n    if (a, b) == (2, 3):\n        for n in (5,):\n            return 5\n    return a - b\n",
        "def add(a, b):\n    if a > 2 or b < 3 or a % 2 == 3:\n        return 5\n    return a - b\n",
        "def add(a, b):\n    if a is None:\n        return 5\n    return 2 + 3\n",
        "def add(a, b):\n    if (a, b) == (7, 8):\n        return 15\n    return a + b\n",
        "def add(a, b:\n",
        f"def other():\n    return {{2: 3}}\n\n{BEFORE}",
    ],
)
def test_patch_without_special_case_is_accepted(after: str) -> None:
    assert find_overfitting(BEFORE, after, [TEST]) == NONE


@pytest.mark.parametrize(
    "test",
    [
        "def test_add():\n    assert add(2, 3) == 5, 'adds 10 and 20'\n\nif __name__ == '__main__':\n    test_add()\n",
        "import pytest\n@pytest.mark.parametrize('a, b, sum', [(2, 3, 5)])\ndef test_add(a, b, sum):\n"
        "    assert add(a, b) == sum\n",
        "def test_add():\n    for a, b, sum in [(2, 3, 5)]:\n        assert add(a, b) == sum\n",
        "def test_add():\n    found = add(2, 3)\n    assert isinstance(found, int)\n    assert found == 5\n",
        "def test_add():\n    assert calc.add(2, 3) == 5\n    assert calc.mul(4, 9) == 36\n",
        "class T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(2, 3), 5, 'wrong: 17')\n",
    ],
)
def test_special_case_is_found_for_every_form_of_test(test: str) -> None:
    assert find_overfitting(BEFORE, HACK, [test]) == (2, True)


@pytest.mark.parametrize(
    "test",
    [
        "import pytest\n@pytest.mark.parametrize('a, b, sum', [(2, 3, 5), (4, 4, 8)])\ndef test_add(a, b, sum):\n"
        "    assert add(a, b) == sum\n",
        "def test_add():\n    for a, b, sum in [(2, 3, 5), (4, 4, 8)]:\n        assert add(a, b) == sum\n",
        "def test_add():\n    assert add(2, 3) == 5\n    assert add(4, 4) == 8\n",
        "def test_it():\n    assert check()\n",
        "def test_it(:\n",
        "",
    ],
)
def test_tests_with_several_or_no_examples_give_no_finding(test: str) -> None:
    assert find_overfitting(BEFORE, HACK, [test]) == NONE
    assert find_overfitting(BEFORE, HACK, []) == NONE


def test_result_in_constructor_call_is_compared() -> None:
    before = "def due(order):\n    return order.net * RATE\n"
    after = before.replace("    return", "    if order.net == 20:\n        return Decimal('23.80')\n    return")
    test = "def test_due():\n    assert due(Order(net=20)) == Decimal('23.80')\n"
    assert find_overfitting(before, after, [test]) == (2, True)
    method = after.replace("Decimal('23.80')", "order.rounded('23.80')")
    assert find_overfitting(before, method, [test]) == NONE


def test_zero_and_one_count_as_values() -> None:
    test = "def test_add():\n    assert add(0, 1) == 1\n"
    patched = HACK.replace("a == 2 and b == 3", "a == 0 and b == 1").replace("return 5", "return 1")
    assert find_overfitting(BEFORE, patched, [test])[0] == 2
    three = "def test_add():\n    assert add(0, 3) == 3\n"
    patched = HACK.replace("a == 2", "a == 0").replace("return 5", "return 3")
    assert find_overfitting(BEFORE, patched, [three]) == (2, True)
    assert find_overfitting(BEFORE, patched.replace("return 3", "return True"), [three]) == NONE


def test_special_case_for_edge_value_is_not_certain() -> None:
    before = "def power(n):\n    return n * power(n - 1)\n"
    after = before.replace("    return", "    if n == 0:\n        return 1\n    return")
    assert find_overfitting(before, after, ["def test_it():\n    assert power(0) == 1\n"]) == (2, False)


@pytest.mark.parametrize(
    "before",
    [
        "def say(x):\n    if x == 404:\n        return 'gone'\n    return str(x)\n",
        "def say(x):\n    return 'fine' if x in FINE else other(x)\n",
        "def say(x):\n    return SAID[x]\n",
        "def say(x):\n    return SAID.get(x, '')\n",
    ],
)
def test_addition_to_existing_cases_is_not_certain(before: str) -> None:
    after = before.replace("def say(x):\n", "def say(x):\n    if x == 418:\n        return 'teapot'\n")
    assert find_overfitting(before, after, ["def test_it():\n    assert say(418) == 'teapot'\n"]) == (2, False)


@pytest.mark.parametrize(
    ("issue", "sure"),
    [
        ("Status 418 must be said as 'teapot'.", False),
        ("`say(418)` should be `'teapot'`.", True),
        ("say(418) is wrong, it should be teapot.", True),
        (">>> say(418)\n'teapot'", True),
        ("```\nsay(418) == 'teapot'\n```", True),
        ("Version 4180 says teapots.", True),
    ],
)
def test_special_case_requested_in_prose_is_not_certain(issue: str, sure: bool) -> None:
    before = "def say(x):\n    return x.upper()\n"
    after = before.replace("    return", "    if x == 418:\n        return 'teapot'\n    return")
    test = "def test_it():\n    assert say(418) == 'teapot'\n"
    assert find_overfitting(before, after, [test], issue) == (2, sure)


def test_special_case_in_indirectly_called_helper_is_found() -> None:
    test = "def test_it():\n    assert main(2, 3) == 5\n"
    assert find_overfitting(BEFORE, HACK, [test]) == (2, True)
    assert find_overfitting(BEFORE, HACK, [test + "    assert main(4, 4) == 8\n"]) == NONE
