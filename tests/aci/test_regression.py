"""Which test files concern a change, where a suite is too large to be simply run."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.regression import LARGE, MOST, related_tests
from aci.repository import Repository
from trajectories.trees import Trees

SOURCE = (
    "def total(prices):\n    return sum(prices)\n\n\n"
    "class Basket:\n    def weigh(self):\n        return 1\n\n\n\n\n\ndef other():\n    return 2\n"
)
FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": SOURCE,
    "shop/till.py": "from shop.basket import total\n",
    "tests/test_basket.py": "def test_it():\n    pass\n",
    "tests/test_till.py": "import shop.basket\n",
    "tests/test_weights.py": "from shop import Basket\n\ndef test_it():\n    assert Basket().weigh()\n",
    "tests/test_unrelated.py": "import os\n\ndef test_it():\n    assert os.weighing\n",
    "tests/data.py": "Basket = weigh = 1\n",
}
MORE = {f"tests/more/test_{number}.py": "def test_it():\n    pass\n" for number in range(LARGE)}


@pytest.fixture
def related(tmp_path: Path, make_repo):
    """`related(files, path, old, new)`: the tests chosen for that change."""

    def chosen(files: dict[str, str], path: str, old: str, new: str) -> tuple[str, ...]:
        with Trees(tmp_path / "trees.git") as trees:
            base = Repository.open(make_repo(files)).base(trees).tree
            text = trees.read(base, path).decode()
            assert old in text
            return related_tests(trees, base, trees.write({path: text.replace(old, new).encode()}, base), [path])

    return chosen


def test_a_small_suite_is_simply_run(related) -> None:
    assert related(FILES, "shop/basket.py", "sum(", "max(") == ()


def test_tests_of_the_module_first_then_those_that_name_what_changes(related) -> None:
    chosen = related(FILES | MORE, "shop/basket.py", "return 1", "return 3")
    assert chosen == ("tests/test_basket.py", "tests/test_till.py", "tests/test_weights.py")


def test_not_more_than_are_worth_it(related) -> None:
    many = {f"tests/test_w{number:02}.py": "from shop.basket import Basket\n" for number in range(LARGE)}
    chosen = related(FILES | many, "shop/basket.py", "return 1", "return 3")
    assert len(chosen) == MOST
    assert chosen[0] == "tests/test_basket.py"


def test_a_file_that_is_no_python_has_no_tests(related) -> None:
    assert related(FILES | MORE | {"data.json": "{}"}, "data.json", "{}", "[]") == ()
