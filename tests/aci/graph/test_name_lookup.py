"""From a name as somebody writes it to what it means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.code_graph import query_graph
from aci.graph.name_lookup import definition_at_line, dotted_name, is_test_file, look_up_name
from aci.repository.file_blobs import TextBlobs

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": "class Basket:\n    def weigh(self):\n        return 1\n\n\nclass Crate(Basket):\n    pass\n",
    "shop/weigh_all.py": "def weigh_all(things):\n    return 0\n",
    "tests/test_basket.py": "class Basket:\n    pass\n\n\ndef test_weigh():\n    pass\n",
    "shop/test_then_patch.py": "def solve():\n    pass\n",
}


def answer(name: str) -> tuple[list[str], list[str]]:
    def told(graph):
        said = look_up_name(graph, name)
        return tuple([f"{place.path}:{dotted_name(graph, place)}" for place in some] for some in said)

    return query_graph(TextBlobs(FILES), None, told)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("weigh_all", ["shop/weigh_all.py:weigh_all"]),
        ("Basket", ["shop/basket.py:Basket", "tests/test_basket.py:Basket"]),
        ("shop.basket.Basket", ["shop/basket.py:Basket"]),
        ("Basket.weigh", ["shop/basket.py:Basket.weigh"]),
        ("Crate.weigh", ["shop/basket.py:Basket.weigh"]),
        ("basket.py", ["shop/basket.py:shop/basket.py"]),
        ("./shop/basket.py", ["shop/basket.py:shop/basket.py"]),
        ("basket", ["shop/basket.py:shop/basket.py"]),
        ("shop.basket", ["shop/basket.py:shop/basket.py"]),
        ("shop/basket.py:3", ["shop/basket.py:Basket.weigh"]),
        ("shop/basket.py:5", ["shop/basket.py:shop/basket.py"]),
        ("shop/basket.py::Crate", ["shop/basket.py:Crate"]),
        ("tests/test_basket.py:Basket", ["tests/test_basket.py:Basket"]),
        ("def weigh_all(things)", ["shop/weigh_all.py:weigh_all"]),
        ("shop/weigh_all", ["shop/weigh_all.py:weigh_all"]),
    ],
)
def test_what_name_means(name: str, places: list[str]) -> None:
    assert answer(name) == (places, [])


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("crate", "shop/basket.py:Crate"),
        ("wiegh_all", "shop/weigh_all.py:weigh_all"),
        ("weighAll", "shop/weigh_all.py:weigh_all"),
        ("weig", "shop/basket.py:Basket.weigh"),
        ("shop/basket.py:crate", "shop/basket.py:Crate"),
        ("shop/basket.py:weigh_al", "shop/basket.py:Basket.weigh"),
        ("Nobody.weigh", "shop/basket.py:Basket.weigh"),
    ],
)
def test_what_is_nearest(name: str, nearest: str) -> None:
    places, near = answer(name)
    assert (places, near[0]) == ([], nearest)


@given(st.text(max_size=30) | st.from_regex(r"[a-z./:#]{0,20}", fullmatch=True))
def test_any_text_is_taken(name: str) -> None:
    places, near = answer(name)
    assert not (places and near)


def test_only_what_holds_tests_is_test() -> None:
    def told(graph):
        return [is_test_file(graph, path) for path in graph.paths], definition_at_line(
            graph, "shop/basket.py", 100
        ).symbol

    assert query_graph(TextBlobs(FILES), None, told) == ([path.startswith("tests") for path in sorted(FILES)], -1)


def test_name_of_any_length_is_read_in_no_time() -> None:
    assert answer("(" * 100_000) == ([], [])
    assert answer("Basket.weigh(" + "x" * 100_000 + ")")[0] == []
