"""Selection of the test files that concern a change, for suites that are too large to run completely."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.localization import issue_localization
from aci.proof import suite_selection
from aci.proof.suite_selection import LARGE, MOST, nearest_tests, related_tests
from aci.repository.user_repository import Repository
from trajectories.git_store.trees import Trees

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
    """`related(files, path, old, new)` returns the tests selected for that change."""

    def chosen(files: dict[str, str], path: str, old: str, new: str) -> tuple[str, ...]:
        with Trees(tmp_path / "trees.git") as trees:
            base = Repository.open(make_repo(files)).base(trees).tree
            text = trees.read(base, path).decode()
            assert old in text
            return related_tests(trees, base, trees.write({path: text.replace(old, new).encode()}, base), [path])

    return chosen


def test_tests_that_call_changed_code_come_first(related) -> None:
    chosen = related(FILES | MORE, "shop/basket.py", "return 1", "return 3")
    assert chosen == ("tests/test_weights.py", "tests/test_basket.py", "tests/test_till.py")


def test_tests_that_call_changed_code_indirectly_are_selected(related) -> None:
    through = {
        "shop/shelf.py": "from shop.basket import Basket\n\ndef heavy():\n    return Basket().weigh() > 5\n",
        "tests/test_far.py": "from shop import shelf\n\ndef test_it():\n    assert not shelf.heavy()\n",
    }
    chosen = related(FILES | MORE | through, "shop/basket.py", "return 1", "return 3")
    assert chosen[-1] == "tests/test_far.py"


def test_tests_are_selected_by_name_without_graph(related, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "no-folder").write_text("")
    monkeypatch.setenv("SWE_AGENT_CACHE", str(tmp_path / "no-folder"))
    monkeypatch.setattr("aci.localization.issue_localization.process_folder", lambda: tmp_path / "no-folder")
    issue_localization._temporary_folder.cache_clear()
    chosen = related(FILES | MORE, "shop/basket.py", "return 1", "return 3")
    assert chosen == ("tests/test_basket.py", "tests/test_till.py", "tests/test_weights.py")


@pytest.mark.parametrize(
    ("places", "tests"),
    [
        ([("shop/basket.py", "Basket.weigh")], ("tests/test_basket.py", "tests/test_weights.py")),
        ([("shop/basket.py", "")], ("tests/test_basket.py",)),
        ([("shop/util/inspect.py", "")], ("tests/test_util_inspect.py",)),
        ([("nowhere.py", "f")], ()),
    ],
)
def test_nearest_tests_of_places_come_first(tmp_path: Path, make_repo, places, tests) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        more = {"shop/util/inspect.py": "x = 1\n", "tests/test_util_inspect.py": "def test_it():\n    pass\n"}
        tree = Repository.open(make_repo(FILES | more)).base(trees).tree
        assert nearest_tests(trees, tree, places, "")[: len(tests)] == tests
        assert tests or not nearest_tests(trees, tree, places, "")


def test_number_of_selected_tests_is_limited(related) -> None:
    many = {f"tests/test_w{number:02}.py": "from shop.basket import Basket\n" for number in range(LARGE)}
    chosen = related(FILES | many, "shop/basket.py", "return 1", "return 3")
    assert len(chosen) == MOST
    assert chosen[:2] == ("tests/test_weights.py", "tests/test_basket.py")


def test_data_file_has_no_related_tests(related) -> None:
    assert related(FILES | MORE | {"data.json": "{}"}, "data.json", "{}", "[]") == ()


def test_only_nearest_files_of_huge_suite_are_read(related, monkeypatch) -> None:
    monkeypatch.setattr(suite_selection, "READ_FILES", 3)
    assert related(FILES | MORE, "shop/basket.py", "return 1", "return 3") == (
        "tests/test_basket.py",
        "tests/test_weights.py",
    )
    near = {"tests/shop/test_far.py": "from shop import basket\n"}
    chosen = related(FILES | MORE | near, "shop/basket.py", "return 1", "return 3")
    assert chosen == ("tests/test_basket.py", "tests/test_weights.py", "tests/shop/test_far.py")


def test_too_long_test_files_are_not_read(related, monkeypatch) -> None:
    monkeypatch.setattr(suite_selection, "READ_BYTES", 2000)
    long = {"tests/test_long.py": "import shop.basket\n" + "#" * 3000, "tests/shop/test_far.py": "import shop.basket\n"}
    chosen = related(FILES | MORE | long, "shop/basket.py", "return 1", "return 3")
    assert "tests/shop/test_far.py" in chosen
    assert "tests/test_long.py" not in chosen


def test_symlinks_and_submodules_are_not_read_as_tests(tmp_path: Path, make_repo) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        base = Repository.open(make_repo(FILES | MORE)).base(trees).tree
        one = trees.files(base)["shop/till.py"].id
        lines = [f"{entry.mode} {entry.id} 0\t{path}" for path, entry in trees.files(base).items()]
        lines += [f"120000 {one} 0\ttests/test_link.py", f"160000 {'1' * 40} 0\ttests/test_other.py"]
        odd = trees.adopt("".join(f"{line}\0" for line in lines).encode(), [])
        tree = trees.write({"shop/basket.py": SOURCE.replace("sum", "max").encode()}, odd)
        messages: list[str] = []
        chosen = related_tests(trees, odd, tree, ["shop/basket.py"], messages.append)
        assert chosen == ("tests/test_basket.py", "tests/test_till.py")
        assert messages


def test_tests_of_removed_module_are_selected(tmp_path: Path, make_repo) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        base = Repository.open(make_repo(FILES | MORE)).base(trees).tree
        tree = trees.write({"shop/basket.py": None}, base)
        assert related_tests(trees, base, tree, ["shop/basket.py"]) == (
            "tests/test_basket.py",
            "tests/test_weights.py",
            "tests/test_till.py",
        )


def test_tests_that_read_data_of_changed_module_are_selected(related) -> None:
    read = "from pathlib import Path\nCASES = Path(__file__).parent / 'rule_cases'\n"
    data = {
        "shop/rules/LT01.py": "def check(x):\n    return x\n",
        "tests/rule_cases/LT01.yml": "pass: 1\n",
        "tests/rule_cases/LT02.yml": "pass: 1\n",
        "tests/test_cases.py": read,
    }
    assert related(FILES | MORE | data, "shop/rules/LT01.py", "return x", "return 3") == ("tests/test_cases.py",)
    no_data = {name: text for name, text in data.items() if "LT01.yml" not in name}
    assert related(FILES | MORE | no_data, "shop/rules/LT01.py", "return x", "return 3") == ()
