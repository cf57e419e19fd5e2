"""Patches that answer the example only, and those that merely look so."""

import pytest

from aci.example import only_the_example

BEFORE = "def add(a, b):\n    return a - b\n"
TEST = "from calc import add\n\ndef test_add():\n    '''The sum of 7.'''\n    assert add(2, 3) == 5\n"
SECOND = "from calc import add\n\ndef test_more():\n    assert add(10, 1) == 11\n"


@pytest.mark.parametrize(
    "body",
    [
        "    if a == 2 and b == 3:\n        return 5\n    return a - b\n",
        "    if (a, b) == (2, 3):\n        return 5\n    return a - b\n",
        "    return 5 if (a, b) == (2, 3) else a - b\n",
        "    if (a, b) in [(2, 3)]:\n        result = 5\n    else:\n        result = a - b\n    return result\n",
    ],
)
def test_the_example_alone(body: str) -> None:
    patched = f"def add(a, b):\n{body}"
    assert only_the_example(BEFORE, patched, [TEST]) == 2
    assert not only_the_example(BEFORE, patched, [TEST, SECOND])
    assert not only_the_example(patched, patched, [TEST])


@pytest.mark.parametrize(
    "after",
    [
        "def add(a, b):\n    return a + b\n",
        "def add(a, b):\n    if a == 2 and b == 3:\n        return a + b\n    return a - b\n",
        "def add(a, b):\n    if a is None:\n        return 5\n    return 2 + 3\n",
        "def add(a, b:\n",
    ],
)
def test_what_is_no_special_case(after: str) -> None:
    assert not only_the_example(BEFORE, after, [TEST])


def test_a_test_without_values_tells_nothing() -> None:
    patched = "def add(a, b):\n    if a == 2:\n        return 5\n    return a - b\n"
    assert not only_the_example(BEFORE, patched, ["def test_it():\n    assert check()\n"])
    assert not only_the_example(BEFORE, patched, [])
