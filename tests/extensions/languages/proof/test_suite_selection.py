"""Selection of the test files that concern a change, in languages other than Python."""

from __future__ import annotations

from pathlib import Path

from aci.proof.suite_selection import nearest_tests
from aci.repository.user_repository import Repository
from tests.aci.proof.test_suite_selection import related
from trajectories.git_store.trees import Trees

__all__ = ["related"]


def test_nearest_tests_in_other_languages(tmp_path: Path, make_repo) -> None:
    files = {
        "lib/cart.js": "function sum() {}\n\nmodule.exports = { sum };\n",
        "test/cart.test.js": "",
        "test/other.test.js": "",
        "test/use.spec.js": "const { sum } = require('../lib/cart');\n\nsum();\n",
        "src/main/Cart.java": "class Cart {}\n",
        "src/test/CartTest.java": "class CartTest {}\n",
    }
    with Trees(tmp_path / "trees.git") as trees:
        tree = Repository.open(make_repo(files)).base(trees).tree
        found = nearest_tests(trees, tree, [("lib/cart.js", "sum")], "", any_language=True)
        assert set(found) == {"test/cart.test.js", "test/use.spec.js"}
        assert nearest_tests(trees, tree, [("src/main/Cart.java", "")], "", any_language=True) == (
            "src/test/CartTest.java",
        )
        assert nearest_tests(trees, tree, [("lib/cart.js", "sum")], "") == ()


def test_tests_of_other_languages_are_selected_by_path(related) -> None:
    files = {"src/cart.js": "exports.one = 1;\n", "test/cart.test.js": "test('a', () => {});\n", "test/b.test.js": "\n"}
    assert related(files, "src/cart.js", "1", "2") == ("test/cart.test.js",)
